//! What is done to a healthy VM on purpose: whether its liveness probe lets it live, and what to change where it does not.

use super::moments::{Moments, needed};
use super::numbers::{Change, Numbers};
use super::proof::{Bench, broken_at};
use crate::engine::Config;
use crate::fault::Fault;
use crate::manifest::{Handler, PodProbe, VirtualMachine};
use crate::scenario::{Pattern, Spec, Step, UserRequest, VmiAnnotation, VmiAnnotations};
use crate::time::{Span, Time};
use crate::trace::{DomainEvent, Event, Trace};
use crate::world;
use std::time::Duration;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maintenance {
    /// The guest reboots, or installs an update while it does, and does not answer until it is up.
    Reboot,
    /// A live migration: the pod that it goes to is probed from its start and has no guest until the end.
    Migration,
    /// A backup has the filesystems frozen.
    Freeze,
}

impl Maintenance {
    /// The word for it on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Maintenance::Reboot => "reboot",
            Maintenance::Migration => "migration",
            Maintenance::Freeze => "freeze",
        }
    }
}

/// How a VM can be made to live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// This number; the least that does.
    Number(Change),
    /// The annotation `kubevirt.io/pause-guest-agent-probes` on the VMI, set before, removed when the guest is back.
    Annotation,
}

/// Whether it lives.
#[derive(Debug, Clone, PartialEq)]
pub struct Lives {
    /// What is done.
    pub what: Maintenance,
    /// For how long.
    pub lasting: Duration,
    /// How soon after its begin it is restarted at the worst moment; `None`: it lives.
    pub killed: Option<Duration>,
    /// What would let it live.
    pub ways: Vec<Way>,
    /// How many runs that took.
    pub runs: usize,
}

/// No threshold or delay is tried beyond.
const MOST: i64 = 100_000;
/// A restart for nothing comes by then.
const AFTERWARDS: Duration = Duration::from_secs(60);
/// So long before the rest an annotation is set: virt-launcher heeds it from its next sync on.
const BEFORE: Duration = Duration::from_secs(10);

/// Tries it at every moment, and where the guest is restarted what would let it live. An error: the VM is never well.
pub fn maintain(bench: &Bench<'_>, what: Maintenance, lasting: Duration, boot: Duration) -> Result<Lives, String> {
    let own = bench.own();
    let mut trial = Trial { bench, what, lasting, boot, annotated: false, runs: 0 };
    let killed = trial.killed(&own)?;
    let mut ways = Vec::new();
    if let (Some(_), Some(probe)) = (killed, &bench.vm.vmi.liveness) {
        let before = if what == Maintenance::Migration {
            own.liveness.map(|t| t.initial_delay.into())
        } else {
            own.liveness.map(|t| i64::from(t.failure_threshold))
        };
        if let Some(value) = trial.least(&own, before.unwrap_or(0))? {
            ways.extend(with(&own, what, value).changes_from(&own, bench.vm).into_iter().next().map(Way::Number));
        }
        let pings = probe.handler == Handler::GuestAgentPing && bench.version.heeds_probe_annotation();
        trial.annotated = true;
        if pings && what == Maintenance::Reboot && trial.killed(&own)?.is_none() {
            ways.push(Way::Annotation);
        }
    }
    Ok(Lives { what, lasting, killed, ways, runs: trial.runs })
}

/// The numbers with another threshold; for a migration, another delay.
fn with(own: &Numbers, what: Maintenance, value: i64) -> Numbers {
    let liveness = own.liveness.map(|mut t| {
        match what {
            Maintenance::Migration => t.initial_delay = i32::try_from(value).unwrap_or(i32::MAX),
            _ => t.failure_threshold = u32::try_from(value).unwrap_or(u32::MAX),
        }
        t
    });
    Numbers { liveness, ..*own }
}

struct Trial<'a> {
    bench: &'a Bench<'a>,
    what: Maintenance,
    lasting: Duration,
    boot: Duration,
    annotated: bool,
    runs: usize,
}

impl Trial<'_> {
    /// The least value above `before` with which it lives.
    fn least(&mut self, own: &Numbers, before: i64) -> Result<Option<i64>, String> {
        let (mut dies, mut lives) = (before, before.max(1) * 2);
        while self.killed(&with(own, self.what, lives))?.is_some() {
            (dies, lives) = (lives, lives * 2);
            if lives > MOST {
                return Ok(None);
            }
        }
        while lives - dies > 1 {
            let middle = dies + (lives - dies) / 2;
            match self.killed(&with(own, self.what, middle))? {
                Some(_) => dies = middle,
                None => lives = middle,
            }
        }
        Ok(Some(lives))
    }

    /// How soon it is restarted at the worst moment.
    fn killed(&mut self, numbers: &Numbers) -> Result<Option<Duration>, String> {
        let vm = numbers.put_into(self.bench.vm);
        if self.what == Maintenance::Migration {
            return self.target_is_killed(&vm, numbers);
        }
        // A guest reboots for as long as it boots: of its first boot, which is no maintenance, liveness must know nothing.
        let (mut vm, boot) = (vm, if self.what == Maintenance::Reboot { self.lasting } else { self.boot });
        let period = vm.vmi.liveness.as_ref().map_or(1, |p| p.timings.period);
        if let Some(probe) = vm.vmi.liveness.as_mut() {
            let delay = i32::try_from(boot.as_secs() + u64::from(period)).unwrap_or(i32::MAX);
            probe.timings.initial_delay = probe.timings.initial_delay.max(delay);
        }
        let mut worst: Option<Duration> = None;
        for (ready, at) in self.moments(&vm, numbers, boot)? {
            let (steps, begins) = self.steps(at);
            let spec = self.bench.spec(&vm, numbers, steps);
            let observe = ready.since_origin() + begins + self.lasting + AFTERWARDS;
            let (_, trace) = self.run(&vm, numbers, spec, observe, boot);
            let found = restarted(&trace, ready + begins);
            worst = [worst, found].into_iter().flatten().min();
        }
        Ok(worst)
    }

    /// The steps, and when the maintenance begins, counted from the guest being ready.
    fn steps(&self, at: Duration) -> (Vec<Step>, Duration) {
        let fault = match self.what {
            Maintenance::Freeze => Fault::FsFreeze { lasting: Span(self.lasting) },
            _ => Fault::GuestReboot,
        };
        if !self.annotated {
            return (broken_at(at, fault), at);
        }
        let user = |after: Option<&str>, plus, request| Step {
            after: after.and_then(|text| Pattern::try_from(text.to_owned()).ok()),
            guarded_within: None,
            plus: Span(plus),
            fault: None,
            user: Some(request),
        };
        let pause = VmiAnnotations { pause_guest_agent_probes: "true".to_owned() };
        let steps = vec![
            user(Some("guest ready"), at, UserRequest::Annotate(pause)),
            Step { after: None, guarded_within: None, plus: Span(BEFORE), fault: Some(fault), user: None },
            user(
                Some("guest ready"),
                Duration::ZERO,
                UserRequest::RemoveAnnotation(VmiAnnotation::PauseGuestAgentProbes),
            ),
        ];
        (steps, at + BEFORE)
    }

    /// The pod that a migration goes to is one whose guest does not answer until it is over. Pings are excused meanwhile.
    fn target_is_killed(&mut self, vm: &VirtualMachine, numbers: &Numbers) -> Result<Option<Duration>, String> {
        let pings = vm.vmi.liveness.as_ref().is_none_or(|p| p.handler == Handler::GuestAgentPing);
        if pings && self.bench.version.suppresses_pings() {
            return Ok(None);
        }
        let spec = self.bench.spec(vm, numbers, Vec::new());
        let (_, trace) = self.run(vm, numbers, spec, self.lasting + AFTERWARDS, self.lasting);
        let started = trace.entries().iter().find(|e| e.event == Event::Qemu(DomainEvent::Started)).map(|e| e.at);
        Ok(started.and_then(|at| restarted(&trace, at)).filter(|after| *after <= self.lasting))
    }

    /// When the guest is ready, and each moment after that.
    fn moments(
        &mut self,
        vm: &VirtualMachine,
        numbers: &Numbers,
        boot: Duration,
    ) -> Result<Vec<(Time, Duration)>, String> {
        let probes = [&vm.vmi.liveness, &vm.vmi.readiness].map(|p| p.as_ref().map(|p| PodProbe::from(p).timings));
        let periods = [probes[0].map(|t| t.period), None];
        let observe = boot + AFTERWARDS + needed(probes, periods);
        let spec = self.bench.spec(vm, numbers, Vec::new());
        let (spec, trace) = self.run(vm, numbers, spec, observe, boot);
        let found = Moments::of(&trace, &spec, vm.vmi.liveness.is_some(), periods, None);
        let found =
            found.ok_or("the VM is never Ready and guarded, whatever is done to it: its probes do not find it well")?;
        Ok(found.all.iter().filter(|at| **at >= found.guarded).map(|at| (found.ready, *at)).collect())
    }

    fn run(
        &mut self,
        vm: &VirtualMachine,
        numbers: &Numbers,
        spec: Spec,
        observe: Duration,
        boot: Duration,
    ) -> (Spec, Trace) {
        self.runs += 1;
        let spec = Spec { observe: Span(observe), ..spec };
        let (_, trace, _) = world::run(vm, &spec, Config::of(&spec, 1.0, false), self.bench.timings(numbers, boot));
        (spec, trace)
    }
}

/// How soon after `from` somebody restarts the guest, or decides to.
fn restarted(trace: &Trace, from: Time) -> Option<Duration> {
    let restarts = |e: &Event| matches!(e, Event::Killing | Event::Qemu(DomainEvent::Watchdog(_)));
    trace.sorted().iter().find(|e| e.at >= from && restarts(&e.event)).map(|e| e.at.since(from))
}

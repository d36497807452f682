//! What may have happened to a VM, and how each of it goes in the model: the manifest with each cause, at several moments.

use super::predicted::{Expected, begins, signs};
use super::sign::{Sign, Victim};
use crate::concern::concerning;
use crate::engine::Config;
use crate::fault::{DiskError, Fault, FaultKind, OomVictim};
use crate::manifest::VirtualMachine;
use crate::scenario::{Pattern, Spec, Step, UserRequest, Verdict};
use crate::time::Span;
use crate::world::{self, Timings};
use std::time::Duration;

/// Moments at which each cause is tried, over the longest period of the probes.
const MOMENTS: u32 = 6;
/// From the guest being ready to the first of them: initial delays are over.
const FROM: Duration = Duration::from_secs(120);
/// No period is taken for longer.
const LONGEST_PERIOD: u64 = 60;
/// Who waits for longer than this, seconds, waits for any boot.
const LONGEST_BOOT: u64 = 2400;

/// Something that may have happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Cause {
    /// In kebab case.
    pub name: String,
    /// As in a scenario: a fault, or `user: stop`; empty: it is no step.
    pub step: String,
    /// In a few words.
    pub what: String,
}

/// One way in which it can go: the same signs, at whichever moments it came.
#[derive(Debug, Clone)]
pub struct Course {
    pub(super) signs: Vec<Expected>,
    /// At how many of the moments it goes so.
    pub moments: u32,
}

/// A cause with all of its courses.
#[derive(Debug, Clone)]
pub struct Suspect {
    /// What may have happened.
    pub cause: Cause,
    /// The commonest first.
    pub courses: Vec<Course>,
}

/// What brings a cause about in the model.
enum Trigger {
    Fault(Fault),
    User(UserRequest),
    SlowBoot,
}

/// Every cause that the manifest knows, run in the model. `spec` gives the guest, the steps before it and, as `observe`, how long
/// each run is watched; `timings`: how long the guest boots.
pub fn courses(vm: &VirtualMachine, spec: &Spec, timings: Timings) -> Vec<Suspect> {
    let period = longest_period(vm);
    let suspects = causes(vm, spec).into_iter().map(|(cause, trigger, beside)| {
        let mut courses = Vec::<Course>::new();
        for n in 0..MOMENTS {
            let Some(mut found) = run(vm, spec, &trigger, FROM + period * n / MOMENTS, timings) else { continue };
            found
                .extend(beside.iter().filter(|b| !found.iter().any(|f| f.sign == b.sign)).copied().collect::<Vec<_>>());
            let same = |c: &Course| {
                c.signs.len() == found.len() && found.iter().all(|f| c.signs.iter().any(|s| s.sign == f.sign))
            };
            match courses.iter_mut().find(|c| same(c)) {
                Some(course) => course.moments += 1,
                None => courses.push(Course { signs: found, moments: 1 }),
            }
        }
        courses.sort_by_key(|c| std::cmp::Reverse(c.moments));
        Suspect { cause, courses }
    });
    suspects.filter(|s| !s.courses.is_empty()).collect()
}

fn run(vm: &VirtualMachine, spec: &Spec, trigger: &Trigger, plus: Duration, timings: Timings) -> Option<Vec<Expected>> {
    let (mut spec, mut timings) = (spec.clone(), timings);
    let (fault, user) = match trigger {
        Trigger::Fault(fault) => (Some(fault.clone()), None),
        Trigger::User(request) => (None, Some(request.clone())),
        Trigger::SlowBoot => (None, None),
    };
    if fault.is_some() || user.is_some() {
        let after = Some(Pattern::try_from("guest ready".to_owned()).ok()?);
        spec.steps.push(Step { after, guarded_within: None, plus: Span(plus), fault, user });
    } else {
        timings = Timings::booting_in(slow_boot(vm)?);
    }
    let (verdict, trace, _) = world::run(vm, &spec, Config::of(&spec, 1.0, false), timings);
    // What the API refuses, pausing with such a liveness probe, never comes.
    let came = matches!(trigger, Trigger::SlowBoot) || trace.entries().iter().any(begins);
    (came && !matches!(verdict, Verdict::Infra(_))).then(|| signs(&trace))
}

/// A minute longer than liveness gives the guest.
fn slow_boot(vm: &VirtualMachine) -> Option<Duration> {
    let times = &vm.vmi.liveness.as_ref()?.timings;
    let delay = u64::try_from(times.initial_delay).unwrap_or(0);
    let patience = delay.saturating_add(u64::from(times.period).saturating_mul(times.failure_threshold.into()));
    (patience <= LONGEST_BOOT).then(|| Duration::from_secs(patience + 60))
}

/// A cause, what brings it about, and the signs that are no part of the model's trace.
type Row = (Cause, Trigger, Vec<Expected>);

fn causes(vm: &VirtualMachine, spec: &Spec) -> Vec<Row> {
    let cause = |name: &str, step: &str, what: &str| Cause { name: name.into(), step: step.into(), what: what.into() };
    let mut rows: Vec<Row> = Vec::new();
    for concern in concerning(vm, &spec.guest) {
        let what = match concern.fault {
            // Nothing that KubeVirt keeps tells the two apart.
            Fault::IoError { error: DiskError::NoSpace, .. } => continue,
            Fault::IoError { .. } => "writes to the disk fail, or what it lies on is full, for two minutes",
            _ => concern.why,
        };
        let beside = beside(&concern.fault);
        rows.push((cause(concern.name, concern.text, what), Trigger::Fault(concern.fault), beside));
    }
    // What befalls any VM and is no fault of its own.
    let faults = [
        (
            "memory-limit",
            "{oomKill: {of: container}}",
            "virt-launcher and QEMU are killed for the container's memory limit",
        ),
        ("launcher-killed", "killLauncher", "virt-launcher is killed"),
        ("node-lost", "{nodeLost: {for: 10m}}", "the node is lost to the cluster"),
        ("guest-poweroff", "guestPoweroff", "somebody powers the guest off from inside"),
        ("soft-lockup", "{softLockup: {for: 2m}}", "the kernel of each CPU loops for two minutes"),
        ("hung-task", "{hungTask: {for: 5m}}", "a program waits in the kernel for five minutes"),
        ("guest-reboot", "guestReboot", "somebody reboots the guest from inside"),
    ];
    for (name, step, what) in faults {
        let fault = step.parse::<Fault>().ok().filter(|_| !rows.iter().any(|(c, ..)| c.name == name || c.step == step));
        rows.extend(fault.map(|fault| (cause(name, step, what), Trigger::Fault(fault.clone()), beside(&fault))));
    }
    let stopped = || vec![Expected::at_once(Sign::Killing, false), Expected::at_once(Sign::Terminated, false)];
    let with = |sign: Sign| [vec![Expected::at_once(sign, true)], stopped()].concat();
    let migration = UserRequest::Migrate { lasting: Span(Duration::from_secs(60)) };
    let users = [
        (
            "pod-evicted",
            "user: deletePod",
            "its pod is evicted: a drain, a taint, pressure of the node",
            UserRequest::DeletePod,
            with(Sign::Evicted),
        ),
        ("pod-deleted", "user: deletePod", "somebody deletes its pod", UserRequest::DeletePod, stopped()),
        ("vmi-deleted", "user: deleteVmi", "somebody deletes its VMI", UserRequest::DeleteVmi, stopped()),
        ("stopped", "user: stop", "somebody stops the VM", UserRequest::Stop, stopped()),
        ("restarted", "user: restart", "somebody restarts the VM", UserRequest::Restart, stopped()),
        ("paused", "user: pause", "somebody pauses the VM", UserRequest::Pause, vec![]),
        (
            "migrated",
            "user: {migrate: {for: 1m}}",
            "it is migrated",
            migration,
            vec![Expected::at_once(Sign::Migrated, true)],
        ),
    ];
    rows.extend(
        users.map(|(name, step, what, request, beside)| (cause(name, step, what), Trigger::User(request), beside)),
    );
    if vm.vmi.liveness.is_some() {
        let what = "the guest boots for longer than its liveness probe waits";
        rows.push((cause("slow-boot", "", what), Trigger::SlowBoot, vec![]));
    }
    rows
}

/// What a fault leaves that is no event of the model's (kubevirt-health.md 8.6).
fn beside(fault: &Fault) -> Vec<Expected> {
    let sure = |sign| vec![Expected::at_once(sign, true)];
    let may = |signs: &[Sign]| signs.iter().map(|s| Expected::at_once(*s, false)).collect();
    match fault {
        Fault::OomKill { of: OomVictim::Container } => sure(Sign::OomKilled),
        Fault::OomKill { of: OomVictim::Agent } => sure(Sign::ConsoleOom(Victim::Agent)),
        Fault::OomKill { of: OomVictim::Watchdog } => sure(Sign::ConsoleOom(Victim::Watchdog)),
        Fault::OomKill { of: OomVictim::Service } => sure(Sign::ConsoleOom(Victim::Other)),
        Fault::NodeLost { .. } => [sure(Sign::NodeLost), may(&[Sign::Evicted, Sign::Killing])].concat(),
        fault if fault.panics() => sure(Sign::ConsolePanic),
        fault => match fault.kind() {
            FaultKind::SoftLockup => sure(Sign::ConsoleLockup),
            FaultKind::HungTask => sure(Sign::ConsoleHungTask),
            FaultKind::CpuHog => may(&[Sign::ConsoleLockup]),
            FaultKind::IoError => may(&[Sign::ConsoleHungTask, Sign::ConsoleIoError]),
            FaultKind::KillLauncher => may(&[Sign::LauncherDied]),
            FaultKind::GuestReboot | FaultKind::LongReboot => sure(Sign::ConsoleShutdown),
            _ => Vec::new(),
        },
    }
}

/// The longest period of its probes: within it every attempt has been missed and met.
fn longest_period(vm: &VirtualMachine) -> Duration {
    let periods = [&vm.vmi.readiness, &vm.vmi.liveness].into_iter().flatten().map(|p| u64::from(p.timings.period));
    Duration::from_secs(periods.max().unwrap_or(10).clamp(1, LONGEST_PERIOD))
}

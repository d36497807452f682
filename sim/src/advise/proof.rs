//! What numbers are worth: tried in virtual time, each fault at every moment that can make a difference.

use super::goal::{Boots, Broken, Goal};
use super::moments::{Moments, needed};
use super::numbers::Numbers;
use crate::budget::{Assumptions, Pets};
use crate::cluster::KubevirtVersion;
use crate::devices::fires_after;
use crate::engine::Config;
use crate::explain::outcome;
use crate::fault::{Direction, Fault};
use crate::manifest::{Destination, Handler, PodProbe, Probe, RunStrategy, VirtualMachine};
use crate::scenario::{Final, GuestProfile, Pattern, Spec, Step, UserRequest};
use crate::time::Span;
use crate::trace::{DomainEvent, Event};
use crate::world::{self, Timings};
use std::time::Duration;

/// A VM and the guest in which its numbers are tried.
#[derive(Debug, Clone)]
pub struct Bench<'a> {
    /// The VM as it is.
    pub vm: &'a VirtualMachine,
    /// What its guest is set up with.
    pub guest: &'a GuestProfile,
    /// What its manifest does not say.
    pub assumptions: Assumptions,
    /// The cluster's release.
    pub version: KubevirtVersion,
}

/// The worst that a fault comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Worst {
    /// Which fault, as it is written.
    pub fault: String,
    /// When it came, from the guest being ready.
    pub at: Duration,
    /// How long that guest's boot took.
    pub boot: Duration,
    /// From the fault to the VM being back; `None`: not within what was watched.
    pub back: Option<Duration>,
    /// Who noticed first.
    pub noticed: Option<String>,
}

/// What trying came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// How many runs.
    pub runs: usize,
    /// The worst moment of each fault.
    pub faults: Vec<Worst>,
    /// What restarts it although nothing is wrong: a boot, a hiccup; in words.
    pub false_restarts: Vec<String>,
}

impl Proof {
    /// The fault that takes longest; `None`: none was tried.
    pub fn worst(&self) -> Option<&Worst> {
        self.faults.iter().max_by_key(|w| w.back.map_or((1, Duration::ZERO), |back| (0, back)))
    }

    /// The longest recovery; `None`: one of the faults is never recovered from, or none could come.
    pub fn recovery(&self) -> Option<Duration> {
        self.faults.first()?;
        self.faults.iter().map(|w| w.back).try_fold(Duration::ZERO, |longest, back| Some(longest.max(back?)))
    }

    /// Every fault at every moment is over in time, and nothing healthy is restarted.
    pub fn holds(&self, within: Duration) -> bool {
        self.false_restarts.is_empty() && self.recovery().is_some_and(|longest| longest <= within)
    }
}

impl Bench<'_> {
    /// The numbers that the VM and its guest have.
    pub fn own(&self) -> Numbers {
        let heartbeat = self.guest.petting().map(|p| p.heartbeat_seconds);
        Numbers::of(self.vm, heartbeat, self.guest.kernel_panic_seconds)
    }

    /// Tries numbers; `watched`: how long after each fault. `hiccup` is what they are to survive.
    pub fn prove(
        &self,
        numbers: &Numbers,
        goal: &Goal,
        hiccup: Duration,
        faults: &[Broken],
        watched: Duration,
    ) -> Proof {
        let mut proof = Proof { runs: 0, faults: Vec::new(), false_restarts: Vec::new() };
        let vm = numbers.put_into(self.vm);
        for boot in goal.boots.each() {
            let Some(moments) = self.moments(&vm, numbers, boot, &mut proof) else { continue };
            for broken in faults {
                let all = moments.all.iter().map(|at| {
                    self.recovers(&vm, numbers, goal.boots, boot, broken, (moments.ready.since_origin(), *at), watched)
                });
                let worst =
                    all.inspect(|_| proof.runs += 1).max_by_key(|w| w.back.map_or((1, Duration::ZERO), |b| (0, b)));
                let Some(worst) = worst else { continue };
                match proof.faults.iter_mut().find(|w| w.fault == worst.fault) {
                    Some(known) if known.back.is_some_and(|k| worst.back.is_none_or(|b| b > k)) => *known = worst,
                    Some(_) => {}
                    None => proof.faults.push(worst),
                }
            }
            if hiccup.is_zero() {
                continue;
            }
            for fault in self.hiccups(hiccup) {
                for at in moments.all.iter().filter(|at| **at >= moments.guarded) {
                    proof.runs += 1;
                    let watched = moments.ready.since_origin() + *at + hiccup + watched.min(AFTER_A_HICCUP);
                    let spec = self.spec(&vm, numbers, broken_at(*at, fault.clone()));
                    let ended = outcome(&vm, &spec, self.timings(numbers, boot), watched).map(|o| o.ended);
                    if ended.is_some_and(|e| !e.is_empty()) {
                        let (kind, hiccup, at) = (fault.kind(), hiccup.as_secs_f64(), at.as_secs_f64());
                        proof
                            .false_restarts
                            .push(format!("a {kind} of {hiccup} s, {at:.3} s after the guest was ready"));
                        break;
                    }
                }
            }
        }
        proof
    }

    /// The healthy VM: its moments, unless it never gets ready and guarded or is restarted for nothing.
    fn moments(&self, vm: &VirtualMachine, numbers: &Numbers, boot: Duration, proof: &mut Proof) -> Option<Moments> {
        let spec = self.spec(vm, numbers, Vec::new());
        let probes = [&vm.vmi.liveness, &vm.vmi.readiness].map(|p| p.as_ref().map(|p| PodProbe::from(p).timings));
        let periods = probes.map(|p| p.map(|t| t.period));
        // A watchdog that is petted too seldom fires by then.
        let armed = vm.vmi.watchdog_in_guest(None).zip(numbers.heartbeat);
        let armed = armed.map_or(Duration::ZERO, |(model, heartbeat)| fires_after(model, heartbeat));
        let spec = Spec { observe: Span(boot + CHURN + needed(probes, periods) + armed), ..spec };
        let (_, trace, _) = world::run(vm, &spec, Config::of(&spec, 1.0, false), self.timings(numbers, boot));
        proof.runs += 1;
        let pets = numbers.heartbeat.map(|h| self.pets(h));
        let found = Moments::of(&trace, &spec, vm.vmi.liveness.is_some(), periods, pets);
        // What comes later may be the doing of what came first.
        let first = trace.sorted().iter().find_map(|e| match e.event {
            Event::Killing => Some("liveness takes it for a fault"),
            Event::Qemu(DomainEvent::Watchdog(_)) => Some(PETTED_TOO_SELDOM),
            _ => None,
        });
        let Some(why) = first.or(found.is_none().then_some("it is never Ready and guarded")) else { return found };
        proof.false_restarts.push(format!("a boot of {} s: {why}", boot.as_secs_f64()));
        None
    }

    /// `(ready, at)`: when the guest is ready, and how long after that the fault comes.
    #[expect(clippy::too_many_arguments, reason = "a run is described by all of them")]
    fn recovers(
        &self,
        vm: &VirtualMachine,
        numbers: &Numbers,
        boots: Boots,
        boot: Duration,
        broken: &Broken,
        (ready, at): (Duration, Duration),
        watched: Duration,
    ) -> Worst {
        let spec = self.spec(vm, numbers, broken_at(at, broken.fault.clone()));
        let found = outcome(vm, &spec, self.timings(numbers, boot), ready + at + watched);
        let (back, ended, noticed) = found.map_or((None, String::new(), None), |o| {
            (o.back_s.map(Duration::from_secs_f64), o.ended, o.noticed.map(|(who, _)| who))
        });
        // The next boot may be the slowest.
        let slower = if ended.is_empty() { Duration::ZERO } else { boots.slowest.saturating_sub(boot) };
        Worst { fault: broken.text.clone(), at, boot, back: back.map(|b| b + slower), noticed }
    }

    pub(super) fn spec(&self, vm: &VirtualMachine, numbers: &Numbers, steps: Vec<Step>) -> Spec {
        let start = Step {
            after: None,
            guarded_within: None,
            plus: Span::default(),
            fault: None,
            user: Some(UserRequest::Start),
        };
        let only_a_user_starts = matches!(vm.run_strategy, RunStrategy::Halted | RunStrategy::Manual);
        let steps = only_a_user_starts.then_some(start).into_iter().chain(steps).collect();
        Spec {
            manifest: String::new(),
            kubevirt_version: self.version,
            seed: 0,
            guest: numbers.put_into_guest(self.guest),
            boot_deadline: Some(Span(BOOT_DEADLINE)),
            traffic: None,
            steps,
            expect: Vec::new(),
            never: Vec::new(),
            observe: Span::default(),
            final_state: Final::default(),
            until: None,
            known_differences: Vec::new(),
        }
    }

    /// All of the guest is there at the end of its boot, not sooner.
    pub(super) fn timings(&self, numbers: &Numbers, boot: Duration) -> Timings {
        let ours = Timings::default();
        let pet_interval = numbers.heartbeat.map_or(ours.pet_interval, |h| self.pets(h));
        let shutdown = (ours.shutdown.0.min(self.assumptions.shutdown), self.assumptions.shutdown);
        Timings { agent: boot, health: boot, daemon: boot, settled: boot + SETTLED, pet_interval, shutdown, ..ours }
    }

    pub(super) fn pets(&self, heartbeat: u32) -> Duration {
        match self.assumptions.pets {
            Pets::Never => Pets::EveryHalf.interval(heartbeat),
            pets => pets.interval(heartbeat),
        }
    }

    /// The ways in which a guest that is well does not answer for so long.
    fn hiccups(&self, lasting: Duration) -> Vec<Fault> {
        let lasting = Span(lasting);
        let liveness = self.vm.vmi.liveness.as_ref();
        let to_guest = |p: &Probe| matches!(self.vm.vmi.destination(&p.handler), Some(Ok(Destination::Guest { .. })));
        let mut all = vec![Fault::CpuHog { lasting }];
        if liveness.is_some_and(to_guest) {
            all.push(Fault::NetworkLoss { lasting, direction: Direction::Both, delay: None });
        }
        if liveness.is_some_and(|p| matches!(p.handler, Handler::GuestAgentPing | Handler::Exec { .. })) {
            all.push(Fault::HangAgent { lasting });
        }
        all
    }
}

pub(super) const PETTED_TOO_SELDOM: &str = "the watchdog fires, because it is petted too seldom";

/// After the guest is ready.
pub(super) fn broken_at(plus: Duration, fault: Fault) -> Vec<Step> {
    let after = Pattern::try_from("guest ready".to_owned()).ok();
    vec![Step { after, guarded_within: None, plus: Span(plus), fault: Some(fault), user: None }]
}

/// What the cluster itself needs for a VMI to start, with room to spare.
const CHURN: Duration = Duration::from_secs(5);
/// The guest is seen ready after the last part of it is.
const SETTLED: Duration = Duration::from_millis(1);
/// Nobody's boot is longer, nor a maintenance after which a guest answers again.
const BOOT_DEADLINE: Duration = Duration::from_secs(2 * 3600);
/// A restart for nothing comes by then.
const AFTER_A_HICCUP: Duration = Duration::from_secs(60);

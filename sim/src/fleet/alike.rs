//! Many VMs of one manifest that have nothing to do with each other: each is a run of its own.
//!
//! What happens to a VM is drawn from the fleet's seed and the VM's number alone. So neither the order in which they are run nor
//! the number of threads or machines that run them can be seen in what comes of them.

use super::chance::{Digest, mixed};
use crate::engine::Config;
use crate::manifest::VirtualMachine;
use crate::scenario::{Spec, Step};
use crate::time::{Span, Time};
use crate::trace::{Event, Keeps, Trace};
use crate::world::{self, Timings};
use fastrand::Rng;
use std::time::Duration;

/// The VMs, and what happens to them.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// Every VM's manifest.
    pub vm: VirtualMachine,
    /// Every VM's scenario, before anything is broken. Its expectations are not judged.
    pub spec: Spec,
    /// How long things take in the guests.
    pub timings: Timings,
    /// What happens again and again, and how long on average after what it waits for; the times are exponential.
    pub step: Option<(Step, Duration)>,
    /// How long each VM is run.
    pub lasts: Duration,
    /// Decides everything.
    pub seed: u64,
}

/// What came of some VMs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// How many.
    pub vms: u64,
    /// What a user could see change.
    pub changes: u64,
    /// With all attempts and answers.
    pub logged: u64,
    /// Faults.
    pub faults: u64,
    /// VMIs created.
    pub vmis: u64,
    /// The time in which they were Ready, in all.
    pub ready: Duration,
    /// Of every change and its time, in their order.
    pub digest: u64,
}

impl Fleet {
    /// Runs the VM with this number, skipping what only repeats itself.
    pub fn run(&self, number: u64) -> Tally {
        let (spec, config) = self.spec_of(number);
        let (_, trace, end) = world::run_skipping(&self.vm, &spec, config, self.timings);
        Tally::of(&trace, end)
    }

    /// The same, step by step.
    pub fn run_stepped(&self, number: u64) -> Tally {
        let (spec, config) = self.spec_of(number);
        let config = Config { keeps: Keeps::Changes, ..config };
        let (_, trace, end) = world::run(&self.vm, &spec, config, self.timings);
        Tally::of(&trace, end)
    }

    fn spec_of(&self, number: u64) -> (Spec, Config) {
        let mut random = Rng::with_seed(mixed(self.seed ^ mixed(number)));
        let mut spec = Spec { observe: Span(self.lasts), seed: random.u64(..), ..self.spec.clone() };
        let mut left = self.lasts;
        while let Some((step, mean)) = &self.step {
            let after = Duration::try_from_secs_f64(mean.as_secs_f64().max(SHORTEST_MEAN) * -(1.0 - random.f64()).ln());
            let Some((after, rest)) = after.ok().and_then(|a| Some((a, left.checked_sub(a)?))) else { break };
            left = rest;
            spec.steps.push(Step { plus: Span(after), ..step.clone() });
        }
        let config = Config { longest: self.lasts, ..Config::of(&spec, 1.0, false) };
        (spec, config)
    }
}

/// Seconds. A VM that breaks more often is never whole.
const SHORTEST_MEAN: f64 = 1.0;

impl Tally {
    fn of(trace: &Trace, end: Time) -> Tally {
        let mut tally =
            Tally { vms: 1, changes: count(trace.entries().len()), logged: count(trace.logged()), ..Tally::default() };
        let mut ready_since = None;
        let mut digest = Digest::default();
        for entry in trace.entries() {
            digest.entry(entry);
            match &entry.event {
                Event::FaultBegun(_) => tally.faults += 1,
                Event::Ready(ready) if ready.is_true() => ready_since = Some(entry.at),
                Event::Ready(_) => {
                    tally.ready += ready_since.take().map_or(Duration::ZERO, |since| entry.at.since(since))
                }
                _ => {}
            }
            tally.vmis = tally.vmis.max(entry.vmi.into());
        }
        tally.ready += ready_since.map_or(Duration::ZERO, |since| end.since(since));
        tally.digest = digest.value();
        tally
    }

    /// Adds those that come after these.
    pub fn add(&mut self, next: &Tally) {
        self.vms += next.vms;
        self.changes += next.changes;
        self.logged += next.logged;
        self.faults += next.faults;
        self.vmis += next.vmis;
        self.ready += next.ready;
        self.digest = mixed(self.digest ^ mixed(next.digest));
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

//! The numbers that are to be found, and a VM that has them.

use super::goal::Boots;
use crate::manifest::{RunStrategy, Timings, VirtualMachine, WatchdogAction};
use crate::scenario::GuestProfile;

/// All that may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// Of the liveness probe, if there is one.
    pub liveness: Option<Timings>,
    /// Of the readiness probe, if there is one.
    pub readiness: Option<Timings>,
    /// The timeout for the watchdog of what pets it, seconds; `None`: nothing does.
    pub heartbeat: Option<u32>,
    /// `kernel.panic` in the guest, seconds; 0: never.
    pub panic_timer: u32,
    /// `domain.devices.watchdog`'s; `None`: the manifest has none.
    pub action: Option<WatchdogAction>,
    /// `spec.runStrategy`.
    pub strategy: RunStrategy,
}

/// A field with another value than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Below `spec`, with dots; of what is in the guest its own name.
    pub field: String,
    /// The value now.
    pub from: String,
    /// The value that it should have.
    pub to: String,
    /// It is set in the guest and not in the manifest.
    pub in_guest: bool,
}

impl Numbers {
    /// What a VM has; `heartbeat` and `panic_timer` as its guest is set up.
    pub fn of(vm: &VirtualMachine, heartbeat: Option<u32>, panic_timer: u32) -> Numbers {
        Numbers {
            liveness: vm.vmi.liveness.as_ref().map(|p| p.timings),
            readiness: vm.vmi.readiness.as_ref().map(|p| p.timings),
            heartbeat,
            panic_timer,
            action: vm.vmi.watchdog.as_ref().map(|w| w.action),
            strategy: vm.run_strategy,
        }
    }

    /// The VM with these in the place of its own.
    pub fn put_into(&self, vm: &VirtualMachine) -> VirtualMachine {
        let mut vm = vm.clone();
        for (probe, timings) in [(&mut vm.vmi.liveness, self.liveness), (&mut vm.vmi.readiness, self.readiness)] {
            if let (Some(probe), Some(timings)) = (probe.as_mut(), timings) {
                probe.timings = timings;
            }
        }
        if let (Some(watchdog), Some(action)) = (vm.vmi.watchdog.as_mut(), self.action) {
            watchdog.action = action;
        }
        vm.run_strategy = self.strategy;
        vm
    }

    /// The guest with these in the place of its own.
    pub fn put_into_guest(&self, guest: &GuestProfile) -> GuestProfile {
        let mut guest = GuestProfile { kernel_panic_seconds: self.panic_timer, ..guest.clone() };
        if let Some(heartbeat) = self.heartbeat {
            guest.set_heartbeat(heartbeat);
        }
        guest
    }

    /// How often the probes ask, both together.
    pub fn probes_per_minute(&self) -> f64 {
        let probes = [self.liveness, self.readiness].into_iter().flatten();
        probes.fold(0.0, |sum, t| sum + 60.0 / f64::from(t.period.max(1)))
    }

    /// What must be changed of `before` to have these.
    pub fn changes_from(&self, before: &Numbers, vm: &VirtualMachine) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut add = |field: String, from: String, to: String, in_guest: bool| {
            if from != to {
                changes.push(Change { field, from, to, in_guest });
            }
        };
        add("runStrategy".into(), before.strategy.to_string(), self.strategy.to_string(), false);
        for (name, was, is) in
            [("livenessProbe", before.liveness, self.liveness), ("readinessProbe", before.readiness, self.readiness)]
        {
            let (Some(was), Some(is)) = (was, is) else { continue };
            for (field, was, is) in [
                ("initialDelaySeconds", i64::from(was.initial_delay), i64::from(is.initial_delay)),
                ("periodSeconds", was.period.into(), is.period.into()),
                ("timeoutSeconds", was.timeout.into(), is.timeout.into()),
                ("successThreshold", was.success_threshold.into(), is.success_threshold.into()),
                ("failureThreshold", was.failure_threshold.into(), is.failure_threshold.into()),
            ] {
                add(format!("template.spec.{name}.{field}"), was.to_string(), is.to_string(), false);
            }
        }
        if let (Some(was), Some(is), Some(watchdog)) = (before.action, self.action, &vm.vmi.watchdog) {
            let field = format!("template.spec.domain.devices.watchdog.{}.action", watchdog.model.as_str());
            add(field, was.to_string(), is.to_string(), false);
        }
        if let (Some(was), Some(is)) = (before.heartbeat, self.heartbeat) {
            add("heartbeat".into(), was.to_string(), is.to_string(), true);
        }
        add("kernel.panic".into(), before.panic_timer.to_string(), self.panic_timer.to_string(), true);
        changes
    }

    /// A guest that does not answer before `boots.slowest` keeps its liveness probe from giving up, from the start of its
    /// container on; the least `initialDelaySeconds` for which that is so.
    pub(super) fn least_delay(timings: Timings, boots: Boots, adds_ten: bool) -> i32 {
        let outlived = u64::from(timings.period) * u64::from(timings.failure_threshold.saturating_sub(1));
        let own = if adds_ten { 10 } else { 0 };
        let slowest = boots.slowest.as_secs().saturating_add(1);
        i32::try_from(slowest.saturating_add(MARGIN).saturating_sub(outlived + own)).unwrap_or(i32::MAX)
    }
}

/// The kubelet counts whole seconds since the container's start, which is a little before the guest's.
const MARGIN: u64 = 1;

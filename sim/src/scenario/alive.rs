//! Whether a VM serves again: what the cluster sees of it, and what only whoever broke it knows.
//!
//! A VM without a readiness probe is Ready while its guest still boots, and one that has panicked stays Ready until somebody
//! notices. So Ready alone does not say that a VM is back.

use super::file::Step;
use crate::fault::{Fault, FaultKind, HEALTH_UNIT, Health, UnitFault};
use crate::kubelet::{ProbeKind, Verdict};
use crate::trace::{DomainEvent, Entry, Event, Outage};
use std::sync::Arc;

/// A VM's state, as its trace tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Alive {
    /// What is to break, in its order.
    faults: Arc<Vec<Fault>>,
    begun: usize,
    booted: bool,
    serves: bool,
    /// Losses of its network or its node that are not over.
    cut_off: usize,
    ready: bool,
    has_liveness: bool,
    /// Of the present VMI's liveness probe.
    liveness_succeeded: bool,
}

impl Alive {
    /// Before anything has happened; the faults of these steps are going to.
    pub fn new(steps: &[Step], has_liveness: bool) -> Alive {
        let faults = Arc::new(steps.iter().filter_map(|step| step.fault.clone()).collect());
        Alive {
            faults,
            begun: 0,
            booted: false,
            serves: true,
            cut_off: 0,
            ready: false,
            has_liveness,
            liveness_succeeded: false,
        }
    }

    /// This breaks before those that were to.
    pub fn breaks_next(&mut self, fault: Option<Fault>) {
        let at = self.begun.min(self.faults.len());
        Arc::make_mut(&mut self.faults).splice(at..at, fault);
    }

    /// Takes an entry of the trace.
    pub fn observe(&mut self, entry: &Entry) {
        match &entry.event {
            Event::FaultBegun(_) => {
                match self.faults.get(self.begun) {
                    Some(fault) if fault.ends_kernel() => self.booted = false,
                    Some(Fault::NetworkLoss { .. } | Fault::NodeLost { .. }) => self.cut_off += 1,
                    Some(Fault::Health(health)) => self.serves = serves(health),
                    Some(Fault::Unit(UnitFault::Stop(unit) | UnitFault::Freeze(unit)))
                        if unit.as_str() == HEALTH_UNIT =>
                    {
                        self.serves = false;
                    }
                    _ => {}
                }
                self.begun += 1;
            }
            Event::FaultOver(Outage(FaultKind::NetworkLoss | FaultKind::NodeLost)) => {
                self.cut_off = self.cut_off.saturating_sub(1);
            }
            Event::Qemu(DomainEvent::Started) => {
                // Another guest, with a network of its own.
                (self.booted, self.liveness_succeeded, self.cut_off) = (false, false, 0);
            }
            Event::Answered(ProbeKind::Liveness, Verdict::Success | Verdict::Warning) => self.liveness_succeeded = true,
            Event::Qemu(
                DomainEvent::Reset { .. }
                | DomainEvent::Panicked { .. }
                | DomainEvent::Shutdown { .. }
                | DomainEvent::Exited(_),
            ) => self.booted = false,
            // It is as its profile says: also its service.
            Event::GuestReady => (self.booted, self.serves) = (true, true),
            Event::Ready(ready) => self.ready = ready.is_true(),
            _ => {}
        }
    }

    /// The guest was seen booted since it was last started, reset or broken, and so was its service.
    pub fn answers(&self) -> bool {
        self.booted && self.serves && self.cut_off == 0
    }

    /// It is back, and its liveness probe, if it has one, has succeeded once.
    pub fn is_guarded(&self) -> bool {
        self.is_back() && (self.liveness_succeeded || !self.has_liveness)
    }

    /// It answers, and the cluster says that it is Ready.
    pub fn is_back(&self) -> bool {
        self.answers() && self.ready
    }
}

/// Whether a service that does this is of use to anybody.
fn serves(health: &Health) -> bool {
    match health {
        Health::Status(status) => *status < 400,
        Health::Hang | Health::Stop => false,
        Health::Start | Health::Slow(_) | Health::Redirect(_) => true,
    }
}

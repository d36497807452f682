//! Faults of what a guest stands on, and is not itself: its network, its disk, its node.
//!
//! Each is known by its step, so that of two that overlap each has its own end; the disk takes one at a time.

use super::Model;
use crate::cluster::{DomainEvent, Exit};
use crate::fault::{DiskError, Fault, NodeLoss};
use crate::time::Time;

impl Model {
    /// Breaks what the host has a hand in.
    pub(super) fn break_outside(&mut self, now: Time, vmi: u32, step: usize, fault: &Fault) {
        let Some(guest) = self.guests.get_mut(&vmi) else { return };
        match fault {
            Fault::NetworkLoss { delay: Some(delay), .. } => drop(guest.delayed_by.insert(step, delay.0)),
            Fault::NetworkLoss { .. } => drop(guest.cut_off_by.insert(step)),
            Fault::IoError { error, .. } => {
                guest.io_error = Some((step, *error));
                self.fail_writes(now, vmi);
            }
            Fault::NodeLost { by: NodeLoss::CutOff, .. } => guest.node_cut_off = true,
            Fault::NodeLost { by: NodeLoss::PowerLoss, .. } => self.exit(now, vmi, Exit::Signal(9)),
            other => debug_assert!(false, "{} is not outside of the guest", other.kind()),
        }
    }

    /// Its span is over.
    pub(super) fn mend_outside(&mut self, vmi: u32, step: usize, fault: &Fault) {
        let Some(guest) = self.guests.get_mut(&vmi) else { return };
        match fault {
            Fault::NetworkLoss { .. } => {
                guest.cut_off_by.remove(&step);
                guest.delayed_by.remove(&step);
            }
            Fault::IoError { .. } => guest.io_error = guest.io_error.filter(|(of, _)| *of != step),
            Fault::NodeLost { .. } => guest.node_cut_off = false,
            _ => {}
        }
    }

    /// A guest writes all the time; what it could not write stops it.
    pub(super) fn fail_writes(&mut self, now: Time, vmi: u32) {
        if let Some(failed) = self.failed_write(vmi) {
            self.tell_domain(now, vmi, failed);
            self.pause(now, vmi);
        }
    }

    /// Why it cannot be broken, as on QEMU: the disk takes one fault at a time.
    pub(super) fn refused(&self, vmi: u32, fault: &Fault) -> Option<&'static str> {
        let fails = matches!(fault, Fault::IoError { .. }) && self.guests.get(&vmi)?.io_error.is_some();
        fails.then_some("the guest's writes fail already")
    }

    /// What QEMU says of a guest's next write, if its disk takes none.
    pub(super) fn failed_write(&self, vmi: u32) -> Option<DomainEvent> {
        let (_, error) = self.guests.get(&vmi)?.io_error?;
        Some(match error {
            DiskError::Broken => DomainEvent::IoError,
            DiskError::NoSpace => DomainEvent::NoSpace,
        })
    }
}

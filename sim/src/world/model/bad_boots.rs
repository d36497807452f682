//! What is wrong with every boot of the VM from some moment on.
//!
//! That is on its disk, of which each new VMI has a copy (qemu-watchdog.md 9).

use super::Model;
use crate::fault::{BootLoop, Fault};
use std::time::Duration;

/// What the boots to come are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct BadBoots {
    /// What its services wait before they start.
    pub(super) wait: Duration,
    /// How none of them gets to its end.
    pub(super) never: Option<BootLoop>,
}

impl Model {
    /// From the next boot on.
    pub(super) fn spoil_boots(&mut self, fault: &Fault) {
        match fault {
            Fault::SlowBoot { by } => self.bad_boots.wait = by.0,
            Fault::BootLoop(by) => self.bad_boots.never = Some(*by),
            other => debug_assert!(false, "{} does nothing to boots", other.kind()),
        }
    }
}

//! What a guest's power-on sets off, and what is wrong with every boot of the VM from some moment on.
//!
//! That is on its disk, of which each new VMI has a copy (qemu-watchdog.md 9).

use super::{InGuest, Model};
use crate::fault::{BootLoop, Fault};
use crate::time::Time;
use std::time::Duration;

/// What the boots to come are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Boots {
    /// What its services wait before they start.
    wait: Duration,
    /// How none of them gets to its end.
    never: Option<BootLoop>,
}

impl Model {
    /// From the next boot on.
    pub(super) fn spoil_boots(&mut self, fault: &Fault) {
        match fault {
            Fault::SlowBoot { by } => self.boots.wait = by.0,
            Fault::BootLoop(by) => self.boots.never = Some(*by),
            other => debug_assert!(false, "{} does nothing to boots", other.kind()),
        }
    }

    pub(super) fn power_on(&mut self, now: Time, vmi: u32) {
        let (t, boots) = (self.timings, self.boots);
        if boots.never == Some(BootLoop::Panic) {
            return self.later(now, t.basic, vmi, InGuest::Panic);
        }
        self.later(now, boots.wait + t.agent, vmi, InGuest::AgentUp);
        if self.spec.guest.health_server && boots.never.is_none() {
            self.later(now, boots.wait + t.health, vmi, InGuest::HealthUp);
        }
        if self.spec.guest.watchdog_daemon.is_some() {
            self.later(now, boots.wait + t.daemon, vmi, InGuest::DaemonUp);
        }
        self.later(now, boots.wait + t.settled, vmi, InGuest::Settled);
    }
}

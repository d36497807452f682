//! Faults that programs in the guest, or its kernel, suffer from (qemu-watchdog.md 9).
//!
//! What they break is in the guest's list until they are over; what it then answers is the guest's business.

use super::{Guest, InGuest, Model};
use crate::fault::{Fault, FaultKind, OomVictim};
use crate::time::{Span, Time};

impl Model {
    /// Breaks what no one outside of the guest has a hand in.
    pub(super) fn break_inside(&mut self, now: Time, vmi: u32, fault: &Fault) {
        let t = self.timings;
        match fault {
            Fault::HangAgent { lasting }
            | Fault::FsFreeze { lasting }
            | Fault::DiskFull { lasting }
            | Fault::CpuHog { lasting } => self.broken_for(now, vmi, fault.kind(), *lasting),
            // Nothing that a probe or a pet goes by.
            Fault::ClockJump(_) | Fault::Nmi { panics: false } => {}
            Fault::Nmi { panics: true } => self.panic(now, vmi),
            Fault::OomKill { of: OomVictim::Watchdog } => self.kill_watchdog(now, vmi),
            Fault::OomKill { of: OomVictim::Agent } => self.bounce_agent(now, vmi, t.agent_restart),
            Fault::OomKill { of: OomVictim::Service } => {
                if let Some(guest) = self.guests.get_mut(&vmi) {
                    guest.health = false;
                }
                self.later(now, t.health_restart, vmi, InGuest::HealthUp);
            }
            other => debug_assert!(false, "the model does not know what {} does", other.kind()),
        }
    }

    fn broken_for(&mut self, now: Time, vmi: u32, kind: FaultKind, lasting: Span) {
        if let Some(guest) = self.guests.get_mut(&vmi) {
            guest.broken.push(kind);
        }
        self.later(now, lasting.0, vmi, InGuest::Over(kind));
    }

    /// A fault's span is over. Of two that overlap, each has its own.
    pub(super) fn mend(&mut self, now: Time, vmi: u32, kind: FaultKind) {
        let Some(guest) = self.guests.get_mut(&vmi) else { return };
        if let Some(at) = guest.broken.iter().position(|broken| *broken == kind) {
            guest.broken.remove(at);
        }
        // A daemon that gets the CPU again pets at once.
        if kind == FaultKind::CpuHog && Guest::petting(guest) {
            self.later(now, std::time::Duration::ZERO, vmi, InGuest::Pet);
        }
    }
}

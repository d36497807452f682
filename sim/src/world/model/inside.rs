//! Faults that programs in the guest, or its kernel, suffer from (qemu-watchdog.md 9).
//!
//! What they break is in the guest's list until they are over; what it then answers is the guest's business.

use super::{InGuest, Kernel, Model, WatchdogHolder};
use crate::cluster::DomainEvent;
use crate::engine::VmiInput;
use crate::fault::{Fault, FaultKind, HEALTH_UNIT, Health, OomVictim, PidsLimit, UnitFault};
use crate::time::{Span, Time};
use crate::trace::PanicAction;
use std::time::Duration;

impl Model {
    /// Breaks what no one outside of the guest has a hand in.
    pub(super) fn break_inside(&mut self, now: Time, vmi: u32, fault: &Fault) {
        let t = self.timings;
        match fault {
            Fault::HangAgent { lasting }
            | Fault::FsFreeze { lasting }
            | Fault::DiskFull { lasting }
            | Fault::CpuHog { lasting } => self.broken_for(now, vmi, fault.kind(), *lasting),
            // What its own unit's limit holds in, nobody else feels.
            Fault::ForkBomb { limit: PidsLimit::Unit, .. } => {}
            Fault::ForkBomb { limit: PidsLimit::Slice, lasting } => self.broken_for(now, vmi, fault.kind(), *lasting),
            Fault::KernelHang => {
                if let Some(guest) = self.guests.get_mut(&vmi) {
                    guest.kernel = Kernel::Panicked;
                }
            }
            Fault::SoftLockup { lasting, panics } => {
                self.broken_for(now, vmi, fault.kind(), *lasting);
                if *panics && lasting.0 > t.soft_lockup {
                    self.later(now, t.soft_lockup, vmi, InGuest::Panic);
                }
            }
            // Nobody waits for that program.
            Fault::HungTask { lasting, timeout_secs, panics } => {
                let noticed = Duration::from_secs((*timeout_secs).into());
                if *panics && !noticed.is_zero() && lasting.0 > noticed {
                    self.later(now, noticed, vmi, InGuest::Panic);
                }
            }
            // Nothing that a probe or a pet goes by, as far as anybody can know of a user's own command or unit.
            Fault::ClockJump(_) | Fault::Nmi { panics: false } | Fault::Command(_) => {}
            Fault::Unit(what) if what.unit().as_str() != HEALTH_UNIT => {}
            Fault::Unit(what) => self.break_server(now, vmi, what),
            Fault::DropPort { port, lasting } => {
                if let Some(guest) = self.guests.get_mut(&vmi) {
                    guest.dropped.push(*port);
                }
                self.later(now, lasting.0, vmi, InGuest::PortBack(*port));
            }
            Fault::Nmi { panics: true } => self.panic(now, vmi),
            Fault::OomKill { of: OomVictim::Watchdog } => self.kill_watchdog(now, vmi),
            Fault::OomKill { of: OomVictim::Agent } => self.bounce_agent(now, vmi, t.agent_restart),
            Fault::OomKill { of: OomVictim::Service } => self.bounce_server(now, vmi, t.health_restart),
            other => debug_assert!(false, "the model does not know what {} does", other.kind()),
        }
    }

    /// What happens to the unit of the profile's server. One that is stopped with SIGSTOP still accepts: its kernel does.
    fn break_server(&mut self, now: Time, vmi: u32, what: &UnitFault) {
        let Some(guest) = self.guests.get_mut(&vmi) else { return };
        match what {
            UnitFault::Stop(_) => guest.health = false,
            UnitFault::Freeze(_) => {
                let before = std::mem::replace(&mut guest.behaviour, Health::Hang);
                guest.before_freeze.get_or_insert(before);
            }
            UnitFault::Restart(_) if guest.profile.health_server => {
                self.bounce_server(now, vmi, self.timings.health_restart);
            }
            UnitFault::Restart(_) => {}
        }
    }

    fn bounce_server(&mut self, now: Time, vmi: u32, back_after: Duration) {
        if let Some(guest) = self.guests.get_mut(&vmi) {
            guest.health = false;
            // Its new processes run.
            if let Some(before) = guest.before_freeze.take() {
                guest.behaviour = before;
            }
        }
        self.later(now, back_after, vmi, InGuest::HealthUp);
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
        if !guest.is_starved() && std::mem::take(&mut guest.owes_a_pet) {
            self.later(now, Duration::ZERO, vmi, InGuest::Pet);
        }
    }

    pub(super) fn panic(&mut self, now: Time, vmi: u32) {
        let Some(guest) = self.guests.get_mut(&vmi) else { return };
        // `kernel.panic` is in a file that the first boot has not written yet.
        let first = guest.kernel == Kernel::Booting && guest.boot == 1;
        guest.kernel = Kernel::Panicked;
        if self.vmi.reports_panics() {
            guest.paused_at = Some(now);
            self.tell_domain(now, vmi, DomainEvent::Panicked { action: PanicAction::Pause });
            self.tell_domain(now, vmi, DomainEvent::Stop);
        }
        let timer = self.spec.guest.kernel_panic_seconds;
        if timer > 0 && !first {
            self.later(now, Duration::from_secs(timer.into()), vmi, InGuest::PanicTimer);
        }
    }

    pub(super) fn kill_watchdog(&mut self, now: Time, vmi: u32) {
        let Some(guest) = self.guests.get_mut(&vmi) else { return };
        // The kernel closes the device without 'V': that is itself a pet.
        guest.holder = WatchdogHolder::Nobody;
        if let Some(watchdog) = &mut guest.watchdog {
            watchdog.close(now);
        }
        if guest.keepalive_takes_over() {
            self.later(now, self.timings.takeover, vmi, InGuest::KeepaliveUp);
        } else {
            self.tell(now, vmi, VmiInput::WatchdogHolder { name: "nobody".into() });
        }
        self.watch_device(vmi);
    }

    pub(super) fn bounce_agent(&mut self, now: Time, vmi: u32, back_after: Duration) {
        if let Some(guest) = self.guests.get_mut(&vmi) {
            guest.agent = false;
        }
        self.tell_domain(now, vmi, DomainEvent::AgentPort { open: false });
        self.later(now, back_after, vmi, InGuest::AgentUp);
    }
}

//! A guest that is to shut down: how it is asked, and what it does then.
//!
//! libvirt asks the agent where one is connected and presses the power button else (kubevirt-health.md 5.2); whoever pets the
//! watchdog disarms it or, in a reboot, gives it long enough (qemu-watchdog.md 8.4).

use super::{Happening, InGuest, Kernel, Model, WatchdogHolder};
use crate::budget::LIBVIRT_AGENT_LIMIT;
use crate::cluster::DomainEvent;
use crate::fault::FaultKind;
use crate::time::Time;
use std::time::Duration;

impl Model {
    pub(super) fn power_button(&mut self, now: Time, vmi: u32) {
        self.tell_domain(now, vmi, DomainEvent::Powerdown);
        self.shut_down(now, vmi);
    }

    pub(super) fn ask_to_shut_down(&mut self, now: Time, vmi: u32) {
        let Some(guest) = self.guests.get(&vmi) else { return };
        if guest.profile.no_agent {
            self.power_button(now, vmi);
        } else if guest.agent_answers() && !guest.is_broken(FaultKind::FsFreeze) {
            self.shut_down(now, vmi);
        } else if guest.agent && !guest.agent_answers() && guest.paused_at.is_none() {
            // libvirt does not ask the agent of a domain that is paused.
            self.queue.push(now + LIBVIRT_AGENT_LIMIT, Happening::Button { vmi });
        } else {
            self.power_button(now, vmi);
        }
    }

    /// systemd shuts down, if it can still be asked.
    pub(super) fn shut_down(&mut self, now: Time, vmi: u32) {
        let (agent, off) = self.timings.shutdown;
        let Some(guest) = self.guests.get_mut(&vmi).filter(|g| g.userspace_runs()) else { return };
        guest.kernel = Kernel::GoingDown;
        // The daemon's stop closes the device with 'V'.
        guest.holder = WatchdogHolder::Nobody;
        if let Some(watchdog) = &mut guest.watchdog {
            watchdog.write(now, b"V");
            watchdog.close(now);
        }
        // With frozen filesystems the agent alone stays, until systemd kills it (qemu-watchdog.md 9).
        let mut held = Duration::ZERO;
        if guest.is_broken(FaultKind::FsFreeze) {
            (guest.health, held) = (false, self.timings.stop_limit);
        }
        self.later(now, held + agent, vmi, InGuest::AgentClosed);
        self.later(now, held + off, vmi, InGuest::PowerOff);
    }
}

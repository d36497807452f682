//! What the engine itself waits for, and what comes of it when it is due.

use super::super::io::Request;
use super::super::timer::Timer;
use super::Engine;
use crate::cluster::Vmi;
use crate::scenario::Verdict;

impl Engine {
    /// What a timer was set for comes about.
    pub(super) fn timer_due(&mut self, timer: Timer) {
        match timer {
            Timer::MigrationOver { vmi, failed } => self.end_migration(vmi, failed),
            Timer::MigrationAgain { vmi } if vmi == self.created => self.migrate_again(),
            Timer::MigrationAgain { .. } => {}
            Timer::FaultOver { vmi, step } => self.end_fault(vmi, step),
            Timer::VmiGone => {
                self.vmi = None;
                self.controller.gone();
                self.deletion_logged = false;
                self.ask(Request::Discard);
            }
            Timer::BootDeadline => self.boot_is_late(),
            Timer::RunDeadline => {
                self.judge();
                self.conclude(Verdict::Fail(format!("longer than {} s", self.config.longest.as_secs())));
            }
        }
    }

    fn boot_is_late(&mut self) {
        let limit = self.config.scaled_boot_deadline().as_secs();
        self.guest_not_ready(match self.vmi.as_ref().is_some_and(Vmi::agent_connected) {
            false if self.config.users_image => format!(
                "the guest's agent did not appear within {limit} s; if the image has none, install qemu-guest-agent in it: \
                 guests here have no way out, so the user data's `packages:`, which would bring it in a cluster, cannot"
            ),
            false => format!("the guest's agent did not appear within {limit} s"),
            true => format!("the guest's agent appeared and did not answer within {} s", 2 * limit),
        });
    }

    /// The present boot has so long from now.
    pub(super) fn set_boot_deadline(&mut self, times: u32) {
        self.timers.set(Timer::BootDeadline, self.now + self.config.scaled_boot_deadline() * times);
    }
}

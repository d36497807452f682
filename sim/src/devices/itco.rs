//! The TCO timer of q35's ICH9 as QEMU has it (qemu-watchdog.md 4): ticks of 0.6 s, two rounds, and the action after the second.
//!
//! Only with the pin strap that libvirt sets (`ICH9-LPC.noreboot=off`); without it nothing ever fires. In q35 since QEMU 8.0
//! that is the default.

use super::timer::GuestTimer;
use crate::time::Time;
use std::time::Duration;

const TICK: Duration = Duration::from_millis(600);

/// The device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Itco {
    /// TCO_TMR: a round's ticks.
    ticks: u32,
    halted: bool,
    /// Rounds over since the last reload.
    rounds: u32,
    timer: GuestTimer,
}

impl Itco {
    /// TCO_TMR, which a running round does not look at.
    pub fn set_ticks(&mut self, ticks: u32) {
        self.ticks = ticks;
    }

    /// A write to TCO_RLD: the first round begins.
    pub fn reload(&mut self, now: Time) {
        self.rounds = 0;
        if !self.halted {
            self.timer.start(now, TICK * self.ticks);
        }
    }

    /// TCO_TMR_HLT.
    pub fn halt(&mut self, halted: bool) {
        self.halted = halted;
        if halted {
            self.timer.stop();
        }
    }

    /// A reset of the machine. The timer goes on and may not act, which comes to the same.
    pub fn reset(&mut self) {
        *self = Itco::default();
    }

    /// When the round ends.
    pub fn next_wakeup(&self) -> Option<Time> {
        self.timer.ends()
    }

    /// `true` if it fires at `now`; then it stands still until it is reloaded.
    pub fn expire(&mut self, now: Time) -> bool {
        if !self.timer.take(now) {
            return false;
        }
        self.rounds += 1;
        if self.rounds < 2 {
            self.timer.start(now, TICK * self.ticks);
            return false;
        }
        self.rounds = 0;
        true
    }

    /// Its clock.
    pub fn timer_mut(&mut self) -> &mut GuestTimer {
        &mut self.timer
    }
}

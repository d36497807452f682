//! diag288 as QEMU has it (qemu-watchdog.md 3): no registers but one instruction, one stage, whole seconds.

use super::model::{WatchdogAction, WatchdogModel};
use super::timer::GuestTimer;
use crate::time::Time;
use std::time::Duration;

/// What DIAG 0x288 can be asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// 0: enable and start.
    Init,
    /// 1: start again, if enabled.
    Change,
    /// 2: disable.
    Cancel,
}

/// The instruction was refused: Linux sees EINVAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecificationException;

/// The device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diag288 {
    enabled: bool,
    timer: GuestTimer,
}

impl Diag288 {
    /// The instruction, with a time in seconds that CANCEL does not look at.
    ///
    /// # Errors
    /// Less than 15 seconds; CHANGE or CANCEL while it is not enabled.
    pub fn call(&mut self, now: Time, function: Function, seconds: u32) -> Result<(), SpecificationException> {
        if (function != Function::Cancel && seconds < *WatchdogModel::Diag288.heartbeats().start())
            || (function != Function::Init && !self.enabled)
        {
            return Err(SpecificationException);
        }
        if function == Function::Cancel {
            self.reset();
        } else {
            self.enabled = true;
            self.timer.start(now, Duration::from_secs(seconds.into()));
        }
        Ok(())
    }

    /// A reset of the machine.
    pub fn reset(&mut self) {
        self.enabled = false;
        self.timer.stop();
    }

    /// It would be started again by CHANGE.
    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// When its time ends.
    pub fn next_wakeup(&self) -> Option<Time> {
        self.timer.ends()
    }

    /// `true` if it fires at `now`. Actions after which the guest runs on leave it enabled: the next pet starts it again.
    pub fn expire(&mut self, now: Time, action: WatchdogAction) -> bool {
        let fires = self.timer.take(now);
        if fires && !matches!(action, WatchdogAction::None | WatchdogAction::Pause) {
            self.reset();
        }
        fires
    }

    /// Its clock.
    pub fn timer_mut(&mut self) -> &mut GuestTimer {
        &mut self.timer
    }
}

//! The watchdog: petted, or counting down to its firing.

use std::time::Duration;
use vmhealth_sim::time::Time;

/// A watchdog whose timeout is known, in the guest that there is now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Countdown {
    /// From the last write to the firing.
    pub(super) timeout: Duration,
    pub(super) state: Petting,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Petting {
    /// The guest boots, or there is none.
    NotArmed,
    /// Somebody writes to it in time.
    By(String),
    /// Nobody does any more.
    FiresAt(Time),
    Fired,
}

impl Countdown {
    pub(super) fn new(timeout: Duration) -> Countdown {
        Countdown { timeout, state: Petting::NotArmed }
    }

    /// Nobody writes to it since `last`.
    pub(super) fn count_down(&mut self, last: Time) {
        if let Petting::By(_) = self.state {
            self.state = Petting::FiresAt(last + self.timeout);
        }
    }

    /// What is left of its time at `now`; `None`: it does not count down.
    pub(super) fn left(&self, now: Time) -> Option<Duration> {
        match self.state {
            Petting::FiresAt(at) => Some(at.since(now)),
            _ => None,
        }
    }
}

//! The scenario's clock on this host.

use crate::time;
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use vmhealth_sim::time::Time;

/// Runs with the host's, and jumps over the boots that forks do not have to wait for. Clones are the same clock.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    origin: Instant,
    origin_wall: SystemTime,
    skipped: Rc<Cell<Duration>>,
}

impl Clock {
    pub(super) fn start() -> Clock {
        Clock { origin: time::now(), origin_wall: time::wall(), skipped: Rc::default() }
    }

    pub(super) fn now(&self) -> Time {
        Time::ZERO + time::now().saturating_duration_since(self.origin) + self.skipped.get()
    }

    /// When a time that is not over yet comes.
    pub(super) fn instant(&self, time: Time) -> Instant {
        self.origin + time.since_origin().saturating_sub(self.skipped.get())
    }

    /// QEMU stamps its events with the wall clock and cuts off what is less than a microsecond: an event must not come before
    /// what it follows. Never later than now.
    pub(super) fn time_of_wall(&self, at: SystemTime) -> Time {
        let since =
            at.duration_since(self.origin_wall).map_or(Duration::ZERO, |since| since + Duration::from_micros(1));
        (Time::ZERO + since + self.skipped.get()).min(self.now())
    }

    /// Jumps.
    pub(super) fn skip(&self, span: Duration) {
        self.skipped.set(self.skipped.get() + span);
    }

    /// Jumped over so far.
    pub(super) fn skipped(&self) -> Duration {
        self.skipped.get()
    }

    /// The origin for a transcript whose guest begins after another jump of `span`.
    pub(super) fn origin_after(&self, span: Duration) -> Instant {
        // A host that has been up for less has no such instant: its transcripts count from the run's beginning.
        self.origin.checked_sub(self.skipped.get() + span).unwrap_or(self.origin)
    }
}

//! What a controller does again and again because it fails: client-go's work queue.

use crate::time::Time;
use std::time::Duration;

/// After the first failure (client-go `DefaultTypedControllerRateLimiter`); each wait is twice as long as the one before.
const FIRST: Duration = Duration::from_millis(5);
/// The longest.
const LONGEST: Duration = Duration::from_secs(1000);

/// When something that fails every time is tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Retries {
    next: Time,
    wait: Duration,
}

impl Retries {
    /// The first try is due at `now`.
    pub fn new(now: Time) -> Self {
        Retries { next: now, wait: FIRST }
    }

    /// When the next try is due.
    pub fn next_wakeup(&self) -> Time {
        self.next
    }

    /// Whether a try is due at `now`; it fails like the others.
    pub fn due(&mut self, now: Time) -> bool {
        let due = self.next <= now;
        if due {
            self.next = now + self.wait;
            self.wait = (self.wait * 2).min(LONGEST);
        }
        due
    }
}

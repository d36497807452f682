//! How virt-handler lets a guest go on whose disk has failed (kubevirt-health.md 7.5): at once, and then, as long as it fails again,
//! after waits that double.

use crate::time::Time;
use std::time::Duration;

const INITIAL_WAIT: Duration = Duration::from_secs(10);
const MAX_WAIT: Duration = Duration::from_secs(180);
/// A failure that comes later after the last try is a new one.
const RELATED: Duration = Duration::from_secs(30);

/// What virt-handler remembers of a VMI's failures (`FailRetryManager`).
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct IoErrors(Option<Tries>);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Tries {
    last: Time,
    next: Time,
    wait: Duration,
    last_failed: bool,
}

impl IoErrors {
    /// It stands still because of an error: until when virt-handler waits; `None`: it tries now.
    pub(super) fn wait_until(&mut self, now: Time) -> Option<Time> {
        let anew = Tries { last: now, next: now + INITIAL_WAIT, wait: INITIAL_WAIT, last_failed: false };
        let Some(tries) = &mut self.0 else {
            self.0 = Some(anew);
            return None;
        };
        if !tries.last_failed {
            if now >= tries.last + RELATED {
                *tries = anew;
                return None;
            }
            tries.last_failed = true;
            return Some(tries.next).filter(|next| *next > now);
        }
        if now < tries.next {
            return Some(tries.next);
        }
        let wait = MAX_WAIT.min(tries.wait * 2);
        *tries = Tries { last: now, next: now + wait, wait, last_failed: false };
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that never recovers: each try fails at once.
    #[test]
    fn waits_double_up_to_three_minutes() {
        let (mut errors, mut now, mut tries) = (IoErrors::default(), Time::from_secs(100), Vec::new());
        while tries.len() < 8 {
            match errors.wait_until(now) {
                None => {
                    tries.push(now.since(Time::from_secs(100)).as_secs());
                    now = now + Duration::from_millis(1);
                }
                Some(until) => now = until,
            }
        }
        assert_eq!(tries, [0, 10, 30, 70, 150, 310, 490, 670]);
    }

    /// What fails again soon after it went on waits for the rest of the time; what went well for half a minute is a new failure.
    #[test]
    fn half_a_minute_makes_a_failure_a_new_one() {
        for (again, until) in [(9, Some(10)), (10, None), (11, None), (29, None), (30, None), (300, None)] {
            let mut errors = IoErrors::default();
            assert_eq!(errors.wait_until(Time::ZERO), None);
            assert_eq!(errors.wait_until(Time::from_secs(again)), until.map(Time::from_secs), "after {again} s");
        }
        let mut errors = IoErrors::default();
        errors.wait_until(Time::ZERO);
        errors.wait_until(Time::from_secs(29));
        // It counts as the failure of a try: the next wait is twice as long.
        assert_eq!(errors.wait_until(Time::from_secs(29)), None);
        assert_eq!(errors.wait_until(Time::from_secs(30)), Some(Time::from_secs(49)));
    }
}

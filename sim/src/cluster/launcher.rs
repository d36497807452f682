//! virt-launcher as virt-handler sees it: how long its death goes unnoticed, and the domain that it cannot define.

use super::retries::Retries;
use crate::time::Time;
use std::time::Duration;

/// What KubeVirt leaves to chance, drawn for each VMI.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chance {
    /// From virt-launcher's death to virt-handler seeing it: more than 30 s, looked at every 11 s (domain-watcher.go).
    pub launcher_noticed: Duration,
    /// virt-launcher waits so long for a domain that nobody manages to start (virt-launcher.go, 240 s and a jitter).
    pub launcher_gives_up: Duration,
}

impl Chance {
    /// Draws both.
    pub fn draw(random: &mut fastrand::Rng) -> Self {
        Chance {
            launcher_noticed: Duration::from_millis(random.u64(33_000..=44_000)),
            launcher_gives_up: Duration::from_secs(random.u64(240..=359)),
        }
    }
}

/// What comes of a retry of a domain that cannot be defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retried {
    /// virt-handler has tried, and libvirt has refused it again.
    Refused,
    /// virt-launcher has waited long enough and ends.
    GaveUp,
}

/// A domain that libvirt refuses: virt-handler tries again and again (kubevirt-health.md 2.6).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RefusedDomain {
    retries: Retries,
    gives_up: Time,
}

impl RefusedDomain {
    /// virt-launcher begins to wait at `now`, and virt-handler tries at once.
    pub(super) fn new(now: Time, chance: Chance) -> Self {
        RefusedDomain { retries: Retries::new(now), gives_up: now + chance.launcher_gives_up }
    }

    /// When [`RefusedDomain::poll`] has something to say next.
    pub(super) fn next_wakeup(&self) -> Time {
        self.retries.next_wakeup().min(self.gives_up)
    }

    /// What is due at `now`.
    pub(super) fn poll(&mut self, now: Time) -> Option<Retried> {
        if self.gives_up <= now {
            return Some(Retried::GaveUp);
        }
        self.retries.due(now).then_some(Retried::Refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_double_until_virt_launcher_gives_up() {
        let chance = Chance { launcher_noticed: Duration::ZERO, launcher_gives_up: Duration::from_secs(2) };
        let mut refused = RefusedDomain::new(Time::ZERO, chance);
        let mut tries = Vec::new();
        while refused.poll(refused.next_wakeup()) == Some(Retried::Refused) {
            assert!(tries.len() < 100);
            tries.push(refused.next_wakeup().since_origin().as_millis());
        }
        // 0, 5, 15, 35 ... : each delay is twice the one before; the last is cut short.
        assert_eq!(tries, [5, 15, 35, 75, 155, 315, 635, 1275, 2000]);
    }

    #[test]
    fn chance_stays_within_its_bounds() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..1000 {
            let chance = Chance::draw(&mut random);
            assert!((33_000..=44_000).contains(&chance.launcher_noticed.as_millis()));
            assert!((240..=359).contains(&chance.launcher_gives_up.as_secs()));
        }
    }
}

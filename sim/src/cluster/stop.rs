//! The graceful stop and its three nested deadlines (kubevirt-health.md 5): virt-handler at G, virt-launcher at
//! G+15, the kubelet's SIGKILL at G+30.

use crate::manifest::Grace;
use crate::time::{Time, earliest};
use std::time::Duration;

/// virt-handler asks the guest again at most this often.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What the stop wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopAction {
    /// Ask the guest to shut down: agent first when connected, else the ACPI button.
    Ask {
        /// The first time, which leaves the event `ShuttingDown`.
        first: bool,
    },
    /// Destroy the domain (virt-handler at G, virt-launcher at G+15).
    Destroy,
    /// SIGKILL everything (kubelet at G+30).
    Kill,
}

/// One graceful stop.
#[derive(Debug, Clone, PartialEq)]
pub struct GracefulStop {
    grace: Grace,
    began: Time,
    next_ask: Option<Time>,
    asked: bool,
    /// What is still to come after asking: the deadlines not yet passed, latest last.
    deadlines: Vec<(Time, StopAction)>,
}

impl GracefulStop {
    /// A stop that begins at `now` with grace period G; `pod`: the one that the pod was made with.
    pub fn new(now: Time, grace: Grace, pod: Grace) -> Self {
        let mut deadlines = vec![
            (now + grace.handler(), StopAction::Destroy),
            (now + pod.launcher(), StopAction::Destroy),
            (now + pod.pod(), StopAction::Kill),
        ];
        deadlines.sort_by_key(|(at, _)| *at);
        GracefulStop { grace, began: now, next_ask: Some(now), asked: false, deadlines }
    }

    /// virt-handler has another grace period from now on, counted from the stop's begin.
    pub fn set_handler_grace(&mut self, grace: Grace) {
        let before = self.began + std::mem::replace(&mut self.grace, grace).handler();
        if let Some(i) = self.deadlines.iter().position(|d| *d == (before, StopAction::Destroy)) {
            self.deadlines.remove(i);
        }
        self.deadlines.push((self.began + grace.handler(), StopAction::Destroy));
        self.deadlines.sort_by_key(|(at, _)| *at);
    }

    /// When [`GracefulStop::poll`] has something to do next.
    pub fn next_wakeup(&self) -> Option<Time> {
        earliest([self.next_ask, self.deadlines.first().map(|(t, _)| *t)])
    }

    /// What is due at `now`.
    pub fn poll(&mut self, now: Time) -> Vec<StopAction> {
        let mut actions = Vec::new();
        // A grace below 0 is over before it begins, but not before the guest was asked (virt-handler `hasGracePeriodExpired`).
        if self.grace.seconds < 0 && !self.asked {
            actions.push(StopAction::Ask { first: true });
            self.asked = true;
        }
        while let Some((_, action)) = self.deadlines.first().filter(|(t, _)| *t <= now) {
            actions.push(*action);
            self.deadlines.remove(0);
            // With G = 0 the guest is not asked at all.
            self.next_ask = None;
        }
        if self.next_ask.is_some_and(|t| t <= now) {
            actions.push(StopAction::Ask { first: !self.asked });
            self.asked = true;
            self.next_ask = Some(now + ASK_AGAIN).filter(|t| *t < self.began + self.grace.handler());
        }
        actions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(seconds: i64) -> Vec<(u64, StopAction)> {
        let grace = Grace { seconds };
        let mut stop = GracefulStop::new(Time::from_secs(100), grace, grace);
        let mut seen = Vec::new();
        while let Some(t) = stop.next_wakeup() {
            seen.extend(stop.poll(t).into_iter().map(|a| (t.since(Time::from_secs(100)).as_secs(), a)));
        }
        seen
    }

    #[test]
    fn deadlines_g_g15_g30() {
        let again = StopAction::Ask { first: false };
        let rest = |g| [(g, StopAction::Destroy), (g + 15, StopAction::Destroy), (g + 30, StopAction::Kill)];
        let mut expected = vec![(0, StopAction::Ask { first: true }), (5, again), (10, again), (15, again)];
        expected.extend(rest(20));
        assert_eq!(timeline(20), expected);
        assert_eq!(timeline(0), rest(0), "grace 0 destroys at once");
        let below = |launcher, pod| {
            let ask = (0, StopAction::Ask { first: true });
            vec![ask, (0, StopAction::Destroy), (launcher, StopAction::Destroy), (pod, StopAction::Kill)]
        };
        assert_eq!(timeline(-5), below(10, 25), "below 0 it is asked once");
        assert_eq!(timeline(-100), below(0, 2), "the kubelet waits for 2 s at least");
    }

    /// `virtctl stop --force`, at a moment of a stop with a grace period of 30 s: when virt-handler destroys the domain.
    #[test]
    fn another_grace_period_counts_from_the_stops_begin() {
        for (at, seconds, destroyed) in [(5, 0, 5), (5, 10, 10), (12, 10, 12), (5, 40, 40), (5, 600, 45)] {
            let (grace, begin) = (Grace { seconds: 30 }, Time::from_secs(100));
            let mut stop = GracefulStop::new(begin, grace, grace);
            let mut now = begin + Duration::from_secs(at);
            assert!(!stop.poll(now).contains(&StopAction::Destroy));
            stop.set_handler_grace(Grace { seconds });
            while !stop.poll(now).contains(&StopAction::Destroy) {
                now = stop.next_wakeup().unwrap().max(now);
            }
            assert_eq!(now.since(begin).as_secs(), destroyed, "{seconds} s, asked for after {at} s");
        }
    }
}

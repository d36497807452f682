//! From a fault to the moment at which a probe's result flips.

use crate::manifest::{Handler, PodProbe};
use std::time::Duration;

/// The shortest and the longest time that something takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The best case.
    pub best: Duration,
    /// The worst case.
    pub worst: Duration,
}

/// libvirt's own limit for an agent command; a ping does not use its timeout, and a program is not started (kubevirt-health.md
/// 3.3, 3.4).
pub(crate) const LIBVIRT_AGENT_LIMIT: Duration = Duration::from_secs(5);

/// How a broken guest answers a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// At once, with a refusal or a wrong status.
    Refusal,
    /// Not at all: the attempt takes all of its timeout.
    Silence,
}

impl Answer {
    fn lasts(self, probe: &PodProbe) -> Duration {
        match self {
            Answer::Refusal => Duration::ZERO,
            Answer::Silence if matches!(probe.handler, Handler::GuestAgentPing | Handler::Exec { .. }) => {
                probe.timings.timeout().min(LIBVIRT_AGENT_LIMIT)
            }
            Answer::Silence => probe.timings.timeout(),
        }
    }
}

/// From the fault until the result flips to Failure: the wait for the next tick, `failureThreshold` attempts of which each
/// takes a period or its own time, whichever is longer, and the last one's own time (kubevirt-health.md 3.5).
pub fn detection(probe: &PodProbe, answer: Answer) -> Span {
    let (period, lasts) = (probe.timings.period(), answer.lasts(probe));
    let best = period.max(lasts) * (probe.timings.failure_threshold - 1) + lasts;
    Span { best, worst: best + period }
}

/// How soon after the start of the compute container a guest that does not answer yet can have used up its failures.
pub fn before_boot(probe: &PodProbe) -> Duration {
    let delay = Duration::from_secs(u64::try_from(probe.timings.initial_delay).unwrap_or(0));
    delay + detection(probe, Answer::Refusal).best
}

impl Span {
    /// Exactly so long.
    pub fn exactly(length: Duration) -> Span {
        Span { best: length, worst: length }
    }

    /// Of a fault that may come at any moment of the detector's period alike.
    pub fn typical(self) -> Duration {
        (self.best + self.worst) / 2
    }

    /// This and then so much more.
    pub fn and(self, more: Duration) -> Span {
        Span { best: self.best + more, worst: self.worst + more }
    }
}

//! One probe as a watcher sees it: its last attempts, and how far the run of equal answers is from its threshold.

use std::collections::VecDeque;
use vmhealth_sim::kubelet::{ProbeResult, Verdict};
use vmhealth_sim::manifest::{Probe, Timings};

/// Attempts that are shown.
const SHOWN: usize = 60;

/// A probe of the VMI that there is now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ProbeLane {
    pub(super) name: &'static str,
    /// `httpGet`.
    pub(super) handler: &'static str,
    timings: Timings,
    pub(super) answers: VecDeque<Verdict>,
    pub(super) result: Option<ProbeResult>,
    /// An attempt that is not answered.
    pub(super) under_way: bool,
    /// Of answers that count alike.
    run: u32,
}

impl ProbeLane {
    pub(super) fn new(name: &'static str, probe: &Probe) -> ProbeLane {
        ProbeLane {
            name,
            handler: probe.handler.name(),
            timings: probe.timings,
            answers: VecDeque::new(),
            result: None,
            under_way: false,
            run: 0,
        }
    }

    /// Another VMI has a worker of its own.
    pub(super) fn begin_anew(&mut self) {
        self.answers.clear();
        (self.result, self.under_way, self.run) = (None, false, 0);
    }

    pub(super) fn answered(&mut self, answer: Verdict) {
        let counts_as = |answer: &Verdict| *answer == Verdict::Failure;
        // What the probe itself did wrong is thrown away (kubelet-prober.md 3).
        if answer != Verdict::Error {
            let before = self.answers.iter().rev().find(|a| **a != Verdict::Error);
            let goes_on = before.is_some_and(|before| counts_as(before) == counts_as(&answer));
            self.run = if goes_on { self.run.saturating_add(1) } else { 1 };
        }
        self.answers.push_back(answer);
        if self.answers.len() > SHOWN {
            self.answers.pop_front();
        }
        self.under_way = false;
    }

    /// `2 of 3 failures`, the last answers' count on its way to the threshold; empty before there is one.
    pub(super) fn counted(&self) -> String {
        let counted = self.answers.iter().rev().find(|a| **a != Verdict::Error);
        match counted {
            None => String::new(),
            Some(Verdict::Failure) => format!("failed {} of {}", self.run, self.timings.failure_threshold),
            Some(_) => format!("succeeded {} of {}", self.run, self.timings.success_threshold),
        }
    }

    /// The last failures are as many as make it fail, or nearly: one is missing.
    pub(super) fn is_near(&self) -> bool {
        let fails = self.answers.iter().rev().find(|a| **a != Verdict::Error) == Some(&Verdict::Failure);
        fails && self.run + 1 >= self.timings.failure_threshold
    }
}

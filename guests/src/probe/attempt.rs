//! What an attempt came to.

use vmhealth_sim::kubelet::{Attempt, Verdict};

pub(super) fn attempt(verdict: Verdict, text: impl Into<String>) -> Attempt {
    Attempt { verdict, text: text.into() }
}

pub(super) fn success(text: impl Into<String>) -> Attempt {
    attempt(Verdict::Success, text)
}

pub(super) fn failure(text: impl Into<String>) -> Attempt {
    attempt(Verdict::Failure, text)
}

/// An error: three tries, then thrown away.
pub(super) fn error(text: impl Into<String>) -> Attempt {
    attempt(Verdict::Error, text)
}

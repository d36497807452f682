//! What an attempt came to.

use vmhealth_sim::kubelet::{Attempt, Verdict};

/// Of a text, bytes: a body has at most 10 KiB, which are 30 where none of it is UTF-8. What is longer quotes a redirect.
const TEXT: usize = 32 << 10;

pub(super) fn attempt(verdict: Verdict, text: impl Into<String>) -> Attempt {
    let mut text = text.into();
    if text.len() > TEXT {
        text.truncate(text.floor_char_boundary(TEXT));
        text.push_str("...");
    }
    Attempt { verdict, text }
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

//! What a decoder leaves behind: what it used, and what it found wrong.

use super::problem::Severity;
use std::cell::RefCell;

/// What a decoder leaves behind of one object; nodes by their number in the document.
#[derive(Debug, Default)]
pub struct Record {
    pub(super) used: RefCell<Vec<usize>>,
    pub(super) remarks: RefCell<Vec<Remark>>,
}

/// What a decoder has to say about a node.
#[derive(Debug)]
pub(super) struct Remark {
    pub(super) severity: Severity,
    pub(super) at: usize,
    pub(super) message: String,
}

impl Record {
    /// An empty one.
    pub fn new() -> Record {
        Record::default()
    }
}

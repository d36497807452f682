//! Two histories side by side, such that a line that only one of them has moves none of the others.

use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices};
use std::ops::Range;

/// What stands side by side: an index into each history, or nothing where that one has no such line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) left: Option<usize>,
    pub(crate) right: Option<usize>,
    /// Both have the same text there.
    pub(crate) same: bool,
}

/// Every line of both, in order. Lines that replace each other share rows.
pub(crate) fn align(left: &[String], right: &[String]) -> Vec<Row> {
    capture_diff_slices(Algorithm::Myers, left, right).iter().flat_map(rows).collect()
}

fn rows(op: &DiffOp) -> impl Iterator<Item = Row> + use<> {
    let (tag, left, right) = op.as_tag_tuple();
    let nth = |range: &Range<usize>, i: usize| range.clone().nth(i);
    (0..left.len().max(right.len())).map(move |i| Row {
        left: nth(&left, i),
        right: nth(&right, i),
        same: tag == DiffTag::Equal,
    })
}

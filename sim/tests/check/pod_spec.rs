//! x

use crate::row::{self, Row};

pub(crate) const ROWS: &[Row] = &[];

#[test]
fn pod_spec() {
    row::hold(ROWS);
}

//! x

use crate::row::{self, Row};

pub(crate) const ROWS: &[Row] = &[];

#[test]
fn other_devices() {
    row::hold(ROWS);
}

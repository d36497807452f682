//! x

use crate::row::{self, Row};

pub(crate) const ROWS: &[Row] = &[];

#[test]
fn disks() {
    row::hold(ROWS);
}

//! `bench clocks`: the same scenarios in guest time and in real time, one after another, each forked from its template.

use crate::report::Machine;
use crate::run::two_ways::{Compared, Comparison};
use serde::Serialize;
use std::fmt;

/// The results of `bench clocks`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClocksBench {
    /// One for each scenario.
    pub rows: Vec<ClocksRow>,
    /// The machine that it was measured on.
    pub machine: Machine,
}

/// One scenario by both clocks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClocksRow {
    /// The scenario's id.
    pub id: String,
    /// How long it took the host in guest time, seconds.
    pub guest_time_s: f64,
    /// And in real time, seconds.
    pub real_time_s: f64,
    /// Whether both ways told the same story.
    pub same: bool,
}

impl ClocksBench {
    /// The figures of a comparison whose first way was guest time.
    pub fn new(found: &Comparison, machine: Machine) -> ClocksBench {
        let row = |case: &Compared| {
            let [guest_time_s, real_time_s] = case.took_s;
            ClocksRow { id: case.id.clone(), guest_time_s, real_time_s, same: case.same() }
        };
        ClocksBench { rows: found.cases.iter().map(row).collect(), machine }
    }
}

impl fmt::Display for ClocksBench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:40} {:>10} {:>10} {:>7}", "seconds on this host", "guest time", "real time", "times")?;
        for ClocksRow { id, guest_time_s, real_time_s, same } in &self.rows {
            let differs = if *same { "" } else { "  DIFFERENT" };
            writeln!(f, "{id:40} {guest_time_s:10.1} {real_time_s:10.1} {:7.0}{differs}", real_time_s / guest_time_s)?;
        }
        Ok(())
    }
}

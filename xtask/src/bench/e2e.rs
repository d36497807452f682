//! `bench e2e`: the whole catalogue, warm.

use crate::report::{Machine, Results, Summary};
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// The results of `bench e2e`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct E2eBench {
    /// Scenarios on QEMU.
    pub scenarios: usize,
    /// Wall time with the preparation, seconds.
    pub wall_s: f64,
    /// The sum of the scenarios' lengths on their own clocks, seconds.
    pub sum_s: f64,
    /// The longest scenario, and its length on its own clock, seconds.
    pub longest: Option<(String, f64)>,
    /// Verdicts in both worlds.
    pub summary: Summary,
    /// The machine that it was measured on.
    pub machine: Machine,
}

/// The figures of a run.
pub fn e2e_figures(results: &Results, wall: Duration) -> E2eBench {
    let real: Vec<_> = results.scenarios.iter().filter(|s| s.world == "qemu").collect();
    let longest = real.iter().max_by(|a, b| a.guest_s.total_cmp(&b.guest_s));
    E2eBench {
        scenarios: real.len(),
        wall_s: wall.as_secs_f64(),
        sum_s: real.iter().map(|s| s.guest_s).sum(),
        longest: longest.map(|s| (s.id.clone(), s.guest_s)),
        summary: results.summary,
        machine: results.machine.clone(),
    }
}

impl fmt::Display for E2eBench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} scenarios on {} cores, {}", self.scenarios, self.machine.cores, self.machine.qemu)?;
        writeln!(f, "  wall                 {:8.1} s", self.wall_s)?;
        writeln!(f, "  sum of their lengths {:8.1} s, {:.1} times as long", self.sum_s, self.sum_s / self.wall_s)?;
        if let Some((id, s)) = &self.longest {
            writeln!(f, "  the longest          {s:8.1} s, {id}")?;
        }
        Ok(())
    }
}

//! The sweep of `fleet`: what came of each cell, as JSON, as a table for people, and as a heat map.

use serde::Serialize;
use vmhealth_sim::fleet::{Axis, Outcome, SweptValue};

/// What came of the cells.
#[derive(Debug, Clone, Serialize)]
pub struct SweepReport {
    /// The numbers that were swept: the first goes down, the second across.
    pub(super) axes: Vec<AxisReport>,
    /// Each value of the first number with each of the second.
    pub(super) cells: Vec<CellReport>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct AxisReport {
    pub(super) number: String,
    pub(super) values: Vec<SweptValue>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct CellReport {
    /// In the order of the axes.
    values: Vec<SweptValue>,
    vms: u64,
    pub(super) available_percent: f64,
    pub(super) settles: bool,
    /// Of nodes that settle: from the end of the incidents to the last VM's return.
    settled_after_s: f64,
    restarts: u64,
    pub(super) false_restarts: u64,
    still_down: u64,
    digest: String,
}

/// One cell of the picture, in SVG units.
pub(super) struct Heat {
    pub(super) x: f64,
    pub(super) text: String,
    /// From 0.04 to 0.4: the more availability is lost, the more.
    pub(super) shade: String,
    pub(super) settles: bool,
}

/// One row of the picture and of its table.
pub(super) struct HeatRow {
    pub(super) y: f64,
    pub(super) value: String,
    /// For a screen reader: all of its cells.
    pub(super) label: String,
    pub(super) cells: Vec<Heat>,
    /// In words, with the false restarts.
    pub(super) words: Vec<String>,
}

pub(super) const CELL: f64 = 56.0;
pub(super) const ROW: f64 = 30.0;

impl SweepReport {
    /// Of the cells' values and what came of each.
    pub fn new(axes: &[Axis], cells: &[Vec<SweptValue>], outcomes: &[Outcome]) -> SweepReport {
        let axis = |axis: &Axis| AxisReport { number: axis.swept.to_string(), values: axis.values.clone() };
        let cell = |(values, outcome): (&Vec<SweptValue>, &Outcome)| CellReport {
            values: values.clone(),
            vms: outcome.vms,
            available_percent: (outcome.availability() * 1e8).round() / 1e6,
            settles: outcome.settling.unsettled == 0,
            settled_after_s: outcome.settling.after.as_secs_f64(),
            restarts: outcome.restarts,
            false_restarts: outcome.false_restarts,
            still_down: outcome.still_down,
            digest: format!("{:016x}", outcome.digest),
        };
        SweepReport { axes: axes.iter().map(axis).collect(), cells: cells.iter().zip(outcomes).map(cell).collect() }
    }

    /// What goes down; empty: nothing, there is one row.
    pub(super) fn down(&self) -> &str {
        if let [down, _] = self.axes.as_slice() { &down.number } else { "" }
    }

    /// What goes across.
    pub(super) fn across(&self) -> &str {
        self.axes.last().map_or("", |axis| axis.number.as_str())
    }

    pub(super) fn columns(&self) -> &[SweptValue] {
        self.axes.last().map_or(&[], |axis| axis.values.as_slice())
    }

    /// Its rows with their values.
    fn by_row(&self) -> impl Iterator<Item = (Option<SweptValue>, &[CellReport])> {
        let values = match self.axes.as_slice() {
            [down, _] => down.values.iter().map(|value| Some(*value)).collect(),
            _ => vec![None],
        };
        values.into_iter().zip(self.cells.chunks(self.columns().len().max(1)))
    }

    /// As text.
    pub(super) fn render(&self) -> String {
        let down = if self.down().is_empty() { String::new() } else { format!("{} down, ", self.down()) };
        let mut out =
            format!("\nsweep: {down}{} across; percent available, ! where it does not settle\n", self.across());
        let cell = |text: String| format!("{text:>10}");
        out +=
            &format!("{:>10}{}\n", "", self.columns().iter().map(|value| cell(value.to_string())).collect::<String>());
        for (value, cells) in self.by_row() {
            let value = value.map_or(String::new(), |value| value.to_string());
            let shown =
                |c: &CellReport| cell(format!("{}{:.2}", if c.settles { "" } else { "!" }, c.available_percent));
            out += &format!("{value:>10}{}\n", cells.iter().map(shown).collect::<String>());
        }
        out
    }

    /// The rows of the picture.
    pub(super) fn heat(&self) -> Vec<HeatRow> {
        let all = || self.cells.iter().map(|cell| cell.available_percent);
        let (best, worst) = (all().fold(0.0, f64::max), all().fold(100.0, f64::min));
        let shade = |percent: f64| 0.04 + 0.36 * (best - percent) / (best - worst).max(1e-9);
        let across = self.across();
        let rows = self.by_row().enumerate().map(|(i, (value, cells))| {
            let value = value.map_or(String::new(), |value| value.to_string());
            let says = |cell: &CellReport| {
                format!(
                    "{:.2} % available, {}",
                    cell.available_percent,
                    if cell.settles { "settles" } else { "does not settle" }
                )
            };
            let labels: Vec<String> =
                cells.iter().zip(self.columns()).map(|(cell, column)| format!("{column}: {}", says(cell))).collect();
            let head = if value.is_empty() { String::new() } else { format!("{} {value}; ", self.down()) };
            let words = |cell: &CellReport| format!("{}, {} false restarts", says(cell), cell.false_restarts);
            let heat = |(j, cell): (usize, &CellReport)| Heat {
                x: j as f64 * CELL,
                text: format!("{:.1}", cell.available_percent),
                shade: format!("{:.2}", shade(cell.available_percent)),
                settles: cell.settles,
            };
            HeatRow {
                y: i as f64 * ROW,
                label: format!("{head}{across} {}", labels.join("; ")),
                value,
                cells: cells.iter().enumerate().map(heat).collect(),
                words: cells.iter().map(words).collect(),
            }
        });
        rows.collect()
    }
}

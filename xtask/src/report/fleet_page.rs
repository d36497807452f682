//! The page of `fleet --report`: one file in the report's style, with its plots as SVG and without a script.
//!
//! Texts of the fleet file go through the template's escaping; what is drawn is numbers.

use super::fleet::{FleetReport, span};
use super::fleet_sweep::{CELL, HeatRow, ROW};
use askama::Template;
use std::io;

const STYLE: &str = include_str!("../../templates/report.css");
/// The plots' inside, in SVG units.
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 200.0;
/// More bars than pixels show nothing.
const BARS: usize = 450;

#[derive(Template)]
#[template(path = "fleet.html")]
struct Page<'a> {
    report: &'a FleetReport,
    style: &'static str,
    text: String,
    lasts: String,
    /// Of the line: `x,y x,y`.
    line: String,
    lowest: String,
    bars: Vec<Bar>,
    most: u64,
    marks: Vec<Mark<'a>>,
    losses: Vec<(&'a str, String, String)>,
    heat: Vec<HeatRow>,
    /// Of the heat map and of one cell in it.
    heat_size: (f64, f64),
    cell: (f64, f64),
}

struct Bar {
    x: String,
    y: String,
    width: String,
    height: String,
}

/// An incident.
struct Mark<'a> {
    x: String,
    what: &'a str,
}

/// The page of a fleet.
pub fn fleet_page(report: &FleetReport) -> io::Result<String> {
    let series = &report.series;
    let x = |seconds: f64| seconds / report.for_s.max(1.0) * WIDTH;
    let lowest = series.available_percent.iter().copied().fold(100.0, f64::min);
    // From the next lower of some round values up to 100 %.
    let lowest = [99.9, 99.0, 90.0, 50.0].into_iter().find(|v| lowest >= *v).unwrap_or(0.0);
    let y = |percent: f64| (100.0 - percent) / (100.0 - lowest) * HEIGHT;
    let point = |(i, percent): (usize, &f64)| {
        let (from, to) = (x(series.bin_s * i as f64), x(series.bin_s * (i + 1) as f64).min(WIDTH));
        format!("{from:.1},{:.1} {to:.1},{:.1}", y(*percent), y(*percent))
    };
    let line: Vec<String> = series.available_percent.iter().enumerate().map(point).collect();
    let (bars, most) = bars(report);
    let heat = report.sweep.as_ref().map(|sweep| sweep.heat()).unwrap_or_default();
    let columns = heat.first().map_or(0, |row| row.cells.len());
    let page = Page {
        report,
        style: STYLE,
        text: report.render(),
        lasts: span(report.for_s),
        line: line.join(" "),
        lowest: format!("{lowest} %"),
        bars,
        most,
        marks: report.incidents.iter().map(|i| Mark { x: format!("{:.1}", x(i.at_s)), what: &i.what }).collect(),
        losses: report
            .lost
            .iter()
            .map(|l| (l.cause.as_str(), span(l.vm_s), format!("{:.2} %", l.percent_of_loss)))
            .collect(),
        heat_size: (columns as f64 * CELL, heat.len() as f64 * ROW),
        heat,
        cell: (CELL, ROW),
    };
    page.render().map_err(io::Error::other)
}

/// The worst minute of as many minutes as a bar is wide.
fn bars(report: &FleetReport) -> (Vec<Bar>, u64) {
    let minutes = ((report.for_s / 60.0).ceil() as usize).max(1);
    let each = minutes.div_ceil(BARS);
    let count = minutes.div_ceil(each);
    let mut worst = vec![0_u64; count];
    for (minute, times) in &report.series.restarts_per_minute {
        let bar = usize::try_from(*minute).unwrap_or(usize::MAX) / each;
        if let Some(bar) = worst.get_mut(bar) {
            *bar = (*bar).max(*times);
        }
    }
    let most = worst.iter().copied().max().unwrap_or_default();
    let width = WIDTH / count as f64;
    let bar = |(i, times): (usize, &u64)| {
        let height = *times as f64 / most.max(1) as f64 * HEIGHT;
        let [x, y, width, height] =
            [i as f64 * width, HEIGHT - height, width.max(0.5), height].map(|n| format!("{n:.1}"));
        Bar { x, y, width, height }
    };
    (worst.iter().enumerate().filter(|(_, times)| **times > 0).map(bar).collect(), most)
}

//! The page itself: summary and list by a template, which escapes; style, script and data inside it.
//!
//! A guest may write anything to its console and answer anything. So texts go into the page through the template's escaping
//! or as data that the script shows as text, and the page's policy lets no other script run than the one whose hash it names.

use super::data::{Data, Limits, by_id};
use crate::report::results::{Results, ScenarioResult, Summary};
use crate::report::secrets::Secrets;
use askama::Template;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};
use std::io;
use std::path::Path;

const STYLE: &str = include_str!("../../../templates/report.css");
const SCRIPT: &str = include_str!("../../../templates/report.js");

/// The data of a page; with what surrounds it, a page stays below 3 MB.
const LARGEST: usize = 2_500_000;
/// How much of each run the page shows: the first of these with which it is small enough.
const LIMITS: [Limits; 4] = [
    Limits { events: 4000, console_lines: 40 },
    Limits { events: 2000, console_lines: 10 },
    Limits { events: 500, console_lines: 0 },
    Limits { events: 50, console_lines: 0 },
];

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    summary: Summary,
    /// In words: the comparison of the two worlds.
    conformance: String,
    machine: Vec<(&'static str, String)>,
    rows: Vec<Row<'a>>,
    style: &'static str,
    script: &'static str,
    script_hash: String,
    data: Data,
}

/// A scenario in the list.
struct Row<'a> {
    id: &'a str,
    summary: &'a str,
    /// Something about it is not as it should be.
    troubled: bool,
    /// The first reason.
    reason: String,
    cells: Vec<Cell>,
}

struct Cell {
    place: String,
    verdict: &'static str,
    differs: bool,
    /// Seconds of guest time.
    guest_s: f64,
}

/// The report of a run; `folder` is where its evidence is. What the run hides is not in it.
pub fn html(results: &Results, folder: &Path) -> io::Result<String> {
    let secrets = Secrets::of_run(folder)?;
    let read = |limits: &Limits| {
        let data = Data::read(results, folder, &secrets, *limits);
        let fits = serde_json::to_string(&data).is_ok_and(|text| text.len() <= LARGEST);
        (data, fits)
    };
    let mut data = read(&LIMITS[0]);
    for limits in &LIMITS[1..] {
        if data.1 {
            break;
        }
        data = read(limits);
    }
    let conformance = results.conformance;
    let machine = &results.machine;
    let facts = [("QEMU", &machine.qemu), ("accelerator", &machine.accel), ("kernel", &machine.kernel)];
    let page = Page {
        summary: results.summary,
        conformance: match conformance.scenarios {
            0 => String::new(),
            n => format!(
                "Model and QEMU: {n} scenarios, {} events and {} intervals compared, {} divergences",
                conformance.compared, conformance.intervals, conformance.divergences
            ),
        },
        machine: facts.into_iter().filter(|(_, f)| !f.is_empty()).map(|(name, f)| (name, f.clone())).collect(),
        rows: by_id(results).iter().map(|of_one| Row::new(of_one)).collect(),
        style: STYLE,
        script: SCRIPT,
        script_hash: BASE64_STANDARD.encode(Sha256::digest(SCRIPT.as_bytes())),
        data: data.0,
    };
    page.render().map_err(io::Error::other)
}

impl<'a> Row<'a> {
    fn new(of_one: &[&'a ScenarioResult]) -> Row<'a> {
        let first_line = |s: &&ScenarioResult| {
            let all = [&s.reason].into_iter().chain(&s.divergences).chain(&s.host_differences);
            all.flat_map(|text| text.lines()).find(|l| !l.is_empty()).map(str::to_owned)
        };
        let about = of_one.iter().find_map(|s| s.about.as_ref());
        let cell = |s: &&ScenarioResult| Cell {
            place: s.place(),
            verdict: s.verdict.as_str(),
            differs: s.differs(),
            guest_s: s.guest_s,
        };
        Row {
            id: of_one.first().map_or("", |s| s.id.as_str()),
            summary: about.map_or("", |a| a.summary.as_str()),
            troubled: of_one.iter().any(|s| s.troubled()),
            reason: of_one.iter().find_map(first_line).unwrap_or_default(),
            cells: of_one.iter().map(cell).collect(),
        }
    }
}

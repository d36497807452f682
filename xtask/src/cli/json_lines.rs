//! `run --format json`: what happens, as JSON on stdout, one event a line.

use super::output::out;
use crate::report::{ScenarioResult, Secrets};
use crate::run::catalogue::Case;
use crate::run::{Begun, Watcher};
use serde::Serialize;
use std::io;
use vmhealth_guests::reality::{Controls, Line, controls};
use vmhealth_sim::trace::Entry;

/// An event, as in `timeline.jsonl`, and whose it is.
#[derive(Serialize)]
struct EventLine<'a> {
    scenario: &'a str,
    #[serde(flatten)]
    line: Line,
}

/// The last line of a scenario: its entry of `results.json`.
#[derive(Serialize)]
struct ResultLine<'a> {
    scenario: &'a str,
    result: &'a ScenarioResult,
}

/// Prints every event.
pub(super) struct JsonLines(pub(super) Secrets);

impl Watcher for JsonLines {
    fn begins(&self, _: &Case, _: &Begun) -> io::Result<Controls> {
        // Nobody asks for anything.
        Ok(controls().1)
    }

    fn sees(&self, case: &Case, entry: &Entry) {
        let mut line = Line::from(entry);
        line.detail = self.0.hide(&line.detail);
        print(&EventLine { scenario: case.id(), line });
    }

    fn ends(&self, _: &Case) {}
}

/// Prints how a scenario ended.
pub(super) fn print_result(result: &ScenarioResult) {
    print(&ResultLine { scenario: &result.id, result });
}

fn print(line: &impl Serialize) {
    // Of strings and numbers it cannot fail; a reader that is gone ends no run.
    let _ = serde_json::to_string(line).map(|text| out(&format!("{text}\n")));
}

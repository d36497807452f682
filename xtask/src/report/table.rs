//! The table that a run prints.

use super::plain::without_control;
use super::results::{Results, ScenarioResult, VerdictWord};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Of one that could not run: where, and why.
fn where_and_why(s: &ScenarioResult) -> Option<(String, &str, String)> {
    (s.verdict == VerdictWord::Infra && !s.differs()).then(|| (s.place(), s.reason.as_str(), s.explained()))
}

/// The table, the reasons of what did not pass with the command that repeats it, and the summary; without what steers a terminal.
pub fn table(results: &Results) -> String {
    let mut text = String::new();
    let width = results.scenarios.iter().map(|s| s.id.len()).max().unwrap_or(0).max("scenario".len());
    // Writing to a String cannot fail.
    let places = results.scenarios.iter().map(|s| s.place().len()).max().unwrap_or(0).max("world".len());
    let _ = writeln!(text, "{:width$}  {:places$}  verdict     wall    guest time", "scenario", "world");
    for s in &results.scenarios {
        let differs = match (s.divergences.is_empty(), s.host_differences.is_empty()) {
            (false, _) => "  differs from the model",
            (true, false) => "  differs from the first host",
            (true, true) => "",
        };
        let _ = writeln!(
            text,
            "{:width$}  {:places$}  {:7}  {:6.1}s  {:11.1}s{differs}",
            s.id,
            s.place(),
            s.verdict.as_str(),
            s.duration_s,
            s.guest_s
        );
    }
    // What a host cannot do is said once, not once for each scenario.
    let mut alike: BTreeMap<_, usize> = BTreeMap::new();
    for key in results.scenarios.iter().filter_map(where_and_why) {
        *alike.entry(key).or_default() += 1;
    }
    for s in results.scenarios.iter().filter(|s| s.troubled()) {
        let count = match where_and_why(s).map(|key| alike.remove(&key)) {
            None => 1,
            Some(Some(count)) => count,
            // It has been said.
            Some(None) => continue,
        };
        let _ = writeln!(text, "\n{} ({}): {}", s.id, s.place(), s.verdict.as_str());
        if !s.reason.is_empty() {
            let _ = writeln!(text, "  {}", s.reason);
        }
        for divergence in s.divergences.iter().chain(&s.host_differences) {
            let _ = writeln!(text, "  {}", divergence.replace('\n', "\n  "));
        }
        for line in s.explained().lines() {
            let _ = writeln!(text, "  {line}");
        }
        let _ = writeln!(text, "  again: {}", s.repeat);
        if let more @ 1.. = count - 1 {
            let _ = writeln!(text, "  {more} more in the table: {} for the same reason", s.verdict.as_str());
        }
    }
    let (sum, conformance) = (results.summary, results.conformance);
    let _ = writeln!(
        text,
        "\n{} pass, {} fail, {} infra, {} skip, {} flaky{}",
        sum.pass,
        sum.fail,
        sum.infra,
        sum.skip,
        sum.flaky,
        match conformance.scenarios {
            0 => String::new(),
            scenarios => format!(
                "; model and QEMU: {scenarios} scenarios, {} events and {} intervals compared, {} divergences",
                conformance.compared, conformance.intervals, conformance.divergences
            ),
        }
    );
    if results.hidden > 0 {
        let _ =
            writeln!(text, "{} secrets of the user data are hidden above; --keep-secrets shows them", results.hidden);
    }
    if let (compared @ 1.., differences) = conformance.between_hosts {
        let _ = writeln!(text, "between hosts: {compared} scenarios compared, {differences} unexplained differences");
        for s in results.scenarios.iter().filter(|s| !s.known_host_differences.is_empty()) {
            for known in &s.known_host_differences {
                let _ = writeln!(text, "  {} ({}): {known}", s.id, s.host);
            }
        }
    }
    without_control(&text)
}

//! The table that a run prints.

use super::plain::without_control;
use super::results::{Results, ScenarioResult, VerdictWord};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Two that could not run are said once if these are alike: where, and why.
fn where_and_why(s: &ScenarioResult) -> (String, &str, String) {
    (s.place(), &s.reason, s.explained())
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
    let mut alike = BTreeMap::new();
    let infra = results.scenarios.iter().filter(|s| s.verdict == VerdictWord::Infra);
    infra.for_each(|s| alike.entry(where_and_why(s)).or_insert_with(Vec::new).push(&s.id));
    for s in results.scenarios.iter().filter(|s| s.troubled()) {
        let of_infra = || alike.get(&where_and_why(s)).filter(|_| s.verdict == VerdictWord::Infra);
        let ids = of_infra().map_or(&[][..], Vec::as_slice);
        if ids.first().is_some_and(|first| **first != s.id) {
            continue;
        }
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
        if let more @ 1.. = ids.len().saturating_sub(1) {
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

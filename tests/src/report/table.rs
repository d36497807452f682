//! The table that a run prints.

use super::results::{Results, VerdictWord};
use std::fmt::Write as _;

/// The table, the reasons of what did not pass with the command that repeats it, and the summary.
pub fn table(results: &Results) -> String {
    let mut text = String::new();
    let width = results.scenarios.iter().map(|s| s.id.len()).max().unwrap_or(0).max("scenario".len());
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{:width$}  world  verdict     wall  on its clock", "scenario");
    for s in &results.scenarios {
        let differs = if s.divergences.is_empty() { "" } else { "  differs from the model" };
        let _ = writeln!(
            text,
            "{:width$}  {:5}  {:7}  {:6.1}s  {:11.1}s{differs}",
            s.id,
            s.world,
            s.verdict.as_str(),
            s.duration_s,
            s.guest_s
        );
    }
    let troubled = |s: &&super::ScenarioResult| {
        !matches!(s.verdict, VerdictWord::Pass | VerdictWord::Skip) || !s.divergences.is_empty()
    };
    for s in results.scenarios.iter().filter(troubled) {
        let _ = writeln!(text, "\n{} ({}): {}", s.id, s.world, s.verdict.as_str());
        if !s.reason.is_empty() {
            let _ = writeln!(text, "  {}", s.reason);
        }
        for divergence in &s.divergences {
            let _ = writeln!(text, "  {}", divergence.replace('\n', "\n  "));
        }
        let _ = writeln!(text, "  again: {}", s.repeat);
    }
    let (sum, conformance) = (results.summary, results.conformance);
    let _ = writeln!(
        text,
        "\n{} pass, {} fail, {} infra, {} skip, {} flaky; model and QEMU: {} scenarios, {} events and {} intervals compared, {} divergences",
        sum.pass,
        sum.fail,
        sum.infra,
        sum.skip,
        sum.flaky,
        conformance.scenarios,
        conformance.compared,
        conformance.intervals,
        conformance.divergences
    );
    text
}

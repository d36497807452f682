//! A run as a CI job's summary: GitHub's and GitLab's Markdown.
//!
//! What a guest may have said stands in blocks that are indented by four columns, where nothing is markup and nothing ends
//! the block.

use super::results::{Results, VerdictWord};
use std::fmt::Write as _;

/// At most so many lines of what went wrong, and of its explanation: a job's summary is limited to a megabyte.
const LINES: usize = 40;

/// The counts, what went wrong with the command that repeats it, and a table of all that is folded away.
pub fn markdown(results: &Results) -> String {
    let mut text = String::new();
    let (sum, conformance) = (results.summary, results.conformance);
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "### vmhealth: {} pass, {} fail, {} infra, {} skip, {} flaky\n",
        sum.pass, sum.fail, sum.infra, sum.skip, sum.flaky
    );
    if conformance.scenarios > 0 {
        let _ = writeln!(
            text,
            "Model and QEMU: {} scenarios, {} events and {} intervals compared, {} divergences.\n",
            conformance.scenarios, conformance.compared, conformance.intervals, conformance.divergences
        );
    }
    for scenario in results.scenarios.iter().filter(|s| s.troubled()) {
        let differs = if scenario.differs() { ", differs" } else { "" };
        let (id, place, verdict) = (code(&scenario.id), scenario.place(), scenario.verdict.as_str());
        let _ = writeln!(text, "**{verdict}{differs}** {id} ({place})\n");
        let all = [&scenario.reason].into_iter().chain(&scenario.divergences).chain(&scenario.host_differences);
        let told = scenario.explained();
        let wrong = all.flat_map(|t| t.lines()).filter(|l| !l.trim().is_empty()).take(LINES);
        for line in wrong.chain(told.lines().take(LINES)) {
            let _ = writeln!(text, "    {line}");
        }
        let _ = writeln!(text, "    again: {}\n", scenario.repeat.replace('\n', " "));
    }
    text += "<details><summary>all scenarios</summary>\n\n| scenario | world | verdict | guest time |\n|---|---|---|---:|\n";
    for scenario in &results.scenarios {
        let word = match scenario.verdict {
            VerdictWord::Pass if scenario.differs() => "pass, differs",
            verdict => verdict.as_str(),
        };
        let _ =
            writeln!(text, "| {} | {} | {word} | {:.1} s |", code(&scenario.id), scenario.place(), scenario.guest_s);
    }
    text + "\n</details>\n"
}

/// Inline code that nothing in it ends.
fn code(text: &str) -> String {
    format!("`{}`", text.replace(['`', '|', '\n', '\r'], " "))
}

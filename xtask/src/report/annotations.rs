//! A run as workflow commands, which GitHub shows at the line of the scenario.

use super::results::{Results, VerdictWord};
use crate::check::github;
use vmhealth_sim::yaml::Pos;

/// A command for each scenario that a reader has to look at, with the command that repeats it.
pub fn annotations(results: &Results) -> String {
    let of = |s: &super::ScenarioResult| {
        let about = s.about.clone().unwrap_or_default();
        // What the host could not do is no fault of what was changed.
        let command = match s.verdict {
            VerdictWord::Infra | VerdictWord::Flaky if !s.differs() => "warning",
            _ => "error",
        };
        let mut text = vec![s.reason.as_str()];
        text.extend(s.divergences.iter().chain(&s.host_differences).map(String::as_str));
        let text = text.into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join("\n");
        let pos = Pos { line: about.line.max(1), column: 1 };
        github::line(command, &about.file, pos, &s.id, &format!("{text}\nagain: {}", s.repeat))
    };
    results.scenarios.iter().filter(|s| s.troubled()).map(of).collect()
}

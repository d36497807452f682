//! What `check` prints, in each of its formats: what comes first, for each piece of a file, and last.

use super::budgets::render_budgets;
use super::github::{github, github_error};
use super::json::JsonReport;
use super::junit::Junit;
use super::render::{render, render_allowed, render_ignored};
use super::sarif::Sarif;
use super::summary::Summary;
use vmhealth_sim::budget::Given;
use vmhealth_sim::check::Checks;
use vmhealth_sim::yaml::{Piece, YamlError};

/// The formats, with what each has to remember.
pub enum Output {
    /// As a compiler would show it.
    Human {
        /// For a terminal.
        colour: bool,
        /// Also what vmhealth takes no notice of.
        verbose: bool,
    },
    /// [`super::CheckReport`].
    Json(JsonReport),
    /// A table of many manifests.
    Summary(Summary),
    /// Workflow commands.
    Github,
    /// SARIF 2.1.0.
    Sarif(Sarif),
    /// JUnit.
    Junit(Junit),
}

impl Output {
    /// What comes first.
    pub fn begin(&self) -> String {
        match self {
            Output::Json(json) => json.begin(),
            Output::Sarif(sarif) => sarif.begin(),
            Output::Human { .. } | Output::Summary(_) | Output::Github | Output::Junit(_) => String::new(),
        }
    }

    /// What was found in a piece of a file; how long things take if that is asked for.
    pub fn add(
        &mut self,
        file: &str,
        piece: &Piece<'_>,
        checks: &Checks,
        budgets: Option<&Given>,
    ) -> serde_json::Result<String> {
        let mut out = String::new();
        for checked in &checks.manifests {
            match self {
                Output::Human { colour, verbose } => {
                    if *verbose {
                        out += &render_ignored(file, checked);
                        out += &render_allowed(file, checked);
                    }
                    out += &render(file, &piece.text, checked, *colour);
                    out += &budgets.map(|given| render_budgets(checked, given)).unwrap_or_default();
                }
                Output::Summary(summary) => summary.add(file, checked),
                Output::Github => out += &github(file, checked),
                Output::Sarif(sarif) => out += &sarif.add(file, checked),
                Output::Junit(junit) => junit.add(file, checked),
                Output::Json(_) => {}
            }
        }
        for skipped in &checks.skipped {
            match self {
                Output::Human { .. } => {
                    out += &format!("{file}:{}: not checked: {}\n", skipped.pos.line, skipped.kind.escape_debug());
                }
                Output::Summary(summary) => summary.add_skipped(),
                Output::Json(_) | Output::Github | Output::Sarif(_) | Output::Junit(_) => {}
            }
        }
        if let Output::Json(json) = self {
            json.report.add(file, (piece.first.line, &piece.text), checks, budgets);
            out = json.more()?;
        }
        Ok(out)
    }

    /// What could not be read.
    pub fn add_unreadable(&mut self, file: &str, error: &YamlError) -> String {
        match self {
            Output::Human { .. } => {}
            Output::Json(json) => json.report.add_error(file, error),
            Output::Summary(summary) => summary.add_unreadable(),
            Output::Github => return github_error(file, error),
            Output::Sarif(sarif) => sarif.add_unreadable(file, error),
            Output::Junit(junit) => junit.add_unreadable(file, error),
        }
        String::new()
    }

    /// What comes last.
    pub fn end(&self) -> serde_json::Result<String> {
        match self {
            Output::Human { .. } | Output::Github => Ok(String::new()),
            Output::Json(json) => json.end(),
            Output::Summary(summary) => Ok(summary.render()),
            Output::Sarif(sarif) => Ok(sarif.end()),
            Output::Junit(junit) => junit.end().map_err(serde::ser::Error::custom),
        }
    }
}

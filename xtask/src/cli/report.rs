//! `report`: a run's report again in any of its forms, and the parts of a run put together.

use super::exit::{Failure, Status, infra, usage};
use super::session::{runs_folder, status_of};
use crate::program;
use crate::report::{RunFolder, annotations, html, junit, markdown, merge, table};
use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Report {
    #[command(subcommand)]
    command: Option<ReportCommand>,
    /// A run folder. If absent: the newest one in ./runs
    run: Option<PathBuf>,
    /// What to print: the table, Markdown for a CI job's summary, annotations for GitHub, results.json,
    /// junit.xml, or report.html
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    format: ReportFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    Human,
    Markdown,
    Github,
    Json,
    Junit,
    Html,
}

#[derive(Debug, Subcommand)]
pub(super) enum ReportCommand {
    /// Merge the run folders of all parts (e2e --shard) into one run
    Merge {
        /// The run folders
        #[arg(required = true)]
        runs: Vec<PathBuf>,
        /// The folder of the merged run; must be new or empty
        #[arg(long)]
        out: PathBuf,
    },
}

impl Report {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let (results, folder) = match self.command {
            Some(ReportCommand::Merge { runs, out }) => (merge(&runs, &out).map_err(usage)?, out),
            None => {
                let none = || anyhow!("there is no run in {} yet: {} e2e", runs_folder().display(), program::name());
                let run = self.run.or_else(newest).ok_or_else(none).map_err(usage)?;
                let read = RunFolder::read(&run).with_context(|| format!("cannot read {}", run.display()));
                (read.map_err(usage)?, run)
            }
        };
        let text = match self.format {
            ReportFormat::Human => table(&results),
            ReportFormat::Markdown => markdown(&results),
            ReportFormat::Github => annotations(&results),
            ReportFormat::Json => serde_json::to_string_pretty(&results).map_err(infra)? + "\n",
            ReportFormat::Junit => junit(&results).map_err(|e| infra(anyhow!(e)))?,
            ReportFormat::Html => html(&results, &folder)?,
        };
        print!("{text}");
        Ok(status_of(&results))
    }
}

/// The newest run that has results: one without is running or was killed.
fn newest() -> Option<PathBuf> {
    let runs = std::fs::read_dir(runs_folder()).into_iter().flatten().flatten().map(|e| e.path());
    runs.filter(|r| r.join("results.json").exists()).max()
}

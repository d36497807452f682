//! `report`: a run's table again, and the parts of a run put together.

use super::exit::{Failure, Status, usage};
use super::session::{runs_folder, status_of};
use crate::program;
use crate::report::{RunFolder, merge, table};
use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Report {
    #[command(subcommand)]
    command: Option<ReportCommand>,
    /// A run folder. If absent: the newest one in ./runs
    run: Option<PathBuf>,
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
        let results = match self.command {
            Some(ReportCommand::Merge { runs, out }) => merge(&runs, &out).map_err(usage)?,
            None => {
                let none = || anyhow!("there is no run in {} yet: {} e2e", runs_folder().display(), program::name());
                let run = self.run.or_else(newest).ok_or_else(none).map_err(usage)?;
                RunFolder::read(&run).with_context(|| format!("cannot read {}", run.display())).map_err(usage)?
            }
        };
        print!("{}", table(&results));
        Ok(status_of(&results))
    }
}

/// The newest run that has results: one without is running or was killed.
fn newest() -> Option<PathBuf> {
    let runs = std::fs::read_dir(runs_folder()).into_iter().flatten().flatten().map(|e| e.path());
    runs.filter(|r| r.join("results.json").exists()).max()
}

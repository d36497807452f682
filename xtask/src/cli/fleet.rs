//! `fleet`: many VMs and their nodes, in virtual time.

use super::arguments::Format;
use super::exit::{Failure, Status, infra};
use super::output::{out, write_report};
use crate::own::OwnFleet;
use crate::report::fleet_page;
use clap::Args;
use std::num::NonZero;
use std::path::PathBuf;

/// Shown below the options.
const EXAMPLES: &str = "Examples:
  fleet fleet.yaml
  fleet fleet.yaml --report fleet.html
  fleet fleet.yaml --seed 2 --format json

Exit status 1: a node does not settle after its incidents. The same file and seed give the same bytes, whatever the number of threads.";

/// More than machines have.
const MOST_THREADS: i64 = 1024;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Fleet {
    /// A fleet file: kind Fleet of vmhealth.dev/v1alpha1, with manifests beside it
    pub(super) file: PathBuf,
    /// Decides what is left to chance, in place of the file's seed
    #[arg(long)]
    seed: Option<u64>,
    /// How many threads run it. If absent: one a CPU
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=MOST_THREADS))]
    threads: Option<u16>,
    /// Write a picture, too: a page with the plots, one file that needs no network
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

impl Fleet {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let cpus = || std::thread::available_parallelism().map_or(1, NonZero::get);
        let threads = self.threads.map_or_else(cpus, usize::from);
        let report = OwnFleet { file: self.file, seed: self.seed, threads }.run()?;
        if let Some(file) = &self.report {
            write_report(file, &fleet_page(&report).map_err(infra)?)?;
        }
        match self.format {
            Format::Json => out(&(serde_json::to_string_pretty(&report).map_err(infra)? + "\n"))?,
            Format::Human => out(&report.render())?,
        }
        Ok(if report.settles { Status::Passed } else { Status::Failed })
    }
}

//! `fleet`: many VMs and their nodes, in virtual time.

use super::arguments::Format;
use super::exit::{Failure, Status, infra, usage};
use super::output::out;
use crate::own::OwnFleet;
use crate::report::fleet_page;
use anyhow::anyhow;
use clap::Args;
use std::num::NonZero;
use std::path::PathBuf;

/// Shown below the options.
const EXAMPLES: &str = "Examples:
  fleet fleet.yaml
  fleet fleet.yaml --out fleet.html
  fleet fleet.yaml --seed 2 --format json

Exit status 1: a node does not settle after its incidents. The same file and seed give the same bytes, whatever the number of threads.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Fleet {
    /// A fleet file: kind Fleet of vmhealth.dev/v1alpha1, with manifests beside it
    pub(super) file: PathBuf,
    /// Decides what is left to chance, in place of the file's seed
    #[arg(long)]
    seed: Option<u64>,
    /// How many threads run it. If absent: one a CPU
    #[arg(long)]
    threads: Option<NonZero<usize>>,
    /// Write a page with the plots into this file: one file that needs no network
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

impl Fleet {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let cpus = || std::thread::available_parallelism().map_or(1, NonZero::get);
        let threads = self.threads.map_or_else(cpus, NonZero::get);
        let report = OwnFleet { file: self.file, seed: self.seed, threads }.run()?;
        match self.format {
            Format::Json => out(&(serde_json::to_string_pretty(&report).map_err(infra)? + "\n"))?,
            Format::Human => out(&report.render())?,
        }
        if let Some(file) = self.out {
            let page = fleet_page(&report).map_err(infra)?;
            std::fs::write(&file, page).map_err(|e| usage(anyhow!("cannot write {}: {e}", file.display())))?;
        }
        Ok(if report.settles { Status::Passed } else { Status::Failed })
    }
}

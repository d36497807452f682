//! `fleet`: many VMs and their nodes, in virtual time.

use super::arguments::{Format, SecretsArg, World, parse_shard};
use super::exit::{Failure, Status, infra, usage};
use super::output::{out, write_report};
use super::session::run_watched;
use crate::own::{BootWatch, OwnFleet, RESULTS};
use crate::prepare::{GuestOptions, say};
use crate::program;
use crate::report::fleet_page;
use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use vmhealth_sim::fleet::Axis;

/// Shown below the options.
const EXAMPLES: &str = "Examples:
  fleet fleet.yaml
  fleet fleet.yaml --report fleet.html
  fleet fleet.yaml --seed 2 --format json
  fleet fleet.yaml --measure-boots 10
  fleet fleet.yaml --sweep vmsPerNode=10..60:10 --sweep livenessProbe.initialDelaySeconds=60,120,180,240 --report fleet.html
  fleet fleet.yaml --shard 1/2 --out a; fleet fleet.yaml --shard 2/2 --out b; fleet fleet.yaml --merge a b --out all

What can be swept: vmsPerNode, bootsAtFullSpeed, lossPerBoot, and livenessProbe.X and readinessProbe.X with X one of initialDelaySeconds, timeoutSeconds, \
periodSeconds, successThreshold, failureThreshold.

Exit status 1: a node does not settle after its incidents. The same file and seed give the same bytes, whatever the number of threads and shards.";

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
    /// Run the fleet again with each of these values of one number; twice: of each pair of two. Values: 5,10,20 or FROM..TO:STEP
    #[arg(long, value_name = "NUMBER=VALUES")]
    pub(super) sweep: Vec<Axis>,
    /// First boot a real guest of each group so many times, each by itself, and take what is measured in place of the file's boots
    #[arg(long, value_name = "BOOTS", value_parser = clap::value_parser!(u8).range(1..=100), conflicts_with_all = ["shard", "merge"])]
    pub(super) measure_boots: Option<u8>,
    /// A new folder for results.json and report.html; of a shard, for its results.json
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Run only this part of the nodes, by a stable hash, for --merge
    #[arg(long, value_parser = parse_shard, requires = "out", conflicts_with_all = ["report", "merge"])]
    shard: Option<(u64, u64)>,
    /// Run nothing: put the shards in these folders together, all of them, to what one machine would have said
    #[arg(long, value_name = "FOLDER", num_args = 1..)]
    merge: Vec<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    #[command(flatten)]
    secrets: SecretsArg,
}

impl Fleet {
    pub(super) async fn run(self) -> Result<Status, Failure> {
        let cpus = || std::thread::available_parallelism().map_or(1, NonZero::get);
        let threads = self.threads.map_or_else(cpus, usize::from);
        let mut own = OwnFleet { file: self.file, seed: self.seed, threads, sweep: self.sweep, boots: Vec::new() };
        // Before what may take hours.
        let out_folder = self.out.as_deref().map(NewFolder::make).transpose()?;
        if let Some(boots) = self.measure_boots {
            measure(&mut own, boots, self.secrets).await?;
        }
        if let (Some(shard), Some(folder)) = (self.shard, &out_folder) {
            let part = own.shard(shard)?;
            return folder.write(&[(RESULTS, &json(&part)?)]).map(|()| Status::Passed);
        }
        let report = if self.merge.is_empty() { own.run()? } else { own.merge(&self.merge)? };
        if let Some(folder) = &out_folder {
            folder.write(&[(RESULTS, &json(&report)?), ("report.html", &fleet_page(&report).map_err(infra)?)])?;
        }
        if let Some(file) = &self.report {
            write_report(file, &fleet_page(&report).map_err(infra)?)?;
        }
        match self.format {
            Format::Json => out(&json(&report)?)?,
            Format::Human => out(&report.render())?,
        }
        Ok(if report.settles { Status::Passed } else { Status::Failed })
    }
}

/// Boots real guests, and lets the fleet have what was seen.
async fn measure(own: &mut OwnFleet, boots: u8, secrets: SecretsArg) -> Result<(), Failure> {
    let words = program::without_option(std::env::args().skip(1), "--measure-boots");
    let again = program::command_line(words.iter().map(String::as_str));
    let (cases, watch) = (own.boot_cases(boots, &again)?, Rc::new(BootWatch::default()));
    let options = GuestOptions { cold: true, ..GuestOptions::default() };
    let seen = watch.clone();
    let results = run_watched(cases, World::Qemu, options, None, secrets, &mut None, |_| Some(seen)).await?;
    own.take_boots(&watch, &results.scenarios)?.iter().for_each(|line| say(line));
    Ok(())
}

fn json(report: &impl Serialize) -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(report).map_err(infra)? + "\n")
}

/// A folder that was not there before; if nothing is written into it, it goes again.
#[derive(Debug)]
struct NewFolder<'a>(&'a Path);

impl NewFolder<'_> {
    fn make(folder: &Path) -> Result<NewFolder<'_>, Failure> {
        let at = |path: &Path| format!("--out: {}", path.display());
        if let Some(parent) = folder.parent() {
            std::fs::create_dir_all(parent).with_context(|| at(parent)).map_err(usage)?;
        }
        std::fs::create_dir(folder).with_context(|| at(folder)).map_err(usage)?;
        Ok(NewFolder(folder))
    }

    fn write(&self, files: &[(&str, &str)]) -> Result<(), Failure> {
        for (name, text) in files {
            let file = self.0.join(name);
            std::fs::write(&file, text).with_context(|| format!("--out: {}", file.display())).map_err(infra)?;
        }
        Ok(())
    }
}

impl Drop for NewFolder<'_> {
    fn drop(&mut self) {
        // One with files in it stays.
        let _ = std::fs::remove_dir(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(file: &Path, folder: &Path, shard: Option<(u64, u64)>) -> String {
        let fleet = Fleet {
            file: file.to_owned(),
            seed: None,
            threads: Some(1),
            report: None,
            sweep: Vec::new(),
            out: Some(folder.to_owned()),
            shard,
            merge: Vec::new(),
            format: Format::Human,
            measure_boots: None,
            secrets: SecretsArg::default(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        format!("{:?}", runtime.block_on(fleet.run()).map(|_| ()))
    }

    /// A folder that is there already is noticed before the fleet is read, and one that was made for nothing goes again.
    #[test]
    fn the_folder_is_made_first() {
        let folder = tempfile::tempdir().unwrap();
        let (file, out) = (folder.path().join("no.yaml"), folder.path().join("out"));
        for shard in [None, Some((1, 2))] {
            let said = fleet(&file, &out, shard);
            assert!(said.contains("no.yaml") && !out.exists(), "{said}");
            std::fs::create_dir(&out).unwrap();
            let said = fleet(&file, &out, shard);
            assert!(said.contains("--out") && out.exists(), "{said}");
            std::fs::remove_dir(&out).unwrap();
        }
    }
}

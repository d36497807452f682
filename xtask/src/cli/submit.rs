//! `submit`: the catalogue, a folder of scenarios, or a fleet with its sweep, on many machines.

use super::arguments::World;
use super::exit::{Failure, Status, infra, usage};
use super::output::out;
use crate::own::OwnFleet;
use crate::prepare::say;
use crate::program;
use crate::run::catalogue;
use crate::submit::{Cluster, Shards, SubmitError, Work, submit};
use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand, ValueEnum as _};
use std::path::PathBuf;
use std::time::SystemTime;
use vmhealth_sim::fleet::Axis;

#[derive(Debug, Subcommand)]
pub(super) enum Submit {
    /// As a job array: sbatch must be here, and --out on a file system that all nodes share
    Slurm(Slurm),
    /// As an Indexed Job: prints its YAML for `kubectl create -f -`
    Kubernetes(Kubernetes),
}

#[derive(Debug, Args)]
struct What {
    /// Which scenarios: ids, parts of ids, or tags. If absent: all that are not tagged slow
    filters: Vec<String>,
    /// A folder of your own scenario files in place of vmhealth's catalogue, as it is found on the machines
    #[arg(long, value_name = "FOLDER")]
    scenarios: Option<PathBuf>,
    /// Where the scenarios run
    #[arg(long, value_enum, default_value_t = World::Both)]
    world: World,
    /// A fleet file in place of scenarios, as it is found on the machines; its nodes are shared out
    #[arg(long, value_name = "FLEET.yaml", conflicts_with_all = ["filters", "scenarios", "world"])]
    fleet: Option<PathBuf>,
    /// The fleet's sweep, as `fleet --sweep` takes it
    #[arg(long, value_name = "NUMBER=VALUES", requires = "fleet", value_parser = parse_axis)]
    sweep: Vec<String>,
    /// In place of the fleet file's seed
    #[arg(long, requires = "fleet")]
    seed: Option<u64>,
    /// In how many parts
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    shards: u64,
    /// vmhealth as it is found on the machines. If absent: this program's own path (slurm), vmhealth (kubernetes)
    #[arg(long)]
    program: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Slurm {
    #[command(flatten)]
    what: What,
    /// The folder for shards, logs and the merged report; must have no shards of an earlier run
    #[arg(long)]
    out: PathBuf,
    /// An option for sbatch, like --sbatch=--partition=long; may be repeated
    #[arg(long, allow_hyphen_values = true)]
    sbatch: Vec<String>,
    /// Write the script and print the command, and submit nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct Kubernetes {
    #[command(flatten)]
    what: What,
    /// What the names of the Job and of its folder on the claim begin with; the time of the submission follows
    #[arg(long, default_value = "vmhealth", value_parser = parse_name)]
    name: String,
    /// An image with vmhealth in it and, for real guests, QEMU
    #[arg(long)]
    image: String,
    /// A PersistentVolumeClaim that all nodes can write to
    #[arg(long)]
    claim: String,
    /// How many shards run at once. If absent: all
    #[arg(long)]
    at_once: Option<u64>,
}

/// With the time and a pod's number of at most 5 digits it is a host's name of 63 characters.
const LONGEST_NAME: usize = 63 - 18 - 6;

/// The time in milliseconds as 17 digits: a folder's name that no earlier submission has.
fn id(now: SystemTime) -> String {
    humantime::format_rfc3339_millis(now).to_string().chars().filter(char::is_ascii_digit).collect()
}

/// An axis, which the machines read again.
fn parse_axis(text: &str) -> Result<String, String> {
    text.parse::<Axis>().map(|_| text.to_owned())
}

/// A name of an object: lower case letters, digits and dashes.
fn parse_name(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let edges = |c: Option<char>| c.is_some_and(|c| c != '-' && allowed(c));
    let fine = text.len() <= LONGEST_NAME
        && text.chars().all(allowed)
        && edges(text.chars().next())
        && edges(text.chars().last());
    if fine {
        Ok(text.to_owned())
    } else {
        Err(format!("not lower case letters, digits and dashes, at most {LONGEST_NAME}"))
    }
}

/// Where the report is, or what prints it: `report` is for scenarios.
fn report_in(work: &Work, folder: &str) -> String {
    match work {
        Work::Scenarios(_) => format!("{} report {folder}/report", program::name()),
        Work::Fleet(_) => format!("{folder}/report/report.html"),
    }
}

impl What {
    fn shards(&self, folder: String, own_program: String) -> Result<Shards, Failure> {
        let program = self.program.clone().unwrap_or(own_program);
        let mut arguments = self.filters.clone();
        if let Some(file) = &self.fleet {
            arguments.push(file.display().to_string());
            arguments.extend(self.sweep.iter().flat_map(|axis| ["--sweep".to_owned(), axis.clone()]));
            arguments.extend(self.seed.iter().flat_map(|seed| ["--seed".to_owned(), seed.to_string()]));
            return Ok(Shards { program, work: Work::Fleet(arguments), count: self.shards, folder });
        }
        let world = self.world.to_possible_value().map_or(String::new(), |w| w.get_name().to_owned());
        arguments.extend(["--world".to_owned(), world]);
        if let Some(folder) = &self.scenarios {
            arguments.extend(["--scenarios".to_owned(), folder.display().to_string()]);
        }
        Ok(Shards { program, work: Work::Scenarios(arguments), count: self.shards, folder })
    }

    /// A filter that names nothing is better known now than by every shard.
    fn refuse_unknown(&self) -> Result<(), Failure> {
        if let Some(file) = &self.fleet {
            let sweep = self.sweep.iter().flat_map(|text| text.parse()).collect();
            let own = OwnFleet { file: file.clone(), seed: self.seed, threads: 1, sweep, boots: Vec::new() };
            say(&own.shared_out(self.shards)?);
            return Ok(());
        }
        let all = catalogue::read(self.scenarios.as_deref()).map_err(usage)?;
        let chosen = catalogue::select(all, &self.filters).map_err(usage)?;
        say(&format!("{} scenarios in {} shards", chosen.len(), self.shards));
        Ok(())
    }
}

impl Submit {
    pub(super) fn run(self) -> Result<Status, Failure> {
        match self {
            Submit::Slurm(args) => args.run(),
            Submit::Kubernetes(args) => args.run(),
        }
    }
}

impl Slurm {
    fn run(mut self) -> Result<Status, Failure> {
        self.what.refuse_unknown()?;
        // The shards' folder is not the one of here.
        if let Some(file) = &mut self.what.fleet {
            *file = std::path::absolute(&file).with_context(|| file.display().to_string()).map_err(usage)?;
        }
        let folder = std::path::absolute(&self.out).with_context(|| self.out.display().to_string()).map_err(usage)?;
        let folder = folder.to_str().ok_or_else(|| usage(anyhow!("--out is no UTF-8")))?.to_owned();
        let here = std::env::current_exe().map_err(infra)?.display().to_string();
        let shards = self.what.shards(folder.clone(), here)?;
        let answer = submit(&shards, &self.sbatch, self.dry_run).map_err(|e| match e {
            SubmitError::Invalid(_) => usage(e),
            SubmitError::Folder { .. } | SubmitError::Refused(_) => infra(e),
        })?;
        out(&format!("{answer}\n"))?;
        if !self.dry_run {
            say(&format!("job {answer}; when all shards are there: {}", report_in(&shards.work, &folder)));
        }
        Ok(Status::Passed)
    }
}

impl Kubernetes {
    fn run(self) -> Result<Status, Failure> {
        // What is on the claim is not here.
        if self.what.scenarios.is_none() && self.what.fleet.is_none() {
            self.what.refuse_unknown()?;
        }
        // Shards of an earlier submission, of which nothing is known here, would count as this one's.
        let name = format!("{}-{}", self.name, id(SystemTime::now()));
        let shards = self.what.shards(name.clone(), program::VMHEALTH.to_owned())?;
        say(&format!("Job {name}; when all shards are there, the report is on the claim in {name}/report"));
        let cluster = Cluster {
            name,
            image: self.image,
            claim: self.claim,
            at_once: self.at_once.unwrap_or(shards.count).clamp(1, shards.count),
            privileged: self.what.fleet.is_none() && self.what.world != World::Model,
        };
        out(&cluster.job(&shards).map_err(|e| usage(anyhow!(e)))?)?;
        Ok(Status::Passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_report_is() {
        for (work, expected) in [
            (Work::Scenarios(Vec::new()), format!("{} report /out/report", program::name())),
            (Work::Fleet(Vec::new()), "/out/report/report.html".to_owned()),
        ] {
            assert_eq!(report_in(&work, "/out"), expected, "{work:?}");
        }
    }
}

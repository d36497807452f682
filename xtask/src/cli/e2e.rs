//! `e2e`: the scenarios of the catalogue, or of a folder of the user's own.

use super::arguments::{AccelArg, ClockArg, ColdArg, Format, SecretsArg, World, parse_shard};
use super::exit::{Failure, Status, infra, usage};
use super::output::out;
use super::session::{run_cases, status_of};
use crate::prepare::{GuestOptions, HostChoice};
use crate::run::catalogue::{self, Case};
use crate::run::quick::quick;
use anyhow::anyhow;
use clap::Args;
use std::collections::BTreeSet;
use std::path::PathBuf;
use vmhealth_sim::manifest::Architecture;

#[derive(Debug, Args)]
pub(super) struct E2e {
    /// Which scenarios: ids, parts of ids, or tags. If absent: all that are not tagged slow
    pub(super) filters: Vec<String>,
    /// A first look: of the chosen scenarios few that together show each kind of fault, each detector and each action, without
    /// those that need several boots, and only amd64's. --list shows which these are
    #[arg(long, conflicts_with = "architecture")]
    pub(super) quick: bool,
    /// Where the scenarios run: on QEMU, in the model, or both, compared
    #[arg(long, value_enum, default_value_t = World::Both)]
    pub(super) world: World,
    /// Only scenarios whose guests are of this architecture
    #[arg(long = "arch")]
    pub(super) architecture: Option<Architecture>,
    /// Where QEMU runs: local, container:debian-12, container:debian-13; several, separated by commas, are compared. Without
    /// it: local, or a container where QEMU can neither be found nor installed
    #[arg(long = "host", value_delimiter = ',')]
    pub(super) hosts: Vec<HostChoice>,
    /// How many guests may run at once. If absent: as many as memory and cores allow
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs: Option<u16>,
    #[command(flatten)]
    pub(super) accel: AccelArg,
    #[command(flatten)]
    pub(super) clock: ClockArg,
    #[command(flatten)]
    pub(super) cold: ColdArg,
    #[command(flatten)]
    pub(super) secrets: SecretsArg,
    /// The run folder; must be new or empty. If absent: a new one in ./runs
    #[arg(long)]
    pub(super) out: Option<PathBuf>,
    /// List the scenarios and run none
    #[arg(long)]
    pub(super) list: bool,
    /// Run only part K of N, like 1/4; `report merge` puts the parts together
    #[arg(long, value_parser = parse_shard)]
    pub(super) shard: Option<(u64, u64)>,
    /// What to print on stdout at the end; human: nothing, the table goes to stderr
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
    /// A folder of your own scenario files in place of vmhealth's catalogue
    #[arg(long, value_name = "FOLDER")]
    pub(super) scenarios: Option<PathBuf>,
}

impl E2e {
    /// The architectures of the guests that it boots; `None`: it boots none.
    pub(super) fn guests(&self) -> Option<BTreeSet<Architecture>> {
        if self.list || self.world == World::Model {
            return None;
        }
        let chosen = || {
            let all = catalogue::read(self.scenarios.as_deref()).ok()?;
            catalogue::select(all, &self.filters).ok()
        };
        Some(match self.architecture {
            _ if self.quick => [Architecture::Amd64].into(),
            Some(only) => [only].into(),
            None => catalogue::architectures(&chosen().unwrap_or_default()),
        })
    }

    pub(super) async fn run(self) -> Result<Status, Failure> {
        let all = catalogue::read(self.scenarios.as_deref()).map_err(usage)?;
        let cases = if self.list && self.filters.is_empty() {
            all
        } else {
            catalogue::select(all, &self.filters).map_err(usage)?
        };
        let cases = if self.quick {
            let few = quick(cases);
            if few.is_empty() {
                return Err(usage(anyhow!("--quick: none of these scenarios is quick and of amd64; leave it out")));
            }
            few
        } else {
            cases
        };
        let cases = match self.shard {
            Some((k, n)) => catalogue::shard(cases, k, n),
            None => cases,
        };
        if self.list {
            for case in &cases {
                let slow = if case.scenario.is_slow() { " (slow)" } else { "" };
                println!("{}{slow}\n    {}", case.id(), case.scenario.metadata.summary);
            }
            return Ok(Status::Passed);
        }
        let cases = of_architecture(cases, self.architecture)?;
        let jobs = self.jobs.map(usize::from);
        let (accel, clock, cold) = (self.accel.choice(), self.clock.choice(None)?, self.cold.cold);
        let options = GuestOptions { accel, clock, cold, jobs, hosts: self.hosts, ..GuestOptions::default() };
        let results = run_cases(cases, self.world, options, self.out, self.secrets).await?;
        if self.format == Format::Json {
            out(&(serde_json::to_string_pretty(&results).map_err(infra)? + "\n"))?;
        }
        Ok(status_of(&results))
    }
}

fn of_architecture(cases: Vec<Case>, only: Option<Architecture>) -> Result<Vec<Case>, Failure> {
    let Some(only) = only else { return Ok(cases) };
    let cases: Vec<Case> = cases.into_iter().filter(|c| c.architecture() == only).collect();
    if cases.is_empty() {
        return Err(usage(anyhow!("none of these scenarios has a guest of {only}")));
    }
    Ok(cases)
}

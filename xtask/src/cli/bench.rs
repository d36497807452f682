//! `bench`: the benchmarks, as a table on stderr and JSON on stdout or in a file.

use super::arguments::{Format, SecretsArg, World};
use super::compare::two_clocks;
use super::exit::{Failure, Status, infra, usage};
use super::interrupt::Interrupt;
use super::session::{new_run_path, no_folder, progress, run_cases, status_of};
use crate::bench::{ClocksBench, FleetPlan, ForkPlan, StormPlan, check_many, e2e_figures, fleet, fork, peers, storm};
use crate::host::cache_folder;
use crate::prepare::{ClockChoice, GuestOptions, prepare};
use crate::report::RunFolder;
use crate::run::HostError;
use crate::run::catalogue::{self, Case, unknown_scenario};
use crate::run::two_ways;
use anyhow::anyhow;
use clap::{Args, Subcommand};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use vmhealth_guests::scratch::Scratch;
use vmhealth_sim::manifest::Architecture;

/// The five manifests of OpenShift's documentation with their own numbers, fault and recovery included.
const SEEDS: [&str; 5] = [
    "http-500/liveness-http/seed",
    "killed-daemon/watchdog/seed",
    "none/readiness-http/seed",
    "none/readiness-ping/seed",
    "none/readiness-tcp/seed",
];

/// The forks are of this scenario's guest: watchdog, agent and health server.
const CASE: &str = "killed-daemon/watchdog/reset";

#[derive(Debug, Subcommand)]
pub(super) enum Bench {
    /// Time from start to QMP, agent and HTTP of forks and of cold boots; memory and CPU of many guests at once
    Fork {
        #[command(flatten)]
        args: BenchArgs,
        /// How many forks, one after another
        #[arg(long, default_value_t = 50)]
        forks: usize,
        /// How many cold boots, one after another
        #[arg(long, default_value_t = 3)]
        colds: usize,
        /// How many guests at once; one measurement for each number
        #[arg(long, value_delimiter = ',', default_value = "1,10,40,100")]
        guests: Vec<usize>,
        /// How long the largest number of guests is watched
        #[arg(long, value_parser = humantime::parse_duration, default_value = "5m")]
        hold: Duration,
    },
    /// Time and memory of `check` with many valid, mutated and random manifests
    Check {
        #[command(flatten)]
        args: BenchArgs,
        /// How many manifests
        #[arg(long, default_value_t = 1_000_000)]
        count: usize,
        /// The same seed makes the same manifests
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Virtual time: a healthy VM stepped and skipped, many VMs at once, the bare queue, and SimPy; of a release build
    /// (`cargo run --release -p xtask -- bench fleet`)
    Fleet {
        #[command(flatten)]
        args: BenchArgs,
        /// How many VMs
        #[arg(long, default_value_t = 1_000_000)]
        vms: u64,
        /// How many virtual days each of them lives
        #[arg(long, default_value_t = 30)]
        days: u32,
        /// How many threads the many VMs are run by; what comes of them does not depend on it. If absent: one for each core
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
        threads: Option<u16>,
        /// The same seed makes the same fleet
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Run all of the VMs, however long it takes. If absent: only a part of them where that would be more than a minute
        #[arg(long)]
        whole: bool,
        /// The folder that SimPy is installed in. If absent: one in vmhealth's cache
        #[arg(long)]
        scratch: Option<PathBuf>,
    },
    /// Wall time of the whole catalogue, the scenarios' own lengths, and the longest one
    E2e {
        #[command(flatten)]
        args: BenchArgs,
    },
    /// The same scenarios in guest time and in real time, one after another
    Clocks {
        #[command(flatten)]
        args: BenchArgs,
        /// Which scenarios: ids, parts of ids, or tags
        #[arg(default_values = SEEDS)]
        filters: Vec<String>,
    },
    /// Real guests that boot together in real time, how much they slow each other down, and the storm that a hasty liveness probe makes
    /// of it, against what `fleet` says
    Storm {
        #[command(flatten)]
        args: BenchArgs,
        /// How many guests at once; one measurement for each number, the largest is the storm's
        #[arg(long, value_delimiter = ',', default_value = "1,2,4,8", value_parser = clap::value_parser!(u8).range(1..=32))]
        guests: Vec<u8>,
        /// How long a storm is watched, in boots of the largest number of guests
        #[arg(long, default_value_t = 1.5, value_parser = parse_boots)]
        boots: f64,
    },
    /// Time from start to the guest's first command with virtme-ng and vmtest, with the same kernel
    Peers {
        #[command(flatten)]
        args: BenchArgs,
        /// The folder that they are installed in. If absent: one in vmhealth's cache
        #[arg(long)]
        scratch: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// What to print on stdout; the table goes to stderr
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
    /// Also write the JSON to this file
    #[arg(long)]
    pub(super) out: Option<PathBuf>,
}

/// What others' programs are installed in. Nobody else can write there.
fn peers_folder(named: Option<PathBuf>) -> PathBuf {
    named.unwrap_or_else(|| cache_folder().join("peers"))
}

impl Bench {
    /// The architectures of the guests that it boots; `None`: it boots none.
    pub(super) fn guests(&self) -> Option<BTreeSet<Architecture>> {
        (!matches!(self, Bench::Check { .. } | Bench::Fleet { .. })).then(|| [Architecture::Amd64].into())
    }

    pub(super) async fn run(self) -> Result<Status, Failure> {
        match self {
            Bench::Fork { args, forks, colds, guests, hold } => {
                let cases = cases(&[CASE.to_owned()])?;
                // The host's seconds are what is measured.
                let options = GuestOptions { clock: ClockChoice::Real, ..GuestOptions::default() };
                let (reality, machine) = prepare(catalogue::architectures(&cases), options).await;
                let folder = Scratch::new().map_err(infra)?;
                let plan = ForkPlan { forks, colds, guests, hold };
                let case = cases.into_iter().next().ok_or_else(|| usage(anyhow!(unknown_scenario(CASE))))?;
                let measure = fork(&case, &reality, &plan, machine, folder.path(), &progress()).await;
                let found = measure.map_err(infra)?;
                eprint!("{found}");
                deliver(&args, &found)
            }
            Bench::Check { args, count, seed } => {
                let manifests = catalogue::manifests();
                let found = check_many(&manifests, count, seed);
                eprint!("{found}");
                deliver(&args, &found)
            }
            Bench::Fleet { args, vms, days, threads, seed, whole, scratch } => {
                let threads = threads.map(usize::from).or(std::thread::available_parallelism().ok().map(usize::from));
                let plan = FleetPlan { vms, days, threads: threads.unwrap_or(1), seed, whole };
                let found = fleet(plan, &peers_folder(scratch), &progress()).await.map_err(infra)?;
                eprint!("{found}");
                deliver(&args, &found)
            }
            Bench::E2e { args } => {
                let cases = cases(&[])?;
                let begun = Instant::now();
                let results =
                    run_cases(cases, World::Both, GuestOptions::default(), None, SecretsArg::default()).await?;
                let found = e2e_figures(&results, begun.elapsed());
                eprint!("{found}");
                deliver(&args, &found)?;
                Ok(status_of(&results))
            }
            Bench::Clocks { args, filters } => {
                let cases = cases(&filters)?;
                let (ways, machine) =
                    two_clocks(&cases, GuestOptions { jobs: Some(1), ..GuestOptions::default() }).await;
                let folder = RunFolder::create(&new_run_path()).map_err(no_folder)?;
                let interrupt = Interrupt::listen();
                let found = two_ways::compare(&cases, ways, &folder, interrupt.cancelled(), progress()).await?;
                interrupt.end()?;
                let found = ClocksBench::new(&found, machine);
                eprint!("{found}");
                deliver(&args, &found)
            }
            Bench::Storm { args, guests, boots } => {
                // The host's seconds and its load are what is measured.
                let options = GuestOptions { clock: ClockChoice::Real, cold: true, ..GuestOptions::default() };
                let (reality, machine) = prepare([Architecture::Amd64].into(), options).await;
                let guests: BTreeSet<usize> = guests.into_iter().map(usize::from).chain([1]).collect();
                let plan = StormPlan { guests: guests.into_iter().collect(), boots };
                let found = storm(&plan, &reality, machine, &progress()).await.map_err(infra)?;
                eprint!("{found}");
                deliver(&args, &found)
            }
            Bench::Peers { args, scratch } => {
                let (mut reality, machine) = prepare([Architecture::Amd64].into(), GuestOptions::default()).await;
                let platform = reality.platforms.remove(&Architecture::Amd64);
                let platform =
                    platform.unwrap_or_else(|| Err(HostError::NotReady("no platform".into()))).map_err(infra)?;
                let found = peers(&platform, machine, &peers_folder(scratch), &progress()).await.map_err(infra)?;
                eprint!("{found}");
                deliver(&args, &found)
            }
        }
    }
}

/// `5`
fn parse_boots(text: &str) -> Result<f64, String> {
    let boots = text.parse().map_err(|_| format!("{text:?} is not a number like 5"))?;
    if (1.0..=100.0).contains(&boots) { Ok(boots) } else { Err("not between 1 and 100".into()) }
}

fn cases(filters: &[String]) -> Result<Vec<Case>, Failure> {
    let all = catalogue::read(None).map_err(usage)?;
    catalogue::select(all, filters).map_err(usage)
}

fn deliver(args: &BenchArgs, found: &impl Serialize) -> Result<Status, Failure> {
    let json = serde_json::to_string_pretty(found).map_err(infra)? + "\n";
    if let Some(path) = &args.out {
        std::fs::write(path, &json).map_err(infra)?;
    }
    if args.format == Format::Json {
        print!("{json}");
    }
    Ok(Status::Passed)
}

//! `cargo xtask bench`: the benchmarks, as a table on stderr and JSON on stdout or in a file.

use super::commands::{architectures, progress, read_catalogue, run_cases, status_of};
use super::exit::{Failure, Status, infra, usage};
use super::prepare::{Wanted, prepare};
use super::{Bench, BenchArgs, Format};
use crate::bench::{ForkPlan, check_many, e2e_figures, fork, peers};
use crate::run::Lack;
use crate::run::catalogue;
use anyhow::anyhow;
use serde::Serialize;
use std::time::Instant;
use vmhealth_sim::manifest::Architecture;

/// Whose guest the forks are of: watchdog, agent and health server.
const CASE: &str = "killed-daemon/watchdog/reset";

pub(crate) async fn bench(command: Bench) -> Result<Status, Failure> {
    match command {
        Bench::Fork { args, forks, colds, guests, hold } => {
            let cases = catalogue::select(read_catalogue(None)?, &[CASE.to_owned()]).map_err(usage)?;
            let (reality, machine) = prepare(architectures(&cases), Wanted::default()).await;
            let folder = tempfile::tempdir().map_err(infra)?;
            let plan = ForkPlan { forks, colds, guests, hold };
            let case = cases.into_iter().next().ok_or_else(|| usage(anyhow!("no scenario is called {CASE}")))?;
            let measure = fork(&case, &reality, &plan, machine, folder.path(), &progress()).await;
            let found = measure.map_err(infra)?;
            eprint!("{found}");
            deliver(&args, &found)
        }
        Bench::Check { args, count, seed } => {
            let manifests = catalogue::manifests(&catalogue::own_folder()).map_err(usage)?;
            let found = check_many(&manifests, count, seed);
            eprint!("{found}");
            deliver(&args, &found)
        }
        Bench::E2e { args } => {
            let cases = catalogue::select(read_catalogue(None)?, &[]).map_err(usage)?;
            let begun = Instant::now();
            let results = run_cases(cases, super::World::Both, Wanted::default(), None).await?;
            let found = e2e_figures(&results, begun.elapsed());
            eprint!("{found}");
            deliver(&args, &found)?;
            Ok(status_of(&results))
        }
        Bench::Peers { args, scratch } => {
            let (mut reality, machine) = prepare([Architecture::Amd64].into(), Wanted::default()).await;
            let platform = reality.platforms.remove(&Architecture::Amd64);
            let platform = platform.unwrap_or_else(|| Err(Lack::Host("no platform".into()))).map_err(infra)?;
            let found = peers(&platform, machine, &scratch, &progress()).await.map_err(infra)?;
            eprint!("{found}");
            deliver(&args, &found)
        }
    }
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

//! `compare`: two manifests over all faults, or every scenario in two ways that must make no difference.

use super::exit::{Failure, Status, usage};
use super::interrupt::Interrupt;
use super::output::out;
use super::session::{new_run_path, no_folder, progress, status};
use crate::own::{Pin, side_by_side};
use crate::prepare::{ClockChoice, GuestOptions, prepare, say};
use crate::report::{Machine, RunFolder};
use crate::run::Reality;
use crate::run::catalogue::{self, Case};
use crate::run::two_ways::{self, Way};
use clap::Args;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use vmhealth_sim::manifest::Architecture;

#[derive(Debug, Args)]
pub(super) struct Compare {
    /// Two manifests, or which scenarios: ids, parts of ids, or tags. If absent: all scenarios that are not tagged slow
    pub(super) filters: Vec<String>,
    /// In guest time and in real time, in place of forked and cold
    #[arg(long)]
    pub(super) clocks: bool,
    /// The run folder; must be new or empty. If absent: a new one in ./runs
    #[arg(long)]
    pub(super) out: Option<PathBuf>,
}

impl Compare {
    /// The architectures of the guests that it boots; `None`: it boots none.
    pub(super) fn guests(&self) -> Option<BTreeSet<Architecture>> {
        let cases = || self.cases().unwrap_or_default();
        self.manifests().is_none().then(|| catalogue::architectures(&cases()))
    }

    /// No scenario is called like a file, or could be.
    pub(super) fn manifests(&self) -> Option<[&String; 2]> {
        let is_file = |name: &String| {
            let path = Path::new(name);
            path.is_file() || path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
        };
        match self.filters.as_slice() {
            [a, b] if is_file(a) || is_file(b) => Some([a, b]),
            _ => None,
        }
    }

    fn cases(&self) -> Result<Vec<Case>, Failure> {
        let all = catalogue::read(None).map_err(usage)?;
        catalogue::select(all, &self.filters).map_err(usage)
    }

    pub(super) async fn run(self) -> Result<Status, Failure> {
        if let Some([a, b]) = self.manifests() {
            let pin = |file: &String| Pin { file: file.into(), boot: None, heartbeat: None, user_data: None };
            let outcomes = |file: &String| pin(file).outcomes();
            print!("{}", side_by_side([a, b], [&outcomes(a)?, &outcomes(b)?]));
            return Ok(Status::Passed);
        }
        let cases = self.cases()?;
        let folder = RunFolder::create(&self.out.unwrap_or_else(new_run_path)).map_err(no_folder)?;
        let ways = match self.clocks {
            true => two_clocks(&cases, GuestOptions::default()).await.0,
            false => {
                let (reality, _) = prepare(catalogue::architectures(&cases), GuestOptions::default()).await;
                let cold = Reality { cold: true, ..reality.clone() };
                [Way { name: "forked", reality }, Way { name: "cold", reality: cold }]
            }
        };
        let interrupt = Interrupt::listen();
        let found = two_ways::compare(&cases, ways, &folder, interrupt.cancelled(), progress()).await?;
        out(&found.to_string())?;
        say(&format!("run folder: {}", folder.path().display()));
        interrupt.end()?;
        Ok(status(found.exit_status()))
    }
}

/// Guest time and real time, and the machine.
pub(super) async fn two_clocks(cases: &[Case], options: GuestOptions) -> ([Way; 2], Machine) {
    let (guest, machine) = prepare(catalogue::architectures(cases), options.clone()).await;
    let (real, _) =
        prepare(catalogue::architectures(cases), GuestOptions { clock: ClockChoice::Real, ..options }).await;
    ([Way { name: "guest-time", reality: guest }, Way { name: "real-time", reality: real }], machine)
}

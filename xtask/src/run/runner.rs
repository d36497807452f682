//! Runs cases in both worlds and puts what came of them together.
//!
//! The model goes first: it takes milliseconds, and what it foresees is what the schedule of the real guests is made from.

use super::catalogue::Case;
use super::jobs::Jobs;
use super::reality::{Progress, Reality};
use super::scenario_run::{ScenarioRun, run_model};
use crate::report::{Conformance, Machine, Results, RunFolder};
use std::io;
use tokio::sync::watch;
use tokio::task::LocalSet;

/// Which worlds a run covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worlds {
    /// QEMU and the model, compared.
    Both,
    /// QEMU only.
    Qemu,
    /// The model only.
    Model,
}

/// Runs the cases; results come in catalogue order whatever finished first.
pub async fn run(
    cases: Vec<Case>,
    worlds: Worlds,
    realities: Vec<Reality>,
    machine: Machine,
    folder: &RunFolder,
    cancelled: watch::Receiver<bool>,
    progress: Progress,
) -> io::Result<Results> {
    let models: Vec<Option<ScenarioRun>> = cases
        .iter()
        .map(|c| (worlds != Worlds::Qemu).then(|| run_model(c, folder)).transpose())
        .collect::<Result<_, _>>()?;
    let mut hosts = Vec::new();
    for reality in realities.iter().filter(|_| worlds != Worlds::Model) {
        let (cancelled, progress) = (cancelled.clone(), progress.clone());
        let jobs = Jobs { cases: &cases, models: &models, reality, folder, cancelled, progress };
        hosts.push(LocalSet::new().run_until(jobs.run()).await?);
    }
    let mut conformance = Conformance::default();
    let mut scenarios = Vec::new();
    for (i, (case, model)) in cases.iter().zip(models).enumerate() {
        let mut runs: Vec<ScenarioRun> = hosts.iter_mut().filter_map(|runs| runs.get_mut(i)?.take()).collect();
        for qemu in runs.iter().filter(|r| model.is_some() && r.comparable) {
            conformance.scenarios += 1;
            conformance.compared += qemu.normal.len();
            conformance.intervals += qemu.intervals.len();
            conformance.divergences += qemu.result.divergences.len();
        }
        let first = runs.iter().position(|r| r.comparable).unwrap_or(runs.len());
        if let Some([first, others @ ..]) = runs.get_mut(first..) {
            for other in others.iter_mut().filter(|other| other.comparable) {
                other.compare_with_first_host(first, case);
                conformance.between_hosts.0 += 1;
                conformance.between_hosts.1 += other.result.host_differences.len();
            }
        }
        scenarios.extend(model.into_iter().chain(runs).map(|r| r.result));
    }
    let results = Results::new(scenarios, conformance, machine);
    folder.finish(&results)
}

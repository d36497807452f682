//! Runs cases in both worlds and puts what came of them together.
//!
//! The model goes first: it takes milliseconds, and what it foresees is what the schedule of the real guests is made from.

use super::catalogue::Case;
use super::jobs::Jobs;
use super::reality::{Progress, Reality};
use super::scenario_run::{ScenarioRun, run_model};
use super::tally::words;
use crate::report::{Conformance, Machine, Results, RunFolder, VerdictWord};
use std::io;
use std::time::Instant;
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

/// What the model says of each case of a run.
#[derive(Debug, Default)]
pub struct Models(Vec<Option<ScenarioRun>>);

/// Of the scenarios that the model does not pass, so many are named at once.
const NAMED: usize = 20;

impl Models {
    /// Runs the cases in the model, unless only QEMU is asked for; says what came of it.
    pub fn run(cases: &[Case], worlds: Worlds, folder: &RunFolder, progress: &Progress) -> io::Result<Models> {
        let begun = Instant::now();
        let one = |case| match worlds {
            Worlds::Qemu => Ok(None),
            // Who watches sees the guest; the model where that is all there is.
            Worlds::Both => run_model(case, folder, None).map(Some),
            Worlds::Model => run_model(case, folder, progress.watcher.as_deref()).map(Some),
        };
        let models: Vec<Option<ScenarioRun>> = cases.iter().map(one).collect::<Result<_, io::Error>>()?;
        let results: Vec<_> = models.iter().flatten().map(|run| &run.result).collect();
        // Alone the model is the run, whose table follows.
        if worlds == Worlds::Both && !results.is_empty() {
            let failed: Vec<_> = results.iter().filter(|result| result.verdict != VerdictWord::Pass).collect();
            let (passed, took) = (results.len() - failed.len(), words(begun.elapsed()));
            progress.say(&format!(
                "model, in {took}: {} scenarios, {passed} pass, {} do not; QEMU follows",
                results.len(),
                failed.len()
            ));
            for result in failed.iter().take(NAMED) {
                let reason = result.reason.lines().next().unwrap_or_default();
                progress.say(&format!("model: {}: {} {reason}", result.id, result.verdict.as_str()));
            }
        }
        Ok(Models(models))
    }
}

/// Runs the cases, which the model has run; results come in catalogue order whatever finished first.
pub async fn run(
    (cases, Models(models)): (Vec<Case>, Models),
    worlds: Worlds,
    realities: Vec<Reality>,
    machine: Machine,
    folder: &RunFolder,
    cancelled: watch::Receiver<bool>,
    progress: Progress,
) -> io::Result<Results> {
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

//! Runs cases in both worlds and puts what came of them together.
//!
//! The model goes first: it takes milliseconds, and what it foresees is what the schedule of the real guests is made from.

use crate::catalogue::Case;
use crate::divergence;
use crate::intervals::{self, Intervals};
use crate::jobs::Jobs;
use crate::normal::Normal;
use crate::report::{Conformance, Machine, Results, RunFolder, ScenarioFolder, ScenarioResult};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::LocalSet;
use vmhealth_guests::platform::Platform;
use vmhealth_guests::reality::{Outcome, Pressure};
use vmhealth_sim::engine::Config;
use vmhealth_sim::manifest::Architecture;
use vmhealth_sim::scenario::Verdict;
use vmhealth_sim::trace::Trace;
use vmhealth_sim::world::{self, Timings};

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

/// What QEMU runs need.
#[derive(Debug, Clone, Default)]
pub struct Reality {
    /// What guests run on, by their architecture; an error says why they cannot.
    pub platforms: BTreeMap<Architecture, Result<Platform, String>>,
    /// No forks.
    pub cold: bool,
    /// At most so many at once; `None`: as memory and cores allow.
    pub jobs: Option<usize>,
}

impl Reality {
    /// What a case's guests run on, or why they cannot.
    pub fn platform(&self, case: &Case) -> Result<&Platform, String> {
        let architecture = case.architecture();
        match self.platforms.get(&architecture) {
            Some(platform) => platform.as_ref().map_err(Clone::clone),
            None => Err(format!("no {architecture} guests were asked for")),
        }
    }
}

/// A line of progress.
pub type Progress = Rc<dyn Fn(&str)>;

/// Runs the cases; results come in catalogue order whatever finished first.
pub async fn run(
    cases: Vec<Case>,
    worlds: Worlds,
    reality: Reality,
    machine: Machine,
    folder: &RunFolder,
    cancelled: watch::Receiver<bool>,
    progress: Progress,
) -> io::Result<Results> {
    let models: Vec<Option<ScenarioRun>> = cases
        .iter()
        .map(|c| (worlds != Worlds::Qemu).then(|| run_model(c, folder)).transpose())
        .collect::<Result<_, _>>()?;
    let mut real: Vec<Option<ScenarioRun>> = vec![None; cases.len()];
    if worlds != Worlds::Model {
        let jobs = Jobs { cases: &cases, models: &models, reality: &reality, folder, cancelled, progress };
        real = LocalSet::new().run_until(jobs.run()).await?;
    }
    let mut conformance = Conformance::default();
    let mut scenarios = Vec::new();
    for (model, qemu) in models.into_iter().zip(real) {
        if let (Some(_), Some(qemu)) = (&model, &qemu)
            && qemu.comparable
        {
            conformance.scenarios += 1;
            conformance.compared += qemu.normal.len();
            conformance.intervals += qemu.intervals.len();
            conformance.divergences += qemu.result.divergences.len();
        }
        scenarios.extend([model, qemu].into_iter().flatten().map(|r| r.result));
    }
    let results = Results::new(scenarios, conformance, machine);
    folder.finish(&results)?;
    Ok(results)
}

/// One case in one world.
#[derive(Debug, Clone)]
pub(crate) struct ScenarioRun {
    pub(crate) result: ScenarioResult,
    pub(crate) normal: Normal,
    intervals: Intervals,
    /// It came to a verdict about the guest.
    comparable: bool,
}

impl ScenarioRun {
    /// Notes where it differs from the model, if it came so far.
    pub(crate) fn hold_against(&mut self, model: Option<&ScenarioRun>, case: &Case) {
        let Some(model) = model.filter(|_| self.comparable) else { return };
        let names = ["model", "qemu"];
        let known = &case.scenario.spec.known_differences;
        let found = divergence::compare(names, [&model.normal, &self.normal]);
        let (mut unknown, expected) = divergence::set_known_apart(found, known);
        unknown.extend(intervals::compare(names, [&model.intervals, &self.intervals], &case.manifest.vmi));
        (self.result.divergences, self.result.known_differences) = (unknown, expected);
    }
}

/// Writes what is left to write of a case.
pub(crate) fn finish(
    case: &Case,
    world: &str,
    outcome: &Outcome,
    wall: Duration,
    folder: &ScenarioFolder,
) -> io::Result<ScenarioRun> {
    let (verdict, reason) = crate::report::word(&outcome.verdict);
    let normal = Normal::of(&outcome.trace);
    let result = ScenarioResult {
        id: case.id().to_owned(),
        world: world.to_owned(),
        arch: case.architecture().as_str().into(),
        host: "local".into(),
        verdict,
        reason,
        duration_s: wall.as_secs_f64(),
        guest_s: outcome.lasted.as_secs_f64(),
        forked: !outcome.skipped.is_zero(),
        pressure: (world == "qemu").then(|| outcome.pressure.clone()),
        starved_before: None,
        divergences: Vec::new(),
        known_differences: Vec::new(),
        repeat: case.again.replace("{world}", world),
    };
    folder.end(&case.manifest, &outcome.trace, &normal, &result)?;
    let comparable = !matches!(outcome.verdict, Verdict::Infra(_));
    let intervals = Intervals::of(&outcome.trace);
    Ok(ScenarioRun { result, normal, intervals, comparable })
}

fn run_model(case: &Case, folder: &RunFolder) -> io::Result<ScenarioRun> {
    let begun = Instant::now();
    let folder = folder.begin(case.id(), "model")?;
    let (verdict, trace, end) = world::run(&case.manifest, &case.scenario.spec, Config::default(), Timings::default());
    let outcome = Outcome { lasted: end.since_origin(), ..without_guest(verdict, trace) };
    finish(case, "model", &outcome, begun.elapsed(), &folder)
}

pub(crate) fn not_run(case: &Case, reason: &str, folder: &RunFolder) -> io::Result<ScenarioRun> {
    let folder = folder.begin(case.id(), "qemu")?;
    let outcome = without_guest(Verdict::Infra(reason.to_owned()), Trace::default());
    finish(case, "qemu", &outcome, Duration::ZERO, &folder)
}

fn without_guest(verdict: Verdict, trace: Trace) -> Outcome {
    Outcome { verdict, trace, lasted: Duration::ZERO, pressure: Pressure::default(), skipped: Duration::ZERO }
}

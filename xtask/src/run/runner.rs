//! Runs cases in both worlds and puts what came of them together.
//!
//! The model goes first: it takes milliseconds, and what it foresees is what the schedule of the real guests is made from.

use crate::compare::divergence;
use crate::compare::intervals::{self, Intervals};
use crate::compare::normal::Normal;
use crate::report::{
    Conformance, LOCAL, Machine, Results, RunFolder, ScenarioFolder, ScenarioResult, VerdictWord, place,
};
use crate::run::catalogue::Case;
use crate::run::jobs::Jobs;
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
use vmhealth_sim::scenario::{KnownDifference, Verdict};
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
    /// Where they run: [`crate::report::LOCAL`], or `container:` and a release.
    pub host: String,
    /// What guests run on, by their architecture, or why they cannot.
    pub platforms: BTreeMap<Architecture, Result<Platform, Lack>>,
    /// No forks.
    pub cold: bool,
    /// At most so many at once; `None`: as memory and cores allow.
    pub jobs: Option<usize>,
}

/// Why guests of an architecture cannot run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lack {
    /// This host does not run such guests at all.
    #[error("{0}")]
    NotHere(String),
    /// It should, and something is missing.
    #[error("{0}")]
    Host(String),
}

impl Reality {
    /// What a case's guests run on, or why they cannot.
    pub fn platform(&self, case: &Case) -> Result<&Platform, Lack> {
        let architecture = case.architecture();
        match self.platforms.get(&architecture) {
            Some(platform) => platform.as_ref().map_err(Clone::clone),
            None => Err(Lack::NotHere(format!("no {architecture} guests were asked for"))),
        }
    }
}

/// A line of progress.
pub type Progress = Rc<dyn Fn(&str)>;

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
                other.hold_against_host(first, case);
                conformance.between_hosts.0 += 1;
                conformance.between_hosts.1 += other.result.host_differences.len();
            }
        }
        scenarios.extend(model.into_iter().chain(runs).map(|r| r.result));
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
        let found = divergence::compare(names, [&model.normal, &self.normal]);
        let (mut unknown, expected) = divergence::set_known_apart(found, &known(case, None));
        unknown.extend(intervals::compare(names, [&model.intervals, &self.intervals], &case.manifest.vmi));
        (self.result.divergences, self.result.known_differences) = (unknown, expected);
    }

    /// Notes where its QEMU differs from the first host's.
    fn hold_against_host(&mut self, first: &ScenarioRun, case: &Case) {
        let names = ["first host", "this host"];
        let found = divergence::compare(names, [&first.normal, &self.normal]);
        let (mut unknown, expected) = divergence::set_known_apart(found, &known(case, Some(&self.result.host)));
        unknown.extend(intervals::compare(names, [&first.intervals, &self.intervals], &case.manifest.vmi));
        if !unknown.is_empty() {
            let both = format!(" --host {},{}", first.result.host, self.result.host);
            self.result.repeat = case.again.replace("{world}", "qemu") + &both;
        }
        (self.result.host_differences, self.result.known_host_differences) = (unknown, expected);
    }
}

/// What a scenario says of QEMU against the model, or of a host against the first.
fn known(case: &Case, host: Option<&str>) -> Vec<KnownDifference> {
    let all = &case.scenario.spec.known_differences;
    all.iter().filter(|k| k.host.as_deref() == host).cloned().collect()
}

/// Writes what is left to write of a case.
pub(crate) fn finish(
    case: &Case,
    (world, host): (&str, &str),
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
        host: host.to_owned(),
        verdict,
        reason,
        duration_s: wall.as_secs_f64(),
        guest_s: outcome.lasted.as_secs_f64(),
        forked: !outcome.skipped.is_zero(),
        pressure: (world == "qemu").then(|| outcome.pressure.clone()),
        starved_before: None,
        divergences: Vec::new(),
        known_differences: Vec::new(),
        host_differences: Vec::new(),
        known_host_differences: Vec::new(),
        repeat: match host {
            LOCAL => case.again.replace("{world}", world),
            host => case.again.replace("{world}", world) + " --host " + host,
        },
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
    finish(case, ("model", LOCAL), &outcome, begun.elapsed(), &folder)
}

/// A case whose guests this host does not run.
pub(crate) fn skipped(case: &Case, reason: &str, host: &str, folder: &RunFolder) -> io::Result<ScenarioRun> {
    let mut run = not_run(case, reason, host, folder)?;
    run.result.verdict = VerdictWord::Skip;
    Ok(run)
}

pub(crate) fn not_run(case: &Case, reason: &str, host: &str, folder: &RunFolder) -> io::Result<ScenarioRun> {
    let folder = folder.begin(case.id(), &place("qemu", host))?;
    let outcome = without_guest(Verdict::Infra(reason.to_owned()), Trace::default());
    finish(case, ("qemu", host), &outcome, Duration::ZERO, &folder)
}

fn without_guest(verdict: Verdict, trace: Trace) -> Outcome {
    Outcome { verdict, trace, lasted: Duration::ZERO, pressure: Pressure::default(), skipped: Duration::ZERO }
}

//! One case in one world: its result, and what it is compared by.

use super::catalogue::{Case, MANIFEST, SCENARIO, SECRET};
use super::missed::explained;
use super::reality::Watcher;
use crate::compare::divergence;
use crate::compare::intervals::{self, Intervals};
use crate::compare::normal::Normal;
use crate::report::{LOCAL, RunFolder, ScenarioFolder, ScenarioResult, VerdictWord, place};
use std::io;
use std::time::{Duration, Instant};
use vmhealth_guests::reality::{Outcome, Pressure};
use vmhealth_sim::engine::Config;
use vmhealth_sim::explain::explain;
use vmhealth_sim::scenario::{KnownDifference, Spec, Verdict};
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::Trace;
use vmhealth_sim::world::{self, Timings};

/// One case in one world.
#[derive(Debug, Clone)]
pub(crate) struct ScenarioRun {
    pub(crate) result: ScenarioResult,
    pub(crate) normal: Normal,
    pub(super) intervals: Intervals,
    /// It came to a verdict about the guest.
    pub(super) comparable: bool,
}

impl ScenarioRun {
    /// Notes where it differs from the model, if it came so far.
    pub(crate) fn compare_with_model(&mut self, model: Option<&ScenarioRun>, case: &Case) {
        let Some(model) = model.filter(|_| self.comparable) else { return };
        let names = ["model", "qemu"];
        let found = divergence::compare(names, [&model.normal, &self.normal]);
        let (mut unknown, expected) = divergence::set_known_apart(found, &known(case, None));
        unknown.extend(intervals::compare(
            names,
            [&model.intervals, &self.intervals],
            &case.manifest.vmi,
            &case.scenario.spec.guest,
        ));
        (self.result.divergences, self.result.known_differences) = (unknown, expected);
    }

    /// Notes where its QEMU differs from the first host's.
    pub(super) fn compare_with_first_host(&mut self, first: &ScenarioRun, case: &Case) {
        let names = ["first host", "this host"];
        let found = divergence::compare(names, [&first.normal, &self.normal]);
        let (mut unknown, expected) = divergence::set_known_apart(found, &known(case, Some(&self.result.host)));
        unknown.extend(intervals::compare(
            names,
            [&first.intervals, &self.intervals],
            &case.manifest.vmi,
            &case.scenario.spec.guest,
        ));
        if !unknown.is_empty() {
            let both = format!(" --host {},{}", first.result.host, self.result.host);
            self.result.repeat = case.again.replace("{world}", "qemu") + &both;
        }
        (self.result.host_differences, self.result.known_host_differences) = (unknown, expected);
    }
}

/// The differences that a scenario explains: of QEMU from the model, or of a host from the first.
fn known(case: &Case, host: Option<&str>) -> Vec<KnownDifference> {
    let all = &case.scenario.spec.known_differences;
    all.iter().filter(|k| k.host.as_deref() == host).cloned().collect()
}

/// Writes the rest of a case's evidence, its result last.
pub(crate) fn finish(
    case: &Case,
    (world, host): (&str, &str),
    outcome: &Outcome,
    wall: Duration,
    folder: &ScenarioFolder,
) -> io::Result<ScenarioRun> {
    let (verdict, reason) = crate::report::word(&outcome.verdict);
    let normal = Normal::of(&outcome.trace);
    let spec = Spec { steps: outcome.steps.clone(), ..case.scenario.spec.clone() };
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
        about: Some(case.about()),
        explanation: explain(&case.manifest, &spec, &outcome.trace, Time::ZERO + outcome.lasted),
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

/// Begins a case's evidence with what it is run from.
pub(super) fn begin(case: &Case, place: &str, folder: &RunFolder) -> io::Result<ScenarioFolder> {
    let folder = folder.begin(case.id(), place)?;
    folder.put(SCENARIO, &case.texts.scenario)?;
    folder.put(MANIFEST, &case.texts.manifest)?;
    if let Some(data) = &case.texts.user_data {
        folder.put(SECRET, data)?;
    }
    Ok(folder)
}

/// Who watches sees all of it at once.
pub(super) fn run_model(case: &Case, folder: &RunFolder, watcher: Option<&dyn Watcher>) -> io::Result<ScenarioRun> {
    let begun = Instant::now();
    let folder = begin(case, "model", folder)?;
    let (verdict, trace, end) = world::run(&case.manifest, &case.scenario.spec, Config::default(), Timings::default());
    let verdict = match verdict {
        Verdict::Fail(reason) => Verdict::Fail(explained(case, reason)),
        other => other,
    };
    if let Some(watcher) = watcher {
        trace.sorted().iter().for_each(|entry| watcher.sees(case, entry));
    }
    let outcome = Outcome { lasted: end.since_origin(), ..without_guest(case, verdict, trace) };
    finish(case, ("model", LOCAL), &outcome, begun.elapsed(), &folder)
}

/// A case whose guests this host does not run.
pub(crate) fn skipped(case: &Case, reason: &str, host: &str, folder: &RunFolder) -> io::Result<ScenarioRun> {
    let mut run = not_run(case, reason, host, folder)?;
    run.result.verdict = VerdictWord::Skip;
    Ok(run)
}

/// A case that the host could not run.
pub(crate) fn not_run(case: &Case, reason: &str, host: &str, folder: &RunFolder) -> io::Result<ScenarioRun> {
    let folder = begin(case, &place("qemu", host), folder)?;
    let outcome = without_guest(case, Verdict::Infra(reason.to_owned()), Trace::default());
    finish(case, ("qemu", host), &outcome, Duration::ZERO, &folder)
}

fn without_guest(case: &Case, verdict: Verdict, trace: Trace) -> Outcome {
    let (steps, pressure) = (case.scenario.spec.steps.clone(), Pressure::default());
    Outcome { verdict, trace, lasted: Duration::ZERO, pressure, skipped: Duration::ZERO, steps }
}

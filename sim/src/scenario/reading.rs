//! Reads a scenario file, and says everything that is wrong with it at once.

use super::file::{Scenario, Spec};
use super::pattern::Pattern;
use super::user::UserRequest;
use crate::fault::{Direction, Fault, FaultKind};
use crate::manifest::{self, WatchdogModel};
use crate::time::Span;
use crate::yaml::{self, EveryError, Node, Pos, Value, YamlError};
use std::fmt;
use std::time::Duration;

/// Within it, what is sent and what is not answered could not be told from a slow host.
const SHORTEST_DELAY: Duration = Duration::from_millis(100);
/// QEMU's filter counts microseconds in 32 bits.
const LONGEST_DELAY: Duration = Duration::from_secs(600);

/// Why a scenario file cannot be used: everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioError {
    /// In the order of the file where that is known.
    pub problems: Vec<ScenarioProblem>,
}

/// One thing that is wrong with a scenario file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioProblem {
    /// Where; `None`: the file lacks it.
    pub pos: Option<Pos>,
    /// What was found and what was expected.
    pub message: String,
}

impl fmt::Display for ScenarioProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Pos { line, column }) = self.pos {
            write!(f, "{line}:{column}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.problems.iter().map(ScenarioProblem::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for ScenarioError {}

impl Scenario {
    /// Reads a scenario file's text.
    pub fn read(text: &str) -> Result<Scenario, ScenarioError> {
        let problems = match yaml::read::<Scenario>(text) {
            Ok(scenario) => match problems(&scenario) {
                problems if problems.is_empty() => return Ok(scenario),
                problems => in_their_places(yaml::read::<Node>(text).ok().as_ref(), problems),
            },
            Err(first) => of_its_text(text, first),
        };
        Err(ScenarioError { problems })
    }
}

/// Each begins with its field's path.
fn in_their_places(file: Option<&Node>, problems: Vec<String>) -> Vec<ScenarioProblem> {
    let place = |message: &str| file.and_then(|file| place(file, message));
    problems.into_iter().map(|message| ScenarioProblem { pos: place(&message), message }).collect()
}

/// Of `spec.steps[0].fault: what is wrong`: the fault, or as much of the way to it as the file has.
fn place(file: &Node, message: &str) -> Option<Pos> {
    let path = message.split([':', ' ']).next()?;
    let (mut node, mut pos) = (file, None);
    for part in path.split(['.', '[']) {
        let below = match &node.value {
            Value::Map(entries) => entries.iter().find(|(key, _)| key.name == part).map(|(key, node)| (key.pos, node)),
            Value::Seq(items) => {
                let index = part.trim_end_matches(']').parse::<usize>().ok();
                index.and_then(|index| items.get(index)).map(|node| (node.pos, node))
            }
            _ => None,
        };
        let Some((at, below)) = below else { break };
        (node, pos) = (below, Some(at));
    }
    pos
}

/// The reader stops at the first error; here are all, and what cannot mean anything in the rest.
fn of_its_text(text: &str, first: YamlError) -> Vec<ScenarioProblem> {
    let EveryError { errors, mended, tree, without } = yaml::every_error::<Scenario>(text, first);
    let mut further = mended.as_ref().map(problems).unwrap_or_default();
    further.retain(|message| !comes_of(&without, message));
    let problem = |YamlError { pos, message }| ScenarioProblem { pos: Some(pos), message };
    let mut all: Vec<ScenarioProblem> = errors.into_iter().map(problem).collect();
    all.extend(in_their_places(tree.as_ref(), further));
    all.sort_by_key(|problem| problem.pos);
    all
}

/// The problem may only come of what was left out of the file: it is in the same part, or in one that depends on it.
fn comes_of(without: &[String], message: &str) -> bool {
    let parts: &[&str] = match message {
        message if message.starts_with("metadata") => &["metadata"],
        message if message.starts_with("spec.expect") => &["spec.expect"],
        message if message.starts_with("spec.traffic") => &["spec.traffic"],
        _ => &["spec.guest", "spec.steps"],
    };
    without.iter().any(|path| parts.iter().any(|part| path.starts_with(part)))
}

/// What cannot mean anything although its shape is right.
fn problems(scenario: &Scenario) -> Vec<String> {
    let mut wrong = Vec::new();
    let (id, spec) = (&scenario.metadata.id, &scenario.spec);
    let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if id.split('/').count() != 3 || !id.split('/').all(word) {
        wrong.push(format!("metadata.id: {id:?} is not fault/detector/action in kebab case"));
    }
    wrong.extend(of_the_guest(spec));
    wrong.extend(of_the_steps(spec));
    for (i, e) in spec.expect.iter().enumerate() {
        if e.within.is_some() == e.within_guest.is_some() {
            wrong.push(format!("spec.expect[{i}]: expected exactly one of within, withinGuest"));
        }
        if let Some(from) = e.from.as_ref().filter(|from| from.is_all_of_a_fault()) {
            wrong.push(format!("spec.expect[{i}].from: {from} comes twice: say begun or confirmed"));
        }
    }
    if spec.traffic.as_ref().is_some_and(|t| t.every.0.is_zero()) {
        wrong.push("spec.traffic.every: a span longer than 0s is needed".into());
    }
    if spec.expect.is_empty() {
        wrong.push("spec.expect is empty: a scenario that expects nothing cannot fail".into());
    }
    wrong
}

fn of_the_guest(spec: &Spec) -> Vec<String> {
    // Which device it is, the manifest says.
    let mut wrong = spec.guest.problems_of_petting(*WatchdogModel::any_heartbeat().end());
    if spec.guest.serves_probes && !spec.guest.health_server {
        wrong.push("spec.guest: servesProbes is about the health server: add healthServer: true".into());
    }
    wrong
}

fn of_the_steps(spec: &Spec) -> Vec<String> {
    let mut wrong = Vec::new();
    // Each is a unit of its own on the next boot's way, and one would hide the other.
    let has = |kind| spec.steps.iter().flat_map(|step| &step.fault).any(|fault| fault.kind() == kind);
    if has(FaultKind::SlowBoot) && has(FaultKind::BootLoop) {
        wrong.push("spec.steps: slowBoot and bootLoop do not go together: keep one".into());
    }
    wrong.extend(of_the_disk(spec));
    for (i, step) in spec.steps.iter().enumerate() {
        if step.fault.is_some() == step.user.is_some() {
            wrong.push(format!("spec.steps[{i}]: expected exactly one of fault, user"));
        }
        for probe in step.user.iter().flat_map(UserRequest::edited_probes) {
            let error = manifest::read_probe(&probe.to_string()).err();
            wrong.extend(error.map(|e| format!("spec.steps[{i}].user.edit: {e}")));
        }
        if let Some(Fault::NetworkLoss { delay: Some(delay), direction, .. }) = &step.fault {
            if !(SHORTEST_DELAY..=LONGEST_DELAY).contains(&delay.0) {
                wrong.push(format!("spec.steps[{i}].fault.networkLoss.delay: expected 100ms to 10m"));
            }
            if *direction != Direction::Both {
                let expected = "a delay is of both directions: leave direction out";
                wrong.push(format!("spec.steps[{i}].fault.networkLoss: {expected}"));
            }
        }
        if let Some(fault) = &step.fault
            && let Some(lacks) = spec.guest.lacks(fault)
        {
            wrong.push(format!("spec.steps[{i}]: {} needs spec.guest.{lacks}", fault.kind()));
        }
    }
    wrong
}

/// A disk that fails already cannot be made to fail: of two such faults the first must be over. Each `plus` counts from the step
/// before, or later.
fn of_the_disk(spec: &Spec) -> Vec<String> {
    let over = Pattern::try_from("fault ioError over".to_owned()).ok();
    let mut wrong = Vec::new();
    // Its step, how long it lasts, and what has passed since at the least.
    let mut before: Option<(usize, Span, Duration)> = None;
    for (i, step) in spec.steps.iter().enumerate() {
        before = before.filter(|_| step.after.is_none() || step.after != over);
        if let Some((_, _, passed)) = &mut before {
            *passed = passed.saturating_add(step.plus.0);
        }
        let Some(Fault::IoError { lasting, .. }) = &step.fault else { continue };
        if let Some((first, lasts, _)) = before.filter(|(_, lasts, passed)| *passed <= lasts.0) {
            let lasts = humantime::format_duration(lasts.0);
            wrong.push(format!(
                "spec.steps[{i}].fault.ioError: the disk may still fail by that of spec.steps[{first}], which lasts {lasts}: \
                 expected after: fault ioError over, or a plus of more than {lasts}"
            ));
        }
        before = Some((i, *lasting, Duration::ZERO));
    }
    wrong
}

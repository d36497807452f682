//! From a goal to the numbers that hold it: the candidates that ask least often first, each tried before it is proposed.

use super::candidates::{Candidate, beside, settings, survives};
use super::goal::{Broken, Goal};
use super::numbers::{Change, Numbers};
use super::proof::{Bench, Proof};
use super::reasons::reasons;
use crate::budget::{Assumptions, Pets};
use crate::manifest::Timings;
use std::time::Duration;

/// So many answers are shown.
const MOST_SHOWN: usize = 4;
/// So many candidates are tried in all.
const MOST_TRIED: usize = 16;
/// How long after a fault the VM is watched where it is not known when it is back.
const LONG: Duration = Duration::from_secs(15 * 60);
/// And so much longer than the goal otherwise.
const MORE: Duration = Duration::from_secs(30);

/// Numbers that were tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The numbers.
    pub numbers: Numbers,
    /// What must be changed to have them.
    pub changes: Vec<Change>,
    /// A guest may not answer for so long without its being restarted, whenever that begins; `None`: for ever.
    pub survives: Option<Duration>,
    /// What trying came to.
    pub proof: Proof,
}

/// What comes of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// The numbers as they are.
    pub now: Answer,
    /// Those that hold the goal with the fewest probes a minute; `None`: it cannot be had.
    pub best: Option<Answer>,
    /// The answers that hold the goal, of which none is better in all of recovery, hiccup and probes; the rarest probes first.
    pub front: Vec<Answer>,
    /// Why it cannot be had, a line each.
    pub reasons: Vec<String>,
    /// The quickest that can be had, where the goal cannot.
    pub instead: Option<Answer>,
    /// How many candidates the formulas looked at, and how many were tried.
    pub looked_at: (usize, usize),
}

/// Searches. An error: the VM cannot be judged at all.
pub fn advise(bench: &Bench<'_>, goal: &Goal, faults: &[Broken]) -> Result<Advice, String> {
    let own = bench.own();
    is_well(bench, &own, goal)?;
    let now = answer(bench, own, survives(bench, &own).flatten(), goal, faults, LONG);
    let mut advice =
        Advice { now, best: None, front: Vec::new(), reasons: Vec::new(), instead: None, looked_at: (0, 0) };
    for setting in settings(bench, faults) {
        let (candidates, seen) = beside(bench, &setting, goal, faults);
        advice.looked_at.0 += seen;
        let front = try_out(bench, goal, faults, candidates, &mut advice.looked_at.1);
        if !front.is_empty() {
            advice.best = front.first().cloned();
            advice.front = front;
            break;
        }
        if advice.looked_at.1 >= MOST_TRIED {
            break;
        }
    }
    let own_holds = advice.now.proof.holds(goal.within);
    if own_holds && advice.best.as_ref().is_none_or(|b| own.probes_per_minute() <= b.numbers.probes_per_minute()) {
        advice.best = Some(advice.now.clone());
    }
    if advice.best.is_none() {
        advice.instead = instead(bench, goal, faults);
    }
    // The formulas put what holds too late in their order, or not in it at all.
    if let Some(held) = advice.instead.take_if(|quickest| quickest.proof.holds(goal.within)) {
        advice.front = vec![held.clone()];
        advice.best = Some(held);
    }
    if advice.best.is_none() {
        advice.reasons = reasons(bench, goal, &advice.now.proof);
        advice.reasons.extend(with_liveness(bench, goal, faults));
    }
    Ok(advice)
}

/// What a livenessProbe would bring that asks what the readinessProbe asks, where the VM has none.
fn with_liveness(bench: &Bench<'_>, goal: &Goal, faults: &[Broken]) -> Option<String> {
    let readiness = bench.vm.vmi.readiness.as_ref().filter(|_| bench.vm.vmi.liveness.is_none())?;
    let mut vm = bench.vm.clone();
    vm.vmi.liveness = Some(readiness.clone());
    let best = advise(&Bench { vm: &vm, ..bench.clone() }, goal, faults).ok()?.best?;
    let (recovery, liveness) = (best.proof.recovery()?, best.numbers.liveness?);
    let others = best.changes.iter().filter(|c| !c.field.starts_with("template.spec.livenessProbe."));
    let others: String = others.map(|c| format!(", and {} {} in place of {},", c.field, c.to, c.from)).collect();
    Some(format!(
        "with a livenessProbe that asks what the readinessProbe asks it can: with initialDelaySeconds {}, periodSeconds {}, \
         failureThreshold {} and timeoutSeconds {}{others} the VM is back after {:.1} s at most",
        liveness.initial_delay,
        liveness.period,
        liveness.failure_threshold,
        liveness.timeout,
        recovery.as_secs_f64()
    ))
}

/// A probe that fails in a healthy guest, however long it is left alone, says nothing of any number. The watchdog is
/// taken for one that is petted in time here: where it is not, another heartbeat may do.
fn is_well(bench: &Bench<'_>, own: &Numbers, goal: &Goal) -> Result<(), String> {
    let bench = &Bench { assumptions: Assumptions { pets: Pets::EveryHalf, ..bench.assumptions }, ..bench.clone() };
    let patient = i32::try_from(goal.boots.slowest.as_secs().saturating_add(60)).unwrap_or(i32::MAX);
    let liveness = own.liveness.map(|t| Timings { initial_delay: t.initial_delay.max(patient), ..t });
    let proof = bench.prove(&Numbers { liveness, ..*own }, goal, Duration::ZERO, &[], LONG);
    match proof.false_restarts.first() {
        None => Ok(()),
        Some(why) => {
            let patient = liveness.map(|t| format!(", also with an initialDelaySeconds of {}", t.initial_delay));
            Err(format!(
                "{why}{}: the probes must succeed in a healthy guest, and within a day (of programs the model knows a few only)",
                patient.unwrap_or_default()
            ))
        }
    }
}

fn answer(
    bench: &Bench<'_>,
    numbers: Numbers,
    survives: Option<Duration>,
    goal: &Goal,
    faults: &[Broken],
    watched: Duration,
) -> Answer {
    // What it survives for ever is tried with what is asked for.
    let hiccup = survives.unwrap_or(goal.hiccup).max(goal.hiccup);
    let proof = bench.prove(&numbers, goal, hiccup, faults, watched);
    Answer { numbers, changes: numbers.changes_from(&bench.own(), bench.vm), survives, proof }
}

/// Those that hold the goal when they are tried, the rarest probes first.
fn try_out(
    bench: &Bench<'_>,
    goal: &Goal,
    faults: &[Broken],
    mut candidates: Vec<Candidate>,
    tried: &mut usize,
) -> Vec<Answer> {
    let rate = |c: &Candidate| c.numbers.probes_per_minute();
    // Among those that ask as often, the one that survives most.
    candidates.sort_by(|a, b| rate(a).total_cmp(&rate(b)).then(patient(b.survives).cmp(&patient(a.survives))));
    let mut found: Vec<Answer> = Vec::new();
    for (i, candidate) in candidates.iter().enumerate() {
        if found.len() >= MOST_SHOWN || *tried >= MOST_TRIED {
            break;
        }
        let dominates = |a: &Answer| {
            let quicker = a.proof.recovery().is_some_and(|r| r <= candidate.recovery + SAME);
            quicker && patient(a.survives) >= patient(candidate.survives)
        };
        // One that is only a little more patient or quicker than the one before teaches nothing.
        if found.iter().any(dominates)
            || candidates[..i]
                .iter()
                .any(|c| rate(c) == rate(candidate) && found.iter().any(|f| f.numbers == c.numbers))
        {
            continue;
        }
        *tried += 1;
        let tried = answer(bench, candidate.numbers, candidate.survives, goal, faults, goal.within + MORE);
        if tried.proof.holds(goal.within) {
            found.push(tried);
        }
    }
    found
}

/// Recovery times that differ by less are the same.
const SAME: Duration = Duration::from_millis(1500);

fn patient(survives: Option<Duration>) -> Duration {
    survives.unwrap_or(Duration::MAX)
}

/// About the quickest recovery that can be had, whatever the goal, tried.
fn instead(bench: &Bench<'_>, goal: &Goal, faults: &[Broken]) -> Option<Answer> {
    let mut best = quickest(bench, &Goal { within: LONG, ..*goal }, faults)?;
    // A looser goal allows longer timeouts than the quickest recovery has.
    let (mut not_had, mut had) = (Duration::ZERO, best.recovery);
    for _ in 0..HALVES {
        let within = not_had + had.saturating_sub(not_had) / 2;
        match quickest(bench, &Goal { within, ..*goal }, faults) {
            Some(found) => (best, had) = (found, found.recovery.min(within)),
            None => not_had = within,
        }
    }
    let tried = answer(bench, best.numbers, best.survives, goal, faults, LONG);
    (tried.proof.recovery().is_some() && tried.proof.false_restarts.is_empty()).then_some(tried)
}

/// So often is the span halved in which the quickest recovery lies.
const HALVES: usize = 6;

/// The candidate with the quickest recovery, by the formulas.
fn quickest(bench: &Bench<'_>, goal: &Goal, faults: &[Broken]) -> Option<Candidate> {
    let all = settings(bench, faults).into_iter().flat_map(|setting| beside(bench, &setting, goal, faults).0);
    all.min_by_key(|c| (c.recovery, c.numbers.liveness.map(|t| t.failure_threshold)))
}

//! Every moment at which a fault can come: the same manifest in virtual time, again and again, on a grid.
//!
//! A probe's tick, a pet and a fault meet differently each time. What comes of it is summed up by *outcomes*: the sequence of
//! what a user would see, without times. More than one outcome is a race, and each is shown by its shortest trace.

use crate::cluster::DomainEvent;
use crate::engine::Config;
use crate::fault::{Fault, FaultKind};
use crate::manifest::VirtualMachine;
use crate::scenario::{Pattern, Spec, Step, Verdict};
use crate::time::Span;
use crate::trace::{Entry, Event, Trace};
use crate::world::{self, Timings};
use std::time::Duration;

/// More than a user waits for.
const MAX_RUNS: usize = 200_000;

/// The grid of instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Between two instants.
    pub step: Duration,
    /// The first instant, counted from the guest being ready.
    pub from: Duration,
    /// How much of the time after that is covered; at least one instant.
    pub span: Duration,
}

impl Grid {
    fn instants(self) -> impl Iterator<Item = Duration> + Clone {
        let step = self.step.max(Duration::from_millis(1));
        let count = self.span.as_nanos().div_ceil(step.as_nanos()).max(1);
        (0..u32::try_from(count).unwrap_or(u32::MAX)).map(move |n| step * n)
    }
}

/// One way in which things can go.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What a user would see, in its order; when the endpoints change among the rest makes no difference.
    pub sequence: Vec<String>,
    /// In how many runs.
    pub runs: usize,
    /// The run that was over soonest.
    pub best: Extreme,
    /// The run that took longest.
    pub worst: Extreme,
    /// When the faults came in the run that `trace` is of.
    pub instants: Instants,
    /// The trace of the run with the fewest entries, counted ones too; it keeps changes only.
    pub trace: Trace,
}

/// When the faults came, counted from the guest being ready, in the order in which they came.
pub type Instants = Vec<(Duration, FaultKind)>;

/// The soonest or the latest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extreme {
    /// From the last fault to the last thing seen.
    pub took: Duration,
    /// When the faults came.
    pub instants: Instants,
}

/// All of them, the most frequent first.
#[derive(Debug, Clone, Default)]
pub struct Exploration {
    /// Runs.
    pub runs: usize,
    /// What came of them.
    pub outcomes: Vec<Outcome>,
    /// Every run, in the order of the grid.
    pub tried: Vec<Tried>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// When the faults came.
    pub instants: Instants,
    /// Which of the outcomes.
    pub outcome: usize,
    /// From the last fault to the last thing seen.
    pub took: Duration,
}

/// Runs one fault at every instant of the grid, or two in every order and distance. `spec` gives guest, steps before the
/// faults, and how long to watch.
pub fn explore(
    vm: &VirtualMachine,
    spec: &Spec,
    faults: &[Fault],
    grid: Grid,
    timings: Timings,
) -> Result<Exploration, String> {
    let instants = grid.instants().count();
    let runs = if faults.len() == 2 { instants.saturating_mul(instants).saturating_mul(2) } else { instants };
    if runs > MAX_RUNS {
        return Err(format!("{runs} runs are too many, at most {MAX_RUNS}: take a longer step or a shorter span"));
    }
    healthy(vm, spec, timings)?;
    let mut found = Exploration::default();
    let mut run = |order: &[(Duration, &Fault)]| found.add(vm, spec, order, grid.from, timings);
    match faults {
        [one] => grid.instants().try_for_each(|at| run(&[(at, one)]))?,
        [one, other] => {
            for (at, after) in grid.instants().flat_map(|at| grid.instants().map(move |after| (at, after))) {
                run(&[(at, one), (after, other)])?;
                if one != other {
                    run(&[(at, other), (after, one)])?;
                }
            }
        }
        _ => return Err(format!("one or two faults can be explored, not {}", faults.len())),
    }
    // Stable, as the outcomes' own order.
    let mut order: Vec<usize> = (0..found.outcomes.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(found.outcomes[*i].runs));
    for tried in &mut found.tried {
        tried.outcome = order.iter().position(|i| *i == tried.outcome).unwrap_or_default();
    }
    found.outcomes.sort_by_key(|o| std::cmp::Reverse(o.runs));
    Ok(found)
}

/// A guest that is stopped without any fault says nothing about one.
fn healthy(vm: &VirtualMachine, spec: &Spec, timings: Timings) -> Result<(), String> {
    let (_, trace, _) = world::run_skipping(vm, spec, Config::of(spec, 1.0, false), timings);
    let killing = trace.entries().iter().find(|e| e.event == Event::Killing);
    killing.map_or(Ok(()), |e| Err(format!(
        "liveness stops the guest at {} s without any fault: a longer initialDelaySeconds, or a command that the model knows",
        e.at
    )))
}

impl Exploration {
    fn add(
        &mut self,
        vm: &VirtualMachine,
        spec: &Spec,
        order: &[(Duration, &Fault)],
        from: Duration,
        timings: Timings,
    ) -> Result<(), String> {
        let mut spec = spec.clone();
        let (mut instants, mut at) = (Vec::new(), Duration::ZERO);
        for (i, (plus, fault)) in order.iter().enumerate() {
            let after = if i == 0 { Some(Pattern::try_from("guest ready".to_owned())?) } else { None };
            let plus = if i == 0 { from + *plus } else { *plus };
            at += plus;
            instants.push((at, fault.kind()));
            spec.steps.push(Step {
                after,
                guarded_within: None,
                plus: Span(plus),
                fault: Some((*fault).clone()),
                user: None,
            });
        }
        let (verdict, trace, _) = world::run_skipping(vm, &spec, Config::of(&spec, 1.0, false), timings);
        if let Verdict::Infra(reason) = verdict {
            return Err(reason);
        }
        if !trace.entries().iter().any(|e| matches!(e.event, Event::FaultBegun(_))) {
            return Err(format!("{} never came: each run ended before", order[0].1.kind()));
        }
        self.runs += 1;
        let (sequence, took) = seen(&trace);
        let extreme = Extreme { took, instants: instants.clone() };
        let same = |o: &Outcome| endpoints_and_others(&o.sequence) == endpoints_and_others(&sequence);
        let known = self.outcomes.iter().position(same);
        let outcome = known.unwrap_or(self.outcomes.len());
        self.tried.push(Tried { instants: instants.clone(), outcome, took });
        match known.map(|index| &mut self.outcomes[index]) {
            Some(outcome) => {
                outcome.runs += 1;
                if took < outcome.best.took {
                    outcome.best = extreme;
                } else if took > outcome.worst.took {
                    outcome.worst = extreme;
                }
                if trace.logged() < outcome.trace.logged() {
                    (outcome.trace, outcome.instants) = (trace, instants);
                }
            }
            None => {
                let (best, worst) = (extreme.clone(), extreme);
                self.outcomes.push(Outcome { sequence, runs: 1, best, worst, instants, trace });
            }
        }
        Ok(())
    }
}

/// Two sequences are the same outcome if they differ only in when the endpoints change: the endpoints' events, and the others.
fn endpoints_and_others(sequence: &[String]) -> (Vec<&String>, Vec<&String>) {
    sequence.iter().partition(|text| text.starts_with("endpoints"))
}

/// What a user would see after the first fault, and how long after the last one the last of it came.
fn seen(trace: &Trace) -> (Vec<String>, Duration) {
    let entries = trace.sorted();
    let begun = |e: &Entry| matches!(e.event, Event::FaultBegun(_));
    let first = entries.iter().position(begun).unwrap_or(entries.len());
    let last = entries.iter().rev().find(|e| begun(e)).map(|e| e.at);
    let visible: Vec<&Entry> = entries[first..].iter().filter(|e| shows(&e.event)).collect();
    let took = visible.last().zip(last).map_or(Duration::ZERO, |(entry, fault)| entry.at.since(fault));
    (visible.iter().map(|e| e.event.to_string()).collect(), took)
}

/// What counts of a trace.
pub fn shows(event: &Event) -> bool {
    match event {
        Event::Phase(_) | Event::Endpoint(_) | Event::Killing | Event::GuestReady => true,
        Event::Qemu(qemu) => matches!(qemu, DomainEvent::Watchdog(_) | DomainEvent::Panicked { .. }),
        _ => false,
    }
}

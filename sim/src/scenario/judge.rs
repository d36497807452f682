//! Compares a trace with a scenario's expectations, as it grows.
//!
//! Every wait has three exits: met, impossible (nothing can happen any more, or a forbidden event was seen), and the
//! deadline; each says what was awaited and what was seen last.

use super::alive::Alive;
use super::file::{Expectation, Final, FinalVmi, Never, Spec};
use super::pattern::Pattern;
use super::window::Window;
use crate::fault::Fault;
use crate::time::{Time, earliest};
use crate::trace::{Entry, Event, Phase, VmStatus};
use std::sync::Arc;
use std::time::Duration;

/// What became of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All that was expected was seen, nothing forbidden.
    Pass,
    /// The guest or the engine did something else; says what.
    Fail(String),
    /// The host could not do it; says what and, where known, the mend.
    Infra(String),
}

/// The state that [`Final`] is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FinalState {
    /// printableStatus.
    pub vm: VmStatus,
    /// The VMI's phase; `None` where there is no VMI.
    pub vmi: Option<Phase>,
    /// VMIs created so far.
    pub vmis: u32,
    /// The VMI's Ready condition.
    pub ready: bool,
}

/// No window is longer: nothing that is waited for takes a day, and its multiples can be counted.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Where a window begins: a moment, or, for a fault, the span in which it takes effect.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Origin {
    /// The window opens `min` after this.
    earliest: Time,
    /// It closes `max` after this; `None` until the fault is confirmed.
    latest: Option<Time>,
}

/// The expectations and how far they are met.
#[derive(Debug, Clone, PartialEq)]
pub struct Judge {
    expect: Arc<[Expectation]>,
    never: Arc<[Never]>,
    final_state: Final,
    observe: Duration,
    alive: Alive,
    guest_scale: f64,
    /// A window without `from` opens at the last fault, or at the beginning where there is none.
    has_faults: bool,
    met: usize,
    /// When the last expectation was met.
    met_at: Time,
    /// The last fault.
    fault: Option<Origin>,
    /// For each expectation: its `from` event, as last seen.
    origins: Vec<Option<Origin>>,
    /// For each `never`: its `after` event was seen.
    armed: Vec<bool>,
    failure: Option<String>,
    last_seen: Option<(Time, Event)>,
    /// The run stops at this event.
    until: Option<Pattern>,
    reached: bool,
    /// Who watches has seen enough.
    enough: bool,
}

impl Judge {
    /// The judge of a scenario; `guest_scale` stretches what the guest's speed decides.
    pub fn new(spec: &Spec, guest_scale: f64) -> Self {
        Judge {
            expect: spec.expect.as_slice().into(),
            never: spec.never.as_slice().into(),
            final_state: spec.final_state.clone(),
            observe: spec.observe.0,
            alive: Alive::new(&spec.steps, false),
            guest_scale,
            has_faults: spec.steps.iter().any(|s| s.fault.is_some()),
            met: 0,
            met_at: Time::ZERO,
            fault: None,
            origins: vec![None; spec.expect.len()],
            armed: spec.never.iter().map(|n| n.after.is_none()).collect(),
            failure: None,
            last_seen: None,
            until: spec.until.clone(),
            reached: false,
            enough: false,
        }
    }

    /// Something is broken that the scenario did not foresee.
    pub fn breaks_next(&mut self, fault: Fault) {
        self.alive.breaks_next(Some(fault));
    }

    /// It goes on being watched from here.
    pub fn prolong(&mut self, now: Time) {
        self.met_at = self.met_at.max(now);
    }

    /// Who watches has seen enough: what is to be at the end is to be now.
    pub fn end(&mut self) {
        self.enough = true;
    }

    /// Takes an entry of the trace.
    pub fn observe(&mut self, entry: &Entry) {
        self.last_seen = Some((entry.at, entry.event.clone()));
        self.reached |= self.until.as_ref().is_some_and(|until| until.matches(&entry.event));
        self.alive.observe(entry);
        for (never, armed) in self.never.iter().zip(&mut self.armed) {
            if *armed && never.see.matches(&entry.event) {
                let text = format!("never expected {:?}, seen at {} s", never.see.to_string(), entry.at);
                self.failure.get_or_insert(text);
            }
            *armed |= never.after.as_ref().is_some_and(|p| p.matches(&entry.event));
        }
        if let Some(expectation) = self.expect.get(self.met)
            && expectation.see.matches(&entry.event)
            && expectation.vmi.is_none_or(|n| n == entry.vmi)
            && let Some(origin) = self.origin(self.met)
        {
            self.judge_time(entry, origin);
        }
        if let Event::FaultConfirmed(_) = &entry.event {
            for origin in self.origins.iter_mut().chain([&mut self.fault]).flatten() {
                origin.latest.get_or_insert(entry.at);
            }
        }
        let origin = match &entry.event {
            Event::FaultBegun(_) => Origin { earliest: entry.at, latest: None },
            _ => Origin { earliest: entry.at, latest: Some(entry.at) },
        };
        for (found, expectation) in self.origins.iter_mut().zip(self.expect.iter()) {
            if expectation.from.as_ref().is_some_and(|p| p.matches(&entry.event)) {
                *found = Some(origin);
            }
        }
        if let Event::FaultBegun(_) = &entry.event {
            self.fault = Some(origin);
        }
    }

    /// These entries, at any time, make no difference but that they were seen.
    pub fn ignores(&self, entries: &[Entry]) -> bool {
        let mut after = self.clone();
        entries.iter().for_each(|entry| after.observe(entry));
        after.last_seen.clone_from(&self.last_seen);
        after == *self
    }

    /// Takes note of what made no other difference.
    pub fn saw(&mut self, at: Time, event: Event) {
        self.last_seen = Some((at, event));
    }

    fn judge_time(&mut self, entry: &Entry, origin: Origin) {
        let expectation = &self.expect[self.met];
        let window = self.window(expectation);
        let early = entry.at.since(origin.earliest) < window.min;
        let late = origin.latest.is_some_and(|latest| entry.at.since(latest) > window.max);
        if early || late {
            let since = if early { origin.earliest } else { origin.latest.unwrap_or(origin.earliest) };
            let text = format!(
                "{} seen {:.3} s after {}, expected within {window}",
                expectation.see,
                entry.at.since(since).as_secs_f64(),
                self.origin_name(expectation),
            );
            self.failure.get_or_insert(text);
        } else {
            self.met += 1;
            self.met_at = self.met_at.max(entry.at);
        }
    }

    /// The window's origin, once known.
    fn origin(&self, index: usize) -> Option<Origin> {
        let expectation = &self.expect[index];
        let origin = match (&expectation.from, self.has_faults) {
            (Some(_), _) => self.origins[index],
            (None, true) => self.fault,
            (None, false) => Some(Origin { earliest: Time::ZERO, latest: Some(Time::ZERO) }),
        };
        // It ends the span, so how long it may take counts from the span's beginning.
        match expectation.see.is_a_confirmation() {
            true => origin.map(|o| Origin { latest: Some(o.earliest), ..o }),
            false => origin,
        }
    }

    fn origin_name(&self, expectation: &Expectation) -> String {
        match &expectation.from {
            Some(from) => from.to_string(),
            None if self.has_faults => "the fault".into(),
            None => "the beginning".into(),
        }
    }

    /// The window with the host's scale applied; an absent one was refused when the file was read.
    fn window(&self, e: &Expectation) -> Window {
        match (e.within, e.within_guest) {
            (Some(w), _) => w,
            (None, Some(w)) => Window { min: w.min, max: w.max.min(LONGEST).mul_f64(self.guest_scale) },
            (None, None) => Window { min: Duration::ZERO, max: Duration::MAX },
        }
    }

    /// The next moment after `now` at which [`Judge::verdict`] can change without an entry.
    pub fn next_wakeup(&self, now: Time) -> Option<Time> {
        let all = [self.deadline(), self.watched_until(), self.waited_until()];
        earliest(all.map(|wakeup| wakeup.filter(|t| *t > now)))
    }

    /// One nanosecond past the present expectation's window.
    fn deadline(&self) -> Option<Time> {
        let expectation = self.expect.get(self.met)?;
        let end = self.origin(self.met)?.latest? + self.window(expectation).max;
        Some(end + Duration::from_nanos(1))
    }

    fn watched_until(&self) -> Option<Time> {
        (self.met == self.expect.len()).then_some(self.met_at + self.observe)
    }

    fn waited_until(&self) -> Option<Time> {
        Some(self.watched_until()? + self.final_state.wait_up_to?.0)
    }

    /// The verdict at `now`, once there is one. `at_rest`: the VM is idle and nothing is due. `script_finished`: every step was taken.
    /// One that stops at an event has passed if nothing was wrong until then, and failed if it never came.
    pub fn verdict(&self, now: Time, at_rest: bool, script_finished: bool, state: &FinalState) -> Option<Verdict> {
        match (self.judged(now, at_rest, script_finished, state), &self.until) {
            (None, Some(_)) if self.reached => Some(Verdict::Pass),
            (Some(Verdict::Pass), Some(until)) if !self.reached => {
                Some(Verdict::Fail(format!("all was as expected, and {until} was never seen")))
            }
            (verdict, _) => verdict,
        }
    }

    fn judged(&self, now: Time, at_rest: bool, script_finished: bool, state: &FinalState) -> Option<Verdict> {
        if let Some(failure) = &self.failure {
            return Some(Verdict::Fail(failure.clone()));
        }
        if let Some(expectation) = self.expect.get(self.met) {
            let why = if self.deadline().is_some_and(|t| t <= now) {
                format!(" within {} of {}: deadline", self.window(expectation), self.origin_name(expectation))
            } else if self.enough {
                return Some(Verdict::Infra(format!("ended by its user while {} was awaited", expectation.see)));
            } else if at_rest {
                ": cannot happen any more: the VM is idle and no step is left".into()
            } else {
                return None;
            };
            let (see, number, all, last) = (&expectation.see, self.met + 1, self.expect.len(), self.last_seen());
            return Some(Verdict::Fail(format!("awaited {see} ({number} of {all}){why}; last seen: {last}")));
        }
        let watching = !script_finished || self.watched_until().is_some_and(|t| t > now);
        if watching && !at_rest && !self.enough {
            return None;
        }
        if !script_finished && self.enough {
            return Some(Verdict::Infra("ended by its user before every step was taken".to_owned()));
        }
        if !script_finished {
            return Some(Verdict::Fail(format!("a step was never reached; last seen: {}", self.last_seen())));
        }
        let verdict = self.check_final(state);
        let waits = !at_rest && !self.enough && self.waited_until().is_some_and(|t| t > now);
        (verdict == Verdict::Pass || !waits).then_some(verdict)
    }

    fn last_seen(&self) -> String {
        self.last_seen.as_ref().map_or_else(|| "nothing".into(), |(at, event)| format!("{at} {event}"))
    }

    fn check_final(&self, state: &FinalState) -> Verdict {
        let mut wrong = Vec::new();
        let mut compare = |name: &str, expected: Option<String>, found: String| {
            if let Some(expected) = expected
                && expected != found
            {
                wrong.push(format!("{name} is {found}, expected {expected}"));
            }
        };
        let expected = &self.final_state;
        compare("vm", expected.vm.map(|status| status.to_string()), state.vm.to_string());
        compare("vmi", expected.vmi.map(|vmi| vmi.to_string()), FinalVmi(state.vmi).to_string());
        compare("vmis", expected.vmis.map(|n| n.to_string()), state.vmis.to_string());
        compare("ready", expected.ready.map(|b| b.to_string()), state.ready.to_string());
        compare("answers", expected.answers.map(|b| b.to_string()), self.alive.answers().to_string());
        if wrong.is_empty() { Verdict::Pass } else { Verdict::Fail(format!("at the end {}", wrong.join("; "))) }
    }
}

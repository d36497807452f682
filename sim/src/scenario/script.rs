//! Walks a scenario's timeline: each step waits for its event, then for its delay.

use super::alive::Alive;
use super::file::Step;
use super::user::UserRequest;
use crate::fault::Fault;
use crate::time::Time;
use crate::trace::Entry;
use std::sync::Arc;

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum StepAction {
    /// Break something.
    Fault(Fault),
    /// Ask the API for something.
    User(UserRequest),
}

/// A step whose time has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// Its index in the timeline.
    pub step: usize,
    /// What it does.
    pub action: StepAction,
}

/// The timeline and how far it has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    steps: Arc<[Step]>,
    alive: Alive,
    next: usize,
    /// When the next step is due, once its event was seen.
    due: Option<Time>,
    /// It is due sooner if the VM is guarded sooner.
    waits_for_guard: bool,
    /// The step before has begun and its fault is not yet confirmed: the next one waits.
    busy: bool,
}

impl Script {
    /// The script of a scenario that begins at the origin.
    pub fn new(steps: &[Step], has_liveness: bool) -> Self {
        let alive = Alive::new(steps, has_liveness);
        let mut script = Script { steps: steps.into(), alive, next: 0, due: None, waits_for_guard: false, busy: false };
        script.arm(Time::ZERO);
        script
    }

    /// Takes an entry of the trace; also while the step before is not yet confirmed, whose effects come first.
    pub fn observe(&mut self, entry: &Entry) {
        self.alive.observe(entry);
        let Some(step) = self.steps.get(self.next) else { return };
        let plus = step.plus.0;
        if self.due.is_some() && self.waits_for_guard && self.alive.is_guarded() {
            (self.due, self.waits_for_guard) = (Some(entry.at + plus), false);
        }
        if self.due.is_none() && step.after.as_ref().is_some_and(|p| p.matches(&entry.event)) {
            self.set_due(entry.at);
        }
    }

    /// These entries, at any time, make no difference.
    pub fn ignores(&self, entries: &[Entry]) -> bool {
        let mut after = self.clone();
        entries.iter().for_each(|entry| after.observe(entry));
        after == *self
    }

    /// When the next step is due.
    pub fn next_wakeup(&self) -> Option<Time> {
        self.due.filter(|_| !self.busy)
    }

    /// The next step breaks something.
    pub fn next_is_fault(&self) -> bool {
        self.steps.get(self.next).is_some_and(|s| s.fault.is_some())
    }

    /// What a step breaks.
    pub fn fault(&self, step: usize) -> Option<&Fault> {
        self.steps.get(step)?.fault.as_ref()
    }

    /// A step has begun and is not yet confirmed.
    pub fn busy(&self) -> bool {
        self.busy
    }

    /// The step that is due at `now`.
    pub fn poll(&mut self, now: Time) -> Option<Due> {
        self.next_wakeup().filter(|t| *t <= now)?;
        self.due = None;
        let step = self.next;
        self.next += 1;
        self.busy = true;
        let Step { fault, user, .. } = self.steps.get(step)?.clone();
        let action = fault.map(StepAction::Fault).or(user.map(StepAction::User))?;
        Some(Due { step, action })
    }

    /// The step begun last has taken effect.
    pub fn done(&mut self, now: Time) {
        self.busy = false;
        self.arm(now);
    }

    /// Every step was taken.
    pub fn finished(&self) -> bool {
        self.next >= self.steps.len() && !self.busy
    }

    /// A step without an event of its own follows the one before it.
    fn arm(&mut self, now: Time) {
        if let Some(step) = self.steps.get(self.next)
            && step.after.is_none()
        {
            self.set_due(now);
        }
    }

    /// What the next step waits for has come.
    fn set_due(&mut self, now: Time) {
        let Some(Step { guarded_within, plus, .. }) = self.steps.get(self.next) else { return };
        let longest = guarded_within.filter(|_| !self.alive.is_guarded());
        self.waits_for_guard = longest.is_some();
        self.due = Some(now + longest.unwrap_or_default().0 + plus.0);
    }
}

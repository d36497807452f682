//! Walks a scenario's timeline: each step waits for its event, then for its delay. What is asked for while it runs begins as soon
//! as nothing else is under way.

use super::alive::Alive;
use super::file::Step;
use super::pattern::Pattern;
use super::user::UserRequest;
use crate::fault::Fault;
use crate::time::{Span, Time};
use crate::trace::{Entry, Event};
use std::collections::VecDeque;
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
    /// The scenario's, then those that were asked for.
    steps: Arc<Vec<Step>>,
    scripted: usize,
    /// Asked for, and not begun.
    asked: VecDeque<usize>,
    /// In their order.
    begun: Vec<usize>,
    alive: Alive,
    next: usize,
    /// When the next step is due, once its event was seen.
    due: Option<Time>,
    /// It is due sooner if the VM is guarded sooner.
    waits_for_guard: bool,
    /// This step has begun and its fault is not yet confirmed: the next one waits.
    busy: Option<usize>,
    /// What an asked step's delay counts from: the step before, or the guest's being ready.
    since: Time,
}

impl Script {
    /// The script of a scenario that begins at the origin.
    pub fn new(steps: &[Step], has_liveness: bool) -> Self {
        let alive = Alive::new(steps, has_liveness);
        let mut script = Script {
            steps: Arc::new(steps.to_vec()),
            scripted: steps.len(),
            asked: VecDeque::new(),
            begun: Vec::new(),
            alive,
            next: 0,
            due: None,
            waits_for_guard: false,
            busy: None,
            since: Time::ZERO,
        };
        script.arm(Time::ZERO);
        script
    }

    /// Takes an entry of the trace; also while the step before is not yet confirmed, whose effects come first.
    pub fn observe(&mut self, entry: &Entry) {
        self.alive.observe(entry);
        if entry.event == Event::GuestReady && self.begun.is_empty() && self.since == Time::ZERO {
            self.since = entry.at;
        }
        let Some(step) = self.next_step() else { return };
        let plus = step.plus.0;
        let is_awaited = self.due.is_none() && step.after.as_ref().is_some_and(|p| p.matches(&entry.event));
        if self.due.is_some() && self.waits_for_guard && self.alive.is_guarded() {
            (self.due, self.waits_for_guard) = (Some(entry.at + plus), false);
        }
        if is_awaited {
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
        self.due.filter(|_| self.busy.is_none())
    }

    /// The next step breaks something.
    pub fn next_is_fault(&self) -> bool {
        !self.asked.is_empty() || self.next_step().is_some_and(|s| s.fault.is_some())
    }

    /// What a step breaks.
    pub fn fault(&self, step: usize) -> Option<&Fault> {
        self.steps.get(step)?.fault.as_ref()
    }

    /// A step has begun and is not yet confirmed.
    pub fn busy(&self) -> bool {
        self.busy.is_some()
    }

    /// Somebody who watches wants this broken now.
    pub fn ask(&mut self, fault: Fault) {
        self.asked.push_back(self.steps.len());
        Arc::make_mut(&mut self.steps).push(Step {
            after: None,
            guarded_within: None,
            plus: Span::default(),
            fault: Some(fault),
            user: None,
        });
    }

    /// A step that was asked for while the scenario ran.
    pub fn is_asked(&self, step: usize) -> bool {
        step >= self.scripted
    }

    /// The steps in the order in which they began, those that were asked for with the times at which they did, as a scenario
    /// has them that does the same by itself; then those that never began.
    pub fn as_it_went(&self) -> Vec<Step> {
        let never = (self.next..self.scripted).chain(self.asked.iter().copied());
        self.begun.iter().copied().chain(never).filter_map(|i| self.steps.get(i).cloned()).collect()
    }

    /// The step that is due at `now`.
    pub fn poll(&mut self, now: Time) -> Option<Due> {
        let step = match self.asked.front().copied().filter(|_| self.busy.is_none()) {
            Some(step) => self.begin_asked(step, now),
            None => {
                self.next_wakeup().filter(|t| *t <= now)?;
                self.due = None;
                self.next += 1;
                self.follow_asked(self.next - 1, now);
                self.next - 1
            }
        };
        self.busy = Some(step);
        self.begun.push(step);
        let Step { fault, user, .. } = self.steps.get(step)?.clone();
        let action = fault.map(StepAction::Fault).or(user.map(StepAction::User))?;
        Some(Due { step, action })
    }

    /// The step begun last has taken effect.
    pub fn done(&mut self, now: Time) {
        self.since = now;
        // What the next one of the scenario waits for is not one that was asked for.
        if self.busy.take().is_some_and(|step| step < self.scripted) {
            self.arm(now);
        }
    }

    /// Every step was taken.
    pub fn finished(&self) -> bool {
        self.next >= self.scripted && self.asked.is_empty() && self.busy.is_none()
    }

    /// The scenario's next.
    fn next_step(&self) -> Option<&Step> {
        self.steps.get(self.next).filter(|_| self.next < self.scripted)
    }

    fn begin_asked(&mut self, step: usize, now: Time) -> usize {
        self.asked.pop_front();
        if let Some(asked) = Arc::make_mut(&mut self.steps).get_mut(step) {
            asked.plus = Span(now.since(self.since));
            asked.after = if self.begun.is_empty() { Pattern::try_from("guest ready".to_owned()).ok() } else { None };
            self.alive.breaks_next(asked.fault.clone());
        }
        step
    }

    /// After a step that was asked for, one of the scenario is written down with the time since then: what it waited for may have come
    /// before.
    fn follow_asked(&mut self, step: usize, now: Time) {
        if self.begun.iter().any(|begun| self.is_asked(*begun))
            && let Some(step) = Arc::make_mut(&mut self.steps).get_mut(step)
        {
            (step.after, step.guarded_within, step.plus) = (None, None, Span(now.since(self.since)));
        }
    }

    /// A step without an event of its own follows the one before it.
    fn arm(&mut self, now: Time) {
        if let Some(step) = self.next_step()
            && step.after.is_none()
        {
            self.set_due(now);
        }
    }

    /// What the next step waits for has come.
    fn set_due(&mut self, now: Time) {
        let Some(Step { guarded_within, plus, .. }) = self.next_step() else { return };
        let (longest, plus) = (guarded_within.filter(|_| !self.alive.is_guarded()), plus.0);
        self.waits_for_guard = longest.is_some();
        self.due = Some(now + longest.unwrap_or_default().0 + plus);
    }
}

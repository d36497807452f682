//! The loop that all worlds share: it brings the engine what was reported and what is due, and says what is to be done next.
//!
//! A world that has a time of its own (a model, a fake) is a [`World`] and is driven by [`Driver::run`]. One that lives in
//! real time calls [`Driver::step_at`] and waits by itself; a past that is gone through again calls [`Driver::step`].

use super::queue::Queue;
use crate::engine::{Command, Engine, Input};
use crate::scenario::Verdict;
use crate::time::{Time, earliest};

/// More steps than any scenario needs; reaching it is a named failure.
const MAX_STEPS: usize = 5_000_000;

/// What stands around the engine, in virtual time.
pub trait World {
    /// When it has something to do or to tell by itself.
    fn next_wakeup(&self) -> Option<Time>;

    /// Does what is due at [`World::next_wakeup`]; an input if the engine should know, and when it happened.
    fn step(&mut self) -> Option<(Time, Input)>;

    /// Does what the engine asks.
    fn execute(&mut self, now: Time, command: Command);
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The world is to do this.
    Do(Command),
    /// Nothing is left to do before this time, unless something is reported; `None`: nor after it.
    WaitUntil(Option<Time>),
    /// The run is over.
    Done(Verdict),
}

/// An engine and what it was not told yet.
#[derive(Debug, Clone)]
pub struct Driver {
    engine: Engine,
    inputs: Queue<Input>,
    now: Time,
    steps: usize,
}

impl Driver {
    /// Nothing has been reported yet.
    pub fn new(engine: Engine) -> Self {
        Driver { engine, inputs: Queue::default(), now: Time::ZERO, steps: 0 }
    }

    /// The engine as it is now.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// As [`Engine::set_replaying`].
    pub fn set_replaying(&mut self, replaying: bool) {
        self.engine.set_replaying(replaying);
    }

    /// When the last step was.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Reports something that is to reach the engine at `at`, or at once if that is over.
    pub fn tell(&mut self, at: Time, input: Input) {
        self.inputs.push(at, input);
    }

    /// Goes on until there is something to do, or until `limit`. Everything happens at its own time; what was reported comes
    /// before what is due at the same moment.
    pub fn step(&mut self, limit: Time) -> Step {
        loop {
            if let Some(command) = self.engine.next_command() {
                return Step::Do(command);
            }
            if let Some(verdict) = self.engine.verdict() {
                return Step::Done(verdict.clone());
            }
            let (reported, wakeup) = (self.inputs.next_at(), self.engine.next_wakeup());
            let next = earliest([reported, wakeup]);
            let Some(at) = next.filter(|t| *t <= limit) else { return Step::WaitUntil(next) };
            if self.steps >= MAX_STEPS {
                return Step::Done(Verdict::Infra(format!("more than {MAX_STEPS} steps")));
            }
            self.steps += 1;
            self.now = self.now.max(at);
            match self.inputs.pop_until(at) {
                Some(input) => self.engine.handle(self.now, input),
                None => self.engine.advance(self.now),
            }
        }
    }

    /// As [`Driver::step`] in a world whose time goes on by itself: it is `now`, and what is overdue happens late.
    pub fn step_at(&mut self, now: Time) -> Step {
        self.now = self.now.max(now);
        self.step(self.now)
    }

    /// Goes through a whole run, time jumping from one event to the next. Where both are due, the world comes first.
    pub fn run(&mut self, world: &mut impl World) -> Verdict {
        for _ in 0..MAX_STEPS {
            let due = match self.step(self.now) {
                Step::Do(command) => {
                    world.execute(self.now, command);
                    continue;
                }
                Step::Done(verdict) => return verdict,
                Step::WaitUntil(due) => due,
            };
            match (world.next_wakeup(), due) {
                (Some(at), due) if due.is_none_or(|t| at <= t) => {
                    self.now = self.now.max(at);
                    if let Some((at, input)) = world.step() {
                        self.tell(at, input);
                    }
                }
                (_, Some(due)) => self.now = self.now.max(due),
                (_, None) => return Verdict::Infra("nothing is left to happen".into()),
            }
        }
        Verdict::Infra(format!("more than {MAX_STEPS} steps"))
    }
}

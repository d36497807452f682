//! The loop that all worlds share: it brings the engine what was reported and what is due, and says what is to be done next.
//!
//! A world that has a time of its own (a model, a fake) is a [`World`] and is driven by [`Driver::run`]. One that lives in
//! real time calls [`Driver::step_at`] and waits by itself; a past that is gone through again calls [`Driver::step`].

use super::queue::Queue;
use crate::engine::{Command, Engine, Input};
use crate::scenario::Verdict;
use crate::time::{Time, earliest};
use crate::trace::Entry;
use std::time::Duration;

/// More steps within a second than anything real needs; reaching it is a named failure. How long a run may be is the engine's.
const MAX_STEPS: usize = 1_000_000;
/// Later than any run.
const NEVER: Time = Time::from_nanos(u64::MAX);

/// What stands around the engine, in virtual time.
pub trait World {
    /// When it has something to do or to tell by itself.
    fn next_wakeup(&self) -> Option<Time>;

    /// Does what is due at [`World::next_wakeup`]; an input if the engine should know, and when it happened.
    fn step(&mut self) -> Option<(Time, Input)>;

    /// Does what the engine asks.
    fn execute(&mut self, now: Time, command: Command);

    /// Goes at once through what only repeats itself until something else comes about, with the engine, and not past the moment
    /// at which somebody else has something to say; whether there was such.
    fn skip(&mut self, _now: Time, _before: Time, _engine: &mut Engine) -> bool {
        false
    }
}

/// How far a run has come.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// Something is due at this time; `None`: nothing ever.
    Due(Option<Time>),
    /// The run is over.
    Over(Verdict),
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
    /// When the engine is due, since it was last told or asked something.
    wakeup: Option<Time>,
    /// Steps since this second began.
    steps: usize,
    second: Time,
    /// All steps.
    taken: u64,
}

impl Driver {
    /// Nothing has been reported yet.
    pub fn new(engine: Engine) -> Self {
        let wakeup = engine.next_wakeup();
        Driver { engine, inputs: Queue::default(), now: Time::ZERO, wakeup, steps: 0, second: Time::ZERO, taken: 0 }
    }

    /// The engine as it is now.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// How many steps there were: what a run costs, whatever the machine.
    pub fn steps_taken(&self) -> u64 {
        self.taken
    }

    /// What happened since this was asked last, which is then forgotten.
    pub fn take_entries(&mut self) -> Vec<Entry> {
        self.engine.take_entries()
    }

    /// The engine as it is at the end.
    pub fn into_engine(self) -> Engine {
        self.engine
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
            let next = earliest([self.inputs.next_at(), self.wakeup]);
            let Some(at) = next.filter(|t| *t <= limit) else { return Step::WaitUntil(next) };
            self.now = self.now.max(at);
            if !self.count_step() {
                return Step::Done(too_many_steps(self.now));
            }
            match self.inputs.pop_until(at) {
                Some(input) => self.engine.handle(self.now, input),
                None => self.engine.advance(self.now),
            }
            self.wakeup = self.engine.next_wakeup();
        }
    }

    /// As [`Driver::step`] in a world whose time goes on by itself: it is `now`, and what is overdue happens late.
    pub fn step_at(&mut self, now: Time) -> Step {
        self.now = self.now.max(now);
        self.step(self.now)
    }

    /// Goes through a whole run, time jumping from one event to the next.
    pub fn run(&mut self, world: &mut impl World) -> Verdict {
        match self.run_until(world, NEVER, NEVER) {
            Progress::Over(verdict) => verdict,
            Progress::Due(_) => Verdict::Infra("nothing is left to happen".into()),
        }
    }

    /// Goes through what is due at `limit` and before, and hands back when more is. Where both are due, the world comes first.
    /// Nothing is said from outside before `outside`.
    pub fn run_until(&mut self, world: &mut impl World, limit: Time, outside: Time) -> Progress {
        loop {
            let due = match self.step(self.now) {
                Step::Do(command) => {
                    world.execute(self.now, command);
                    continue;
                }
                Step::Done(verdict) => return Progress::Over(verdict),
                Step::WaitUntil(due) => due,
            };
            if self.inputs.next_at().is_none() && world.skip(self.now, outside, &mut self.engine) {
                self.wakeup = self.engine.next_wakeup();
                continue;
            }
            let worlds = world.next_wakeup();
            let next = earliest([worlds, due]);
            let Some(at) = next.filter(|at| *at <= limit) else { return Progress::Due(next) };
            self.now = self.now.max(at);
            if worlds == Some(at) {
                if !self.count_step() {
                    return Progress::Over(too_many_steps(self.now));
                }
                if let Some((at, input)) = world.step() {
                    self.tell(at, input);
                }
            }
        }
    }

    /// `false`: time hardly goes on any more.
    fn count_step(&mut self) -> bool {
        if self.now >= self.second + Duration::from_secs(1) {
            (self.second, self.steps) = (self.now, 0);
        }
        self.steps += 1;
        self.taken += 1;
        self.steps <= MAX_STEPS
    }
}

fn too_many_steps(now: Time) -> Verdict {
    Verdict::Infra(format!("more than {MAX_STEPS} steps within a second, at {now} s"))
}

//! A model that goes at once through what only repeats itself: a steady VM's probes, and its daemon's pets.
//!
//! One period of each probe and two pets are tried out on copies. If they leave everything as it was but for the time, every
//! later one does, until something else is due: a step, a deadline, whatever waits in the queue. What is not known to be steady
//! is stepped, so the skip can make a run faster and never another one.

use super::driver::World;
use super::model::{Model, Petting};
use crate::cluster::Cycle;
use crate::engine::{Command, Engine, Input, Request};
use crate::time::Time;
use std::time::Duration;

/// Trying takes as long as the steps of some seconds.
const WORTH_IT: Duration = Duration::from_secs(8);
/// What was not steady is tried again after this, then after twice as long ...
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// ... at most.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// So often a landing is put off because an attempt is under way.
const PUT_OFF: usize = 20;

/// The model of one scenario, whose steady spans are skipped.
#[derive(Debug)]
pub(super) struct Skipping {
    model: Model,
    /// Before this nothing is tried.
    from: Time,
    wait: Duration,
}

impl Skipping {
    pub(super) fn new(model: Model) -> Skipping {
        Skipping { model, from: Time::ZERO, wait: FIRST_WAIT }
    }

    pub(super) fn model(&self) -> &Model {
        &self.model
    }

    pub(super) fn model_mut(&mut self) -> &mut Model {
        &mut self.model
    }

    /// Lands before `until` and before anything that is not known to repeat itself; `None`: something does not.
    fn jump(&mut self, now: Time, until: Time, vmi: u32, engine: &mut Engine) -> Option<()> {
        let mut copy = self.model.alone();
        let cycles = engine.cycles(&mut |at, command| copy.answer(at, command))?;
        let petting = self.model.petting(vmi)?;
        let to = landing(until, &cycles)?;
        let mut counted = Vec::with_capacity(cycles.len());
        for cycle in cycles {
            let ticks = cycle.ticks_before(to)?;
            if ticks > 0 && !answers_the_same(&mut copy, vmi, &cycle, cycle.tick(ticks - 1)) {
                return None;
            }
            counted.push((cycle, ticks));
        }
        if to <= now {
            return None;
        }
        engine.skip(&counted);
        if let Petting::Steady(pets) = petting {
            self.model.skip_pets(vmi, *pets, to);
        }
        Some(())
    }
}

impl World for Skipping {
    fn next_wakeup(&self) -> Option<Time> {
        self.model.next_wakeup()
    }

    fn step(&mut self) -> Option<(Time, Input)> {
        self.model.step()
    }

    fn execute(&mut self, now: Time, command: Command) {
        self.model.execute(now, command);
    }

    fn skip(&mut self, now: Time, before: Time, engine: &mut Engine) -> bool {
        if now < self.from {
            return false;
        }
        let Some((vmi, engine_until)) = engine.probes_only() else { return false };
        let Some(world_until) = self.model.pets_only_until(vmi) else { return false };
        let until = world_until.map_or(engine_until, |at| at.min(engine_until)).min(before);
        let jumped = until.since(now) >= WORTH_IT;
        let Some(jumped) = jumped.then(|| self.jump(now, until, vmi, engine)) else {
            self.from = until;
            return false;
        };
        (self.from, self.wait) = match jumped {
            Some(()) => (until, FIRST_WAIT),
            None => (now + self.wait, LONGEST_WAIT.min(self.wait * 2)),
        };
        jumped.is_some()
    }
}

/// As late as can be, with no attempt under way, and after a moment of which it is known what was seen last.
fn landing(until: Time, cycles: &[Cycle]) -> Option<Time> {
    let last_tick = |cycle: &Cycle, to: Time| Some(cycle.tick(cycle.ticks_before(to)?.checked_sub(1)?));
    let under_way = |cycle: &Cycle, to: Time| last_tick(cycle, to).filter(|tick| *tick + cycle.lasts() >= to);
    // What needs no answer comes before an answer of the same moment if the world has something else to do then, too.
    let beside_an_answer = |cycle: &Cycle, to: Time| {
        let tick = last_tick(cycle, to).filter(|_| cycle.asked.is_none())?;
        let answered = |other: &Cycle| last_tick(other, to).is_some_and(|asked| asked + other.lasts() == tick);
        cycles.iter().any(|other| other.asked.is_some() && answered(other)).then_some(tick)
    };
    let mut to = until;
    for _ in 0..PUT_OFF {
        match cycles.iter().filter_map(|cycle| under_way(cycle, to).or_else(|| beside_an_answer(cycle, to))).min() {
            None => return Some(to),
            Some(tick) => to = tick,
        }
    }
    None
}

/// The world's answer does not change with time.
fn answers_the_same(copy: &mut Model, vmi: u32, cycle: &Cycle, tick: Time) -> bool {
    let Some((what, after, attempt)) = &cycle.asked else { return true };
    let command = Command { vmi, what: Request::Cluster(what.clone()) };
    copy.answer(tick, &command).is_some_and(|(at, other)| at == tick + *after && other == *attempt)
}

//! What a VMI's probes do again and again while nothing changes: one period of each, gone through on a copy.
//!
//! Only what came out the same is called a cycle. Whatever else a VMI learns to do is noticed here and not taken for one.

use super::{Vmi, VmiCommand};
use crate::kubelet::{Attempt, LauncherPod, ProbeKind};
use crate::time::{Time, earliest};
use crate::trace::Event;
use std::time::Duration;

/// When a world answers, and what; `None`: nothing, or more than that.
pub type Answers<'a, Of> = dyn FnMut(Time, &Of) -> Option<(Time, Attempt)> + 'a;

/// One period of a probe, like every one that follows while nothing else comes about.
#[derive(Debug, Clone)]
pub struct Cycle {
    /// Whose.
    pub kind: ProbeKind,
    /// The next tick.
    pub due: Time,
    /// From one tick to the next.
    pub period: Duration,
    /// What the tick asked of the world, and what came of it how long afterwards; `None`: the VMI knew by itself.
    pub asked: Option<(VmiCommand, Duration, Attempt)>,
    /// What it has to say: when, and what.
    pub seen: Vec<(Time, Event)>,
    /// It counts towards the run of results.
    counted: bool,
}

impl Cycle {
    /// How many ticks come before `to`.
    pub fn ticks_before(&self, to: Time) -> Option<u32> {
        u32::try_from(to.since(self.due).as_nanos().div_ceil(self.period.as_nanos())).ok()
    }

    /// The tick with this number, from 0.
    pub fn tick(&self, number: u32) -> Time {
        self.due + self.period.saturating_mul(number)
    }

    /// From a tick to its answer.
    pub fn lasts(&self) -> Duration {
        self.asked.as_ref().map_or(Duration::ZERO, |(_, after, _)| *after)
    }
}

impl Vmi {
    /// When something else than a probe's tick is due next.
    pub fn own_wakeup(&self, now: Time) -> Option<Time> {
        let node = self.lost.as_ref().and_then(|lost| lost.next_wakeup(now));
        earliest([self.life.next_wakeup(), node, self.resume_at, self.seen_going_on_at])
    }

    /// A cycle of each probe; `None` if any of them does anything but repeat itself. `ask` tells when and how the world answers.
    pub fn cycles(&self, ask: &mut Answers<'_, VmiCommand>) -> Option<Vec<Cycle>> {
        let pod = self.pod.as_ref()?;
        ProbeKind::ALL.into_iter().filter(|kind| pod.has(*kind)).map(|kind| self.cycle(pod, kind, ask)).collect()
    }

    fn cycle(&self, pod: &LauncherPod, kind: ProbeKind, ask: &mut Answers<'_, VmiCommand>) -> Option<Cycle> {
        let (due, period) = (pod.idle_until(kind)?, self.probe(kind)?.timings.period());
        let mut before = self.clone();
        before.pod.as_mut()?.keep_only(kind);
        let (mut after, mut now) = (before.clone(), due);
        let (mut asked, mut seen) = (None, Vec::new());
        loop {
            let out = after.poll(now);
            for (event, _) in out.seen {
                seen.push((now, event));
            }
            let mut commands = out.commands.into_iter();
            let Some(command) = commands.next() else { break };
            // A probe that is tried again at once is seldom, and not worth its own rules.
            if asked.is_some() || commands.next().is_some() || !matches!(command, VmiCommand::Probe { .. }) {
                return None;
            }
            let (at, attempt) = ask(now, &command)?;
            asked = Some((command, at.since(now), attempt.clone()));
            now = at;
            after.probe_answer(now, kind, attempt);
        }
        let counted = before.pod.as_ref()?.repeats(kind, after.pod.as_ref()?)?;
        before.pod.as_mut()?.skip(kind, 1, counted);
        // What lasted until the next tick was not left above: that tick's attempt is a second one.
        let routine = seen.iter().all(|(_, event)| event.is_routine());
        (routine && before == after).then_some(Cycle { kind, due, period, asked, seen, counted })
    }

    /// Goes through a cycle so many times at once.
    pub fn skip(&mut self, cycle: &Cycle, times: u32) {
        if let Some(pod) = &mut self.pod {
            pod.skip(cycle.kind, times, cycle.counted);
        }
    }
}

//! Steadiness: nothing but the same probing goes on, until when, and what skipping it comes to.
//!
//! What is skipped leaves the engine as if it had gone through it: the workers' ticks and counts, what the judge saw last, the
//! trace's counts. It must not know the world's answers: it asks for them.

use super::super::io::{Command, Request};
use super::Engine;
use crate::cluster::{Answers, Cycle, Decision, Phase, Vmi};
use crate::kubelet::ProbeKind;
use crate::time::Time;
use crate::trace::{Entry, Event};

impl Engine {
    /// The number of the VMI that runs, and when something else than its probes' ticks is due; `None` while anything else goes on.
    pub fn probes_only(&self) -> Option<(u32, Time)> {
        let vmi = self.vmi.as_ref().filter(|v| v.phase() == Phase::Running)?;
        let idle = self.verdict.is_none() && self.commands.is_empty() && !self.replaying && self.trace.keeps_changes();
        let settled = idle && self.decision() == Decision::Nothing;
        // There is one: no run is for ever.
        self.wakeup_beside(vmi.own_wakeup(self.now)).filter(|_| settled).map(|at| (self.created, at))
    }

    /// A cycle of each probe; `None` if they do anything but repeat themselves, or if anybody waits for what they say.
    pub fn cycles(&self, ask: &mut Answers<'_, Command>) -> Option<Vec<Cycle>> {
        let command = |what| Command { vmi: self.created, what: Request::Cluster(what) };
        let cycles = self.vmi.as_ref()?.cycles(&mut |at, what| ask(at, &command(what.clone())))?;
        let entry = |(at, event): &(Time, Event)| Entry {
            at: *at,
            vmi: self.created,
            event: event.clone(),
            detail: String::new(),
            replayed: false,
        };
        let entries: Vec<Entry> = cycles.iter().flat_map(|c| c.seen.iter().map(entry)).collect();
        (self.judge.ignores(&entries) && self.script.ignores(&entries)).then_some(cycles)
    }

    /// Goes through each cycle so many times at once.
    pub fn skip(&mut self, cycles: &[(Cycle, u32)]) {
        let mut last: Option<((Time, Time, bool, bool), Event)> = None;
        for (cycle, times) in cycles.iter().filter(|(_, times)| *times > 0) {
            self.vmi.iter_mut().for_each(|vmi: &mut Vmi| vmi.skip(cycle, *times));
            for (_, event) in &cycle.seen {
                self.trace.count(self.created, event, u64::from(*times));
            }
            let Some((_, event)) = cycle.seen.last() else { continue };
            let tick = cycle.tick(times - 1);
            // Of two answers at one moment, the one that was asked for later; readiness has its turn after liveness.
            let order = (tick + cycle.lasts(), tick, cycle.asked.is_some(), cycle.kind == ProbeKind::Readiness);
            if last.as_ref().is_none_or(|(before, _)| *before < order) {
                last = Some((order, event.clone()));
            }
        }
        if let Some(((at, ..), event)) = last {
            self.judge.saw(at, event);
        }
    }
}

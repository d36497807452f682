//! A run's record: what happened, when, and to which VMI.

use super::{Event, VmiReason};
use crate::time::Time;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its time on the scenario's clock.
    pub at: Time,
    /// The VMI, counted from 1; 0 before there is one.
    pub vmi: u32,
    /// What happened.
    pub event: Event,
    /// More for a reader, never compared: a probe's text, a guest's boot id.
    pub detail: String,
    /// It happened in the boot of the template that the guest was forked from.
    pub replayed: bool,
}

/// The trace of a run, in the order of arrival until [`Trace::sorted`]. It is bounded: of a run that is longer than any scenario,
/// the oldest probes' attempts and answers are forgotten first.
///
/// A trace that [keeps changes](Keeps::Changes) only counts what probes write again and again, so that it can be skipped: a report
/// of each attempt is made of a run that was stepped.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    keeps: Keeps,
    entries: Vec<Entry>,
    forgotten: usize,
    logged: usize,
    counted: Vec<Counted>,
}

/// What a trace keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keeps {
    /// Every entry.
    #[default]
    Everything,
    /// What a user could see change; the rest is counted.
    Changes,
}

/// How often something was written that is not kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// Of this VMI.
    pub vmi: u32,
    /// What.
    pub event: Event,
    /// How often.
    pub times: u64,
}

/// More entries than any scenario has.
const MAX_ENTRIES: usize = 200_000;
/// Where even what probes did not write is too much: the first so many stay.
const FIRST: usize = MAX_ENTRIES / 8;

impl Trace {
    /// Nothing has happened yet.
    pub fn new(keeps: Keeps) -> Trace {
        Trace { keeps, ..Trace::default() }
    }

    /// What probes write again and again is counted and not kept.
    pub fn keeps_changes(&self) -> bool {
        self.keeps == Keeps::Changes
    }

    /// Appends, or counts.
    pub fn push(&mut self, entry: Entry) {
        if self.keeps_changes() && entry.event.is_routine() {
            return self.count(entry.vmi, &entry.event, 1);
        }
        if self.entries.len() >= MAX_ENTRIES {
            self.forget();
        }
        self.logged += 1;
        self.entries.push(entry);
    }

    /// Makes room in the older half.
    fn forget(&mut self) {
        let before = self.entries.len();
        let newer = self.entries.split_off(before / 2);
        self.entries.retain(|e| !e.event.is_routine());
        if self.entries.len() > before / 4 {
            self.entries.truncate(FIRST);
        }
        self.entries.extend(newer);
        self.forgotten += before - self.entries.len();
    }

    /// How many entries were forgotten.
    pub fn forgotten(&self) -> usize {
        self.forgotten
    }

    /// How many there have been in all, counted ones too.
    pub fn logged(&self) -> usize {
        self.logged
    }

    /// Counts what is not kept.
    pub fn count(&mut self, vmi: u32, event: &Event, times: u64) {
        self.logged += usize::try_from(times).unwrap_or(usize::MAX);
        // The present VMI's are the last ones.
        match self.counted.iter_mut().rev().find(|c| c.vmi == vmi && c.event == *event) {
            Some(counted) => counted.times += times,
            None => self.counted.push(Counted { vmi, event: event.clone(), times }),
        }
    }

    /// Hands out what there is, and what was counted with it is forgotten: only how many there were stays.
    pub fn take(&mut self) -> Vec<Entry> {
        self.counted.clear();
        std::mem::take(&mut self.entries)
    }

    /// What was counted and not kept. Its order says nothing.
    pub fn counted(&self) -> &[Counted] {
        &self.counted
    }

    /// As they arrived.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// By their own times; QEMU's rate-limited events arrive late (qemu-watchdog.md 6.3).
    pub fn sorted(&self) -> Vec<Entry> {
        let mut entries = self.entries.clone();
        entries.sort_by_key(|e| e.at);
        entries
    }
}

impl Event {
    /// A probe writes it again and again while nothing changes.
    pub fn is_routine(&self) -> bool {
        matches!(
            self,
            Event::Attempt(..)
                | Event::Answered(..)
                | Event::Unhealthy(_)
                | Event::ProbeWarning(_)
                | Event::VmiEvent(VmiReason::GuestAgentPingFailed)
        )
    }
}

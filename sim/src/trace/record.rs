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
#[derive(Debug, Clone, Default)]
pub struct Trace {
    entries: Vec<Entry>,
    forgotten: usize,
}

/// More entries than any scenario has.
const MAX_ENTRIES: usize = 200_000;
/// Where even what probes did not write is too much: the first so many stay.
const FIRST: usize = MAX_ENTRIES / 8;

impl Trace {
    /// Appends.
    pub fn push(&mut self, entry: Entry) {
        if self.entries.len() >= MAX_ENTRIES {
            self.forget();
        }
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

    /// How many there have been in all.
    pub fn logged(&self) -> usize {
        self.entries.len() + self.forgotten
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

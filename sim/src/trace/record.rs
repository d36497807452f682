//! A run's record: what happened, when, and to which VMI.

use super::Event;
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

/// The trace of a run: bounded, in the order of arrival until [`Trace::sorted`].
#[derive(Debug, Clone, Default)]
pub struct Trace {
    entries: Vec<Entry>,
    overflowed: bool,
}

/// More entries than any scenario has; reaching it is a named failure.
const MAX_ENTRIES: usize = 200_000;

impl Trace {
    /// Appends unless the bound is reached.
    pub fn push(&mut self, entry: Entry) {
        if self.entries.len() < MAX_ENTRIES {
            self.entries.push(entry);
        } else {
            self.overflowed = true;
        }
    }

    /// The bound was reached: the run must not be judged.
    pub fn overflowed(&self) -> bool {
        self.overflowed
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

//! The event queue: ordered by time, then by the order of insertion.

use crate::time::Time;
use std::collections::BTreeMap;

/// Future events of the virtual world.
#[derive(Debug, Clone)]
pub struct Queue<E> {
    events: BTreeMap<(Time, u64), E>,
    sequence: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Queue { events: BTreeMap::new(), sequence: 0 }
    }
}

impl<E> Queue<E> {
    /// Adds an event at `at`; events of one moment keep their order.
    pub fn push(&mut self, at: Time, event: E) {
        self.events.insert((at, self.sequence), event);
        self.sequence += 1;
    }

    /// Removes the events of which `wanted` tells something, wherever they are; when each was due and what it told, in their order.
    pub(super) fn take<T>(&mut self, wanted: impl Fn(&E) -> Option<T>) -> Vec<(Time, T)> {
        let (keys, told): (Vec<_>, Vec<_>) = self.events.iter().filter_map(|(k, e)| Some((*k, wanted(e)?))).unzip();
        self.events.retain(|key, _| !keys.contains(key));
        keys.into_iter().map(|(at, _)| at).zip(told).collect()
    }

    /// What is in it, in its order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Time, &E)> {
        self.events.iter().map(|((at, _), event)| (*at, event))
    }

    /// When the next event is.
    pub(super) fn next_at(&self) -> Option<Time> {
        self.events.keys().next().map(|(at, _)| *at)
    }

    /// Takes the next event, if it is not later than `limit`.
    pub(super) fn pop_until(&mut self, limit: Time) -> Option<E> {
        self.next_at().filter(|at| *at <= limit)?;
        self.pop().map(|(_, event)| event)
    }

    /// Takes the next event.
    pub fn pop(&mut self) -> Option<(Time, E)> {
        self.events.pop_first().map(|((at, _), event)| (at, event))
    }
}

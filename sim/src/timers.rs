//! A table of named timers: whoever keeps it asks it when the next one is due and takes each that is, so none is forgotten.

use crate::time::Time;
use std::collections::BTreeMap;

/// Timers by name, each set once at most.
#[derive(Debug, Clone)]
pub struct Timers<T> {
    set: BTreeMap<T, Time>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Timers { set: BTreeMap::new() }
    }
}

impl<T: Ord + Copy> Timers<T> {
    /// Sets it, in place of what it was set to.
    pub fn set(&mut self, timer: T, at: Time) {
        self.set.insert(timer, at);
    }

    /// It is not to be due any more.
    pub fn clear(&mut self, timer: T) {
        self.set.remove(&timer);
    }

    /// It was set and is not yet due.
    pub fn is_set(&self, timer: T) -> bool {
        self.set.contains_key(&timer)
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Time> {
        self.set.values().min().copied()
    }

    /// Takes one that is due at `now`, the earliest first; it is set no more.
    pub fn due(&mut self, now: Time) -> Option<T> {
        let (timer, _) = self.set.iter().min_by_key(|(_, at)| **at).filter(|(_, at)| **at <= now)?;
        let timer = *timer;
        self.set.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_is_due_first_and_once() {
        let mut timers = Timers::default();
        for (name, second) in [('a', 9), ('b', 2), ('c', 5), ('d', 3), ('a', 4)] {
            timers.set(name, Time::from_secs(second));
        }
        timers.clear('d');
        assert_eq!(timers.next(), Some(Time::from_secs(2)));
        let mut due = |second| std::iter::from_fn(|| timers.due(Time::from_secs(second))).collect::<String>();
        assert_eq!([due(1), due(4), due(4), due(9)], ["", "ba", "", "c"]);
        assert_eq!((timers.next(), timers.is_set('a')), (None, false));
    }
}

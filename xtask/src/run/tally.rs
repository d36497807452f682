//! How far a run is: n of m, what is waited for, how long that took last time, and about how long the rest will take.
//!
//! A function of what began and ended when: it looks at no clock. Templates are booted and scenarios run as many at once as there
//! are lanes, so the rest takes its sum by lanes, and no less than its longest. What was never timed counts as the mean of
//! what was, of its own kind; where nothing of a kind was ever timed there is no estimate.

use crate::durations::Durations;
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

/// What takes its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    Template,
    Scenario,
}

#[derive(Debug)]
struct Item {
    /// As a user knows it.
    name: String,
    /// As it is noted.
    key: String,
    /// How long it took last time.
    last: Option<Duration>,
    /// Its number among those that have begun; one that is run again keeps it.
    number: Option<usize>,
    begun: Option<Instant>,
    took: Option<Duration>,
}

/// The templates and scenarios of a run on one host.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    items: BTreeMap<(What, usize), Item>,
    lanes: u32,
    durations: Durations,
}

impl Tally {
    pub(crate) fn new(lanes: usize, durations: Durations) -> Tally {
        Tally { items: BTreeMap::new(), lanes: u32::try_from(lanes).unwrap_or(u32::MAX).max(1), durations }
    }

    /// It is going to be waited for; `key`: what its duration is noted under.
    pub(crate) fn expect(&mut self, what: What, index: usize, name: &str, key: String) {
        let last = self.durations.last(&key);
        let item = Item { name: name.to_owned(), key, last, number: None, begun: None, took: None };
        self.items.insert((what, index), item);
    }

    /// It begins: its number of all, and how long it took last time.
    pub(crate) fn begins(&mut self, what: What, index: usize, now: Instant) -> String {
        let all = self.of(what).count();
        let begun = self.of(what).filter(|item| item.begun.is_some()).count();
        let Some(item) = self.items.get_mut(&(what, index)) else { return String::new() };
        let number = *item.number.get_or_insert(begun + 1);
        item.begun = Some(now);
        match item.last {
            Some(last) => format!("{number} of {all}, {} last time", words(last)),
            None => format!("{number} of {all}"),
        }
    }

    /// It is over; `timed`: so that the next run may learn from it. Says how far the run is.
    pub(crate) fn ends(&mut self, what: What, index: usize, now: Instant, timed: bool) -> String {
        if let Some(item) = self.items.get_mut(&(what, index))
            && let Some(begun) = item.begun
        {
            let took = now.saturating_duration_since(begun);
            item.took = Some(took);
            if timed {
                self.durations.note(&item.key, took);
            }
        }
        format!("{}{}", self.count(what), self.left_words(now))
    }

    /// For the next run.
    pub(crate) fn save(&mut self) -> std::io::Result<()> {
        self.durations.save()
    }

    fn of(&self, what: What) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |((of, _), _)| *of == what).map(|(_, item)| item)
    }

    fn count(&self, what: What) -> String {
        format!("{} of {}", self.of(what).filter(|i| i.took.is_some()).count(), self.of(what).count())
    }

    /// About how long the rest will take; `None`: nothing like it was ever timed.
    pub(crate) fn left(&self, now: Instant) -> Option<Duration> {
        let (mut sum, mut longest) = (Duration::ZERO, Duration::ZERO);
        for what in [What::Template, What::Scenario] {
            let usual: Vec<Duration> = self.of(what).filter_map(|i| i.took.or(i.last)).collect();
            let mean = u32::try_from(usual.len()).ok().filter(|n| *n > 0).map(|n| usual.iter().sum::<Duration>() / n);
            for item in self.of(what).filter(|i| i.took.is_none()) {
                let so_far = item.begun.map_or(Duration::ZERO, |begun| now.saturating_duration_since(begun));
                let left = item.last.or(mean)?.saturating_sub(so_far);
                sum += left;
                longest = longest.max(left);
            }
        }
        Some((sum / self.lanes.max(1)).max(longest))
    }

    fn left_words(&self, now: Instant) -> String {
        match self.left(now) {
            Some(left) if !left.is_zero() => format!("; about {} left", words(left)),
            _ => String::new(),
        }
    }

    /// In a line: `scenarios 12 of 270; about 3 min left; waits for a/b/c, 40 s so far, 38 s last time`.
    pub(crate) fn describe(&self, now: Instant) -> String {
        let parts = [(What::Template, "templates"), (What::Scenario, "scenarios")];
        let counted = parts.into_iter().filter(|(what, _)| self.of(*what).next().is_some());
        let counts: Vec<String> = counted.map(|(what, word)| format!("{word} {}", self.count(what))).collect();
        let running = self.items.values().filter(|i| i.took.is_none()).filter_map(|i| Some((i.begun?, i)));
        let waits = running.min_by_key(|(begun, _)| *begun).map_or(String::new(), |(begun, item)| {
            let last = item.last.map_or(String::new(), |last| format!(", {} last time", words(last)));
            format!("; waits for {}, {} so far{last}", item.name, words(now.saturating_duration_since(begun)))
        });
        format!("{}{}{waits}", counts.join(", "), self.left_words(now))
    }
}

/// As people say it.
pub(crate) fn words(span: Duration) -> String {
    struct Words(u64);
    impl fmt::Display for Words {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self.0 {
                s @ 0..100 => write!(f, "{s} s"),
                s @ 100..5400 => write!(f, "{} min", (s + 30) / 60),
                s => write!(f, "{} h {:02} min", s / 3600, s % 3600 / 60),
            }
        }
    }
    match span.as_secs_f64() {
        short if short < 1.0 => format!("{short:.1} s"),
        long => Words(long.round() as u64).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Two lanes; a template that took 30 s last time, and scenarios that took 10 s, 4 s and a time that nobody knows.
    fn tally() -> Tally {
        let mut durations = Durations::default();
        [("template amd64", 30), ("one", 10), ("two", 4)]
            .iter()
            .for_each(|(name, took)| durations.note(name, s(*took)));
        let mut tally = Tally::new(2, durations);
        tally.expect(What::Template, 0, "the guest of one", "template amd64".into());
        for (index, name) in ["one", "two", "three"].into_iter().enumerate() {
            tally.expect(What::Scenario, index, name, name.into());
        }
        tally
    }

    #[test]
    fn numbers_last_times_and_the_rest() {
        let (mut tally, t) = (tally(), Instant::now());
        // 30 + 10 + 4 + 7 (their mean) by two lanes is less than the longest.
        assert_eq!(tally.left(t), Some(s(30)));
        assert_eq!(tally.begins(What::Template, 0, t), "1 of 1, 30 s last time");
        assert_eq!(
            tally.describe(t + s(5)),
            "templates 0 of 1, scenarios 0 of 3; about 25 s left; waits for the guest of one, 5 s so far, 30 s last time"
        );
        assert_eq!(tally.ends(What::Template, 0, t + s(20), true), "1 of 1; about 11 s left");
        assert_eq!(tally.begins(What::Scenario, 2, t + s(20)), "1 of 3");
        assert_eq!(tally.begins(What::Scenario, 0, t + s(21)), "2 of 3, 10 s last time");
        // 1 (7 less 6), 5 and 4 by two lanes, and no less than the longest.
        assert_eq!(tally.left(t + s(26)), Some(s(5)));
        assert_eq!(tally.ends(What::Scenario, 2, t + s(26), true), "1 of 3; about 5 s left");
        assert_eq!(tally.begins(What::Scenario, 0, t + s(27)), "2 of 3, 10 s last time", "again alone");
        tally.ends(What::Scenario, 0, t + s(30), false);
        tally.begins(What::Scenario, 1, t + s(30));
        assert_eq!(tally.ends(What::Scenario, 1, t + s(31), true), "3 of 3");
        let last = |name| tally.durations.last(name);
        assert_eq!([last("one"), last("two"), last("three")], [Some(s(10)), Some(s(1)), Some(s(6))]);
    }

    #[test]
    fn what_was_never_timed_has_no_estimate() {
        let (mut tally, t) = (Tally::new(2, Durations::default()), Instant::now());
        tally.expect(What::Scenario, 0, "one", "one".into());
        tally.expect(What::Scenario, 1, "two", "two".into());
        assert_eq!((tally.left(t), tally.describe(t)), (None, "scenarios 0 of 2".to_owned()));
        tally.begins(What::Scenario, 0, t);
        assert_eq!(tally.ends(What::Scenario, 0, t + s(4), true), "1 of 2; about 4 s left", "now one is known");
    }

    #[test]
    fn spans_as_people_say_them() {
        let check = |millis, expected: &str| assert_eq!(words(Duration::from_millis(millis)), expected);
        check(0, "0.0 s");
        check(420, "0.4 s");
        check(1_000, "1 s");
        check(99_000, "99 s");
        check(100_000, "2 min");
        check(5_399_000, "90 min");
        check(5_400_000, "1 h 30 min");
    }
}

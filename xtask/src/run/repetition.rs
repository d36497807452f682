//! The same scenarios several times: what came of them, and how far apart the same events were.
//!
//! What comes after a fault is told from that fault's order on: how long a guest took before it plays no part, and the table says
//! how long each effect takes.

use crate::report::{Results, VerdictWord, timeline_lines};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use vmhealth_guests::reality::TIMELINE;

/// A timeline is longer than its table is read.
const MOST_EVENTS: usize = 60;
/// The verdicts, in the order of the columns.
const VERDICTS: [VerdictWord; 5] =
    [VerdictWord::Pass, VerdictWord::Fail, VerdictWord::Infra, VerdictWord::Skip, VerdictWord::Flaky];

/// What several runs had in common.
#[derive(Debug, Default)]
pub struct Repetition {
    /// By scenario and world.
    of: BTreeMap<(String, String), Repeated>,
}

#[derive(Debug, Default)]
struct Repeated {
    verdicts: Vec<VerdictWord>,
    /// In the order of the first run that had them; the instants in seconds, from the fault's order on.
    events: Vec<(Seen, Vec<f64>)>,
    /// Each reason once, and how often.
    reasons: BTreeMap<String, usize>,
}

/// What says that events of two runs are the same.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// How many faults were ordered before it.
    faults: usize,
    event: String,
    /// How often it has been seen since the last fault.
    number: usize,
    /// It is the order of the last of them.
    is_order: bool,
}

impl Repetition {
    /// One more run, whose evidence is in `folder`.
    pub fn add(&mut self, results: &Results, folder: &Path) {
        for scenario in &results.scenarios {
            let repeated = self.of.entry((scenario.id.clone(), scenario.place())).or_default();
            let timeline = std::fs::read_to_string(folder.join(scenario.folder()).join(TIMELINE)).unwrap_or_default();
            repeated.add(scenario.verdict, &scenario.reason, &timeline);
        }
    }
}

impl Repeated {
    fn add(&mut self, verdict: VerdictWord, reason: &str, timeline: &str) {
        self.verdicts.push(verdict);
        if !reason.is_empty() {
            *self.reasons.entry(reason.to_owned()).or_default() += 1;
        }
        let mut before: BTreeMap<String, usize> = BTreeMap::new();
        let (mut faults, mut ordered) = (0, 0.0);
        for line in timeline_lines(timeline) {
            // Attempts and answers of probes are a grid, and no instants that anything decides.
            if ["readiness ", "liveness "].iter().any(|probe| line.event.starts_with(probe)) {
                continue;
            }
            let is_order = line.event.starts_with("fault ") && line.event.ends_with(" begun");
            if is_order {
                (faults, ordered) = (faults + 1, line.t);
                before.clear();
            }
            let number = before.entry(line.event.clone()).or_default();
            *number += 1;
            let seen = Seen { faults, event: line.event, number: *number, is_order };
            // The order itself is told from the run's beginning on, as what comes before the first.
            let instant = if is_order { line.t } else { line.t - ordered };
            match self.events.iter_mut().find(|(known, _)| *known == seen) {
                Some((_, instants)) => instants.push(instant),
                None => self.events.push((seen, vec![instant])),
            }
        }
    }
}

impl fmt::Display for Repetition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((id, place), repeated) in &self.of {
            let count = |word: &VerdictWord| (repeated.verdicts.iter().filter(|v| *v == word).count(), word.as_str());
            let counts: Vec<String> =
                VERDICTS.iter().map(count).filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
            writeln!(f, "{id} ({place}): {} of {} runs", counts.join(", "), repeated.verdicts.len())?;
            for (reason, times) in &repeated.reasons {
                writeln!(f, "  {times} times: {reason}")?;
            }
            writeln!(
                f,
                "  {:>5}  {:>10}  {:>10}  {:>10}  {:>8}  event",
                "runs", "first s", "median s", "last s", "spread"
            )?;
            // An event that not every run had stands with its fault's others.
            let mut events: Vec<&(Seen, Vec<f64>)> = repeated.events.iter().collect();
            events.sort_by_key(|(seen, _)| seen.faults);
            for (Seen { faults, event, number, is_order }, instants) in events.into_iter().take(MOST_EVENTS) {
                let mut sorted = instants.clone();
                sorted.sort_by(f64::total_cmp);
                let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else { continue };
                let median = sorted[sorted.len() / 2];
                let since = if *faults > 0 && !is_order { "  + " } else { "" };
                let again = if *number > 1 { format!(" (the {number}.)") } else { String::new() };
                let (runs, spread) = (sorted.len(), last - first);
                writeln!(
                    f,
                    "  {runs:>5}  {first:>10.3}  {median:>10.3}  {last:>10.3}  {spread:>8.3}  {since}{event}{again}"
                )?;
            }
            if repeated.events.len() > MOST_EVENTS {
                writeln!(f, "  and {} more events", repeated.events.len() - MOST_EVENTS)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_and_instants() {
        let line = |t: f64, event: &str| {
            format!("{{\"detail\":\"\",\"event\":\"{event}\",\"replayed\":false,\"t\":{t},\"vmi\":1}}\n")
        };
        let mut repeated = Repeated::default();
        for (panic, watchdog, reset) in [(15.0, 20.5, 41.0), (14.5, 20.0, 40.0), (16.0, 21.25, 42.5)] {
            let timeline = [
                line(10.0, "guest ready"),
                line(11.0, "readiness answer Success"),
                line(panic, "fault kernelPanic begun"),
                line(watchdog, "qemu WATCHDOG reset"),
                line(reset, "guest ready"),
                line(reset + 1.0, "fault killAgent begun"),
                line(reset + 1.25, "qemu AGENT closed"),
                line(reset + 1.5, "qemu AGENT closed"),
            ];
            repeated.add(VerdictWord::Pass, "", &timeline.concat());
        }
        repeated.add(VerdictWord::Fail, "awaited qemu EXIT (1 of 1): deadline", &line(10.5, "guest ready"));
        let of = BTreeMap::from([(("a/b/c".to_owned(), "qemu".to_owned()), repeated)]);
        insta::assert_snapshot!("repetition", Repetition { of }.to_string());
    }
}

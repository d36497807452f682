//! `explore`: which outcome comes at which moment of the fault, a strip for each order of the faults.
//!
//! A strip has at most [`COLUMNS`] columns. Where several runs share one, as with two faults, the most frequent outcome gives its
//! colour and the column says the others. Below it is how long it took in each column, between the fastest of
//! all runs and the slowest.

use super::chart::{Axis, Box, Chart, LEFT, RIGHT, rounded};
use super::page::Part;
use std::collections::BTreeMap;
use vmhealth_sim::explore::{Exploration, Outcome, Tried};

/// Of a strip.
const COLUMNS: usize = 400;
/// More outcomes share the last colour; their letters tell them apart.
const COLOURS: usize = 6;
const STRIP: f64 = 34.0;
const TOOK: f64 = 60.0;

/// Neighbouring columns with the same outcomes.
#[derive(Debug, Clone, PartialEq)]
struct Segment {
    /// Seconds from the guest being ready to the first fault: of the first run and of the last.
    from: f64,
    to: f64,
    /// Outcome to runs.
    outcomes: BTreeMap<usize, usize>,
    /// The fastest and the slowest, seconds.
    took: (f64, f64),
}

impl Segment {
    fn of(tried: &Tried) -> Option<Segment> {
        let at = tried.instants.first()?.0.as_secs_f64();
        let took = tried.took.as_secs_f64();
        Some(Segment { from: at, to: at, outcomes: [(tried.outcome, 1)].into(), took: (took, took) })
    }

    fn add(&mut self, other: &Segment) {
        (self.from, self.to) = (self.from.min(other.from), self.to.max(other.to));
        self.took = (self.took.0.min(other.took.0), self.took.1.max(other.took.1));
        for (outcome, runs) in &other.outcomes {
            *self.outcomes.entry(*outcome).or_default() += runs;
        }
    }

    fn has_same_outcomes(&self, other: &Segment) -> bool {
        self.outcomes.keys().eq(other.outcomes.keys())
    }

    /// The most frequent; of several the first.
    fn main(&self) -> usize {
        let most = self.outcomes.iter().max_by_key(|(outcome, runs)| (**runs, std::cmp::Reverse(**outcome)));
        most.map_or(0, |(outcome, _)| *outcome)
    }

    fn letters(&self) -> String {
        let all: usize = self.outcomes.values().sum();
        let one = |(outcome, runs): (&usize, &usize)| match *runs == all {
            true => letter(*outcome),
            false => format!("{} {runs} of {all}", letter(*outcome)),
        };
        self.outcomes.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn moments(&self) -> String {
        if self.from == self.to {
            rounded(self.from)
        } else {
            format!("{} to {}", rounded(self.from), rounded(self.to))
        }
    }

    fn took(&self) -> String {
        let (best, worst) = self.took;
        if worst - best < 0.05 { format!("{best:.1}") } else { format!("{best:.1} to {worst:.1}") }
    }
}

/// A, B, ..., Z, A1, B1, ...
fn letter(outcome: usize) -> String {
    let letter = char::from(b'A' + u8::try_from(outcome % 26).unwrap_or_default());
    if outcome < 26 { letter.to_string() } else { format!("{letter}{}", outcome / 26) }
}

fn colour(outcome: usize) -> String {
    format!("o{}", outcome.min(COLOURS - 1))
}

/// The strips of an exploration, and what its outcomes are.
pub fn explored(found: &Exploration) -> Part {
    let mut orders: BTreeMap<String, Vec<Segment>> = BTreeMap::new();
    for tried in &found.tried {
        let kinds: Vec<String> = tried.instants.iter().map(|(_, kind)| kind.to_string()).collect();
        orders.entry(kinds.join(", then ")).or_default().extend(Segment::of(tried));
    }
    let outcomes = match found.outcomes.len() {
        1 => "one outcome, whenever it comes".to_owned(),
        n => format!("{n} outcomes, which is a race"),
    };
    Part {
        heading: format!("{} runs: {outcomes}", found.runs),
        charts: orders.into_iter().map(|(faults, runs)| strip(faults, &runs, &found.outcomes)).collect(),
        ..Part::default()
    }
}

/// One for each column.
fn columns(runs: &[Segment], axis: Axis) -> Vec<Segment> {
    let mut columns: BTreeMap<usize, Segment> = BTreeMap::new();
    for run in runs {
        let share = (run.from - axis.from) / (axis.to - axis.from).max(1e-3);
        let column = ((share * COLUMNS as f64) as usize).min(COLUMNS - 1);
        columns.entry(column).and_modify(|segment| segment.add(run)).or_insert_with(|| run.clone());
    }
    columns.into_values().collect()
}

/// Neighbours with the same outcomes are one.
fn segments(columns: &[Segment]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for column in columns {
        match segments.last_mut().filter(|last| last.has_same_outcomes(column)) {
            Some(last) => last.add(column),
            None => segments.push(column.clone()),
        }
    }
    segments
}

fn strip(faults: String, runs: &[Segment], outcomes: &[Outcome]) -> Chart {
    let (first, last) = runs.iter().fold((f64::MAX, 0.0_f64), |(a, b), run| (a.min(run.from), b.max(run.to)));
    let axis = Axis { from: first, to: last };
    let columns = columns(runs, axis);
    let segments = segments(&columns);
    let slowest = columns.iter().map(|s| s.took.1).fold(0.0, f64::max);
    let fastest = columns.iter().map(|s| s.took.0).fold(slowest, f64::min);
    let mut chart = Chart { heading: faults, ..Chart::default() };
    chart.text(8.0, 22.0, "start", "", "outcome".to_owned());
    chart.text(8.0, STRIP + 20.0, "start", "", "over after".to_owned());
    chart.text(LEFT - 8.0, STRIP + 20.0, "end", "soft", format!("{slowest:.1} s"));
    chart.text(LEFT - 8.0, STRIP + TOOK + 10.0, "end", "soft", format!("{fastest:.1} s"));
    let height = |took: f64| TOOK * (took - fastest) / (slowest - fastest).max(0.1);
    let wide = (RIGHT - LEFT) / columns.len().max(1) as f64;
    for column in &columns {
        let (low, high) = (height(column.took.0), height(column.took.1));
        let (x, y) = (axis.x(column.from), STRIP + 8.0 + TOOK - high);
        let class = format!("{} span", colour(column.main()));
        let width = wide.min(RIGHT - x).max(2.0);
        chart.boxes.push(Box { x, y, width, height: (high - low).max(3.0), class, says: String::new() });
    }
    for (i, segment) in segments.iter().enumerate() {
        let begin = axis.x(segment.from);
        // Up to the next one: between two instants nothing was tried.
        let end = segments.get(i + 1).map_or(axis.x(last), |next| axis.x(next.from)).max(begin + 2.0);
        let says = format!(
            "{} s: outcome {}; over {} s after the last fault",
            segment.moments(),
            segment.letters(),
            segment.took()
        );
        let class = colour(segment.main());
        let (x, width) = (begin, end - begin);
        chart.boxes.push(Box { x, y: 0.0, width, height: STRIP, class, says });
        if width > 26.0 {
            let letters: Vec<String> = segment.outcomes.keys().map(|outcome| letter(*outcome)).collect();
            chart.text(begin + width / 2.0, 22.0, "middle", "letter", letters.join("/"));
        }
        chart.rows.push(vec![segment.moments(), segment.letters(), segment.took()]);
    }
    chart.head = vec!["first fault, s after the guest was ready", "outcome", "over after the last fault, s"];
    chart.height = STRIP + TOOK + 18.0;
    chart.axis(axis, "the moment of the first fault, counted from the guest being ready");
    let seen: Vec<usize> =
        (0..outcomes.len()).filter(|o| segments.iter().any(|s| s.outcomes.contains_key(o))).collect();
    chart.legend = seen.into_iter().map(|o| (colour(o), letter(o), words(&outcomes[o]))).collect();
    chart
}

fn words(outcome: &Outcome) -> String {
    let sequence = match outcome.sequence.as_slice() {
        [] => "nothing happens that a user would see".to_owned(),
        sequence => sequence.join(" > "),
    };
    let runs = if outcome.runs == 1 { "1 run".to_owned() } else { format!("{} runs", outcome.runs) };
    format!("{runs}: {sequence}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use vmhealth_sim::fault::FaultKind;

    fn tried(at: u64, outcome: usize, took: u64) -> Tried {
        let instants = vec![(Duration::from_secs(at), FaultKind::KernelPanic)];
        Tried { instants, outcome, took: Duration::from_secs(took) }
    }

    #[test]
    fn neighbours_with_the_same_outcome_are_one_segment() {
        let runs = [tried(10, 0, 5), tried(11, 0, 7), tried(12, 1, 9), tried(13, 0, 6)];
        let found = Exploration { runs: 4, outcomes: Vec::new(), tried: runs.to_vec() };
        let part = explored(&found);
        assert_eq!(part.charts[0].heading, "kernelPanic");
        let rows: Vec<String> = part.charts[0].rows.iter().map(|row| row.join(" | ")).collect();
        assert_eq!(rows, ["10 to 11 | A | 5.0 to 7.0", "12 | B | 9.0", "13 | A | 6.0"]);
        let said: Vec<&str> = part.charts[0].boxes.iter().map(|b| b.says.as_str()).filter(|s| !s.is_empty()).collect();
        assert_eq!(said[1], "12 s: outcome B; over 9.0 s after the last fault");
    }

    #[test]
    fn a_strip_is_bounded_and_says_what_shares_a_column() {
        let many: Vec<Tried> = (0..100_000).map(|i| tried(i, usize::from(i % 3 == 0), 1)).collect();
        let found = Exploration { runs: many.len(), outcomes: Vec::new(), tried: many };
        let part = explored(&found);
        assert!(part.charts[0].rows.len() <= COLUMNS, "{}", part.charts[0].rows.len());
        assert!(part.charts[0].rows[0][1].starts_with("A 66"), "{:?}", part.charts[0].rows[0]);
    }

    #[test]
    fn letters_go_on() {
        assert_eq!([0, 25, 26, 53].map(letter), ["A", "Z", "A1", "B2"]);
    }
}

//! What `cargo xtask explore` shows: each outcome with its best and its worst moment, and where it parts from the usual one.

use serde::Serialize;
use vmhealth_sim::explore::{Exploration, Extreme, Outcome, shows};
use vmhealth_sim::fault::FaultKind;
use vmhealth_sim::trace::Entry;

/// The outcomes, the most frequent first.
#[derive(Debug, Clone, Serialize)]
pub struct ExploreReport {
    schema: u32,
    runs: usize,
    /// More than one is a race.
    outcomes: Vec<OutcomeReport>,
}

#[derive(Debug, Clone, Serialize)]
struct OutcomeReport {
    runs: usize,
    /// What a user would see, in its order.
    sequence: Vec<String>,
    best: ExtremeReport,
    worst: ExtremeReport,
    /// Of the run with the fewest events: the faults and what a user would see, up to where it parts from the first outcome.
    trace: Vec<Moment>,
}

#[derive(Debug, Clone, Serialize)]
struct ExtremeReport {
    /// From the last fault to the last thing seen, seconds.
    took_s: f64,
    /// Counted from the guest being ready.
    faults: Vec<Moment>,
}

#[derive(Debug, Clone, Serialize)]
struct Moment {
    at_s: f64,
    event: String,
}

impl From<&Exploration> for ExploreReport {
    fn from(found: &Exploration) -> Self {
        let usual = found.outcomes.first();
        ExploreReport {
            schema: 1,
            runs: found.runs,
            outcomes: found.outcomes.iter().map(|o| OutcomeReport::of(o, usual)).collect(),
        }
    }
}

impl OutcomeReport {
    fn of(outcome: &Outcome, usual: Option<&Outcome>) -> OutcomeReport {
        let usual = usual.filter(|u| u.sequence != outcome.sequence);
        OutcomeReport {
            runs: outcome.runs,
            sequence: outcome.sequence.clone(),
            best: ExtremeReport::from(&outcome.best),
            worst: ExtremeReport::from(&outcome.worst),
            trace: moments(&outcome.trace.sorted(), usual.map(|u| u.sequence.as_slice())),
        }
    }
}

impl From<&Extreme> for ExtremeReport {
    fn from(extreme: &Extreme) -> Self {
        let moment = |(at, fault): &(std::time::Duration, FaultKind)| Moment {
            at_s: at.as_secs_f64(),
            event: fault.to_string(),
        };
        ExtremeReport { took_s: extreme.took.as_secs_f64(), faults: extreme.instants.iter().map(moment).collect() }
    }
}

/// From the first fault on, up to and with the first thing that the usual sequence does not have there.
fn moments(entries: &[Entry], usual: Option<&[String]>) -> Vec<Moment> {
    let begin = entries.iter().position(|e| e.event.lane() == "fault").unwrap_or(entries.len());
    let (mut moments, mut seen) = (Vec::new(), 0);
    for entry in &entries[begin..] {
        let visible = shows(&entry.event);
        if !visible && entry.event.lane() != "fault" {
            continue;
        }
        moments.push(Moment { at_s: entry.at.as_secs_f64(), event: entry.event.to_string() });
        if visible {
            if usual.is_some_and(|u| u.get(seen) != Some(&entry.event.to_string())) {
                break;
            }
            seen += 1;
        }
    }
    moments
}

impl ExploreReport {
    /// As text; `faults` as they were asked for.
    pub fn render(&self, faults: &str) -> String {
        let what = match self.outcomes.len() {
            1 => "one outcome".to_owned(),
            n => format!("{n} outcomes, which is a race"),
        };
        let mut out = format!("{} runs of {faults}: {what}\n", self.runs);
        for outcome in &self.outcomes {
            let sequence = if outcome.sequence.is_empty() {
                "nothing happens that a user would see".into()
            } else {
                outcome.sequence.join(" > ")
            };
            out += &format!("\n{} of them: {sequence}\n", outcome.runs);
            let (best, worst) = (&outcome.best, &outcome.worst);
            let extremes = if best.took_s == worst.took_s {
                vec![("always", best)]
            } else {
                vec![("best", best), ("worst", worst)]
            };
            for (word, extreme) in extremes {
                let faults: Vec<String> =
                    extreme.faults.iter().map(|m| format!("{} at {:.3} s", m.event, m.at_s)).collect();
                out += &format!(
                    "  {word}: over {:.1} s after the last fault, with {} after the guest was ready\n",
                    extreme.took_s,
                    faults.join(", ")
                );
            }
            if self.outcomes.len() > 1 {
                for moment in &outcome.trace {
                    out += &format!("    {:>9.3}  {}\n", moment.at_s, moment.event);
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use vmhealth_sim::cluster::{DomainEvent, Phase};
    use vmhealth_sim::manifest::WatchdogAction;
    use vmhealth_sim::time::Time;
    use vmhealth_sim::trace::{Event, Trace};

    fn outcome(runs: usize, worst: u64, events: &[(u64, Event)]) -> Outcome {
        let mut trace = Trace::default();
        for (secs, event) in events {
            let (at, event) = (Time::from_secs(*secs), event.clone());
            trace.push(Entry { at, vmi: 1, event, detail: String::new(), replayed: false });
        }
        let sequence = events.iter().filter(|(_, e)| shows(e)).map(|(_, e)| e.to_string()).collect();
        let extreme = |secs| Extreme {
            took: Duration::from_secs(secs),
            instants: vec![(Duration::from_secs(90 + secs), FaultKind::KernelPanic)],
        };
        let (best, worst) = (extreme(2), extreme(worst));
        Outcome { sequence, runs, instants: best.instants.clone(), best, worst, trace }
    }

    #[test]
    fn a_race_is_shown_up_to_where_it_parts() {
        let fault = (100, Event::FaultBegun(FaultKind::KernelPanic));
        let fires = Event::Qemu(DomainEvent::Watchdog(WatchdogAction::Poweroff));
        let usual = outcome(
            15,
            9,
            &[fault.clone(), (110, fires.clone()), (110, Event::Phase(Phase::Failed)), (111, Event::GuestReady)],
        );
        let other = outcome(5, 2, &[fault, (109, Event::Killing), (110, fires), (110, Event::Phase(Phase::Failed))]);
        let report = ExploreReport::from(&Exploration { runs: 20, outcomes: vec![usual, other], tried: Vec::new() });
        insta::assert_snapshot!(report.render("kernelPanic"));
    }
}

//! The evidence against what the model shows of each cause: which fits, what speaks for and against it, and what is missing.
//!
//! A sign that was seen and that the course has speaks for it with its weight, one that it has not against it. A sign that must be
//! there and was not found speaks against it, where somebody looked: with all of its weight in a status, which stays, with half of
//! it in events and logs, which are lost with time. What comes after the last sign that was seen may be still to come.

use super::course::{Cause, Course, Suspect};
use super::fact::{Fact, Facts};
use super::predicted::Expected;
use super::sign::{Sign, Source};
use std::time::Duration;

/// A cause that fits worse than the best by less than this is not ruled out.
const CLOSE: i32 = 3;
/// So many of them are compared.
const CONTENDERS: usize = 8;
/// Two events that are so close, seconds, say nothing by their order: events count whole seconds, and two writers raced.
const SAME_TIME: i64 = 3;
/// What an order that is turned round weighs.
const ORDER: i32 = 2;

/// Something that speaks for a cause or against it.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighed {
    /// How much.
    pub weight: i32,
    /// What.
    pub text: String,
    /// `file:line`; empty: it is what was not found.
    pub place: String,
}

/// A cause and how it fits.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The cause.
    pub cause: Cause,
    /// What speaks for it less what speaks against it.
    pub score: i32,
    /// What speaks for it, the weightiest first.
    pub speaks_for: Vec<Weighed>,
    /// What speaks against it.
    pub against: Vec<Weighed>,
    /// At how many moments of the fault it goes so, and of how many.
    pub moments: (u32, u32),
    course: Course,
}

/// What would tell the causes apart that are left.
#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    /// Where to look.
    pub source: Source,
    /// A sign to look for there, and the causes that it speaks for.
    pub signs: Vec<(Sign, Vec<String>)>,
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The best first.
    pub candidates: Vec<Candidate>,
    /// How many of the first are not ruled out; 0: nothing fits.
    pub contenders: usize,
    /// What would tell those apart.
    pub missing: Vec<Missing>,
}

/// Weighs every cause.
pub fn judge(facts: &Facts, suspects: Vec<Suspect>) -> Answer {
    let mut candidates: Vec<Candidate> = suspects.into_iter().filter_map(|s| best(facts, s)).collect();
    // Of equals the one that was listed first: the commonest.
    candidates.sort_by_key(|c| std::cmp::Reverse(c.score));
    let top = candidates.first().map_or(0, |c| c.score);
    let close = candidates.iter().take_while(|c| c.score > 0 && top - c.score < CLOSE);
    let contenders = close.count().min(CONTENDERS);
    let missing = missing(facts, &candidates[..contenders]);
    Answer { candidates, contenders, missing }
}

/// The course of a cause that fits best.
fn best(facts: &Facts, suspect: Suspect) -> Option<Candidate> {
    let all = suspect.courses.iter().map(|c| c.moments).sum();
    let weighed = suspect.courses.into_iter().map(|course| {
        let (mut speaks_for, mut against) = weigh(facts, &course);
        let sum = |list: &[Weighed]| list.iter().map(|w| w.weight).sum::<i32>();
        let score = sum(&speaks_for) - sum(&against);
        [&mut speaks_for, &mut against].into_iter().for_each(|l| l.sort_by_key(|w| std::cmp::Reverse(w.weight)));
        let moments = (course.moments, all);
        Candidate { cause: suspect.cause.clone(), score, speaks_for, against, moments, course }
    });
    // The first of equals: the commonest course.
    weighed.reduce(|best, other| if other.score > best.score { other } else { best })
}

fn weigh(facts: &Facts, course: &Course) -> (Vec<Weighed>, Vec<Weighed>) {
    let expected = |sign: Sign| course.signs.iter().find(|e| e.sign == sign);
    let (mut speaks_for, mut against) = (Vec::new(), Vec::new());
    for fact in &facts.facts {
        let weight = fact.sign.weight();
        match expected(fact.sign) {
            Some(_) => speaks_for.push(seen(fact, weight, fact.sign.to_string())),
            None => against.push(seen(fact, weight, format!("{}, which does not come of it", fact.sign))),
        }
    }
    let matched = course.signs.iter().filter(|e| facts.find(e.sign).is_some());
    let last = matched.map(|e| e.at).max().unwrap_or(Duration::ZERO);
    for expected in course.signs.iter().filter(|e| e.sure && e.at <= last && facts.find(e.sign).is_none()) {
        let weight = absent(facts, expected.sign);
        if weight > 0 {
            let text = format!("not found, though it comes of it: {}", expected.sign);
            against.push(Weighed { weight, text, place: String::new() });
        }
    }
    against.extend(turned_round(facts, course));
    (speaks_for, against)
}

fn seen(fact: &Fact, weight: i32, text: String) -> Weighed {
    Weighed { weight, text, place: format!("{}:{}", fact.file, fact.line) }
}

/// What it weighs that a sign was not found; 0: nobody looked, or it need not be there any more.
fn absent(facts: &Facts, sign: Sign) -> i32 {
    let looked = sign.sources().iter().filter(|s| facts.covered.contains(s));
    let weights = looked.map(|source| match source {
        Source::Pod => sign.weight(),
        Source::Console | Source::Launcher => sign.weight() / 2,
        Source::PodEvents | Source::VmiEvents | Source::VmEvents => sign.weight() / 2,
        // What VM and VMI say now they may have said otherwise then.
        Source::Vm => 0,
    });
    weights.max().unwrap_or(0)
}

/// Pairs of events that came the other way round.
fn turned_round(facts: &Facts, course: &Course) -> Vec<Weighed> {
    let timed: Vec<(&Fact, &Expected)> = facts
        .facts
        .iter()
        .filter(|f| f.sign.sources().iter().any(|s| s.is_events()))
        .filter_map(|f| Some((f, course.signs.iter().find(|e| e.sign == f.sign && !e.at.is_zero())?)))
        .collect();
    let mut found = Vec::new();
    for (fact, expected) in &timed {
        for (other, other_expected) in &timed {
            let Some(later) = fact.when.zip(other.when).and_then(|(a, b)| a.since(b)) else { continue };
            let model_later = expected.at.as_secs_f64() - other_expected.at.as_secs_f64();
            if later > SAME_TIME && model_later < -(SAME_TIME as f64) {
                let text = format!("{} came {later} s after {}, and comes before it", fact.sign, other.sign);
                found.push(seen(fact, ORDER, text));
            }
        }
    }
    found
}

fn missing(facts: &Facts, contenders: &[Candidate]) -> Vec<Missing> {
    if contenders.len() < 2 {
        return Vec::new();
    }
    let unseen = Source::ALL.into_iter().filter(|s| !facts.covered.contains(s));
    let of_source = |source: Source| {
        let mut signs: Vec<(Sign, Vec<String>)> = Vec::new();
        for candidate in contenders {
            let there = candidate.course.signs.iter().filter(|e| e.sign.sources().first() == Some(&source));
            for Expected { sign, .. } in there.filter(|e| facts.find(e.sign).is_none()) {
                match signs.iter_mut().find(|(s, _)| s == sign) {
                    Some((_, causes)) => causes.push(candidate.cause.name.clone()),
                    None => signs.push((*sign, vec![candidate.cause.name.clone()])),
                }
            }
        }
        signs.retain(|(_, causes)| causes.len() < contenders.len());
        signs.sort_by_key(|(sign, _)| std::cmp::Reverse(sign.weight()));
        Missing { source, signs }
    };
    unseen.map(of_source).filter(|m| !m.signs.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{scenario, vm};
    use crate::manifest::WatchdogAction;
    use crate::scenario::Spec;
    use crate::time::Span;
    use crate::why::courses;
    use crate::world::Timings;

    /// All that a course shows, as evidence.
    fn evidence(course: &Course) -> Facts {
        let mut facts = Facts { covered: Source::ALL.into(), ..Facts::default() };
        for expected in course.signs.iter().filter(|e| e.sure) {
            let place = crate::why::fact::Place { file: "evidence", line: 1 };
            facts.add(expected.sign, None, place, "", 1);
        }
        facts
    }

    #[test]
    fn what_the_model_shows_of_a_cause_is_answered_with_it() {
        let vm = vm()
            .watchdog(WatchdogAction::Poweroff)
            .readiness("tcpSocket: {port: 1500}")
            .liveness("guestAgentPing: {}")
            .build();
        let guest = "watchdogDaemon: {heartbeatSeconds: 10, keepalive: masked}, healthServer: true";
        let spec = scenario().guest(guest).expect("{see: guest ready, withinGuest: 0s..2m}").build().spec;
        let spec = Spec { observe: Span(Duration::from_secs(600)), ..spec };
        let suspects = courses(&vm, &spec, Timings::default());
        assert!(suspects.len() > 20, "{} suspects", suspects.len());
        for suspect in &suspects {
            let facts = evidence(&suspect.courses[0]);
            if facts.facts.iter().all(|f| f.sign.weight() == 1) {
                continue;
            }
            let answer = judge(&facts, suspects.clone());
            let top: Vec<(&str, i32)> =
                answer.candidates.iter().take(4).map(|c| (c.cause.name.as_str(), c.score)).collect();
            let left = answer.candidates.iter().take_while(|c| c.score == answer.candidates[0].score);
            assert!(left.into_iter().any(|c| c.cause == suspect.cause), "{:?}: {top:?}", suspect.cause);
        }
    }

    /// A decisive sign that nothing explains but one cause.
    #[test]
    fn what_is_missing_is_asked_for() {
        let vm = vm().build();
        let spec = scenario().expect("{see: guest ready, withinGuest: 0s..2m}").build().spec;
        let spec = Spec { observe: Span(Duration::from_secs(600)), ..spec };
        let suspects = courses(&vm, &spec, Timings::default());
        let mut facts = Facts::default();
        facts.covered.extend([Source::VmiEvents, Source::VmEvents, Source::PodEvents]);
        facts.add(
            Sign::Ended(crate::trace::Phase::Failed),
            None,
            crate::why::fact::Place { file: "e", line: 1 },
            "",
            1,
        );
        let names = |answer: &Answer| {
            answer.candidates[..answer.contenders].iter().map(|c| c.cause.name.clone()).collect::<Vec<_>>()
        };
        let open = judge(&facts, suspects.clone());
        assert_eq!(names(&open), ["qemu-killed", "memory-limit", "launcher-killed"]);
        let pod = open.missing.iter().find(|m| m.source == Source::Pod).expect("the pod's status");
        assert_eq!(pod.signs[0], (Sign::OomKilled, vec!["memory-limit".to_owned()]));
        facts.covered.insert(Source::Pod);
        facts.add(Sign::OomKilled, None, crate::why::fact::Place { file: "p", line: 1 }, "", 1);
        let closed = judge(&facts, suspects);
        assert_eq!((names(&closed), closed.missing.len()), (vec!["memory-limit".to_owned()], 0));
    }
}

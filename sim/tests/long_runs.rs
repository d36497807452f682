//! Runs that are longer than any scenario: bounded memory, and a verdict all the same.

use std::time::Duration;
use vmhealth_sim::engine::Config;
use vmhealth_sim::fixture::{scenario, vm};
use vmhealth_sim::kubelet::{ProbeKind, Verdict as Answer};
use vmhealth_sim::scenario::Verdict;
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{Entry, Event, Keeps, Trace};
use vmhealth_sim::world::{self, Timings};

const BOUND: usize = 200_000;

fn traced(count: usize, event: impl Fn(usize) -> Event) -> Trace {
    let mut trace = Trace::default();
    for n in 0..count {
        let (at, event) = (Time::from_secs(n as u64), event(n));
        trace.push(Entry { at, vmi: 1, event, detail: String::new(), replayed: false });
    }
    trace
}

/// Of what is forgotten a user would have seen nothing.
#[test]
fn a_long_trace_forgets_the_oldest_probes_first() {
    let answer = Event::Answered(ProbeKind::Liveness, Answer::Success);
    let trace = traced(5 * BOUND, |n| if n % 1000 == 0 { Event::Endpoint(n % 2000 == 0) } else { answer.clone() });
    let (kept, visible) = (trace.entries().len(), trace.entries().iter().filter(|e| e.event != answer).count());
    assert!(kept <= BOUND && visible == 5 * BOUND / 1000, "{kept} kept, {visible} visible");
    assert_eq!((trace.logged(), trace.forgotten()), (5 * BOUND, 5 * BOUND - kept));
    assert_eq!(trace.entries().last().map(|e| e.at), Some(Time::from_secs(5 * BOUND as u64 - 1)));
}

/// Of a full trace the older half gives up its probes first; where these are a quarter of all, as here, nothing else goes.
#[test]
fn only_probes_are_forgotten_while_they_make_room() {
    let answer = Event::Answered(ProbeKind::Liveness, Answer::Success);
    let trace = traced(BOUND + 1, |n| if n % 2 == 0 { Event::Endpoint(true) } else { answer.clone() });
    let visible = trace.entries().iter().filter(|e| e.event != answer).count();
    assert_eq!((visible, trace.forgotten()), (BOUND / 2 + 1, BOUND / 4));
}

/// A trace that keeps changes has the rest as numbers, by VMI and event.
#[test]
fn what_is_not_kept_is_counted() {
    let (yes, no) =
        [Answer::Success, Answer::Failure].map(|answer| Event::Answered(ProbeKind::Liveness, answer)).into();
    let mut trace = Trace::new(Keeps::Changes);
    for (vmi, event) in [(1, &yes), (1, &yes), (1, &no), (2, &yes), (2, &yes), (2, &yes), (2, &Event::Killing)] {
        let (at, event) = (Time::ZERO, event.clone());
        trace.push(Entry { at, vmi, event, detail: String::new(), replayed: false });
    }
    let counted: Vec<(u32, &Event, u64)> = trace.counted().iter().map(|c| (c.vmi, &c.event, c.times)).collect();
    assert_eq!(counted, [(1, &yes, 2), (1, &no, 1), (2, &yes, 3)]);
    assert_eq!((trace.entries().len(), trace.logged()), (1, 7));
}

/// Where everything is visible, the beginning and the end stay.
#[test]
fn a_long_trace_of_changes_is_bounded_too() {
    let trace = traced(5 * BOUND, |n| Event::Endpoint(n % 2 == 0));
    let entries = trace.entries();
    assert!(entries.len() <= BOUND && trace.logged() == 5 * BOUND);
    assert_eq!((entries[0].at, entries[999].at), (Time::ZERO, Time::from_secs(999)));
}

#[test]
fn a_run_of_twelve_days_has_a_verdict() {
    let probe = "guestAgentPing: {}, periodSeconds: 10";
    let vm = vm().readiness(probe).liveness(&format!("{probe}, initialDelaySeconds: 60")).build();
    let spec = scenario().expect("{see: guest ready, withinGuest: 0s..5m}").observe("12days").build().spec;
    let (verdict, trace, end) = world::run(&vm, &spec, Config::of(&spec, 1.0, false), Timings::default());
    assert_eq!(verdict, Verdict::Pass);
    assert!(trace.forgotten() > 0 && trace.entries().len() <= BOUND);
    assert!(end.since_origin() > Duration::from_secs(12 * 86_400));
}

/// A step that comes after all that is expected is waited for, at no cost.
#[test]
fn a_step_after_the_end_of_observe_is_reached() {
    let vm = vm().build();
    let late = scenario().steps("{after: guest ready, plus: 9days, user: stop}").observe("1s").end("vm: Stopping");
    let spec = late.build().spec;
    let config = Config { longest: Duration::from_secs(20 * 86_400), ..Config::default() };
    let (verdict, ..) = world::run(&vm, &spec, config, Timings::default());
    assert_eq!(verdict, Verdict::Pass);
}

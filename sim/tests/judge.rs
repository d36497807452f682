//! The judge: what is in time, what is too early or too late, what is forbidden, and how it all must end.

use std::time::Duration;
use vmhealth_sim::cluster::{DomainEvent, Phase};
use vmhealth_sim::fault::{Fault, FaultKind, Health};
use vmhealth_sim::fixture::scenario;
use vmhealth_sim::manifest::WatchdogAction;
use vmhealth_sim::scenario::{FinalState, Judge, Verdict};
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{Entry, Event, Outage, VmStatus};

/// A VMI that is `Running` at second 10 and `Failed` at 13.25; the fault took effect between 12 and 12.5, and another one ended.
const SEEN: &[(u64, Event)] = &[
    (10_000, Event::Phase(Phase::Running)),
    (12_000, Event::FaultBegun(FaultKind::KillQemu)),
    (12_500, Event::FaultConfirmed(FaultKind::KillQemu)),
    (13_100, Event::FaultOver(Outage(FaultKind::NetworkLoss))),
    (13_250, Event::Phase(Phase::Failed)),
];

const PASS: &str = "pass";

struct Row {
    name: &'static str,
    /// `spec.expect`, `spec.never` and `spec.final`, in flow style.
    spec: [&'static str; 3],
    guest_scale: f64,
    /// Part of the failure's text.
    verdict: &'static str,
}

const fn row(name: &'static str, spec: [&'static str; 3], verdict: &'static str) -> Row {
    Row { name, spec, guest_scale: 1.0, verdict }
}

const FAILED: &str = "{see: vmi phase Failed, from: vmi phase Running, within: 3s..4s}";

const ROWS: &[Row] = &[
    row("in time", [FAILED, "", ""], PASS),
    row(
        "too early",
        ["{see: vmi phase Failed, from: vmi phase Running, within: 3500ms..4s}", "", ""],
        "vmi phase Failed seen 3.250 s after vmi phase Running, expected within 3s 500ms..4s",
    ),
    row(
        "too late",
        ["{see: vmi phase Failed, from: vmi phase Running, within: 1s..3s}", "", ""],
        "vmi phase Failed seen 3.250 s after vmi phase Running, expected within 1s..3s",
    ),
    row("the bounds belong to the window", [FAILED_AT_3_25, "", ""], PASS),
    // A fault takes effect between its beginning and its confirmation: 0.75 to 1.25 s before.
    row("late after the begin only", ["{see: vmi phase Failed, within: 0s..1s}", "", ""], PASS),
    row("early after the confirmation only", ["{see: vmi phase Failed, within: 1s..2s}", "", ""], PASS),
    row(
        "late after the confirmation, too",
        ["{see: vmi phase Failed, within: 0s..500ms}", "", ""],
        "seen 0.750 s after the fault, expected within 0s..500ms",
    ),
    row(
        "early after the begin, too",
        ["{see: vmi phase Failed, within: 1500ms..2s}", "", ""],
        "seen 1.250 s after the fault, expected within 1s 500ms..2s",
    ),
    row(
        "from a fault that is named",
        ["{see: vmi phase Failed, from: fault killQemu begun, within: 0s..1s}", "", ""],
        PASS,
    ),
    row(
        "late after a named fault's confirmation, too",
        ["{see: vmi phase Failed, from: fault killQemu begun, within: 0s..500ms}", "", ""],
        "seen 0.750 s after fault killQemu begun, expected within 0s..500ms",
    ),
    row(
        "from the confirmation only",
        ["{see: vmi phase Failed, from: fault killQemu confirmed, within: 1s..2s}", "", ""],
        "seen 0.750 s after fault killQemu confirmed",
    ),
    row(
        "a confirmation that comes late",
        ["{see: fault killQemu confirmed, from: fault killQemu begun, within: 0s..400ms}", "", ""],
        "fault killQemu confirmed seen 0.500 s after fault killQemu begun, expected within 0s..400ms",
    ),
    row(
        "of another VMI",
        ["{see: vmi phase Failed, vmi: 2, from: vmi phase Running, within: 3s..4s}", "", ""],
        "awaited vmi phase Failed (1 of 1) within 3s..4s of vmi phase Running: deadline",
    ),
    row(
        "forbidden",
        [FAILED, "{see: vmi phase Running}", ""],
        "never expected \"vmi phase Running\", seen at 10.000 s",
    ),
    row("forbidden only later", [FAILED, "{see: vmi phase Running, after: vmi phase Failed}", ""], PASS),
    row(
        "forbidden to the end",
        [FAILED, "{see: vmi phase Failed}", ""],
        "never expected \"vmi phase Failed\", seen at 13.250 s",
    ),
    row(
        "forbidden from then on",
        [FAILED, "{see: vmi phase Failed, after: fault killQemu begun}", ""],
        "never expected \"vmi phase Failed\", seen at 13.250 s",
    ),
    row(
        "what was seen last is said",
        ["{see: vmi phase Succeeded, within: 0s..10s}", "", ""],
        "awaited vmi phase Succeeded (1 of 1) within 0s..10s of the fault: deadline; last seen: 13.250 vmi phase Failed",
    ),
    // It counts from the confirmation, as everything that is no confirmation itself.
    row(
        "the end of a fault",
        ["{see: fault networkLoss over, from: fault killQemu begun, within: 0s..500ms}", "", ""],
        "fault networkLoss over seen 0.600 s after fault killQemu begun, expected within 0s..500ms",
    ),
    row(
        "the end of a fault in time",
        ["{see: fault networkLoss over, from: fault killQemu begun, within: 0s..600ms}", "", ""],
        PASS,
    ),
    row("the end", [FAILED, "", "vm: Stopped, vmi: Failed, vmis: 1, ready: false"], PASS),
    row(
        "another end",
        [FAILED, "", "vm: Running, vmi: none, vmis: 2, ready: true"],
        "at the end vm is Stopped, expected Running; vmi is Failed, expected none; vmis is 1, expected 2; ready is false, expected true",
    ),
    Row {
        name: "a slow guest has longer, but may be as fast as any",
        spec: ["{see: vmi phase Failed, from: vmi phase Running, withinGuest: 3s..3s}", "", ""],
        guest_scale: 2.0,
        verdict: PASS,
    },
    Row {
        name: "what the host decides is not stretched",
        spec: ["{see: vmi phase Failed, from: vmi phase Running, within: 3s..3s}", "", ""],
        guest_scale: 2.0,
        verdict: "expected within 3s..3s",
    },
];

const FAILED_AT_3_25: &str = "{see: vmi phase Failed, from: vmi phase Running, within: 3250ms..3250ms}";

fn entry(millis: u64, event: &Event) -> Entry {
    Entry { at: Time::from_millis(millis), vmi: 1, event: event.clone(), detail: String::new(), replayed: false }
}

const END: FinalState = FinalState { vm: VmStatus::Stopped, vmi: Some(Phase::Failed), vmis: 1, ready: false };

fn check(row: &Row) {
    let [expect, never, end] = row.spec;
    let steps = "{after: vmi phase Running, fault: killQemu}";
    let spec = scenario().steps(steps).expect(expect).never(never).end(end).build().spec;
    let mut judge = Judge::new(&spec, row.guest_scale);
    SEEN.iter().for_each(|(millis, event)| judge.observe(&entry(*millis, event)));
    let verdict = judge.verdict(Time::from_secs(60), false, true, &END);
    match (verdict, row.verdict) {
        (Some(Verdict::Pass), PASS) => {}
        (Some(Verdict::Fail(text)), expected) if expected != PASS && text.contains(expected) => {}
        (verdict, expected) => panic!("{}: {verdict:?}, expected {expected:?}", row.name),
    }
}

#[test]
fn verdicts() {
    ROWS.iter().for_each(check);
}

/// `repro --until`: what comes after the event is not judged, and what was wrong before it is.
#[test]
fn a_repetition_stops_at_an_event() {
    let check = |until: &str, seen: usize, now: u64, expected: &str| {
        let mut spec = scenario().steps("{after: vmi phase Running, fault: killQemu}").expect(FAILED).build().spec;
        spec.until = Some(until.to_owned().try_into().unwrap());
        let mut judge = Judge::new(&spec, 1.0);
        SEEN[..seen].iter().for_each(|(millis, event)| judge.observe(&entry(*millis, event)));
        let verdict = match judge.verdict(Time::from_secs(now), false, true, &END) {
            None => "none".to_owned(),
            Some(Verdict::Pass) => PASS.to_owned(),
            Some(Verdict::Fail(why) | Verdict::Infra(why)) => why,
        };
        assert!(verdict.contains(expected), "{until}, {seen} seen: {verdict:?}, expected {expected:?}");
    };
    check("fault killQemu confirmed", 2, 12, "none");
    check("fault killQemu confirmed", 3, 13, PASS);
    check("fault killQemu", 2, 12, PASS);
    check("fault killQemu confirmed", 2, 60, "deadline");
    check("vmi phase Failed", 5, 60, PASS);
    check("qemu WATCHDOG", 5, 60, "all was as expected, and qemu WATCHDOG was never seen");
}

/// The last moment of a window belongs to it.
#[test]
fn when_a_window_is_over() {
    let spec = scenario().expect("{see: vmi phase Failed, within: 0s..4s}").build().spec;
    let judge = Judge::new(&spec, 1.0);
    let end = Time::from_secs(4);
    let over = end + Duration::from_nanos(1);
    assert_eq!(judge.next_wakeup(Time::ZERO), Some(over));
    assert_eq!(judge.verdict(end, false, true, &END), None);
    let failed = Verdict::Fail(
        "awaited vmi phase Failed (1 of 1) within 0s..4s of the beginning: deadline; last seen: nothing".into(),
    );
    assert_eq!(judge.verdict(over, false, true, &END), Some(failed));
}

/// What makes no difference at any time may be skipped, and the last of it is said all the same.
#[test]
fn what_a_judge_ignores() {
    let spec = scenario().expect("{see: vmi phase Failed, within: 0s..4s}").never("{see: qemu WATCHDOG}").build().spec;
    let mut judge = Judge::new(&spec, 1.0);
    for (event, ignored) in [
        (Event::Phase(Phase::Running), true),
        (Event::Phase(Phase::Failed), false),
        (Event::Qemu(DomainEvent::Watchdog(WatchdogAction::Reset)), false),
    ] {
        assert_eq!(judge.ignores(&[entry(3_000, &event)]), ignored, "{event}");
    }
    judge.saw(Time::from_secs(3), Event::Phase(Phase::Running));
    let said = format!("{:?}", judge.verdict(Time::from_secs(5), false, true, &END));
    assert!(said.contains("last seen: 3.000 vmi phase Running"), "{said}");
}

/// What somebody asks for while a scenario runs breaks before what the scenario still has.
#[test]
fn whether_it_answers_at_the_end() {
    let scenario = scenario().guest("healthServer: true").steps("{after: guest ready, fault: {health: start}}");
    let spec =
        scenario.expect("{see: guest ready, within: 0s..20s, from: guest ready}").end("answers: true").build().spec;
    for (asked, expected) in [
        (None, Verdict::Pass),
        (Some(Fault::Health(Health::Stop)), Verdict::Fail("at the end answers is false, expected true".into())),
    ] {
        let mut judge = Judge::new(&spec, 1.0);
        asked.into_iter().for_each(|fault| judge.breaks_next(fault));
        let begun = Event::FaultBegun(FaultKind::Health);
        for (millis, event) in [(9_000, &Event::GuestReady), (10_000, &Event::GuestReady), (11_000, &begun)] {
            judge.observe(&entry(millis, event));
        }
        assert_eq!(judge.verdict(Time::from_secs(60), false, true, &END), Some(expected));
    }
}

//! A scenario's timeline: when a step is due, and what is asked for while it runs.

use std::time::Duration;
use vmhealth_sim::fixture::scenario;
use vmhealth_sim::kubelet::{ProbeKind, Verdict};
use vmhealth_sim::scenario::{Fault, Script, Step};
use vmhealth_sim::time::{Span, Time};
use vmhealth_sim::trace::{Entry, Event, Phase, Ready};

fn script(steps: &str) -> Script {
    Script::new(&scenario().steps(steps).build().spec.steps, true)
}

fn entry(second: u64, event: &Event) -> Entry {
    Entry { at: Time::from_secs(second), vmi: 1, event: event.clone(), detail: String::new(), replayed: false }
}

/// Begins what is due then, and has it take effect at once.
fn takes(script: &mut Script, second: u64) -> Option<usize> {
    let step = script.poll(Time::from_secs(second)).map(|due| due.step);
    step.inspect(|_| script.done(Time::from_secs(second)))
}

const LIVE: Event = Event::Answered(ProbeKind::Liveness, Verdict::Success);

/// `guardedWithin`: at most so long, and sooner where the VM is guarded sooner; `plus` counts from then.
#[test]
fn a_step_waits_until_the_vm_is_guarded() {
    for (seen, due) in [
        (&[][..], 10 + 60 + 5),
        (&[(20, Event::Ready(Ready::True))], 10 + 60 + 5),
        (&[(20, Event::Ready(Ready::True)), (30, LIVE)], 30 + 5),
        (&[(20, LIVE), (40, Event::Ready(Ready::True)), (50, LIVE)], 40 + 5),
    ] {
        let mut script = script("{after: guest ready, guardedWithin: 1m, plus: 5s, fault: kernelPanic}");
        assert_eq!(script.next_wakeup(), None);
        script.observe(&entry(10, &Event::GuestReady));
        seen.iter().for_each(|(second, event)| script.observe(&entry(*second, event)));
        assert_eq!(script.next_wakeup(), Some(Time::from_secs(due)), "{seen:?}");
    }
}

/// What is broken in between is written down with the time at which it was, and what follows it with the time since.
#[test]
fn as_it_went() {
    let mut script = script(
        "{after: guest ready, plus: 30s, fault: powerButton}, {after: vmi phase Failed, guardedWithin: 1m, plus: 1s, user: start}, \
         {plus: 2s, user: stop}",
    );
    script.observe(&entry(4, &Event::Phase(Phase::Running)));
    script.observe(&entry(10, &Event::GuestReady));
    // The first boot counts.
    script.observe(&entry(20, &Event::GuestReady));
    script.ask(Fault::KernelPanic);
    assert!(script.next_is_fault());
    assert_eq!((takes(&mut script, 25), takes(&mut script, 40)), (Some(3), Some(0)));
    assert!(!script.next_is_fault(), "a user's request is next");
    assert_eq!(takes(&mut script, 41), None);
    let after = |step: &Step| step.after.as_ref().map(ToString::to_string);
    let went: Vec<_> = script.as_it_went().iter().map(|s| (after(s), s.guarded_within, s.plus.0.as_secs())).collect();
    let (guest_ready, failed) = (Some("guest ready".to_owned()), Some("vmi phase Failed".to_owned()));
    let minute = Some(Span(Duration::from_secs(60)));
    assert_eq!(went, [(guest_ready, None, 15), (None, None, 15), (failed, minute, 1), (None, None, 2)]);
}

/// What was asked for and is done is no step that is still to come.
#[test]
fn nothing_is_left() {
    let mut script = script("");
    assert!(script.finished() && !script.next_is_fault());
    script.ask(Fault::KernelPanic);
    assert!(!script.finished() && script.next_is_fault());
    assert_eq!(takes(&mut script, 5), Some(0));
    assert!(script.finished() && !script.next_is_fault());
    script.observe(&entry(6, &Event::GuestReady));
    assert_eq!(script.next_wakeup(), None);
}

/// What makes no difference at any time may be skipped.
#[test]
fn what_a_script_ignores() {
    let waiting = script("{after: guest ready, fault: kernelPanic}");
    for (event, ignored) in [(LIVE, false), (Event::Phase(Phase::Running), true), (Event::GuestReady, false)] {
        assert_eq!(waiting.ignores(&[entry(10, &event)]), ignored, "{event}");
    }
}

//! How long the engine waits for a guest: what sets the deadline of a boot, what puts it off, and what ends it. Each row was missing
//! until a mutant survived.

use vmhealth_sim::cluster::DomainEvent;
use vmhealth_sim::engine::{Config, Engine, GuestReport, VmiInput};
use vmhealth_sim::fixture::{self, scenario};
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{Event, Exit, ShutdownCause};

const STARTED: DomainEvent = DomainEvent::Started;
const RESET: DomainEvent = DomainEvent::Reset { reason: ShutdownCause::GuestReset };
const OPENED: DomainEvent = DomainEvent::AgentPort { open: true };
const CLOSED: DomainEvent = DomainEvent::AgentPort { open: false };

/// What happens to the guest.
enum Then {
    Domain(DomainEvent),
    Ready,
}
use Then::{Domain, Ready};

/// With 15 s for a boot: when the guest is given up and why, if it is within three minutes.
fn given_up(users_image: bool, steps: &str, events: Vec<(u64, Then)>) -> Option<(u64, String)> {
    let spec = scenario().spec("bootDeadline: 15s").steps(steps).observe("10m").build().spec;
    let config = Config::of(&spec, 1.0, users_image);
    let mut engine = Engine::new(fixture::vm().strategy("Manual").build(), &spec, config);
    let advance = |engine: &mut Engine, until: Time| {
        while let Some(t) = engine.next_wakeup().filter(|t| *t <= until) {
            engine.advance(t);
        }
        engine.advance(until);
    };
    for (second, what) in events {
        let at = Time::from_secs(second);
        advance(&mut engine, at);
        let input = match what {
            Domain(event) => VmiInput::Domain { at, event },
            Ready => VmiInput::GuestReady(GuestReport::default()),
        };
        engine.handle(at, input.of(1));
    }
    advance(&mut engine, Time::from_secs(180));
    let entries = engine.trace().entries();
    entries
        .iter()
        .find(|e| e.event == Event::GuestNotReady)
        .map(|e| (e.at.since(Time::ZERO).as_secs(), e.detail.clone()))
}

#[test]
fn what_moves_the_deadline_of_a_boot() {
    let start = "{user: start}";
    let pause = "{user: start}, {after: vmi phase Running, plus: 2s, user: pause}";
    for (what, steps, events, expected) in [
        ("a start", start, vec![(5, Domain(STARTED))], Some(20)),
        ("a reset", start, vec![(5, Domain(STARTED)), (8, Domain(RESET))], Some(23)),
        ("its agent: twice as long", start, vec![(5, Domain(STARTED)), (10, Domain(OPENED))], Some(40)),
        (
            "its agent is gone again",
            start,
            vec![(5, Domain(STARTED)), (10, Domain(OPENED)), (12, Domain(CLOSED))],
            Some(27),
        ),
        ("its end", start, vec![(5, Domain(STARTED)), (8, Domain(DomainEvent::Exited(Exit::Status(0))))], None),
        ("a stop by nobody", start, vec![(5, Domain(STARTED)), (8, Domain(DomainEvent::Stop))], Some(20)),
        ("a pause", pause, vec![(5, Domain(STARTED)), (8, Domain(DomainEvent::Stop))], None),
        (
            "the end of a pause",
            pause,
            vec![(5, Domain(STARTED)), (8, Domain(DomainEvent::Stop)), (30, Domain(DomainEvent::Resume))],
            Some(45),
        ),
        ("it is ready", start, vec![(5, Domain(STARTED)), (10, Domain(OPENED)), (12, Ready)], None),
        (
            "its agent comes and goes after that",
            start,
            vec![
                (5, Domain(STARTED)),
                (10, Domain(OPENED)),
                (12, Ready),
                (14, Domain(CLOSED)),
                (16, Domain(OPENED)),
                (18, Domain(DomainEvent::Stop)),
                (20, Domain(DomainEvent::Resume)),
            ],
            None,
        ),
        (
            "its next boot",
            start,
            vec![(5, Domain(STARTED)), (10, Domain(OPENED)), (12, Ready), (20, Domain(RESET)), (24, Domain(OPENED))],
            Some(54),
        ),
    ] {
        assert_eq!(given_up(false, steps, events).map(|(at, _)| at), expected, "{what}");
    }
}

/// Whoever reads it learns whether an agent was there at all, and what to do about an image that has none.
#[test]
fn what_was_waited_for_is_said() {
    for (users_image, events, expected) in [
        (false, vec![(5, Domain(STARTED))], "the guest's agent did not appear within 15 s"),
        (
            true,
            vec![(5, Domain(STARTED))],
            "the guest's agent did not appear within 15 s; if the image has none, install qemu-guest-agent in it: guests here have \
             no way out, so the user data's `packages:`, which would bring it in a cluster, cannot",
        ),
        (
            false,
            vec![(5, Domain(STARTED)), (10, Domain(OPENED))],
            "the guest's agent appeared and did not answer within 30 s",
        ),
    ] {
        let why = given_up(users_image, "{user: start}", events).map(|(_, why)| why);
        assert_eq!(why.as_deref(), Some(expected));
    }
}

//! Times as events, logs and consoles have them, and what can be compared.

use crate::{WEB, facts_of};
use vmhealth_sim::why::{Fact, When};

/// The one fact of a text.
fn only(text: &str) -> Fact {
    let facts = facts_of(&[text], WEB);
    let [fact] = facts.facts.as_slice() else { panic!("{text}\n{facts:#?}") };
    fact.clone()
}

/// RFC 3339, as the API writes it; what is no time is none, and the event counts all the same.
#[test]
fn of_an_event() {
    for (text, expected) in [
        ("2026-08-01T10:00:00Z", "2026-08-01T10:00:00Z"),
        ("2026-08-01T23:59:60Z", "2026-08-02T00:00:00Z"),
        // 2000 is a leap year, and 2100 is none.
        ("2000-02-29T12:00:00Z", "2000-02-29T12:00:00Z"),
        ("2100-02-28T12:00:00Z", "2100-02-28T12:00:00Z"),
        ("2100-03-01T00:00:00Z", "2100-03-01T00:00:00Z"),
        ("2026-08-01T10:00:00+23:00", "2026-07-31T11:00:00Z"),
        ("2026-08-01T10:00:00-00:59", "2026-08-01T10:59:00Z"),
        ("2026-08-01T10:00:00+24:00", ""),
        ("2026-08-01T10:00:00+00:60", ""),
        ("2026-08-01T10:00:00+02.00", ""),
        ("2026-08-01T10:00:00+02:00:00", ""),
        ("2026-08-01T24:00:00Z", ""),
        ("2026-08-01T10:60:00Z", ""),
        ("2026-08-01T10:00:61Z", ""),
        ("2026-13-01T10:00:00Z", ""),
        ("2026-08-32T10:00:00Z", ""),
        ("1969-12-31T23:59:59Z", ""),
    ] {
        let event = format!(
            "kind: Event\nreason: GuestPanicked\nfirstTimestamp: \"{text}\"\ninvolvedObject: {{kind: VirtualMachineInstance, name: web}}\n"
        );
        let when = only(&event).when.map_or(String::new(), |when| when.to_string());
        assert_eq!(when, expected, "{text}");
    }
}

/// Ages, as kubectl prints them.
#[test]
fn of_a_table() {
    for (age, expected) in [
        ("9s", Some(9)),
        ("2m51s", Some(171)),
        ("3h5m", Some(11_100)),
        ("2d4h", Some(187_200)),
        ("2y30d", Some(65_664_000)),
        ("<unknown>", None),
        ("2w", None),
    ] {
        let table = format!(
            "LAST SEEN   TYPE      REASON          OBJECT                       MESSAGE\n\
             {age:<12}Warning   GuestPanicked   virtualmachineinstance/web   The guest panicked\n"
        );
        assert_eq!(only(&table).when, expected.map(When::Ago), "{age}");
    }
}

#[test]
fn what_is_later() {
    let (clock, ago, uptime) = (When::Clock, When::Ago, When::Uptime);
    for (this, other, expected) in [
        (clock(30), clock(10), Some(20)),
        (clock(10), clock(30), Some(-20)),
        // What was seen before less time came later.
        (ago(10), ago(30), Some(20)),
        (uptime(3500), uptime(1400), Some(2)),
        (uptime(1400), uptime(3500), Some(-2)),
        (clock(30), ago(10), None),
        (uptime(30), clock(10), None),
    ] {
        assert_eq!(this.since(other), expected, "{this} since {other}");
    }
}

//! Faults as users write them: each kind's example is one, and a misspelt one is told what was meant.

use std::time::Duration;
use vmhealth_sim::engine::Config;
use vmhealth_sim::explore::{Grid, explore};
use vmhealth_sim::fault::{Fault, FaultKind};
use vmhealth_sim::fixture::{self, scenario};
use vmhealth_sim::manifest::WatchdogAction;
use vmhealth_sim::scenario::Verdict;
use vmhealth_sim::trace::{DomainEvent, Entry, Event};
use vmhealth_sim::world::{self, Timings};

#[test]
fn the_example_of_each_kind_is_of_that_kind() {
    for kind in FaultKind::ALL {
        let fault: Fault = kind.example().parse().unwrap_or_else(|e| panic!("{kind}: {e}"));
        assert_eq!(fault.kind(), *kind);
        assert!(kind.shape().starts_with(kind.example()) && kind.summary().ends_with('.'), "{kind}");
    }
}

#[test]
fn what_is_said_to_a_fault_that_is_none() {
    for (text, expected) in [
        (
            "kilWatchdog",
            "there is no fault \"kilWatchdog\"; did you mean killWatchdog? (kinds: kernelPanic, killWatchdog,",
        ),
        ("killwatchdog", "did you mean killWatchdog?"),
        ("{stopagent: {for: 1s}}", "did you mean stopAgent?"),
        ("explode", "there is no fault \"explode\" (kinds:"),
        ("", "there is no fault \"\""),
        ("stopAgent", "expected {stopAgent: {for: 15s}}"),
        ("{stopAgent: {until: 15s}}", "expected {stopAgent: {for: 15s}}"),
        ("{kernelPanic: 3}", "expected kernelPanic"),
        ("{health: {status: 500}}, {user: stop}", "expected {health: {status: 500}}, or in place of"),
    ] {
        let error = text.parse::<Fault>().expect_err(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}

/// A kind that it does not know would be one that breaks nothing.
#[test]
fn the_model_knows_every_kind() {
    let vm = fixture::vm().strategy("Once").watchdog(WatchdogAction::Poweroff).build();
    let guest = "watchdogDaemon: {heartbeatSeconds: 6, keepalive: masked}, healthServer: true";
    let spec = scenario().guest(guest).expect("{see: guest ready, withinGuest: 0s..5m}").observe("30s").build().spec;
    let grid = Grid { step: Duration::from_secs(1), from: Duration::from_secs(5), span: Duration::from_secs(1) };
    for kind in FaultKind::ALL {
        let fault: Fault = kind.example().parse().unwrap_or_else(|e| panic!("{kind}: {e}"));
        let found = explore(&vm, &spec, &[fault], grid, Timings::default()).unwrap_or_else(|e| panic!("{kind}: {e}"));
        let confirmed = |e: &Entry| e.event == Event::FaultConfirmed(*kind);
        assert!(found.outcomes.iter().all(|o| o.trace.entries().iter().any(confirmed)), "{kind}");
    }
}

#[test]
fn which_faults_panic_and_which_stop_what_pets_the_watchdog() {
    let found = |is: fn(&Fault) -> bool| {
        let examples = FaultKind::ALL.iter().map(|kind| kind.example().to_owned());
        let others = ["{oomKill: {of: agent}}", "{nmi: {unknownNmiPanic: false}}"].map(str::to_owned);
        let all = examples.chain(others);
        let texts = all.filter(|text| is(&text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))));
        texts.collect::<Vec<String>>().join("; ")
    };
    let panics = "kernelPanic; {nmi: {unknownNmiPanic: true}}";
    assert_eq!(found(Fault::panics), panics);
    let stops = "kernelPanic; killWatchdog; stopWatchdog; {oomKill: {of: watchdog}}; {cpuHog: {for: 15s}}; {nmi: {unknownNmiPanic: true}}";
    assert_eq!(found(Fault::stops_pets), stops);
}

/// Without the CPU for less than the time between two pets, a daemon goes on at the moments at which it would have.
#[test]
fn a_short_hog_makes_no_pets() {
    let vm = fixture::vm().strategy("Once").watchdog(WatchdogAction::Poweroff).build();
    let last_pet = |before: &str| {
        let guest = "watchdogDaemon: {heartbeatSeconds: 6, keepalive: masked}";
        let steps = format!("{before}plus: 300ms, fault: stopWatchdog}}");
        let spec = scenario().guest(guest).steps(&steps).expect("{see: qemu WATCHDOG, within: 0s..1m}").build().spec;
        let (verdict, trace, _) = world::run(&vm, &spec, Config::of(&spec, 1.0, false), Timings::default());
        assert_eq!(verdict, Verdict::Pass, "{steps}");
        let fired = trace.entries().iter().find(|e| matches!(e.event, Event::Qemu(DomainEvent::Watchdog(_))));
        // It fires a whole time-out after it, and pets are a second apart.
        fired.map(|e| e.at.since_origin().subsec_nanos())
    };
    let undisturbed = last_pet("{after: guest ready, ");
    let hogged = (0..10).filter(|tenth| {
        let hog =
            format!("{{after: guest ready, plus: {}ms, fault: {{cpuHog: {{for: 50ms}}}}}}, {{", 3000 + tenth * 100);
        last_pet(&hog) == undisturbed
    });
    // One of them is just when a pet is due, if any.
    assert!(hogged.count() >= 9);
}

//! Faults as users write them: each kind's example is one, and a misspelt one is told what was meant.

use vmhealth_sim::fault::{Fault, FaultKind};

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

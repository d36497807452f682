//! The whole catalogue in the model: every verdict, and every normalised trace against its snapshot.

use std::path::Path;
use std::time::Duration;
use vmhealth_sim::engine::Config;
use vmhealth_sim::scenario::Verdict;
use vmhealth_sim::trace::Trace;
use vmhealth_sim::world::{self, Timings};
use xtask::compare::normal::Normal;
use xtask::run::catalogue::{self, Case};

fn cases() -> Vec<Case> {
    catalogue::read(None).unwrap_or_else(|e| panic!("{e}"))
}

fn run(case: &Case) -> (Verdict, Trace) {
    run_with(case, Timings::default())
}

fn run_with(case: &Case, timings: Timings) -> (Verdict, Trace) {
    let (verdict, trace, _) = world::run(&case.manifest, &case.scenario.spec, Config::default(), timings);
    (verdict, trace)
}

#[test]
fn the_catalogue_passes_and_its_traces_are_as_reviewed() {
    for case in cases() {
        let (verdict, trace) = run(&case);
        let shown = format!("{verdict:?}\n\n{}", Normal::of(&trace));
        insta::with_settings!({description => case.scenario.metadata.summary.clone(), omit_expression => true}, {
            insta::assert_snapshot!(case.id().replace('/', "."), shown);
        });
        assert_eq!(verdict, Verdict::Pass, "{}", case.id());
    }
}

#[test]
fn what_measures_guests_can_be_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("measured");
    let cases = catalogue::read(Some(&folder)).unwrap_or_else(|e| panic!("{e}"));
    assert!(!cases.is_empty());
    for case in cases {
        assert_eq!(run(&case).0, Verdict::Pass, "{}", case.id());
    }
}

#[test]
fn the_same_scenario_gives_the_same_trace() {
    for case in cases() {
        let text = |trace: Trace| format!("{:?}", trace.entries());
        assert_eq!(text(run(&case).1), text(run(&case).1), "{}", case.id());
    }
}

/// On a busy host a guest takes seconds to carry out a fault. That is no property of what a scenario is about, so its windows
/// begin at the fault, which is a span, and not at something before it.
///
/// Not so where a scenario is about its fault's own moment.
const ABOUT_THE_MOMENT: &[&str] = &[
    // The daemon of the rebooted guest must not be up yet.
    "kernel-panic-in-reboot/watchdog/unprotected",
    // The user pauses when the heartbeat is partly over.
    "paused/watchdog/clock-stops",
    // All that is to happen is the fault itself.
    "kernel-panic/no-watchdog/running",
    "kernel-panic/unarmed-watchdog/running",
];

#[test]
fn no_window_has_a_guest_carry_out_a_fault_in_it() {
    let slow = Duration::from_secs(12);
    let mut found = String::new();
    for case in cases().iter().filter(|c| !ABOUT_THE_MOMENT.contains(&c.id())) {
        for effect in [Duration::from_millis(1), slow - Duration::from_millis(1)] {
            if let (Verdict::Fail(why), _) = run_with(case, Timings { fault: (effect, slow), ..Timings::default() }) {
                found.push_str(&format!("{} (effect after {effect:?}): {why}\n", case.id()));
            }
        }
    }
    assert!(found.is_empty(), "{found}");
}

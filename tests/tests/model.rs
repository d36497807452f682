//! The whole catalogue in the model: every verdict, and every normalised trace against its snapshot.

use vmhealth_sim::engine::Config;
use vmhealth_sim::scenario::Verdict;
use vmhealth_sim::trace::Trace;
use vmhealth_sim::world::{self, Timings};
use vmhealth_tests::catalogue::{self, Case};
use vmhealth_tests::normal::Normal;

fn cases() -> Vec<Case> {
    catalogue::read(&catalogue::own_folder()).unwrap_or_else(|e| panic!("{e}"))
}

fn run(case: &Case) -> (Verdict, Trace) {
    let (verdict, trace, _) = world::run(&case.manifest, &case.scenario.spec, Config::default(), Timings::default());
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
fn the_same_scenario_gives_the_same_trace() {
    for case in cases() {
        let text = |trace: Trace| format!("{:?}", trace.entries());
        assert_eq!(text(run(&case).1), text(run(&case).1), "{}", case.id());
    }
}

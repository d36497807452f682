//! Something is said of each scenario of the catalogue, as the model runs it; what, `sim/tests/explain` looks at.

use vmhealth_sim::engine::Config;
use vmhealth_sim::explain::{Explanation, explain};
use vmhealth_sim::world::{self, Timings};
use xtask::run::catalogue::{self, Case};

fn of(case: &Case) -> Vec<Explanation> {
    let spec = &case.scenario.spec;
    let (_, trace, end) = world::run(&case.manifest, spec, Config::default(), Timings::default());
    explain(&case.manifest, spec, &trace, end)
}

#[test]
fn every_scenario_is_explained_in_a_few_lines() {
    for case in catalogue::read(None).unwrap_or_else(|e| panic!("{e}")) {
        let all = of(&case);
        let faults = case.scenario.spec.steps.iter().filter(|s| s.fault.is_some()).count();
        assert_eq!(all.len(), faults.max(1), "{}", case.id());
        for explanation in &all {
            let lines = explanation.to_string().lines().count();
            assert!((1..40).contains(&lines), "{}:\n{explanation}", case.id());
            // For programs as for readers.
            let took = explanation.sections.iter().find(|s| s.title == "took").map_or(&[][..], |s| &s.lines);
            assert_eq!(took.is_empty(), explanation.parts.is_empty(), "{}", case.id());
            for (line, part) in took.iter().zip(&explanation.parts).take(10) {
                let said = format!("{:.1} s  {} (", part.after_ms as f64 / 1000.0, part.what);
                let is_note = line.starts_with("... and");
                assert!(is_note || line.trim_start().starts_with(&said), "{}: {line}: {said}", case.id());
            }
        }
    }
}

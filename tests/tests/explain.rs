//! What is said of scenarios of the catalogue, as the model runs them.

use std::time::Duration;
use vmhealth_sim::engine::Config;
use vmhealth_sim::explain::{Explanation, WATCHED, explain, outcome};
use vmhealth_sim::world::{self, Timings};
use xtask::run::catalogue::{self, Case};

/// One for each way of noticing, of acting and of not coming back.
const SHOWN: [&str; 22] = [
    "agent-killed/readiness-ping/heals",
    "agent-stopped/readiness-ping/not-ready",
    "cpu-hog/watchdog/reset",
    "guest-poweroff/run-strategy/rerun-on-failure",
    "http-hang/liveness-tcp/never-detected",
    "io-error/liveness-http/always",
    "io-error/none/resumed-late",
    "io-error/watchdog/never-detected",
    "kernel-panic/disabled-wait/failed",
    "kernel-panic/liveness-http/rerun-on-failure",
    "kernel-panic/no-watchdog/running",
    "kernel-panic/panic-device/always",
    "kernel-panic/watchdog/poweroff",
    "killed-daemon/watchdog-and-liveness/reset",
    "killed-daemon/watchdog/keepalive-takeover",
    "killed-daemon/watchdog/reset",
    "network-loss/liveness-exec/never-detected",
    "nmi/no-watchdog/running",
    "none/liveness-http/wrong-port-loop",
    "none/user-stop/always",
    "qemu-killed/run-strategy/once",
    "service-stopped/readiness-and-liveness/readiness-first",
];

fn of(case: &Case) -> Vec<Explanation> {
    let spec = &case.scenario.spec;
    let (_, trace, end) = world::run(&case.manifest, spec, Config::default(), Timings::default());
    explain(&case.manifest, spec, &trace, end)
}

#[test]
fn what_is_said_of_scenarios() {
    let cases = catalogue::read(None).unwrap_or_else(|e| panic!("{e}"));
    let mut shown = String::new();
    for id in SHOWN {
        let case = cases.iter().find(|c| c.id() == id).unwrap_or_else(|| panic!("{id}"));
        shown.push_str(&format!("# {id}\n"));
        of(case).iter().for_each(|explanation| shown.push_str(&explanation.to_string()));
        shown.push('\n');
    }
    insta::assert_snapshot!(shown);
}

/// Its watchdog resets it, and its liveness probe then ends it.
#[test]
fn a_vmi_that_was_reset_and_then_failed_has_failed() {
    let cases = catalogue::read(None).unwrap_or_else(|e| panic!("{e}"));
    let case = cases.iter().find(|c| c.id() == "killed-daemon/watchdog-and-liveness/reset");
    let case = case.unwrap_or_else(|| panic!("no such scenario"));
    let found = outcome(&case.manifest, &case.scenario.spec, Timings::booting_in(Duration::from_secs(17)), WATCHED);
    assert_eq!(found.map(|o| o.ended).as_deref(), Some("Failed"));
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

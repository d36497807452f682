//! A fault that waits for a VM that is guarded, and a run that goes on until the VM is back.

use std::time::Duration;
use vmhealth_sim::engine::Config;
use vmhealth_sim::fixture::{Vm, scenario, vm};
use vmhealth_sim::manifest::WatchdogAction;
use vmhealth_sim::scenario::{Scenario, Verdict};
use vmhealth_sim::trace::{Event, Trace};
use vmhealth_sim::world::{self, Timings};

fn run(vm: &Vm, scenario: &Scenario) -> (Verdict, Trace) {
    let config = Config::of(&scenario.spec, 1.0, false);
    let (verdict, trace, _) = world::run(&vm.build(), &scenario.spec, config, Timings::default());
    (verdict, trace)
}

/// Seconds, rounded.
fn first(trace: &Trace, wanted: fn(&Event) -> bool) -> Option<u64> {
    trace.sorted().iter().find(|e| wanted(&e.event)).map(|e| e.at.as_secs_f64().round() as u64)
}

#[test]
fn a_fault_waits_for_a_guarded_vm() {
    let steps = "{after: guest ready, guardedWithin: 3m, plus: 2s, fault: kernelPanic}";
    let scenario = scenario()
        .guest("healthServer: true")
        .steps(steps)
        .expect("{see: fault kernelPanic confirmed, within: 0s..9m}");
    let scenario = scenario.build();
    for (vm, at) in [
        // At once.
        (vm(), 21),
        (vm().readiness_http(1500), 23),
        // After its first success, at the first tick after 70 s.
        (vm().liveness_http(1500), 83),
        // Never guarded: as it is, after three minutes.
        (vm().readiness_http(1501), 201),
    ] {
        let (_, trace) = run(&vm, &scenario);
        let begun = first(&trace, |e| matches!(e, Event::FaultBegun(_)));
        assert!(begun.is_some_and(|b| b.abs_diff(at) <= 2), "{begun:?}, expected {at}: {}", vm.yaml());
    }
}

#[test]
fn a_run_goes_on_until_the_vm_is_back() {
    let check = |vm: &Vm, fault: &str, wait: &str, expected: Result<u64, (&str, u64)>| {
        let steps = format!("{{after: guest ready, plus: 2s, fault: {fault}}}");
        let guest = "healthServer: true, watchdogDaemon: {heartbeatSeconds: 10, keepalive: masked}";
        let scenario = scenario().guest(guest).steps(&steps).expect("{see: fault, within: 0s..9m}").observe("1s");
        let scenario = scenario.end(&format!("ready: true, answers: true, waitUpTo: {wait}")).build();
        let config = Config::of(&scenario.spec, 1.0, false);
        let (verdict, _, end) = world::run(&vm.build(), &scenario.spec, config, Timings::default());
        let end = end.since_origin();
        match (&verdict, expected) {
            (Verdict::Pass, Ok(at)) => {
                assert!(end.abs_diff(Duration::from_secs(at)) < Duration::from_secs(2), "{end:?}")
            }
            (Verdict::Fail(why), Err((part, at))) => {
                assert!(why.contains(part), "{why}");
                assert!(end.abs_diff(Duration::from_secs(at)) < Duration::from_secs(2), "{end:?}")
            }
            (found, expected) => panic!("{found:?}, expected {expected:?}: {fault} {}", vm.yaml()),
        }
    };
    let always = vm().watchdog(WatchdogAction::Poweroff);
    // Fires 9 s after it, boots for 18 s; the run does not last longer.
    check(&always, "kernelPanic", "15m", Ok(49));
    check(&always, "kernelPanic", "20s", Err(("at the end answers is false, expected true", 41)));
    // Nobody notices: it is Ready, and is not back.
    check(&vm(), "kernelPanic", "1m", Err(("answers is false, expected true", 81)));
    check(&vm(), "{nmi: {unknownNmiPanic: true}}", "1m", Err(("answers is false, expected true", 81)));
    check(&vm(), "{networkLoss: {for: 20m}}", "1m", Err(("answers is false, expected true", 81)));
    check(&vm(), "{networkLoss: {for: 20s}}", "1m", Ok(40));
    check(&vm(), "{nodeLost: {for: 20m}}", "10s", Err(("answers is false, expected true", 31)));
    check(&vm(), "{nodeLost: {for: 20s}}", "1m", Ok(40));
    check(&vm(), "{health: stop}", "1m", Err(("answers is false, expected true", 81)));
    check(&vm(), "{health: {status: 302}}", "1m", Ok(22));
    // Never again.
    check(
        &vm().strategy("Once").watchdog(WatchdogAction::Poweroff),
        "kernelPanic",
        "15m",
        Err(("ready is false", 921)),
    );
}

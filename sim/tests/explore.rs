//! Exploration finds what depends on the moment, and only that.

use std::cmp::Reverse;
use std::time::Duration;
use vmhealth_sim::budget::{Assumptions, Break, Detector, rows};
use vmhealth_sim::explore::{Exploration, Extreme, Grid, Tried, explore};
use vmhealth_sim::fixture::{self, scenario};
use vmhealth_sim::manifest::{VirtualMachine, WatchdogAction};
use vmhealth_sim::scenario::Fault;
use vmhealth_sim::trace::Event;
use vmhealth_sim::world::Timings;

const PING: &str = "guestAgentPing: {}, initialDelaySeconds: 60, periodSeconds: 10, failureThreshold: 1";

fn vm(heartbeat_races: bool) -> VirtualMachine {
    let vm = fixture::vm().strategy("Once").liveness(PING);
    if heartbeat_races { vm.watchdog(WatchdogAction::Poweroff).build() } else { vm.build() }
}

fn explored(vm: &VirtualMachine, faults: &[Fault]) -> Exploration {
    explored_from(Duration::from_secs(90), Duration::from_secs(10), vm, faults)
}

fn explored_from(from: Duration, span: Duration, vm: &VirtualMachine, faults: &[Fault]) -> Exploration {
    let daemon =
        if vm.vmi.watchdog.is_some() { "watchdogDaemon: {heartbeatSeconds: 6, keepalive: masked}" } else { "" };
    let expect = "{see: guest ready, withinGuest: 0s..5m}";
    let spec = scenario().guest(daemon).expect(expect).observe("300s").build().spec;
    let grid = Grid { step: Duration::from_millis(500), from, span };
    explore(vm, &spec, faults, grid, Timings { answer: Duration::ZERO, ..Timings::default() })
        .unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn one_outcome_whose_ends_are_the_budget_s() {
    let vm = vm(false);
    let found = explored(&vm, &[Fault::KernelPanic]);
    assert_eq!((found.runs, found.outcomes.len()), (20, 1), "{:?}", found.outcomes);
    let table = rows(&vm, &Assumptions::default());
    let row = table.iter().find(|r| r.fault == Break::KernelPanic && r.detector == Detector::Liveness).unwrap();
    let (acted, best, worst) = (row.acted.unwrap(), &found.outcomes[0].best, &found.outcomes[0].worst);
    assert!(acted.best <= best.took && worst.took <= acted.worst, "{best:?} {worst:?} {acted:?}");
    assert!(worst.took - best.took >= Duration::from_secs(9), "the grid covers the period: {best:?} {worst:?}");
    assert_ne!(best.instants, worst.instants);
}

#[test]
fn a_race_has_two_outcomes_and_shows_both() {
    let found = explored(&vm(true), &[Fault::KernelPanic]);
    let begins: Vec<&str> = found.outcomes.iter().map(|o| o.sequence[0].as_str()).collect();
    assert!(
        begins.contains(&"pod event Killing") && begins.iter().any(|b| b.starts_with("qemu WATCHDOG")),
        "{begins:?}"
    );
    assert_eq!(found.outcomes.iter().map(|o| o.runs).sum::<usize>(), 20);
    assert!(found.outcomes.iter().all(|o| !o.trace.entries().is_empty()));
}

/// An outcome's numbers, its ends and its trace are those of the runs that came out so; among equals it is the first of the grid.
#[test]
fn an_outcome_is_the_sum_of_its_runs() {
    let vm = vm(true);
    let found = explored(&vm, &[Fault::KernelPanic]);
    let begins = found.tried.iter().map(|tried| tried.instants[0].0);
    assert!(begins.eq((0..20).map(|n| Duration::from_millis(90_000 + 500 * n))), "{:?}", found.tried);
    for (number, outcome) in found.outcomes.iter().enumerate() {
        let runs: Vec<&Tried> = found.tried.iter().filter(|tried| tried.outcome == number).collect();
        assert_eq!(outcome.runs, runs.len());
        let best = runs.iter().min_by_key(|run| run.took).unwrap();
        let worst = runs.iter().min_by_key(|run| Reverse(run.took)).unwrap();
        let extreme = |run: &Tried| Extreme { took: run.took, instants: run.instants.clone() };
        assert_eq!((&outcome.best, &outcome.worst), (&extreme(best), &extreme(worst)));
        // Each of its runs again, with no other beside it.
        let alone = |run: &Tried| {
            let mut one = explored_from(run.instants[0].0, Duration::ZERO, &vm, &[Fault::KernelPanic]);
            one.outcomes.remove(0).trace
        };
        let shortest = runs.iter().min_by_key(|run| alone(run).logged()).unwrap();
        assert_eq!(outcome.instants, shortest.instants);
        assert_eq!(outcome.trace.logged(), alone(shortest).logged());
        let at = |wanted: fn(&Event) -> bool| outcome.trace.entries().iter().find(|e| wanted(&e.event)).unwrap().at;
        let begun = at(|e| matches!(e, Event::FaultBegun(_))).since(at(|e| *e == Event::GuestReady));
        assert_eq!(begun, outcome.instants[0].0, "it counts from the guest's being ready");
    }
}

/// Too many runs are not begun, and of a guest that its own liveness stops there is nothing to learn about a fault.
#[test]
fn what_is_not_explored() {
    let vm = fixture::vm().liveness("tcpSocket: {port: 9}").build();
    let spec = scenario().observe("1m").build().spec;
    let (one, two) = (&[Fault::KernelPanic][..], &[Fault::KillAgent, Fault::KernelPanic][..]);
    for (faults, instants, expected) in [
        (one, 1, "liveness stops the guest at"),
        (one, 200_000, "liveness stops the guest at"),
        (one, 200_001, "200001 runs are too many"),
        (two, 316, "liveness stops the guest at"),
        (two, 317, "200978 runs are too many"),
    ] {
        let step = Duration::from_millis(1);
        let grid = Grid { step, from: Duration::ZERO, span: step * instants };
        let error = explore(&vm, &spec, faults, grid, Timings::default()).expect_err(expected);
        assert!(error.contains(expected), "{instants}: {error}");
    }
}

/// Readiness and liveness notice at moments of their own; that alone is no race.
#[test]
fn endpoints_make_no_outcome_of_their_own() {
    let readiness = "guestAgentPing: {}, periodSeconds: 7, failureThreshold: 2";
    let vm = fixture::vm().strategy("Once").readiness(readiness).liveness(PING).build();
    let found = explored(&vm, &[Fault::KernelPanic]);
    let orders: Vec<_> = found.outcomes.iter().map(|o| &o.sequence).collect();
    assert_eq!(found.outcomes.len(), 1, "{orders:?}");
    assert!(orders[0].iter().any(|e| e == "endpoints out"), "{orders:?}");
}

#[test]
fn two_faults_come_in_every_order() {
    let found = explored(&vm(true), &[Fault::KillAgent, Fault::KernelPanic]);
    assert_eq!(found.runs, 20 * 20 * 2);
    let orders: Vec<&str> = found.outcomes.iter().map(|o| o.instants[0].1.name()).collect();
    assert!(orders.iter().all(|o| ["killAgent", "kernelPanic"].contains(o)), "{orders:?}");
    assert!(explored(&vm(true), &[Fault::KernelPanic, Fault::KernelPanic]).runs == 400, "the same twice has one order");
}

/// A guest that boots for longer is away for longer: the same liveness probe outlives one reboot and not the other.
#[test]
fn a_slow_boot_is_another_outcome() {
    let vm = fixture::vm().strategy("Once").liveness(PING).build();
    let patient =
        fixture::vm().strategy("Once").liveness(&PING.replace("failureThreshold: 1", "failureThreshold: 4")).build();
    let killed = |vm: &VirtualMachine, boot: u64| {
        let spec = scenario().expect("{see: guest ready, withinGuest: 0s..15m}").observe("600s").build().spec;
        let grid = Grid { step: Duration::from_secs(5), from: Duration::from_secs(90), span: Duration::from_secs(10) };
        let timings = Timings::booting_in(Duration::from_secs(boot));
        let found = explore(vm, &spec, &[Fault::GuestReboot], grid, timings).unwrap_or_else(|e| panic!("{e}"));
        found.outcomes.iter().any(|o| o.sequence.iter().any(|event| event.contains("Killing")))
    };
    assert_eq!((killed(&patient, 16), killed(&patient, 55), killed(&vm, 16)), (false, true, true));
}

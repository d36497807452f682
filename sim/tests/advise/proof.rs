//! What trying numbers comes to: how many runs, the worst moment of each fault, and what is restarted for nothing.

use super::{HTTP, goal, profile, secs, with_bench};
use std::time::Duration;
use vmhealth_sim::advise::{Broken, Goal, Proof, advise, breaking};
use vmhealth_sim::budget::Pets;
use vmhealth_sim::fault::Fault;
use vmhealth_sim::fixture::{Vm, scenario, vm};
use vmhealth_sim::manifest::WatchdogAction;

/// The VM with its own numbers.
struct Tried {
    vm: Vm,
    goal: Goal,
    /// `None`: all that concern it.
    faults: Option<Vec<Fault>>,
    pets: Pets,
}

fn tried(vm: Vm, boots: (u64, u64), hiccup: u64) -> Tried {
    Tried { vm, goal: goal(200, boots, hiccup), faults: None, pets: Pets::EveryHalf }
}

impl Tried {
    fn only(self, fault: Fault) -> Tried {
        Tried { faults: Some(vec![fault]), ..self }
    }

    fn petted_every(self, seconds: u64) -> Tried {
        Tried { pets: Pets::Every(secs(seconds)), ..self }
    }

    fn watched(&self, watched: Duration) -> Proof {
        let vm = self.vm.build();
        let guest = profile(&vm);
        let faults = self.faults.as_ref().map_or_else(
            || breaking(&vm, &guest),
            |faults| {
                faults.iter().map(|fault| Broken { text: fault.kind().to_string(), fault: fault.clone() }).collect()
            },
        );
        with_bench(&vm, &guest, |bench| {
            let mut bench = bench.clone();
            bench.assumptions.pets = self.pets;
            bench.prove(&bench.own(), &self.goal, self.goal.hiccup, &faults, watched)
        })
    }
}

fn shown(proof: &Proof) -> String {
    let mut out = format!("{} runs, worst {:?}\n", proof.runs, proof.worst().map(|w| w.fault.as_str()));
    for worst in &proof.faults {
        let back = worst.back.map_or("never".to_owned(), |back| format!("after {:.3} s", back.as_secs_f64()));
        let noticed = worst.noticed.as_deref().unwrap_or("nobody");
        let (at, boot) = (worst.at.as_secs_f64(), worst.boot.as_secs_f64());
        out += &format!("  {} {at:.3} s after a boot of {boot} s: back {back}, noticed by {noticed}\n", worst.fault);
    }
    proof.false_restarts.iter().for_each(|why| out += &format!("  for nothing: {why}\n"));
    out
}

#[test]
fn what_trying_comes_to() {
    let timings = |delay, period, timeout, failures| {
        format!(
            "{HTTP}, initialDelaySeconds: {delay}, periodSeconds: {period}, timeoutSeconds: {timeout}, failureThreshold: {failures}"
        )
    };
    let watched = vm().watchdog(WatchdogAction::Poweroff);
    let mut out = String::new();
    for (name, tried) in [
        ("liveness", tried(vm().liveness(&timings(30, 10, 1, 3)), (20, 30), 8)),
        ("a quick boot", tried(vm().liveness(&timings(10, 10, 1, 3)), (5, 5), 0)),
        ("one boot", tried(vm().liveness(&timings(30, 10, 1, 3)), (20, 20), 0)),
        ("too little patience for the boot", tried(vm().liveness(&timings(5, 1, 1, 1)), (20, 30), 0)),
        ("and only for the slower one", tried(vm().liveness(&timings(10, 5, 1, 3)), (12, 30), 0)),
        ("for a hiccup", tried(vm().liveness(&timings(30, 4, 1, 2)), (20, 20), 6)),
        (
            "a ping",
            tried(vm().liveness("guestAgentPing: {}, initialDelaySeconds: 30, failureThreshold: 2"), (20, 20), 15),
        ),
        ("both probes", tried(vm().liveness(&timings(30, 6, 1, 3)).readiness(&timings(0, 4, 1, 1)), (20, 20), 0)),
        ("a long period", tried(vm().liveness(&timings(30, 90, 1, 1)), (20, 20), 0)),
        ("a period of ten minutes", tried(vm().liveness(&timings(30, 600, 1, 1)), (20, 20), 0).only(Fault::KillQemu)),
        (
            "three successes",
            tried(vm().readiness(&format!("{HTTP}, periodSeconds: 50, successThreshold: 3")), (20, 20), 0)
                .only(Fault::KillQemu),
        ),
        ("a watchdog", tried(watched.clone(), (20, 30), 5)),
        ("one petted in time", tried(watched.clone(), (20, 20), 0).petted_every(50)),
        ("one petted too seldom", tried(watched.clone(), (20, 20), 0).petted_every(130)),
        (
            "one petted too seldom, whose reset a liveness probe takes for a fault",
            tried(vm().watchdog(WatchdogAction::Reset).liveness(&timings(100, 10, 1, 1)), (20, 20), 0)
                .petted_every(130),
        ),
        ("a timeout of ten minutes", tried(vm().readiness(&timings(0, 10, 600, 1)), (20, 20), 0).only(Fault::KillQemu)),
        ("beside readiness", tried(watched.readiness(&timings(0, 7, 1, 1)), (20, 20), 0).only(Fault::KillWatchdog)),
        ("started by hand", tried(vm().strategy("Manual").liveness(&timings(30, 10, 1, 3)), (20, 20), 0)),
        ("not what it serves", tried(vm().readiness("httpGet: {port: 9}"), (20, 20), 0)),
        ("nobody looks", tried(vm(), (20, 30), 10).only(Fault::KernelPanic)),
        (
            "nothing breaks",
            Tried { faults: Some(Vec::new()), ..tried(vm().liveness(&timings(30, 10, 1, 3)), (20, 20), 0) },
        ),
    ] {
        out += &format!("{name}: {}", shown(&tried.watched(secs(300))));
    }
    insta::assert_snapshot!(out);
}

#[test]
fn a_watchdog_that_is_petted_too_seldom() {
    let advised = |vm: Vm, pets| {
        let vm = vm.build();
        let guest = scenario()
            .guest("watchdogDaemon: {heartbeatSeconds: 30, keepalive: masked}, healthServer: true, servesProbes: true");
        let guest = guest.build().spec.guest;
        with_bench(&vm, &guest, |bench| {
            let mut bench = bench.clone();
            bench.assumptions.pets = Pets::Every(secs(pets));
            advise(&bench, &goal(120, (20, 20), 3), &breaking(&vm, &guest)).unwrap()
        })
    };
    let why = "a boot of 20 s: the watchdog fires, because it is petted too seldom";
    let watched = vm().watchdog(WatchdogAction::Poweroff);
    // Another heartbeat will do.
    let advice = advised(watched.clone(), 40);
    assert_eq!(advice.now.proof.false_restarts, [why]);
    let best = advice.best.unwrap();
    assert_eq!((best.numbers.heartbeat, best.survives), (Some(60), Some(secs(19))));
    // None that is looked at will.
    for vm in [watched.clone(), watched.liveness(&format!("{HTTP}, initialDelaySeconds: 100"))] {
        let advice = advised(vm, 400);
        assert_eq!(advice.now.proof.false_restarts, [why]);
        let sooner = "as it is, the watchdog fires although nothing is wrong: its daemon must pet it sooner";
        assert_eq!((advice.best, advice.reasons), (None, vec![sooner.to_owned()]));
    }
}

//! What is advised holds, tried at every moment; asking less often does not.

mod proof;

use proptest::prelude::*;
use std::time::Duration;
use vmhealth_sim::advise::{
    Advice, Answer, Bench, Boots, Broken, Goal, Maintenance, Numbers, Way, advise, breaking, maintain, merge_into,
    merge_patch,
};
use vmhealth_sim::budget::{Basis, Given};
use vmhealth_sim::cluster::KubevirtVersion;
use vmhealth_sim::fault::{Direction, Fault};
use vmhealth_sim::fixture::{Vm, scenario, vm};
use vmhealth_sim::manifest::{self, VirtualMachine, WatchdogAction};
use vmhealth_sim::scenario::{GuestProfile, Health};
use vmhealth_sim::time::Span;
use vmhealth_sim::yaml;

const HTTP: &str = "httpGet: {port: 1500}";

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn goal(within: u64, boots: (u64, u64), hiccup: u64) -> Goal {
    Goal { within: secs(within), boots: Boots { fastest: secs(boots.0), slowest: secs(boots.1) }, hiccup: secs(hiccup) }
}

/// With a watchdog daemon where there is a watchdog, and a server for the probes.
fn profile(vm: &VirtualMachine) -> GuestProfile {
    let daemon = "watchdogDaemon: {heartbeatSeconds: 60, keepalive: masked}";
    let guest = scenario().guest("healthServer: true, servesProbes: true");
    guest.guest(if vm.vmi.watchdog.is_some() { daemon } else { "" }).build().spec.guest
}

fn with_bench<T>(vm: &VirtualMachine, guest: &GuestProfile, use_it: impl FnOnce(&Bench<'_>) -> T) -> T {
    let assumptions = Basis::of(vm, &Given::default()).assumptions;
    use_it(&Bench { vm, guest, assumptions, version: KubevirtVersion::default() })
}

fn advised(vm: &Vm, goal: &Goal) -> Advice {
    let vm = vm.build();
    let guest = profile(&vm);
    with_bench(&vm, &guest, |bench| advise(bench, goal, &breaking(&vm, &guest))).unwrap_or_else(|e| panic!("{e}"))
}

/// What a row of the answers says.
fn line(name: &str, answer: &Answer) -> String {
    let changes: Vec<String> = answer.changes.iter().map(|c| format!("{} {} -> {}", c.field, c.from, c.to)).collect();
    let recovery = answer.proof.recovery().map_or("never".to_owned(), |r| format!("{:.1} s", r.as_secs_f64()));
    format!(
        "{name}: {recovery}, survives {:?}, {:.1} probes a minute, {} restarts for nothing, {} runs; {}\n",
        answer.survives,
        answer.numbers.probes_per_minute(),
        answer.proof.false_restarts.len(),
        answer.proof.runs,
        changes.join(", ")
    )
}

/// What is advised of each, and that there is a reason or an answer.
fn described(rows: impl IntoIterator<Item = (&'static str, Vm, Goal)>) -> String {
    let mut out = String::new();
    for (name, vm, goal) in rows {
        let advice = advised(&vm, &goal);
        let (looked_at, tried) = advice.looked_at;
        out += &format!("{name}: looked at {looked_at}, tried {tried}\n  {}", line("now", &advice.now));
        for answer in &advice.front {
            out += &format!("  {}", line("front", answer));
        }
        for (name, answer) in [("advised", &advice.best), ("instead", &advice.instead)] {
            out += &answer.as_ref().map_or(String::new(), |answer| format!("  {}", line(name, answer)));
        }
        out.extend(advice.reasons.iter().map(|reason| format!("  {reason}\n")));
        assert_eq!(advice.best.is_none(), !advice.reasons.is_empty(), "{name}: a reason or an answer");
    }
    out
}

#[test]
fn what_is_advised() {
    let document = vm().liveness(&format!("{HTTP}, initialDelaySeconds: 120, periodSeconds: 20, timeoutSeconds: 10"));
    let watched = document.clone().watchdog(WatchdogAction::Poweroff).readiness(&format!("{HTTP}, periodSeconds: 5"));
    let out = described([
        ("the document's liveness", document.clone(), goal(180, (45, 90), 8)),
        ("with a watchdog and readiness", watched.clone(), goal(180, (45, 90), 8)),
        ("once", watched.clone().strategy("Once"), goal(180, (30, 30), 8)),
        (
            "impatient",
            vm().liveness(&format!("{HTTP}, initialDelaySeconds: 5, periodSeconds: 1, failureThreshold: 1")),
            goal(180, (45, 90), 8),
        ),
        ("a boot longer than the goal", document, goal(60, (45, 90), 8)),
        ("only readiness", vm().readiness(HTTP), goal(120, (30, 30), 5)),
    ]);
    insta::assert_snapshot!(out);
}

#[test]
fn what_is_advised_in_a_few_steps() {
    let quick = vm().liveness(&format!("{HTTP}, initialDelaySeconds: 20, periodSeconds: 5"));
    let watched = vm().watchdog(WatchdogAction::Poweroff);
    let diag288 = vm().spec("architecture: s390x").device("watchdog: {name: w, diag288: {action: poweroff}}");
    let readiness = |delay, period, successes| {
        watched.clone().readiness(&format!(
            "guestAgentPing: {{}}, initialDelaySeconds: {delay}, periodSeconds: {period}, successThreshold: {successes}"
        ))
    };
    let out = described([
        ("only a watchdog", watched.clone(), goal(60, (20, 20), 5)),
        ("only readiness of a service", watched.clone().readiness(HTTP), goal(120, (20, 20), 5)),
        ("only readiness, once", vm().strategy("Once").readiness(HTTP), goal(90, (20, 20), 3)),
        ("readiness, and no time", readiness(0, 30, 2), goal(25, (20, 20), 1)),
        ("nothing", vm(), goal(120, (30, 30), 5)),
        ("nothing, and no time", vm(), goal(30, (30, 30), 5)),
        ("a diag288 takes no heartbeat of 10 s", diag288, goal(15, (20, 20), 5)),
        ("the watchdog's action", vm().watchdog(WatchdogAction::Reset).strategy("Once"), goal(90, (20, 20), 5)),
        ("readiness asks often enough", readiness(0, 5, 1), goal(120, (20, 20), 5)),
        ("readiness asks too seldom", readiness(0, 30, 2), goal(100, (20, 20), 5)),
        ("readiness begins too late", readiness(90, 10, 1), goal(90, (20, 20), 5)),
        ("no time for the grace period", quick.clone(), goal(35, (20, 20), 1)),
        ("no time at all", quick.spec("terminationGracePeriodSeconds: 0"), goal(22, (20, 20), 1)),
        ("a hiccup that no heartbeat outlives", watched.clone(), goal(120, (20, 20), 61)),
    ]);
    insta::assert_snapshot!(out);
}

/// Of a fault that somebody names: the formulas know some that are not among those that are tried otherwise.
#[test]
fn what_is_advised_against_one_fault() {
    let (lasting, http) = (Span(secs(3600)), vm().liveness_http(1500));
    let ping = vm().liveness("guestAgentPing: {}, periodSeconds: 10");
    let mut out = String::new();
    for (manifest, fault) in [
        (http.clone(), Fault::Health(Health::Stop)),
        (http, Fault::NetworkLoss { lasting, direction: Direction::Both, delay: None }),
        (ping.clone(), Fault::StopAgent { lasting }),
        (ping, Fault::HangAgent { lasting }),
    ] {
        let (vm, name) = (manifest.build(), fault.kind().to_string());
        let faults = [Broken { text: name.clone(), fault }];
        let advice = with_bench(&vm, &profile(&vm), |bench| advise(bench, &goal(70, (20, 20), 3), &faults)).unwrap();
        let (looked_at, tried) = advice.looked_at;
        out += &format!("looked at {looked_at}, tried {tried}; {}", line(&name, &advice.best.unwrap()));
    }
    insta::assert_snapshot!(out);
}

#[test]
fn a_probe_that_never_succeeds_is_no_matter_of_numbers() {
    let refused = |vm: Vm, why: &str| {
        let vm = vm.build();
        let error = with_bench(&vm, &profile(&vm), |bench| advise(bench, &goal(70, (20, 20), 3), &[])).unwrap_err();
        let must =
            "the probes must succeed in a healthy guest, and within a day (of programs the model knows a few only)";
        assert_eq!(error, format!("a boot of 20 s: {why}: {must}"));
    };
    let never = |delay| vm().liveness(&format!("exec: {{command: [/usr/bin/false]}}, initialDelaySeconds: {delay}"));
    let killed = "liveness takes it for a fault, also with an initialDelaySeconds of";
    refused(never(5), &format!("{killed} 80"));
    refused(never(300), &format!("{killed} 300"));
    refused(vm().readiness("exec: {command: [/usr/bin/false]}"), "it is never Ready and guarded");
}

/// The patch, put into the manifest's text as kubectl does.
fn patched(vm: &Vm, answer: &Answer) -> VirtualMachine {
    let mut document: serde_json::Value = yaml::read(&vm.yaml()).unwrap_or_else(|e| panic!("{e:?}"));
    if let Some(patch) = merge_patch(&answer.changes, false) {
        merge_into(&mut document, &patch);
    }
    manifest::read("vm.yaml", &document.to_string()).unwrap_or_else(|e| panic!("{e}"))
}

/// What the patch makes of the manifest, tried anew, holds the goal.
fn holds_patched(vm: &Vm, goal: &Goal, answer: &Answer) {
    let changed = patched(vm, answer);
    let (before, after) = (vm.build(), changed.vmi.clone());
    assert_eq!((&before.vmi.user_data, &before.vmi.ports), (&after.user_data, &after.ports), "the rest is as it was");
    let mut guest = profile(&changed);
    guest.kernel_panic_seconds = answer.numbers.panic_timer;
    if let Some(heartbeat) = answer.numbers.heartbeat {
        guest.set_heartbeat(heartbeat);
    }
    with_bench(&changed, &guest, |bench| {
        assert_eq!(bench.own(), answer.numbers, "the patch brings the numbers");
        let faults = breaking(&changed, &guest);
        let proof = bench.prove(&bench.own(), goal, goal.hiccup, &faults, goal.within + secs(60));
        assert!(proof.holds(goal.within), "{:?} {:?}", proof.worst(), proof.false_restarts);
    });
}

fn some_vm() -> impl Strategy<Value = Vm> {
    let probe = (0..3_usize, 1..30_u32, 1..8_u32, 1..6_u32, 0..100_u32);
    (proptest::option::of(probe.clone()), proptest::option::of(probe), 0..3_usize, 0..3_usize).prop_map(
        |(liveness, readiness, watchdog, strategy)| {
            let text = |(handler, period, timeout, threshold, delay): (usize, u32, u32, u32, u32)| {
                let handler = [HTTP, "tcpSocket: {port: 1500}", "guestAgentPing: {}"][handler];
                format!("{handler}, periodSeconds: {period}, timeoutSeconds: {timeout}, failureThreshold: {threshold}, initialDelaySeconds: {delay}")
            };
            let mut vm = vm().strategy(["Always", "RerunOnFailure", "Manual"][strategy]);
            if let Some(probe) = liveness {
                vm = vm.liveness(&text(probe));
            }
            if let Some(probe) = readiness {
                vm = vm.readiness(&text(probe));
            }
            match watchdog {
                0 => vm,
                1 => vm.watchdog(WatchdogAction::Poweroff),
                _ => vm.watchdog(WatchdogAction::Reset),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever VM and goal: what is advised holds after its patch; where nothing is advised, it is said why and what can be had.
    #[test]
    fn advice_holds_or_says_why(vm in some_vm(), within in 60_u64..240, fastest in 10_u64..40, more in 0_u64..30, hiccup in 0_u64..12) {
        let goal = goal(within, (fastest, fastest + more), hiccup);
        let advice = advised(&vm, &goal);
        match &advice.best {
            Some(best) => holds_patched(&vm, &goal, best),
            None => {
                prop_assert!(!advice.reasons.is_empty());
                let can = advice.instead.as_ref().and_then(|i| i.proof.recovery());
                prop_assert!(can.is_none_or(|can| can > goal.within), "{can:?} can be had, and {within} s was asked for");
            }
        }
        for answer in &advice.front {
            let least = &advice.front[0];
            prop_assert!(answer.proof.holds(goal.within));
            prop_assert!(answer.numbers.probes_per_minute() >= least.numbers.probes_per_minute());
        }
    }
}

/// The advised liveness period is the longest that is looked at: the next one breaks the goal or the hiccup, whatever its threshold.
#[test]
fn a_longer_period_does_not_hold() {
    let manifest = vm().liveness(&format!("{HTTP}, initialDelaySeconds: 60, periodSeconds: 3, timeoutSeconds: 2"));
    let goal = goal(150, (45, 60), 8);
    let best = advised(&manifest, &goal).best.unwrap();
    let liveness = best.numbers.liveness.unwrap();
    let longer = [60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1].into_iter().rev().find(|p| *p > liveness.period).unwrap();
    let vm = manifest.build();
    let guest = profile(&vm);
    with_bench(&vm, &guest, |bench| {
        for failure_threshold in 1..8 {
            let probe = manifest::Timings { period: longer, failure_threshold, ..liveness };
            let numbers = Numbers { liveness: Some(probe), ..best.numbers };
            let proof = bench.prove(&numbers, &goal, goal.hiccup, &breaking(&vm, &guest), goal.within + secs(60));
            assert!(!proof.holds(goal.within), "every {longer} s x {failure_threshold} would do: {best:?}");
        }
    });
}

#[test]
fn what_maintenance_comes_to() {
    let ping = "guestAgentPing: {}, initialDelaySeconds: 30, periodSeconds: 10, failureThreshold: 3";
    let hourly = "exec: {command: [/usr/bin/true]}, periodSeconds: 3600, failureThreshold: 1";
    let mut out = String::new();
    for (name, vm, what, lasting) in [
        ("http", vm().liveness_http(1500), Maintenance::Reboot, 20),
        ("http", vm().liveness_http(1500), Maintenance::Reboot, 300),
        ("http", vm().liveness_http(1500), Maintenance::Migration, 30),
        ("http", vm().liveness_http(1500), Maintenance::Migration, 200),
        ("http", vm().liveness_http(1500), Maintenance::Freeze, 60),
        ("ping", vm().liveness(ping), Maintenance::Reboot, 300),
        ("ping", vm().liveness(ping), Maintenance::Migration, 200),
        ("ping", vm().liveness(ping), Maintenance::Freeze, 60),
        ("ping, KubeVirt 1.8.2", vm().liveness(ping), Maintenance::Reboot, 300),
        ("ping, KubeVirt 1.8.2", vm().liveness(ping), Maintenance::Migration, 200),
        ("ping, KubeVirt 1.8.2", vm().liveness(ping), Maintenance::Freeze, 60),
        ("exec", vm().liveness("exec: {command: [/usr/bin/true]}, initialDelaySeconds: 60"), Maintenance::Freeze, 60),
        ("none", vm(), Maintenance::Reboot, 300),
        ("once an hour", vm().liveness(hourly), Maintenance::Freeze, 60),
        ("every second", vm().liveness("guestAgentPing: {}, periodSeconds: 1"), Maintenance::Reboot, 60),
    ] {
        let vm = vm.build();
        let guest = profile(&vm);
        let version = name.rsplit_once(' ').and_then(|(_, version)| version.parse().ok()).unwrap_or_default();
        let lives = with_bench(&vm, &guest, |bench| {
            maintain(&Bench { version, ..bench.clone() }, what, secs(lasting), secs(30)).unwrap()
        });
        let ways: Vec<String> = lives
            .ways
            .iter()
            .map(|way| match way {
                Way::Number(change) => format!("{} {} -> {}", change.field, change.from, change.to),
                Way::Annotation => "the annotation".to_owned(),
            })
            .collect();
        out += &format!(
            "{name}: {} of {lasting} s: killed after {:?}, {} runs; {}\n",
            what.as_str(),
            lives.killed,
            lives.runs,
            ways.join(", ")
        );
    }
    insta::assert_snapshot!(out);
}

#[test]
fn a_patch_has_only_what_changes() {
    let manifest = vm().strategy("Once").watchdog(WatchdogAction::Shutdown).liveness(HTTP).build();
    let own = with_bench(&manifest, &profile(&manifest), |bench| bench.own());
    let liveness = own.liveness.map(|t| manifest::Timings { period: 7, ..t });
    let wanted = Numbers {
        liveness,
        action: Some(WatchdogAction::Reset),
        strategy: manifest::RunStrategy::Always,
        heartbeat: Some(20),
        ..own
    };
    let changes = wanted.changes_from(&own, &manifest);
    let patch = merge_patch(&changes, true).unwrap();
    let expected = r#"{"spec":{"runStrategy":"Always","running":null,"template":{"spec":{"domain":{"devices":{"watchdog":{"i6300esb":{"action":"reset"}}}},"livenessProbe":{"periodSeconds":7}}}}}"#;
    assert_eq!(patch, serde_json::from_str::<serde_json::Value>(expected).unwrap());
    assert!(changes.iter().any(|c| c.in_guest && c.field == "heartbeat" && c.to == "20"), "{changes:?}");
    assert_eq!(merge_patch(&own.changes_from(&own, &manifest), true), None);
    let strategy = Numbers { strategy: manifest::RunStrategy::Always, ..own }.changes_from(&own, &manifest);
    assert_eq!(merge_patch(&strategy, false).unwrap(), serde_json::json!({"spec": {"runStrategy": "Always"}}));
    let period = Numbers { liveness, ..own }.changes_from(&own, &manifest);
    assert!(merge_patch(&period, true).unwrap().pointer("/spec/running").is_none(), "the strategy does not change");
}

#[test]
fn what_numbers_come_to() {
    let manifest = vm().watchdog(WatchdogAction::Reset).liveness("guestAgentPing: {}, periodSeconds: 20").build();
    let guest = profile(&manifest);
    let own = with_bench(&manifest, &guest, |bench| bench.own());
    assert!((own.probes_per_minute() - 3.0).abs() < 1e-9);
    let both = Numbers { readiness: own.liveness.map(|t| manifest::Timings { period: 4, ..t }), ..own };
    assert!((both.probes_per_minute() - 18.0).abs() < 1e-9);
    let set = Numbers { panic_timer: 7, heartbeat: Some(45), ..own }.put_into_guest(&guest);
    assert_eq!((set.kernel_panic_seconds, set.petting().map(|p| p.heartbeat_seconds)), (7, Some(45)));
}

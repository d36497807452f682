//! The skip against the stepped engine: random VMs, probes and faults, and what a user could see of them, event for event.
//!
//! The quick form is some hundred cases. The long one: `VMHEALTH_SKIP_CASES=1000000 cargo test --release -p vmhealth-sim --test skip`;
//! `VMHEALTH_SKIP_FIRST` is its first case, so that it can be shared out. A case is made of its number alone.

use fastrand::Rng;
use std::time::Duration;
use vmhealth_sim::engine::Config;
use vmhealth_sim::fault::FaultKind;
use vmhealth_sim::fixture::{scenario, vm};
use vmhealth_sim::manifest::{VirtualMachine, WatchdogAction};
use vmhealth_sim::scenario::{Spec, Verdict};
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{Entry, Keeps, Trace};
use vmhealth_sim::world::{self, Timings};

const QUICK: u64 = 400;

/// A number from the environment, which only the long form has.
#[expect(clippy::disallowed_methods, reason = "the test asks how long it may take; it is not sim")]
fn asked(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(otherwise, |text| text.parse().unwrap_or_else(|e| panic!("{name}={text}: expected a number: {e}")))
}

/// One VM, what happens to it, and how long things take in its guest.
struct Made {
    vm: VirtualMachine,
    spec: Spec,
    timings: Timings,
    text: String,
}

fn pick<'a>(random: &mut Rng, from: &[&'a str]) -> &'a str {
    random.choice(from).copied().unwrap_or_default()
}

/// Whole seconds, where everything meets everything, or any millisecond.
fn span(random: &mut Rng, longest_s: u64) -> String {
    if random.bool() {
        format!("{}s", random.u64(0..=longest_s))
    } else {
        format!("{}ms", random.u64(0..=longest_s * 1000))
    }
}

fn probe(random: &mut Rng, liveness: bool) -> String {
    let handler = pick(
        random,
        &[
            "httpGet: {port: 1500, path: /healthz}",
            "httpGet: {port: 1500, path: /healthz}",
            "tcpSocket: {port: 1500}",
            "tcpSocket: {port: 22}",
            "tcpSocket: {port: nowhere}",
            "guestAgentPing: {}",
            "guestAgentPing: {}",
            "exec: {command: [/usr/bin/uname]}",
            "exec: {command: [/bin/sh, -c, 'mkdir /var/tmp/probe && rmdir /var/tmp/probe']}",
            "exec: {command: [/usr/bin/sleep, '9']}",
        ],
    );
    let success = if liveness { 1 } else { random.u32(1..=3) };
    let delay = if random.bool() { random.u32(0..=60) } else { 0 };
    format!(
        "{handler}, periodSeconds: {}, timeoutSeconds: {}, failureThreshold: {}, successThreshold: {success}, initialDelaySeconds: {delay}",
        random.u32(1..=20),
        random.u32(1..=6),
        random.u32(1..=4),
    )
}

/// A step: any fault there is, for any time, or what a user does.
fn step(random: &mut Rng, watched: u64) -> String {
    let users = [
        "pause",
        "unpause",
        "restart",
        "stop",
        "deletePod",
        "{migrate: {for: 40s}}",
        "{restartKubelet: {}}",
        "{restartKubelet: {resetsReady: true}}",
        "{annotate: {kubevirt.io/pause-guest-agent-probes: 'true'}}",
    ];
    let what = match random.u8(0..8) {
        0 => format!("user: {}", pick(random, &users[..8])),
        _ => {
            let kind = random.choice(FaultKind::ALL).copied().unwrap_or(FaultKind::KernelPanic);
            let mut fault = kind.example().to_owned();
            if kind == FaultKind::Health {
                let ways = [
                    "stop",
                    "start",
                    "hang",
                    "{slow: 3s}",
                    "{status: 500}",
                    "{status: 200}",
                    "{redirect: 'http://elsewhere/'}",
                ];
                fault = format!("{{health: {}}}", pick(random, &ways));
            }
            for (shown, longest) in [("15s", 120), ("20s", 120)] {
                fault = fault.replace(&format!("for: {shown}"), &format!("for: {}", span(random, longest)));
            }
            format!("fault: {fault}")
        }
    };
    let waits = [
        "",
        "after: guest ready, ",
        "after: guest ready, ",
        "after: guest ready, guardedWithin: 2m, ",
        "after: readiness answer Failure, ",
        "after: liveness answer Success, ",
        "after: pod event Unhealthy, ",
    ];
    let after = pick(random, &waits);
    format!("{{{after}plus: {}, {what}}}", span(random, watched))
}

fn made(case: u64) -> Made {
    let random = &mut Rng::with_seed(case);
    let strategy = pick(random, &["Always", "Always", "RerunOnFailure", "Once", "Manual"]);
    let mut vm = vm().strategy(strategy);
    let s390x = random.u8(0..6) == 0;
    if s390x {
        vm = vm.spec("architecture: s390x");
    }
    if random.u8(0..4) > 0 {
        vm = vm.readiness(&probe(random, false));
    }
    if random.u8(0..4) > 0 {
        vm = vm.liveness(&probe(random, true));
    }
    let watched = random.u64(30..=900);
    let watchdog = random.u8(0..3) > 0;
    if watchdog {
        let action = random.choice(WatchdogAction::ALL).unwrap_or(WatchdogAction::Reset);
        vm = match s390x {
            true => vm.device(&format!("watchdog: {{name: w, diag288: {{action: {action}}}}}")),
            false => vm.watchdog(action),
        };
    }
    if random.u8(0..8) == 0 {
        vm = vm.spec(&format!("terminationGracePeriodSeconds: {}", random.u32(0..=60)));
    }
    let mut steps: Vec<String> = if strategy == "Manual" { vec!["{user: start}".into()] } else { Vec::new() };
    steps.extend((0..random.usize(0..=3)).map(|_| step(random, watched)));
    // No scenario has both.
    if steps.iter().any(|step| step.contains("bootLoop")) {
        steps.retain(|step| !step.contains("slowBoot"));
    }
    // Nor a disk that fails a second time while it may still fail.
    let mut disk_failed = false;
    steps.retain(|step| !step.contains("ioError") || !std::mem::replace(&mut disk_failed, true));
    // Whoever waits for what probes say must not miss it.
    let awaited = pick(
        random,
        &[
            "",
            "",
            "",
            "{see: readiness answer Failure, within: 0s..20m}",
            "{see: pod event Unhealthy, within: 0s..10m}",
            "{see: liveness attempt, from: liveness answer, within: 0s..1m}",
        ],
    );
    let never = pick(
        random,
        &["", "", "", "{see: pod event ProbeWarning}", "{see: endpoints out, after: readiness answer Failure}"],
    );
    let mut file = scenario()
        .spec(&format!("seed: {case}"))
        .guest("healthServer: true")
        .guest(&format!(
            "watchdogDaemon: {{heartbeatSeconds: {}, keepalive: {}}}",
            pick(random, &["15", "15", "20", "30", "60", "601"]),
            pick(random, &["masked", "takeover"]),
        ))
        .steps(&steps.join(", "))
        .expect("{see: guest ready, from: vm event SuccessfulCreate, withinGuest: 0s..15m}")
        .never(never)
        .observe(&format!("{watched}s"))
        .end(pick(
            random,
            &["", "ready: true", "vm: Running, waitUpTo: 5m", "vmis: 2", "answers: true, waitUpTo: 10m"],
        ));
    if !awaited.is_empty() {
        file = file.expect(awaited);
    }
    if random.u8(0..4) == 0 {
        file = file.guest(&format!("kernelPanicSeconds: {}", random.u32(0..=60)));
    }
    if random.u8(0..10) == 0 {
        file = file.spec("traffic: {every: 7s, port: 1500}");
    }
    if random.u8(0..4) == 0 {
        file = file.spec(&format!("kubevirtVersion: {}", pick(random, &["v1.4", "v1.7.3"])));
    }
    let ms = Duration::from_millis;
    let timings = Timings {
        answer: random.choice([ms(0), ms(50), ms(50), ms(999), ms(1000), ms(2500)]).unwrap_or_default(),
        pet_interval: random
            .choice([ms(1000), ms(1000), ms(1000), ms(700), ms(2500), ms(5000), ms(20_000)])
            .unwrap_or_default(),
        settled: random.choice([ms(19_000), ms(19_050)]).unwrap_or_default(),
        fault: random.choice([(ms(0), ms(50)), (ms(300), ms(1000))]).unwrap_or_default(),
        ..Timings::default()
    };
    let text = format!("case {case}, {timings:?}\n{}\n{}", vm.yaml(), file.yaml());
    Made { vm: vm.build(), spec: file.build().spec, timings, text }
}

/// What was counted, or would have been.
fn counts(trace: &Trace) -> Vec<(u32, String, u64)> {
    let mut counts: Vec<_> = trace.counted().iter().map(|c| (c.vmi, c.event.to_string(), c.times)).collect();
    counts.sort();
    counts
}

/// A full trace as one that keeps changes.
fn reduced(full: &Trace) -> Trace {
    let mut trace = Trace::new(Keeps::Changes);
    full.entries().iter().for_each(|entry: &Entry| trace.push(entry.clone()));
    trace
}

fn compare(made: &Made) -> Trace {
    let config = Config::of(&made.spec, 1.0, false);
    let (verdict, full, end) = world::run(&made.vm, &made.spec, config.clone(), made.timings);
    let skipped = world::run_skipping(&made.vm, &made.spec, config, made.timings);
    assert_eq!(full.forgotten(), 0, "{}", made.text);
    let stepped = reduced(&full);
    assert_eq!(skipped.0, verdict, "{}", made.text);
    let differ = skipped.1.entries().iter().zip(stepped.entries()).find(|(skipped, stepped)| skipped != stepped);
    assert_eq!(differ, None, "the first entry, skipped and stepped: {}", made.text);
    assert_eq!(skipped.1.entries().len(), stepped.entries().len(), "{}", made.text);
    assert_eq!(counts(&skipped.1), counts(&stepped), "{}", made.text);
    assert_eq!((skipped.2, skipped.1.logged()), (end, full.logged()), "{}", made.text);
    full
}

#[test]
fn a_skipped_run_is_the_stepped_one() {
    let (first, cases) = (asked("VMHEALTH_SKIP_FIRST", 0), asked("VMHEALTH_SKIP_CASES", QUICK));
    let (mut passed, mut changes) = (0, 0);
    for case in first..first + cases {
        let made = made(case);
        let trace = compare(&made);
        changes += trace.entries().iter().filter(|e| !e.event.is_routine()).count();
        let (verdict, ..) = world::run_skipping(&made.vm, &made.spec, Config::of(&made.spec, 1.0, false), made.timings);
        passed += u64::from(verdict == Verdict::Pass);
    }
    println!("{cases} cases, {passed} pass, {changes} changes compared");
    assert!(cases < 100 || (cases / 5..cases * 9 / 10).contains(&passed), "{passed} of {cases}: of both kinds");
}

/// A killed daemon pets no more when its successor has begun, however often it was killed: pets come as far apart as before.
#[test]
fn a_killed_daemon_leaves_no_pet_behind() {
    let vm = vm().watchdog(WatchdogAction::Shutdown).readiness_http(1500).build();
    let guest = "healthServer: true, watchdogDaemon: {heartbeatSeconds: 30, keepalive: takeover}";
    let killed = "{after: guest ready, plus: 8496ms, fault: killWatchdog}";
    for (kills, panics_after) in
        [(killed.to_owned(), "40s"), (format!("{killed}, {{plus: 500ms, fault: killWatchdog}}"), "40550ms")]
    {
        let steps = format!("{kills}, {{plus: {panics_after}, fault: kernelPanic}}");
        let file = scenario()
            .guest(guest)
            .steps(&steps)
            .expect("{see: qemu WATCHDOG, from: fault kernelPanic confirmed, within: 15s..40s}")
            .observe("60s");
        let timings = Timings { pet_interval: Duration::from_secs(10), ..Timings::default() };
        let trace = compare(&Made { vm: vm.clone(), spec: file.build().spec, timings, text: kills.clone() });
        let times = |text: &str| -> Vec<Time> {
            trace.entries().iter().filter(|entry| entry.event.to_string() == text).map(|entry| entry.at).collect()
        };
        let (keepalive, fired) = (times("guest petter wd_keepalive"), times("qemu WATCHDOG shutdown"));
        let last_pet = fired[0].since(*keepalive.last().unwrap()) - Duration::from_secs(30);
        // The device counts in steps of its own.
        assert!(last_pet.as_millis() % 10_000 < 1000, "{kills}: the last pet came {last_pet:?} after wd_keepalive");
    }
}

/// A tick that needs no answer at the moment of the other probe's answer: what was seen last depends on whether the daemon pets, too.
#[test]
fn what_was_seen_last_of_one_moment() {
    let liveness = "guestAgentPing: {}, periodSeconds: 5, timeoutSeconds: 6";
    let readiness = "tcpSocket: {port: nowhere}, periodSeconds: 19, failureThreshold: 1";
    let vm = vm().readiness(readiness).liveness(liveness).build();
    let timings = Timings {
        answer: Duration::from_millis(2500),
        pet_interval: Duration::from_secs(5),
        fault: (Duration::ZERO, Duration::from_millis(50)),
        ..Timings::default()
    };
    let file = scenario()
        .guest("watchdogDaemon: {heartbeatSeconds: 601, keepalive: takeover}")
        .expect("{see: readiness answer Failure, within: 0s..20m}");
    let trace = compare(&Made { vm, spec: file.build().spec, timings, text: "one moment".into() });
    let of_one_moment = |pair: &[Entry]| {
        pair[0].at == pair[1].at
            && [&pair[0], &pair[1]].iter().any(|e| e.event.to_string() == "liveness answer Success")
    };
    assert!(trace.entries().windows(2).any(of_one_moment), "no such moment");
}

/// Some thirty million ticks and twenty times as many pets: only a run that skips them ends.
#[test]
fn ten_years_cost_no_more_than_a_day() {
    let probe = "guestAgentPing: {}, periodSeconds: 10";
    let vm = vm().watchdog(WatchdogAction::Reset).readiness(probe).liveness(probe).build();
    let daemon = "watchdogDaemon: {heartbeatSeconds: 30, keepalive: masked}";
    let panic = "{after: guest ready, plus: 3000days, fault: kernelPanic}";
    let ready = "{see: guest ready, from: vm event SuccessfulCreate, withinGuest: 0s..15m}";
    let spec = scenario().guest(daemon).steps(panic).expect(ready).observe("3650days").build().spec;
    let config = Config::of(&spec, 1.0, false);
    let (verdict, trace, end) = world::run_skipping(&vm, &spec, config, Timings::default());
    assert_eq!(verdict, Verdict::Pass);
    assert!(end >= Time::from_secs(3650 * 86_400), "{end}");
    let fired = trace.entries().iter().find(|e| e.event.to_string() == "qemu WATCHDOG reset").map(|e| e.at);
    assert!(fired.is_some_and(|at| at > Time::from_secs(3000 * 86_400)), "{fired:?}");
    assert!(trace.logged() > 2 * 2 * 31_000_000 && trace.entries().len() < 200, "{}", trace.logged());
}

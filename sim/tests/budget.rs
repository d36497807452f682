//! The calculator against the simulator: for any manifest and any moment, what the virtual world does lies within what the
//! formulas say, and the formulas' ends are reached.

use proptest::prelude::*;
use std::time::Duration;
use vmhealth_sim::budget::{Assumptions, Basis, Break, Detector, Given, Pets, Row, ready, rows, who_wins};
use vmhealth_sim::cluster::DomainEvent;
use vmhealth_sim::engine::Config;
use vmhealth_sim::fixture::{self, scenario};
use vmhealth_sim::kubelet::{ProbeKind, ProbeResult};
use vmhealth_sim::manifest::VirtualMachine;
use vmhealth_sim::scenario::{Scenario, Verdict};
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{Event, Trace};
use vmhealth_sim::world::{self, Timings};

const HANDLERS: [&str; 3] = ["httpGet: {port: 1500, path: /healthz}", "tcpSocket: {port: 1500}", "guestAgentPing: {}"];
const STRATEGIES: [&str; 4] = ["Always", "RerunOnFailure", "Manual", "Once"];
const ACTIONS: [&str; 4] = ["poweroff", "reset", "shutdown", "none"];

#[derive(Debug, Clone)]
struct Numbers {
    handler: usize,
    period: u32,
    timeout: u32,
    failures: u32,
}

#[derive(Debug, Clone)]
struct Case {
    s390x: bool,
    strategy: usize,
    readiness: Option<Numbers>,
    liveness: Option<Numbers>,
    grace: u32,
    action: Option<usize>,
    heartbeat: u32,
    fault: Break,
    /// From the guest being ready, milliseconds.
    offset: u64,
    panic_device: bool,
    /// `kernel.panic`, seconds.
    panic_timer: i32,
}

fn numbers() -> impl Strategy<Value = Numbers> {
    (0..3_usize, 1..25_u32, 1..12_u32, 1..6_u32).prop_map(|(handler, period, timeout, failures)| Numbers {
        handler,
        period,
        timeout,
        failures,
    })
}

fn case() -> impl Strategy<Value = Case> {
    let probes = (proptest::option::of(numbers()), proptest::option::of(numbers()));
    let rest = (0..4_usize, 0..40_u32, proptest::option::of(0..4_usize), 3..40_u32, 0..Break::ALL.len(), 0..60_000_u64);
    let of_guest = (proptest::bool::weighted(0.3), prop_oneof![2 => Just(0), 1 => 1..60_i32]);
    (probes, rest, of_guest).prop_map(
        |((readiness, liveness), (strategy, grace, action, heartbeat, fault, offset), (s390x, panic_timer))| Case {
            s390x,
            strategy,
            readiness,
            liveness,
            grace,
            // Only a daemon that there is can stop.
            action: action.or((Break::ALL[fault] == Break::DaemonStopped).then_some(0)),
            // What diag288 takes.
            heartbeat: if s390x { heartbeat.max(15) } else { heartbeat },
            fault: Break::ALL[fault],
            offset,
            panic_device: false,
            panic_timer,
        },
    )
}

/// A panic, and everybody who may act on it.
fn race() -> impl Strategy<Value = Case> {
    (case(), proptest::bool::weighted(0.2), 0..60_i32).prop_map(|(case, panic_device, panic_timer)| Case {
        fault: Break::KernelPanic,
        panic_device: panic_device && !case.s390x,
        panic_timer,
        ..case
    })
}

impl Case {
    fn manifest(&self) -> VirtualMachine {
        let probe = |n: &Numbers, delay: u32| {
            format!(
                "{}, initialDelaySeconds: {delay}, periodSeconds: {}, timeoutSeconds: {}, failureThreshold: {}",
                HANDLERS[n.handler], n.period, n.timeout, n.failures
            )
        };
        let (architecture, device) = if self.s390x { ("s390x", "diag288") } else { ("amd64", "i6300esb") };
        let mut vm = fixture::vm()
            .strategy(STRATEGIES[self.strategy])
            .spec(&format!("architecture: {architecture}\nterminationGracePeriodSeconds: {}", self.grace));
        if let Some(n) = &self.readiness {
            vm = vm.readiness(&probe(n, 0));
        }
        if let Some(n) = &self.liveness {
            // After the boot: what happens before is another hazard's.
            vm = vm.liveness(&probe(n, 10));
        }
        if let Some(action) = self.action {
            vm = vm.device(&format!("watchdog: {{name: w, {device}: {{action: {}}}}}", ACTIONS[action]));
        }
        if self.panic_device {
            vm = vm.device("panicDevices: [{model: isa}]");
        }
        vm.build()
    }

    fn scenario(&self) -> Scenario {
        let fault = match self.fault {
            Break::ServiceStopped => "{health: stop}",
            Break::ServiceHangs => "{health: hang}",
            Break::AgentStopped => "{stopAgent: {for: 1h}}",
            Break::DaemonStopped => "stopWatchdog",
            Break::KernelPanic => "kernelPanic",
            Break::NetworkLost => "{networkLoss: {for: 1h}}",
        };
        let start = if STRATEGIES[self.strategy] == "Manual" { "{user: start}" } else { "" };
        let daemon = match self.action {
            Some(_) => format!("watchdogDaemon: {{heartbeatSeconds: {}, keepalive: masked}}", self.heartbeat),
            None => String::new(),
        };
        scenario()
            .guest(&daemon)
            .guest(&format!("healthServer: true, kernelPanicSeconds: {}", self.panic_timer))
            .steps(start)
            .steps(&format!("{{after: guest ready, plus: {}ms, fault: {fault}}}", 30_000 + self.offset))
            .expect("{see: guest ready, from: vm event SuccessfulCreate, withinGuest: 0s..5m}")
            .observe("700s")
            .build()
    }

    fn timings() -> Timings {
        Timings { answer: Duration::ZERO, ..Timings::default() }
    }

    fn assumptions(&self) -> Assumptions {
        let timings = Case::timings();
        Assumptions {
            // The guest is ready with the last of what its profile names.
            boot: if self.action.is_some() { timings.daemon } else { timings.health },
            shutdown: timings.shutdown.1,
            heartbeat: self.heartbeat,
            pets: Pets::Every(timings.pet_interval),
            panic_timer: self.panic_timer,
            ..Assumptions::default()
        }
    }
}

fn show(trace: &Trace) -> String {
    trace.sorted().iter().map(|e| format!("{} {}\n", e.at, e.event)).collect()
}

/// When an event is first seen after the fault, counted from it.
fn since_fault(trace: &Trace, wanted: impl Fn(&Event) -> bool) -> Option<Duration> {
    let entries = trace.sorted();
    let fault = entries.iter().position(|e| matches!(e.event, Event::FaultBegun(_)))?;
    let begun: Time = entries[fault].at;
    entries[fault..].iter().find(|e| wanted(&e.event)).map(|e| e.at.since(begun))
}

fn check(case: &Case) -> Result<(), TestCaseError> {
    let vm = case.manifest();
    let (verdict, trace, _) = world::run(&vm, &case.scenario().spec, Config::default(), Case::timings());
    prop_assert!(!matches!(verdict, Verdict::Infra(_)), "{verdict:?}");
    let table = rows(&vm, &case.assumptions());
    let rows: Vec<&Row> = table.iter().filter(|r| r.fault == case.fault).collect();
    let acting = |r: &&&Row| r.detector != Detector::Readiness && r.detected.is_some();
    for row in &rows {
        // Somebody else may act before this one notices: then the guest is another one.
        let others: Vec<_> = rows.iter().filter(acting).filter(|r| r.detector != row.detector).collect();
        let earlier = |r: &&&&Row| r.detected.zip(row.detected).is_some_and(|(r, own)| r.best <= own.worst);
        let disturbed = others.iter().any(|r| earlier(&r));
        let seen = since_fault(&trace, |event| match row.detector {
            Detector::Readiness => *event == Event::Published(ProbeKind::Readiness, ProbeResult::Failure),
            Detector::Liveness => *event == Event::Killing,
            Detector::Watchdog => matches!(event, Event::Qemu(DomainEvent::Watchdog(_))),
            Detector::PanicDevice | Detector::DisabledWait => {
                matches!(event, Event::Qemu(DomainEvent::Panicked { .. }))
            }
            Detector::PanicTimer => matches!(event, Event::Qemu(DomainEvent::Reset { .. })),
        });
        match (row.detected, seen) {
            (Some(span), Some(at)) if !disturbed => {
                prop_assert!(span.best <= at && at <= span.worst, "{row:?}: seen {at:?}\n{}", show(&trace));
            }
            (Some(_), None) if !disturbed => prop_assert!(false, "{row:?}: never seen\n{}", show(&trace)),
            (None, Some(at)) if others.is_empty() => {
                prop_assert!(false, "{row:?}: seen {at:?}\n{}", show(&trace));
            }
            _ => {}
        }
        if others.is_empty() && row.detector != Detector::Readiness && !row.contested() {
            let back = since_fault(&trace, |event| *event == Event::GuestReady);
            match (row.back, back) {
                (Some(span), Some(at)) => {
                    prop_assert!(
                        span.best <= at && at <= span.worst + Duration::from_secs(1),
                        "{row:?}: back {at:?}\n{}",
                        show(&trace)
                    );
                }
                (expected, seen) => prop_assert_eq!(expected.is_some(), seen.is_some(), "{:?}\n{}", row, show(&trace)),
            }
        }
    }
    Ok(())
}

/// Who is seen to act first is one of those who the matrix says may be.
fn check_race(case: &Case) -> Result<(), TestCaseError> {
    let vm = case.manifest();
    let (verdict, trace, _) = world::run(&vm, &case.scenario().spec, Config::default(), Case::timings());
    prop_assert!(!matches!(verdict, Verdict::Infra(_)), "{verdict:?}");
    let entries = trace.sorted();
    let acts = |event: &Event| match event {
        Event::Killing => Some("liveness"),
        Event::Qemu(DomainEvent::Watchdog(_)) => Some("watchdog"),
        Event::Qemu(DomainEvent::Panicked { .. }) if case.s390x => Some("disabled-wait"),
        Event::Qemu(DomainEvent::Panicked { .. }) => Some("panic-device"),
        Event::Qemu(DomainEvent::Reset { .. }) => Some("kernel.panic"),
        _ => None,
    };
    let after = entries.iter().skip_while(|e| !matches!(e.event, Event::FaultBegun(_)));
    let seen = after.filter_map(|e| acts(&e.event)).next();
    let heartbeats: Vec<u32> = (3..40).collect();
    let rows = who_wins(&vm, &case.assumptions(), &[case.panic_timer], &heartbeats);
    let row = rows.iter().find(|r| r.heartbeat.is_none_or(|h| h == case.heartbeat));
    let first = &row.expect("a row of this heartbeat").first[0];
    let told = match seen {
        Some(name) => first.contains(&name),
        None => first.is_empty(),
    };
    // Where the watchdog's action is none, it is no contender, but its event is seen.
    let idle = seen == Some("watchdog") && case.action.is_some_and(|a| ["none", "shutdown"].contains(&ACTIONS[a]));
    prop_assert!(told || idle, "{seen:?} was first, not one of {first:?}\n{}", show(&trace));
    // Alone it is sure.
    let tipping = row.and_then(|r| r.tipping);
    if let Some(tipping) = tipping.filter(|_| case.panic_timer > 0) {
        let timer = u64::try_from(case.panic_timer).expect("not negative");
        prop_assert_eq!(timer <= tipping.timer_up_to, *first == ["kernel.panic"]);
        prop_assert_eq!(timer >= tipping.never_from, !first.contains(&"kernel.panic"));
    }
    Ok(())
}

/// From the VMI's creation to its condition Ready, as reckoned and as seen.
#[test]
fn from_the_start_to_ready() {
    let timings = Case::timings();
    let row = |readiness: &str, boot: Duration| {
        let vm = fixture::vm();
        let vm = if readiness.is_empty() { vm.build() } else { vm.readiness(readiness).build() };
        let scenario = scenario().guest("healthServer: true").observe("200s").build();
        let (_, trace, _) = world::run(&vm, &scenario.spec, Config::default(), timings);
        let at = |name: &str| trace.sorted().iter().find(|e| e.event.to_string().starts_with(name)).map(|e| e.at);
        let (created, seen) = (at("vm event SuccessfulCreate").expect("it is created"), at("vmi ready True"));
        let told = ready(&vm, &Assumptions { boot, ..Assumptions::default() });
        match (told, seen.map(|t| t.since(created))) {
            // Conditions follow the phase at once.
            (Some(span), Some(took)) => {
                assert!(
                    span.best <= took && took <= span.worst + Duration::from_secs(1),
                    "{readiness}: {took:?} {span:?}"
                );
            }
            (told, seen) => assert_eq!(told.is_some(), seen.is_some(), "{readiness}"),
        }
    };
    row("", timings.health);
    row("httpGet: {port: 1500, path: /healthz}, periodSeconds: 3", timings.health);
    row(
        "httpGet: {port: 1500, path: /healthz}, periodSeconds: 2, timeoutSeconds: 5, successThreshold: 3",
        timings.health,
    );
    row("tcpSocket: {port: 1500}, initialDelaySeconds: 30, periodSeconds: 7", timings.health);
    row("guestAgentPing: {}, periodSeconds: 4", timings.agent);
    row("tcpSocket: {port: undeclared}", timings.health);
}

/// Who pets, how often, and what was read and what assumed.
#[test]
fn what_a_table_rests_on() {
    const SECONDS: fn(f64) -> Duration = Duration::from_secs_f64;
    let basis = |user_data: &str, given: Given| {
        let volumes = format!("volumes: [{{name: c, cloudInitNoCloud: {{userData: {user_data:?}}}}}]");
        let vm = fixture::vm().spec(&volumes).device("watchdog: {name: w, i6300esb: {action: poweroff}}").build();
        let basis = Basis::of(&vm, &given);
        let panic = rows(&vm, &basis.assumptions)
            .into_iter()
            .find(|r| r.fault == Break::KernelPanic && r.detector == Detector::Watchdog)
            .and_then(|r| r.detected);
        let stops = rows(&vm, &basis.assumptions).iter().any(|r| r.fault == Break::DaemonStopped);
        (basis, panic, stops)
    };
    let (systemd, panic, stops) = basis("RuntimeWatchdogSec=20", Given::default());
    let panic = panic.expect("it is caught");
    assert!(panic.best < SECONDS(10.2) && panic.worst > SECONDS(20.0) && panic.worst < SECONDS(20.2), "{panic:?}");
    assert!(!stops, "systemd is no daemon that could stop");
    assert!(
        systemd.read.iter().any(|r| r == "heartbeat 20 s: systemd pets every 10 s, from the next boot on"),
        "{:?}",
        systemd.read
    );
    let (off, panic, stops) = basis("RuntimeWatchdogSec=off", Given::default());
    assert!(panic.is_none() && !stops && off.read[0].contains("nothing arms"), "{:?}", off.read);
    let (busybox, panic, stops) = basis("runcmd: [watchdog -t 2000ms -T 4000ms /dev/watchdog]", Given::default());
    let panic = panic.expect("it is caught");
    assert!(panic.best > SECONDS(2.0) && panic.worst < SECONDS(4.1) && stops, "{panic:?} {:?}", busybox.read);
    let (timer, ..) = basis("runcmd: [sysctl -w kernel.panic=10]", Given { panic_timer: Some(3), ..Given::default() });
    assert_eq!(timer.assumptions.panic_timer, 10);
    assert!(timer.read.contains(&"kernel.panic 10".to_owned()), "{:?}", timer.read);
    // The kernel's own number counts where user data sets none, and one that may never be set is no fact.
    let if_so = "runcmd: [\"if a\\nthen\\nsysctl -w kernel.panic=7\\nfi\"]";
    for (args, data, number, read, assumed) in [
        ("panic=5", "x", 5, "kernel.panic 5 of kernelArgs", ""),
        ("panic=0", "x", 0, "kernel.panic 0 of kernelArgs", ""),
        ("panic=-1", "x", -1, "kernel.panic -1 of kernelArgs", ""),
        ("panic=5", "runcmd: [sysctl -w kernel.panic=7]", 7, "kernel.panic 7, 5 of kernelArgs before", ""),
        ("quiet", if_so, 7, "", "kernel.panic 7, if that part of the script runs"),
    ] {
        let boot = format!("firmware: {{kernelBoot: {{kernelArgs: {args:?}}}}}");
        let seed = format!("volumes: [{{name: c, cloudInitNoCloud: {{userData: {data:?}}}}}]");
        let vm = fixture::vm().domain(&boot).spec(&seed).build();
        let found = Basis::of(&vm, &Given { panic_timer: Some(3), ..Given::default() });
        assert_eq!(found.assumptions.panic_timer, number, "{args} {data}");
        let said = |all: &[String], word: &str| word.is_empty() || all.iter().any(|said| said == word);
        assert!(said(&found.read, read) && said(&found.assumed, assumed), "{args} {data}: {found:?}");
        let reboots = rows(&vm, &found.assumptions).iter().any(|row| row.detector == Detector::PanicTimer);
        assert_eq!(reboots, number != 0, "{args} {data}");
    }
    let (none, ..) = basis("x", Given::default());
    for word in ["boot 60 s", "shutdown 10 s", "heartbeat 60 s", "kernel.panic 0"] {
        assert!(none.assumed.iter().any(|a| a.starts_with(word)), "{word}: {:?}", none.assumed);
    }
    let given =
        Given { boot: Some(SECONDS(1.0)), shutdown: Some(SECONDS(1.0)), heartbeat: Some(7), panic_timer: Some(-1) };
    let (all, ..) = basis("x", given);
    assert_eq!(all.assumed, ["the watchdog daemon pets every 1 s"]);
    assert_eq!((all.assumptions.heartbeat, all.assumptions.panic_timer), (7, -1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1500), ..ProptestConfig::default() })]

    #[test]
    fn the_world_stays_within_the_formulas(case in case()) {
        check(&case)?;
    }

    #[test]
    fn who_is_first_on_a_panic(case in race()) {
        check_race(&case)?;
    }
}

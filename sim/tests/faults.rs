//! Faults as users write them: each kind's example is one, and a misspelt one is told what was meant.

use std::time::Duration;
use vmhealth_sim::engine::Config;
use vmhealth_sim::explore::{Grid, explore};
use vmhealth_sim::fault::{Fault, FaultKind, UnitName};
use vmhealth_sim::fixture::{self, scenario};
use vmhealth_sim::manifest::WatchdogAction;
use vmhealth_sim::scenario::Verdict;
use vmhealth_sim::trace::{DomainEvent, Entry, Event};
use vmhealth_sim::world::{self, Timings};

#[test]
fn the_example_of_each_kind_is_of_that_kind() {
    for kind in FaultKind::ALL {
        let fault: Fault = kind.example().parse().unwrap_or_else(|e| panic!("{kind}: {e}"));
        assert_eq!(fault.kind(), *kind);
        assert!(kind.shape().starts_with(kind.example()) && kind.summary().ends_with('.'), "{kind}");
    }
}

#[test]
fn what_is_said_to_a_fault_that_is_none() {
    for (text, expected) in [
        (
            "kilWatchdog",
            "there is no fault \"kilWatchdog\"; did you mean killWatchdog? (kinds: kernelPanic, killWatchdog,",
        ),
        ("killwatchdog", "did you mean killWatchdog?"),
        ("{stopagent: {for: 1s}}", "did you mean stopAgent?"),
        ("explode", "there is no fault \"explode\" (kinds:"),
        ("", "there is no fault \"\""),
        ("stopAgent", "expected {stopAgent: {for: 15s}}"),
        ("{stopAgent: {until: 15s}}", "expected {stopAgent: {for: 15s}}"),
        ("{kernelPanic: 3}", "expected kernelPanic"),
        ("{health: {status: 500}}, {user: stop}", "expected {health: {status: 500}}, or in place of"),
    ] {
        let error = text.parse::<Fault>().expect_err(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}

/// A kind that it does not know would be one that breaks nothing.
#[test]
fn the_model_knows_every_kind() {
    let vm = fixture::vm().strategy("Once").watchdog(WatchdogAction::Poweroff).build();
    let guest = "watchdogDaemon: {heartbeatSeconds: 6, keepalive: masked}, healthServer: true";
    let spec = scenario().guest(guest).expect("{see: guest ready, withinGuest: 0s..5m}").observe("30s").build().spec;
    let grid = Grid { step: Duration::from_secs(1), from: Duration::from_secs(5), span: Duration::from_secs(1) };
    for kind in FaultKind::ALL {
        let fault: Fault = kind.example().parse().unwrap_or_else(|e| panic!("{kind}: {e}"));
        let found = explore(&vm, &spec, &[fault], grid, Timings::default()).unwrap_or_else(|e| panic!("{kind}: {e}"));
        let confirmed = |e: &Entry| e.event == Event::FaultConfirmed(*kind);
        assert!(found.outcomes.iter().all(|o| o.trace.entries().iter().any(confirmed)), "{kind}");
    }
}

#[test]
fn which_faults_panic_and_which_stop_what_pets_the_watchdog() {
    let found = |is: fn(&Fault) -> bool| {
        let examples = FaultKind::ALL.iter().map(|kind| kind.example().to_owned());
        let others = [
            "{oomKill: {of: agent}}",
            "{nmi: {unknownNmiPanic: false}}",
            "{softLockup: {for: 1m, softlockupPanic: true}}",
            "{hungTask: {for: 5m, hungTaskPanic: true}}",
        ];
        let others = others.map(str::to_owned);
        let all = examples.chain(others);
        let texts = all.filter(|text| is(&text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))));
        texts.collect::<Vec<String>>().join("; ")
    };
    let panics = "kernelPanic; {nmi: {unknownNmiPanic: true}}; {softLockup: {for: 1m, softlockupPanic: true}}; \
                  {hungTask: {for: 5m, hungTaskPanic: true}}";
    assert_eq!(found(Fault::panics), panics);
    let stops = "kernelPanic; killWatchdog; stopWatchdog; {oomKill: {of: watchdog}}; {cpuHog: {for: 15s}}; kernelHang; {softLockup: {for: 15s}}; \
                 {nmi: {unknownNmiPanic: true}}; {softLockup: {for: 1m, softlockupPanic: true}}; {hungTask: {for: 5m, hungTaskPanic: true}}";
    assert_eq!(found(Fault::stops_pets), stops);
}

/// Without the CPU for less than the time between two pets, a daemon goes on at the moments at which it would have.
#[test]
fn a_short_hog_makes_no_pets() {
    let vm = fixture::vm().strategy("Once").watchdog(WatchdogAction::Poweroff).build();
    let last_pet = |before: &str| {
        let guest = "watchdogDaemon: {heartbeatSeconds: 6, keepalive: masked}";
        let steps = format!("{before}plus: 300ms, fault: stopWatchdog}}");
        let spec = scenario().guest(guest).steps(&steps).expect("{see: qemu WATCHDOG, within: 0s..1m}").build().spec;
        let (verdict, trace, _) = world::run(&vm, &spec, Config::of(&spec, 1.0, false), Timings::default());
        assert_eq!(verdict, Verdict::Pass, "{steps}");
        let fired = trace.entries().iter().find(|e| matches!(e.event, Event::Qemu(DomainEvent::Watchdog(_))));
        // It fires a whole time-out after it, and pets are a second apart.
        fired.map(|e| e.at.since_origin().subsec_nanos())
    };
    let undisturbed = last_pet("{after: guest ready, ");
    let hogged = (0..10).filter(|tenth| {
        let hog =
            format!("{{after: guest ready, plus: {}ms, fault: {{cpuHog: {{for: 50ms}}}}}}, {{", 3000 + tenth * 100);
        last_pet(&hog) == undisturbed
    });
    // One of them is just when a pet is due, if any.
    assert!(hogged.count() >= 9);
}

/// Faults of a user's own service: what the model can know of them is what the probes ask.
#[test]
fn what_is_known_of_a_users_own_service() {
    let check = |fault: &str, probe: &str, expected: &str| {
        let vm = fixture::vm().readiness(&format!("{probe}, periodSeconds: 2")).build();
        let steps = format!("{{after: readiness result Success, plus: 3s, fault: {fault}}}");
        let scenario = scenario().guest("healthServer: true").steps(&steps);
        let kind = fault.parse::<Fault>().unwrap_or_else(|e| panic!("{fault}: {e}")).kind();
        let spec = scenario
            .expect(&format!("{{see: fault {kind} confirmed, from: fault {kind} begun, within: 0s..1m}}"))
            .observe("1m")
            .build()
            .spec;
        let (verdict, trace, _) = world::run(&vm, &spec, Config::of(&spec, 1.0, false), Timings::default());
        assert_eq!(verdict, Verdict::Pass, "{fault} {probe}");
        let broken = trace.entries().iter().skip_while(|e| e.event != Event::FaultBegun(kind));
        let results = broken.map(|e| e.event.to_string()).filter(|text| text.starts_with("readiness result"));
        let found: Vec<String> = results.map(|text| text.replace("readiness result ", "")).collect();
        assert_eq!(found.join(" "), expected, "{fault} {probe}");
    };
    let (http, tcp) = ("httpGet: {port: 1500, path: /healthz}", "tcpSocket: {port: 1500}");
    check("{unit: {stop: vmhealth-health}}", http, "Failure");
    check("{unit: {freeze: vmhealth-health.service}}", http, "Failure");
    // Its kernel still accepts.
    check("{unit: {freeze: vmhealth-health.service}}", tcp, "");
    check("{unit: {stop: nginx}}", http, "");
    check("{command: rm -r /srv/www}", http, "");
    check("{dropPort: {port: 1500, for: 20s}}", tcp, "Failure Success");
    check("{dropPort: {port: 80, for: 20s}}", tcp, "");
}

#[test]
fn units_are_named_as_systemd_does() {
    for (text, expected) in [
        ("nginx", Ok("nginx.service")),
        ("my-app@1.service", Ok("my-app@1.service")),
        ("sshd.socket", Ok("sshd.socket")),
        ("nginx; reboot", Err("is not a unit's name like nginx.service")),
        ("", Err("is not a unit's name")),
        ("--all", Err("is not a unit's name")),
        ("watchdog.service", Err("has faults of its own: killWatchdog or stopWatchdog")),
        ("qemu-guest-agent", Err("has faults of its own: stopAgent or hangAgent")),
    ] {
        let found = UnitName::try_from(text.to_owned());
        match (&found, expected) {
            (Ok(unit), Ok(name)) => assert_eq!(unit.as_str(), name),
            (Err(error), Err(part)) => assert!(error.contains(part), "{text}: {error}"),
            _ => panic!("{text}: {found:?}"),
        }
    }
}

/// The first four things that QEMU says from the last fault on, each with the seconds since the one before. The guest has a panic device and
/// `kernel.panic=5`; QEMU pauses a guest that panics, so its own timer stands still.
fn said_by_qemu(faults: &[&str], guest: &str, devices: &str) -> String {
    let vm = fixture::vm().strategy("Once").device(devices).build();
    let steps: Vec<String> =
        faults.iter().map(|fault| format!("{{after: guest ready, plus: 2s, fault: {fault}}}")).collect();
    let steps = steps.join(", ").replace("}, {after: guest ready, ", "}, {");
    let file = scenario().guest(guest).steps(&steps).expect("{see: guest ready, withinGuest: 0s..5m}").observe("70s");
    let spec = file.build().spec;
    let (_, trace, _) = world::run(&vm, &spec, Config::of(&spec, 1.0, false), Timings::default());
    let begun = |e: &Entry| matches!(e.event, Event::FaultBegun(_));
    let sorted = trace.sorted();
    let last = sorted.iter().rposition(begun).unwrap_or_else(|| panic!("{faults:?} did not begin"));
    let mut before = sorted[last].at;
    let mut said = Vec::new();
    for entry in &sorted[last..] {
        if let Event::Qemu(
            event @ (DomainEvent::Panicked { .. } | DomainEvent::Reset { .. } | DomainEvent::Watchdog(_)),
        ) = &entry.event
        {
            said.push(format!("{event} {:.0}", entry.at.since(before).as_secs_f64()));
            before = entry.at;
        }
    }
    said.truncate(4);
    said.join(", ")
}

#[test]
fn what_comes_of_a_kernel_that_lets_nothing_run() {
    let panic_device = "panicDevices: [{model: isa}]";
    let watchdog = "watchdog: {name: w, i6300esb: {action: none}}";
    for (fault, device, expected) in [
        ("kernelHang", panic_device, ""),
        ("kernelHang", watchdog, "WATCHDOG none 9"),
        ("{softLockup: {for: 30s}}", panic_device, ""),
        ("{softLockup: {for: 23s, softlockupPanic: true}}", panic_device, ""),
        ("{softLockup: {for: 30s, softlockupPanic: true}}", panic_device, "GUEST_PANICKED pause 24"),
        ("{softLockup: {for: 5s}}", watchdog, ""),
        ("{softLockup: {for: 30s}}", watchdog, "WATCHDOG none 9"),
        ("{hungTask: {for: 30s, timeoutSecs: 10}}", panic_device, ""),
        ("{hungTask: {for: 9s, timeoutSecs: 10, hungTaskPanic: true}}", panic_device, ""),
        ("{hungTask: {for: 30s, timeoutSecs: 10, hungTaskPanic: true}}", panic_device, "GUEST_PANICKED pause 10"),
        ("{hungTask: {for: 30s, hungTaskPanic: true}}", panic_device, ""),
        // It is off.
        ("{hungTask: {for: 30s, timeoutSecs: 0, hungTaskPanic: true}}", panic_device, ""),
        ("{hungTask: {for: 30s}}", watchdog, ""),
    ] {
        let guest = "watchdogDaemon: {heartbeatSeconds: 10, keepalive: masked}";
        assert_eq!(said_by_qemu(&[fault], guest, device), expected, "{fault} {device}");
    }
}

#[test]
fn what_comes_of_boots_that_never_end() {
    let guest = "kernelPanicSeconds: 5, healthServer: true";
    for (fault, device, expected) in [
        ("{bootLoop: panic}", "panicDevices: [{model: isa}]", "RESET guest-reset 0, GUEST_PANICKED pause 12"),
        (
            "{bootLoop: panic}",
            "",
            "RESET guest-reset 0, RESET guest-reset 17, RESET guest-reset 17, RESET guest-reset 17",
        ),
        ("{bootLoop: noService}", "", "RESET guest-reset 0"),
        ("{slowBoot: {by: 30s}}", "", "RESET guest-reset 0"),
    ] {
        assert_eq!(said_by_qemu(&[fault, "guestReboot"], guest, device), expected, "{fault} {device}");
    }
}

/// From the reset to the guest being what its profile says, which a boot without its service never is.
#[test]
fn how_long_a_slow_boot_takes() {
    for (fault, expected) in
        [("{slowBoot: {by: 30s}}", Some(46)), ("{clockJump: {forward: 1h}}", Some(16)), ("{bootLoop: noService}", None)]
    {
        let vm = fixture::vm().build();
        let steps = format!("{{after: guest ready, plus: 2s, fault: {fault}}}, {{plus: 2s, fault: guestReboot}}");
        let file = scenario().guest("healthServer: true").steps(&steps).observe("100s");
        let spec = file.expect("{see: guest ready, withinGuest: 0s..5m}").build().spec;
        let (_, trace, _) = world::run(&vm, &spec, Config::of(&spec, 1.0, false), Timings::default());
        let sorted = trace.sorted();
        let reset = sorted.iter().find(|e| matches!(e.event, Event::Qemu(DomainEvent::Reset { .. }))).unwrap().at;
        let ready = sorted.iter().find(|e| e.at > reset && e.event == Event::GuestReady);
        assert_eq!(ready.map(|e| e.at.since(reset).as_secs()), expected, "{fault}");
    }
}

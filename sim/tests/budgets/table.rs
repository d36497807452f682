//! The table of faults and detectors, row by row: what a probe meets, what comes of it, and when the guest is back.

use std::time::Duration;
use vmhealth_sim::budget::{
    Assumptions, Basis, Break, Detector, FaultRow, Given, Pets, Row, Span, by_fault, ready, rows,
};
use vmhealth_sim::fixture::{Vm, vm};
use vmhealth_sim::manifest::WatchdogAction;
use vmhealth_sim::manifest::WatchdogAction::{Poweroff, Reset, Shutdown};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// `20-30`: the whole seconds of the best case and of the worst.
fn span(span: Option<Span>) -> String {
    span.map_or("never".into(), |span| format!("{}-{}", span.best.as_secs(), span.worst.as_secs()))
}

/// `acted 20-30, shut down, VMI Succeeded, back 82-92`.
fn shown(row: &Row) -> String {
    let (acted, back) = (span(row.acted), span(row.back));
    let detected = if row.acted == row.detected { String::new() } else { format!("detected {}, ", span(row.detected)) };
    format!("{detected}acted {acted}, {}, back {back}", row.action)
}

fn check(vm: &Vm, assumptions: &Assumptions, fault: Break, detector: Detector, expected: &str) {
    let rows = rows(&vm.build(), assumptions);
    let row = rows.iter().find(|row| row.fault == fault && row.detector == detector);
    assert_eq!(row.map(shown).unwrap_or_default(), expected, "{fault:?} {detector:?}\n{}", vm.yaml());
}

const HTTP: &str = "httpGet: {port: 80}";
const PING: &str = "guestAgentPing: {}";
const EXEC: &str = "exec: {command: [a]}";

/// Three failures at 10 s; a broken guest refuses at once, or the attempt takes its timeout, of which the agent's is cut
/// (kubevirt-health.md 3.3, 3.5).
#[test]
fn what_a_probe_meets() {
    use Break::{AgentStopped, DaemonStopped, KernelPanic, NetworkLost, ServiceHangs, ServiceStopped};
    let out = |span: &str| format!("acted {span}, out of the endpoints, back never");
    let nothing = |why: &str| format!("acted never, {why}, back never");
    for (probe, fault, expected) in [
        (HTTP, ServiceStopped, out("20-30")),
        (HTTP, ServiceHangs, out("28-38")),
        ("tcpSocket: {port: 80}", ServiceHangs, nothing("")),
        (HTTP, AgentStopped, nothing("")),
        (HTTP, DaemonStopped, nothing("")),
        (HTTP, KernelPanic, out("28-38")),
        (HTTP, NetworkLost, out("28-38")),
        (PING, ServiceStopped, nothing("")),
        (PING, AgentStopped, out("20-30")),
        (PING, KernelPanic, out("25-35")),
        (PING, NetworkLost, nothing("it goes over the agent")),
        (EXEC, ServiceStopped, nothing("it depends on its command")),
        (EXEC, AgentStopped, out("20-30")),
        (EXEC, KernelPanic, out("25-35")),
        (EXEC, NetworkLost, nothing("it goes over the agent")),
    ] {
        let vm = vm().readiness(&format!("{probe}, timeoutSeconds: 8"));
        check(&vm, &Assumptions::default(), fault, Detector::Readiness, &expected);
    }
}

/// kubevirt-health.md 5.2: a guest that obeys and is off before the grace period ends shuts down; any other is destroyed at its end.
#[test]
fn how_liveness_ends_a_vmi() {
    let failed = |at| format!("detected 20-30, acted {at}, destroyed after the grace period, VMI Failed, back ");
    for (spec, fault, expected) in [
        (
            "terminationGracePeriodSeconds: 0",
            Break::ServiceStopped,
            "acted 20-30, destroyed, VMI Succeeded, back 82-92",
        ),
        (
            "terminationGracePeriodSeconds: 11",
            Break::ServiceStopped,
            "detected 20-30, acted 30-40, shut down, VMI Succeeded, back 92-102",
        ),
        ("terminationGracePeriodSeconds: 10", Break::ServiceStopped, &(failed("30-40") + "92-102")),
        ("terminationGracePeriodSeconds: 9", Break::ServiceStopped, &(failed("29-39") + "91-101")),
        (
            "terminationGracePeriodSeconds: 11",
            Break::KernelPanic,
            "detected 21-31, acted 32-42, destroyed after the grace period, VMI Failed, back 94-104",
        ),
        // It has no power button, so that nobody asked the guest in vain.
        (
            "terminationGracePeriodSeconds: 11\narchitecture: s390x",
            Break::KernelPanic,
            "detected 21-31, acted 32-42, destroyed after the grace period, VMI Succeeded, back 94-104",
        ),
    ] {
        check(&vm().liveness(HTTP).spec(spec), &Assumptions::default(), fault, Detector::Liveness, expected);
    }
}

/// Who is there for each fault, in the order of the faults: readiness, liveness, watchdog, panic device or disabled wait, and the timer
/// of a panicked kernel, by their first letters.
#[test]
fn who_meets_a_fault() {
    let all = vm().readiness(HTTP).liveness(HTTP).watchdog(Poweroff).device("panicDevices: [{model: isa}]");
    let z = vm().spec("architecture: s390x");
    for (vm, panic_timer, pets, expected) in [
        (&all, 10, Pets::EveryHalf, "RLW RLW RLW RLW RLWPT RLW"),
        (&all, 0, Pets::EveryHalf, "RLW RLW RLW RLW RLWP RLW"),
        // No daemon that could stop.
        (&all, -1, Pets::Never, "RLW RLW RLW  RLWPT RLW"),
        (&z, 10, Pets::EveryHalf, "    D "),
    ] {
        let table = rows(&vm.build(), &Assumptions { panic_timer, pets, ..Assumptions::default() });
        let letter = |detector| match detector {
            Detector::Readiness => 'R',
            Detector::Liveness => 'L',
            Detector::Watchdog => 'W',
            Detector::PanicDevice => 'P',
            Detector::DisabledWait => 'D',
            Detector::PanicTimer => 'T',
        };
        let of = |fault| table.iter().filter(|row| row.fault == fault).map(|row| letter(row.detector)).collect();
        let found: Vec<String> = Break::ALL.into_iter().map(of).collect();
        assert_eq!(found.join(" "), expected, "{}", vm.yaml());
    }
}

/// The daemon pets every second, with a heartbeat of a minute. A reboot or a shutdown is a silence that liveness may act on, and of a
/// panicked guest the silence begins with the panic.
#[test]
fn what_a_watchdog_does() {
    use Break::{DaemonStopped, KernelPanic, NetworkLost};
    let none = String::new();
    let patience = |failures: u32| format!("livenessProbe: {{{HTTP}, failureThreshold: {failures}}}");
    let stopped = "acted 59-60, reset in place; liveness may stop the reboot, back never";
    let in_place = "acted 59-60, reset in place, back 119-120";
    let succeeded = "acted 59-60, ended by its reset, VMI Succeeded, back 121-122";
    let off = "detected 59-60, acted 79-80, shut down, VMI Succeeded, back 141-142";
    let cut_short = "detected 59-60, acted 59-80, shut down; liveness may end it sooner, back never";
    let in_vain = "detected 59-60, acted never, nothing: it cannot obey the power button, back never";
    let grace = |seconds: u32| format!("{}\nterminationGracePeriodSeconds: {seconds}", patience(2));
    for (action, domain, spec, fault, expected) in [
        (Poweroff, "", &none, DaemonStopped, "acted 59-60, powered off, VMI Failed, back 121-122"),
        (Poweroff, "", &none, NetworkLost, "acted never, , back never"),
        (Reset, "", &none, DaemonStopped, in_place),
        (Reset, "", &none, KernelPanic, in_place),
        (Reset, "rebootPolicy: Terminate", &none, DaemonStopped, succeeded),
        (Reset, "rebootPolicy: Reboot", &none, DaemonStopped, in_place),
        // A boot takes a minute.
        (Reset, "", &patience(6), DaemonStopped, stopped),
        (Reset, "", &patience(7), DaemonStopped, in_place),
        (Reset, "", &patience(7), KernelPanic, stopped),
        (Reset, "", &patience(13), KernelPanic, stopped),
        (Reset, "", &patience(14), KernelPanic, in_place),
        (Shutdown, "", &none, DaemonStopped, off),
        (Shutdown, "", &none, KernelPanic, in_vain),
        // It takes 20 s: what is beyond the grace period may be liveness's.
        (Shutdown, "", &grace(30), DaemonStopped, off),
        (Shutdown, "", &grace(10), DaemonStopped, off),
        (Shutdown, "", &grace(9), DaemonStopped, cut_short),
        (Shutdown, "", &grace(9), KernelPanic, in_vain),
    ] {
        let vm = vm().watchdog(action).domain(domain).spec(spec);
        let assumptions = Assumptions { shutdown: seconds(20), ..Assumptions::default() };
        check(&vm, &assumptions, fault, Detector::Watchdog, expected);
    }
}

/// Where either may be first, and only one of them brings the VM back, nobody knows whether it comes back.
#[test]
fn whether_it_is_back_is_open() {
    let watched = |strategy: &str, action: WatchdogAction| {
        let assumptions = Assumptions { panic_timer: 60, ..Assumptions::default() };
        let vm = vm().strategy(strategy).watchdog(action).domain("rebootPolicy: Terminate").build();
        let found = by_fault(&rows(&vm, &assumptions)).into_iter().find(|row| row.fault == Break::KernelPanic);
        found.map(|FaultRow { first, back, back_is_open, .. }| (first, span(back), back_is_open))
    };
    let both = vec![Detector::Watchdog, Detector::PanicTimer];
    for (strategy, action, back, is_open) in [
        ("Always", Poweroff, "121-122", false),
        // A VMI that has failed is replaced, and one that has succeeded is not.
        ("RerunOnFailure", Poweroff, "121-122", true),
        ("RerunOnFailure", Reset, "never", true),
    ] {
        assert_eq!(watched(strategy, action), Some((both.clone(), back.into(), is_open)), "{strategy} {action}");
    }
}

/// Half of the way from the best case to the worst.
#[test]
fn what_is_typical() {
    assert_eq!(Span { best: seconds(20), worst: seconds(30) }.typical(), seconds(25));
    assert_eq!(Span::exactly(seconds(7)).typical(), seconds(7));
}

/// From the VMI's creation: a pod takes a second, and KubeVirt adds 10 s to a probe's delay. A ping that an annotation pauses waits for
/// no guest (kubevirt-health.md 3.4).
#[test]
fn when_it_is_ready() {
    for (probe, is_paused, expected) in [
        ("", false, "1-1"),
        (HTTP, false, "61-71"),
        (PING, false, "61-71"),
        (PING, true, "10-21"),
        (HTTP, true, "61-71"),
        ("tcpSocket: {port: ssh}", false, "never"),
    ] {
        let paused = if is_paused { "true" } else { "false" };
        let vm = vm().annotation("kubevirt.io/pause-guest-agent-probes", paused);
        let vm = if probe.is_empty() { vm } else { vm.readiness(probe) };
        assert_eq!(span(ready(&vm.build(), &Assumptions::default())), expected, "{probe} {is_paused}");
    }
}

/// What is said of a heartbeat and of `kernel.panic`: what is written is read, what may never run is an assumption, and what is written
/// where it has been read already counts from the next boot on (qemu-watchdog.md 8.5).
#[test]
fn what_is_read_and_what_is_assumed() {
    let conf = "write_files: [{path: /etc/watchdog.conf, content: \"watchdog-device = /dev/watchdog\\nwatchdog-timeout = 9\"}]\n";
    let systemd = "write_files: [{path: /etc/systemd/system.conf, content: RuntimeWatchdogSec=9}]\n";
    let sysctl = "write_files: [{path: /etc/sysctl.d/p.conf, content: kernel.panic = 5}]\n";
    for (user_data, read, assumed) in [
        (conf.to_owned(), "heartbeat 9 s: the watchdog daemon pets every 1 s", ""),
        (systemd.to_owned(), "heartbeat 9 s: systemd pets every 4.5 s, from the next boot on", ""),
        (format!("{systemd}runcmd: [systemctl daemon-reexec]"), "heartbeat 9 s: systemd pets every 4.5 s", ""),
        (
            "#!/bin/sh\nif a\nthen\nbusybox watchdog -t 2 -T 9 /dev/watchdog\nfi\n".to_owned(),
            "",
            "heartbeat 9 s: busybox's watchdog pets every 1 s, if that part of the script runs",
        ),
        (sysctl.to_owned(), "kernel.panic 5, from the next boot on", ""),
        (format!("{sysctl}runcmd: [sysctl --system]"), "kernel.panic 5", ""),
        ("runcmd: [sysctl -w kernel.panic=5]".to_owned(), "kernel.panic 5", ""),
    ] {
        let seed = format!("volumes: [{{name: seed, cloudInitNoCloud: {{userData: {user_data:?}}}}}]");
        let basis = Basis::of(&vm().spec(&seed).watchdog(Poweroff).build(), &Given::default());
        let subject = if user_data.contains("kernel.panic") { "kernel.panic" } else { "heartbeat" };
        let of = |all: &[String]| all.iter().filter(|said| said.starts_with(subject)).cloned().collect::<String>();
        assert_eq!((of(&basis.read).as_str(), of(&basis.assumed).as_str()), (read, assumed), "{user_data}");
    }
}

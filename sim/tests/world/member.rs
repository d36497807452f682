//! One VM of a fleet: how long its boots take, what outlives a reset of its guest, and whether it comes back without anybody's help.

use std::time::Duration;
use vmhealth_sim::engine::{Config, Connection};
use vmhealth_sim::fault::FaultKind;
use vmhealth_sim::fixture::{scenario, vm};
use vmhealth_sim::kubelet::{ProbeKind, Verdict};
use vmhealth_sim::manifest::WatchdogAction;
use vmhealth_sim::scenario::Spec;
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::Event;
use vmhealth_sim::world::{self, BootTimes, Member, Timings};

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn from_a_quick_boot_to_a_slow_one_and_the_slowest() {
    let log_normal = BootTimes::LogNormal { median: secs(60), sigma: 0.5 };
    for (times, quick, slow, slowest) in [
        (BootTimes::Exactly(secs(60)), 60.0, 60.0, 60.0),
        (BootTimes::Between(secs(50), secs(70)), 50.0, 70.0, 70.0),
        // exp(-2 * 0.5), exp(2 * 0.5) and exp(4.9 * 0.5) times the median.
        (log_normal, 22.073, 163.097, 695.301),
    ] {
        let found = [times.usual().0, times.usual().1, times.longest()].map(|span| span.as_secs_f64());
        let near = found.iter().zip([quick, slow, slowest]).all(|(found, expected)| (found - expected).abs() < 0.001);
        assert!(near, "{times:?}: {found:?}");
    }
}

#[test]
fn a_slower_boot_is_slower_in_each_of_its_parts() {
    let (ours, slower) = (Timings::default(), Timings::booting_in(Timings::default().health * 3));
    for (part, span) in [
        ("watchdog", |t: Timings| t.watchdog),
        ("basic", |t| t.basic),
        ("agent", |t| t.agent),
        ("health", |t| t.health),
        ("daemon", |t| t.daemon),
        ("settled", |t| t.settled),
    ] as [(&str, fn(Timings) -> Duration); 6]
    {
        assert_eq!(span(slower), span(ours) * 3, "{part}");
    }
    assert_eq!(slower.pet_interval, ours.pet_interval);
}

/// What is broken beside the guest stays broken when the guest begins anew.
#[test]
fn what_outlives_a_reset_of_the_guest() {
    for (fault, verdict) in [
        ("{networkLoss: {for: 2m}}", Verdict::Failure),
        ("{networkLoss: {for: 2m, delay: 2s}}", Verdict::Failure),
        ("{networkLoss: {for: 20s}}", Verdict::Success),
        ("{networkLoss: {for: 20s, delay: 2s}}", Verdict::Success),
    ] {
        let vm = vm().readiness("httpGet: {port: 1500, path: /healthz}, periodSeconds: 10, timeoutSeconds: 2").build();
        let steps = format!(
            "{{after: guest ready, fault: {fault}}}, {{after: fault networkLoss confirmed, plus: 5s, fault: guestReboot}}"
        );
        let file = scenario().guest("healthServer: true").steps(&steps);
        let spec = file.expect("{see: guest ready, withinGuest: 0s..5m}").observe("60s").build().spec;
        let (_, trace, _) = world::run(&vm, &spec, Config::default(), Timings::default());
        let reboot = trace.entries().iter().rfind(|e| matches!(e.event, Event::FaultConfirmed(_)));
        let booted = reboot.unwrap_or_else(|| panic!("{fault}: no reboot")).at + secs(30);
        let first = trace.entries().iter().filter(|e| e.at > booted).find_map(|e| match e.event {
            Event::Answered(ProbeKind::Readiness, verdict) => Some(verdict),
            _ => None,
        });
        assert_eq!(first, Some(verdict), "{fault}");
    }
}

fn spec(guest: &str, fault: &str) -> Spec {
    let file = scenario().guest(guest).expect("{see: guest ready, withinGuest: 0s..5m}").observe("10m");
    if fault.is_empty() { file } else { file.steps(&format!("{{after: guest ready, fault: {fault}}}")) }.build().spec
}

/// Until when, and whether it will serve by itself from there on.
#[test]
fn what_comes_back_by_itself() {
    let (server, bare) = ("healthServer: true", "");
    let petted = "healthServer: true, watchdogDaemon: {heartbeatSeconds: 10, keepalive: masked}";
    for (guest, fault, until, comes_back) in [
        (server, "", 1, true),
        (server, "", 60, true),
        (server, "{health: stop}", 60, false),
        // Its watchdog is petted, which mends nothing.
        (petted, "{health: stop}", 60, false),
        (server, "{health: hang}", 60, false),
        (server, "{health: {status: 399}}", 60, true),
        (server, "{health: {status: 400}}", 60, false),
        (server, "{health: {slow: 1s}}", 60, true),
        (server, "{networkLoss: {for: 10m}}", 60, true),
        (server, "kernelPanic", 60, false),
        ("healthServer: true, kernelPanicSeconds: 100", "kernelPanic", 60, true),
        (server, "kernelHang", 60, false),
        (server, "guestPoweroff", 60, false),
        (server, "guestReboot", 24, true),
        // Of a guest without a service it is the agent that counts.
        (bare, "", 1, true),
        (bare, "", 60, true),
        (bare, "{stopAgent: {for: 10m}}", 60, true),
        (bare, "kernelHang", 60, false),
    ] {
        let vm = vm().strategy("Once").watchdog(WatchdogAction::Reset).build();
        let boots = (BootTimes::Exactly(Timings::default().health), 1);
        let mut member = Member::new(&vm, &spec(guest, fault), Config::default(), Timings::default(), boots);
        member.run_until(Time::from_secs(until), Time::from_secs(until));
        assert_eq!(member.comes_back(), comes_back, "{guest:?}, {fault}, after {until} s");
    }
}

/// The service of a bad image does not start, from the next boot on.
#[test]
fn a_bad_image_does_not_come_back() {
    let vm = vm().strategy("Once").build();
    let boots = (BootTimes::Exactly(Timings::default().health), 1);
    let file = scenario().guest("healthServer: true").steps("{after: guest ready, plus: 20s, fault: guestReboot}");
    let spec = file.expect("{see: guest ready, withinGuest: 0s..5m}").observe("10m").build().spec;
    let mut member = Member::new(&vm, &spec, Config::default(), Timings::default(), boots);
    for (until, comes_back) in [(30, true), (80, false)] {
        member.run_until(Time::from_secs(until), Time::from_secs(until));
        member.set_image(false);
        assert_eq!(member.comes_back(), comes_back, "after {until} s");
    }
    assert!(member.steps() > 10, "{}", member.steps());
}

/// A node that is cut off stays so: clients reach the guest again when the node is back, whatever the guest did meanwhile.
#[test]
fn a_lost_node_outlives_a_reset_of_its_guest() {
    let vm = vm().readiness("httpGet: {port: 1500, path: /healthz}, periodSeconds: 10").build();
    let steps = "{after: traffic delivered, fault: {nodeLost: {for: 3m}}}, {after: fault nodeLost confirmed, plus: 5s, fault: guestReboot}";
    let file = scenario().guest("healthServer: true").spec("traffic: {every: 1s, port: 1500}").steps(steps);
    let spec = file.expect("{see: guest ready, withinGuest: 0s..5m}").observe("60s").build().spec;
    let (_, trace, _) = world::run(&vm, &spec, Config::default(), Timings::default());
    let mut entries = trace.entries().iter();
    entries.find(|e| e.event == Event::FaultConfirmed(FaultKind::GuestReboot)).unwrap_or_else(|| panic!("no reboot"));
    let until_back: Vec<&Event> = entries.map(|e| &e.event).take_while(|e| !matches!(e, Event::FaultOver(_))).collect();
    assert!(until_back.len() > 1 && !until_back.contains(&&Event::Traffic(Connection::Delivered)), "{until_back:?}");
}

//! What a fault comes to, whatever its scenario expects, and what of it is different now.

use std::time::Duration;
use vmhealth_sim::explain::{Outcome, differences, outcome};
use vmhealth_sim::fixture::{ScenarioFile, Vm, scenario, vm};
use vmhealth_sim::manifest::WatchdogAction;
use vmhealth_sim::scenario::Pattern;
use vmhealth_sim::world::Timings;

const DAEMON: &str = "watchdogDaemon: {heartbeatSeconds: 10, keepalive: masked}";
const HUNG: &str = "{after: guest ready, plus: 30s, fault: kernelHang}";

fn of(vm: &Vm, file: &ScenarioFile, watched_s: u64) -> Option<String> {
    let found = outcome(&vm.build(), &file.build().spec, Timings::default(), Duration::from_secs(watched_s));
    found.map(|found| found.to_string())
}

#[test]
fn what_a_fault_comes_to() {
    let of = |vm: Vm, steps: &str| of(&vm, &scenario().guest(DAEMON).guest("healthServer: true").steps(steps), 300);
    let dog = |action| vm().watchdog(action);
    let probe = "tcpSocket: {port: 1500}, periodSeconds: 2, failureThreshold: 8";
    let probed = dog(WatchdogAction::Reset).spec("terminationGracePeriodSeconds: 1").liveness(probe);
    let off = "{after: guest ready, plus: 30s, fault: guestPoweroff}";
    for (vm, steps, expected) in [
        (dog(WatchdogAction::Reset), HUNG, "the watchdog notices after 10.1 s, VMI reset, recovers in 27.1 s"),
        (dog(WatchdogAction::None), HUNG, "the watchdog notices after 10.1 s, does not recover"),
        (dog(WatchdogAction::Poweroff), HUNG, "the watchdog notices after 10.1 s, VMI Failed, recovers in 29.1 s"),
        // Reset first, and then ended.
        (probed, HUNG, "the watchdog notices after 10.1 s, VMI Failed, recovers in 35.5 s"),
        (vm().strategy("Once"), off, "KubeVirt notices after 3.5 s, VMI Succeeded, does not recover"),
    ] {
        assert_eq!(of(vm, steps).as_deref(), Some(expected), "{steps}");
    }
    assert_eq!(of(vm(), "{after: qemu RESET, fault: kernelHang}"), None);
}

/// A scenario that fails, or that has seen enough, is watched as long as any other.
#[test]
fn whatever_is_expected() {
    let vm = vm().watchdog(WatchdogAction::Reset);
    let file = || scenario().guest(DAEMON).steps(HUNG);
    let recovers = "the watchdog notices after 10.1 s, VMI reset, recovers in 27.1 s";
    let fires = "{see: qemu WATCHDOG, within: 0s..1s}";
    let later = file().expect("{see: fault, within: 0s..1h}").end("ready: false, waitUpTo: 20m");
    for (file, watched_s, expected) in [
        (file(), 120, recovers),
        (file().expect(fires), 120, recovers),
        (file().never("{see: qemu WATCHDOG}"), 120, recovers),
        (later, 50, "nobody notices, does not recover"),
    ] {
        assert_eq!(of(&vm, &file, watched_s).as_deref(), Some(expected), "{}", file.yaml());
    }
    let mut spec = file().build().spec;
    spec.until = Some(Pattern::try_from("qemu WATCHDOG".to_owned()).unwrap_or_else(|e| panic!("{e}")));
    let found = outcome(&vm.build(), &spec, Timings::default(), Duration::from_secs(120));
    assert_eq!(found.map(|found| found.to_string()).as_deref(), Some(recovers));
}

#[test]
fn what_is_different_now() {
    let of = |noticed: Option<(&str, f64)>, ended: &str, back_s| Outcome {
        noticed: noticed.map(|(who, after)| (who.to_owned(), after)),
        ended: ended.to_owned(),
        back_s,
    };
    let by_watchdog = |after, back_s| of(Some(("the watchdog", after)), "Failed", back_s);
    let nobody = |back_s| of(None, "", back_s);
    let before = by_watchdog(9.0, Some(64.0));
    for (before, now, expected) in [
        // Up to a second is nothing.
        (before.clone(), by_watchdog(10.0, Some(65.0)), &[][..]),
        (before.clone(), by_watchdog(10.5, Some(64.0)), &["the watchdog notices after 10.5 s instead of 9.0 s"]),
        (
            before.clone(),
            of(Some(("liveness", 60.0)), "Failed", Some(118.0)),
            &["recovers in 118.0 s instead of 64.0 s", "liveness now wins over the watchdog"],
        ),
        (
            before.clone(),
            nobody(None),
            &[
                "does not recover instead of recovering in 64.0 s",
                "nobody notices instead of the watchdog",
                "the VMI is running on instead of Failed",
            ],
        ),
        (
            nobody(Some(0.0)),
            before,
            &[
                "recovers in 64.0 s instead of staying Ready",
                "the watchdog notices after 9.0 s instead of nobody",
                "the VMI is Failed instead of running on",
            ],
        ),
        (nobody(Some(64.0)), nobody(Some(0.0)), &["stays Ready instead of recovering in 64.0 s"]),
        (nobody(None), nobody(Some(0.0)), &["stays Ready instead of never recovering"]),
        (nobody(None), nobody(None), &[]),
    ] {
        assert_eq!(differences(&before, &now), expected, "{before}: {now}");
    }
}

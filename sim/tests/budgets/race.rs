//! Who acts first on a panic, over grids of timers and heartbeats, and where that tips.

use std::time::Duration;
use vmhealth_sim::budget::{
    Assumptions, Contender, Span, TimerTipping, Tipping, contenders, first, tipping, who_wins, who_wins_grid,
};
use vmhealth_sim::fixture::{Vm, vm};
use vmhealth_sim::manifest::WatchdogAction::{None as Idle, Poweroff};

/// It notices a panic within 21 to 31 s.
const LIVENESS: &str = "httpGet: {port: 80}, periodSeconds: 10, failureThreshold: 3, timeoutSeconds: 1";
const PANIC_DEVICE: &str = "panicDevices: [{model: isa}]";

fn z() -> Vm {
    vm().spec("architecture: s390x").device("watchdog: {name: w, diag288: {action: poweroff}}")
}

/// All who could act, whose worst case is first in front.
#[test]
fn who_could_act() {
    let watched = || vm().watchdog(Poweroff);
    for (vm, timer, expected) in [
        (vm(), 0, &[][..]),
        (vm(), 10, &["kernel.panic 10-10"]),
        (watched(), 0, &["watchdog 59-60"]),
        (vm().watchdog(Idle), 0, &[]),
        (
            watched().liveness(LIVENESS).readiness(LIVENESS),
            40,
            &["liveness 21-31", "kernel.panic 40-40", "watchdog 59-60"],
        ),
        (watched().device(PANIC_DEVICE), -1, &["panic-device 0-0", "kernel.panic 0-0", "watchdog 59-60"]),
        // Its kernel stops before it looks at its timer.
        (z(), 10, &["disabled-wait 0-0", "watchdog 59-60"]),
    ] {
        let show = |c: &Contender| format!("{} {}-{}", c.name, c.at.best.as_secs(), c.at.worst.as_secs());
        let found: Vec<String> = contenders(&vm.build(), &Assumptions::default(), timer).iter().map(show).collect();
        assert_eq!(found, expected, "{timer} {}", vm.yaml());
    }
}

/// Everybody who may act no later than the first one's worst case.
#[test]
fn who_may_be_first() {
    let span = |best, worst| Span { best: Duration::from_secs(best), worst: Duration::from_secs(worst) };
    for (all, expected) in [
        (vec![], &[][..]),
        (vec![("a", span(1, 5))], &["a"]),
        (vec![("a", span(1, 5)), ("b", span(5, 9)), ("c", span(6, 7))], &["a", "b"]),
        (vec![("a", span(1, 9)), ("b", span(2, 3)), ("c", span(4, 5))], &["a", "b"]),
    ] {
        let all: Vec<Contender> = all.into_iter().map(|(name, at)| Contender { name, at }).collect();
        assert_eq!(first(&all), expected, "{all:?}");
    }
}

/// By heartbeat, of those that the device takes; the daemon pets every second.
#[test]
fn who_wins_by_heartbeat_and_timer() {
    let tips = |timer_up_to, never_from| Some(TimerTipping { timer_up_to, never_from });
    let (timer, watchdog, liveness) = (["kernel.panic"].as_slice(), ["watchdog"].as_slice(), ["liveness"].as_slice());
    for (vm, expected) in [
        (vm(), vec![(None, [timer, timer, &[]], None)]),
        (vm().liveness(LIVENESS), vec![(None, [timer, liveness, liveness], tips(20, 32))]),
        (
            vm().watchdog(Poweroff),
            // It fires some hundredths of a second behind its heartbeat.
            vec![
                (Some(10), [watchdog, watchdog, watchdog], tips(9, 11)),
                (Some(40), [timer, watchdog, watchdog], tips(39, 41)),
            ],
        ),
        (z(), vec![(Some(40), [["disabled-wait"].as_slice(); 3], tips(0, 1))]),
    ] {
        let rows = who_wins(&vm.build(), &Assumptions::default(), &[20, 50, 0], &[0, 10, 40]);
        let found: Vec<_> = rows.iter().map(|row| (row.heartbeat, row.first.clone(), row.tipping)).collect();
        let expected: Vec<_> =
            expected.into_iter().map(|(h, first, tips)| (h, first.map(<[_]>::to_vec).to_vec(), tips)).collect();
        assert_eq!(found, expected, "{}", vm.yaml());
    }
}

/// With and without a panic device where that makes a difference, and with each patience of a liveness probe that there is.
#[test]
fn which_variants_there_are() {
    let (none, three, six) = (None, Some(3), Some(6));
    for (vm, expected) in [
        (vm(), vec![(false, none), (true, none)]),
        (vm().device(PANIC_DEVICE), vec![(false, none), (true, none)]),
        (
            vm().liveness(LIVENESS),
            vec![(false, none), (false, three), (false, six), (true, none), (true, three), (true, six)],
        ),
        (z().liveness(LIVENESS), vec![(false, none), (false, three), (false, six)]),
    ] {
        let grid = who_wins_grid(&vm.build(), &Assumptions::default(), &[0], &[20], &[3, 6]);
        let found: Vec<_> = grid.iter().map(|v| (v.panic_device, v.failure_threshold)).collect();
        assert_eq!(found, expected, "{}", vm.yaml());
        let who = |device, threshold| {
            let variant = grid.iter().find(|v| (v.panic_device, v.failure_threshold) == (device, threshold));
            variant.map(|v| v.rows[0].first[0].clone()).unwrap_or_default()
        };
        if expected.contains(&(true, three)) {
            let found = [who(false, none), who(false, three), who(true, three)];
            assert_eq!(found, [vec![], vec!["liveness"], vec!["panic-device"]], "{}", vm.yaml());
        }
    }
}

/// Where it tips between the watchdog and liveness, if both could act.
#[test]
fn which_heartbeat_tips() {
    let tips = |watchdog_up_to, liveness_from| Some(Tipping { watchdog_up_to, liveness_from });
    let slow = "httpGet: {port: 80}, periodSeconds: 2000, failureThreshold: 3";
    for (vm, expected) in [
        (vm().liveness(LIVENESS), None),
        (vm().watchdog(Poweroff), None),
        (vm().watchdog(Idle).liveness(LIVENESS), None),
        // i6300esb fires a little later than asked: with 32, and petted a second before, never within 31 s.
        (vm().watchdog(Poweroff).liveness(LIVENESS), tips(20, 32)),
        // diag288 fires to the second: neither 21 nor 32 is sure.
        (z().liveness(LIVENESS), tips(20, 33)),
        // No heartbeat is so long, or so short.
        (vm().watchdog(Poweroff).liveness(slow), tips(2046, 2047)),
        (z().liveness("httpGet: {port: 80}, periodSeconds: 2, failureThreshold: 1"), tips(0, 15)),
    ] {
        assert_eq!(tipping(&vm.build(), &Assumptions::default()), expected, "{}", vm.yaml());
    }
}

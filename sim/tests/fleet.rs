//! A fleet: every VM by itself, from the seed and its number.

use std::time::Duration;
use vmhealth_sim::fixture::{scenario, vm};
use vmhealth_sim::fleet::{Fleet, Tally};
use vmhealth_sim::manifest::WatchdogAction;
use vmhealth_sim::world::Timings;

const DAY: Duration = Duration::from_secs(86_400);

/// Half a day to each panic; the watchdog resets the guest after 30 s, and it boots in 19 s.
fn fleet(seed: u64) -> Fleet {
    let vm = vm().watchdog(WatchdogAction::Reset).readiness_http(1500).build();
    let guest = "healthServer: true, watchdogDaemon: {heartbeatSeconds: 30, keepalive: masked}";
    let file = scenario().guest(guest).steps("{after: guest ready, fault: kernelPanic}");
    let mut spec = file.expect("{see: guest ready, from: vm event SuccessfulCreate, withinGuest: 0s..5m}").build().spec;
    let step = spec.steps.pop().map(|step| (step, DAY / 2));
    Fleet { vm, spec, timings: Timings::default(), step, lasts: DAY * 2, seed }
}

fn sum(fleet: &Fleet, numbers: impl IntoIterator<Item = u64>) -> Tally {
    let mut all = Tally::default();
    numbers.into_iter().for_each(|number| all.add(&fleet.run(number)));
    all
}

#[test]
fn a_vm_is_the_same_stepped_and_skipped() {
    let fleet = fleet(1);
    for number in 0..3 {
        assert_eq!(fleet.run(number), fleet.run_stepped(number));
    }
}

#[test]
fn a_vm_depends_on_the_seed_and_its_number_alone() {
    let (one, two) = (fleet(1), fleet(2));
    let digests: Vec<u64> = (0..50).map(|number| one.run(number).digest).collect();
    let mut others = digests.clone();
    others.sort_unstable();
    others.dedup();
    assert_eq!(others.len(), 50, "each has a fate of its own");
    assert!((0..50).rev().all(|number| one.run(number).digest == digests[number as usize]), "in any order");
    assert_ne!(two.run(7).digest, digests[7]);
    assert_ne!(sum(&one, [1, 2]).digest, sum(&one, [2, 1]).digest, "their order is part of a fleet");
}

#[test]
fn faults_come_as_often_as_asked_for_and_cost_time() {
    let all = sum(&fleet(1), 0..500);
    // Two days with one in half a day, less the tenth of an hour that they take.
    let mean = all.faults as f64 / 500.0;
    assert!((3.7..4.3).contains(&mean), "{mean}");
    let (ready, lived) = (all.ready.as_secs_f64(), 500.0 * 2.0 * DAY.as_secs_f64());
    let lost = (lived - ready) / all.faults as f64;
    // Some 45 s for each, and the first boot.
    assert!((20.0..90.0).contains(&lost), "{lost}");
    assert_eq!((all.vms, all.vmis), (500, 500), "a reset in place makes no new VMI");
}

/// Watched to the end and no longer; each probe is logged, and changes nothing.
#[test]
fn a_vm_without_faults() {
    let fleet = Fleet { step: None, ..fleet(1) };
    let tally = fleet.run(3);
    let boot = fleet.lasts.checked_sub(tally.ready).unwrap_or_default();
    assert!((15..30).contains(&boot.as_secs()), "{boot:?}: {tally:?}");
    assert!(tally.logged > 2 * 8640 && (10..100).contains(&tally.changes), "{tally:?}");
    assert_eq!((tally.vms, tally.vmis, tally.faults), (1, 1, 0));
}

/// What a seed has once given it gives for good: how often each VM breaks in two days.
#[test]
fn a_seed_is_the_same_fate_in_every_release() {
    for (seed, faults) in [(0, [2, 3, 3, 5, 4, 2, 4, 4]), (1, [7, 5, 2, 3, 5, 5, 5, 5])] {
        let found = [0, 1, 2, 3, 4, 5, 6, 7].map(|number| fleet(seed).run(number).faults);
        assert_eq!(found, faults, "seed {seed}");
    }
}

/// What is counted adds up, and digests are joined by splitmix64: its first two numbers of the seed 0 are known to everybody.
#[test]
fn vms_add_up_number_by_number() {
    let one = |n: u64, digest| Tally {
        vms: n + 1,
        changes: n + 2,
        logged: n + 3,
        faults: n + 4,
        vmis: n + 5,
        ready: Duration::from_secs(n + 6),
        digest,
    };
    const FIRST: u64 = 0xe220_a839_7b1d_cdaf;
    const SECOND: u64 = 0x6e78_9e6a_a1b9_65f4;
    for (before, after, digest) in [(FIRST, 0, FIRST), (FIRST ^ 0x9e37_79b9_7f4a_7c15, 0, SECOND)] {
        let mut sum = one(100, before);
        sum.add(&one(200, after));
        let Tally { vms, changes, logged, faults, vmis, ready, digest: found } = sum;
        assert_eq!([vms, changes, logged, faults, vmis, ready.as_secs()], [302, 304, 306, 308, 310, 312]);
        assert_eq!(found, digest, "{before:#x} and {after:#x}");
    }
}

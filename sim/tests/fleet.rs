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

//! Chance: a seed gives each VM a fate of its own, the same in every release, and a digest that tells two fates apart.

use super::{plan, watched};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use vmhealth_sim::fixture::{Vm, vm};
use vmhealth_sim::fleet::{Plan, run_node};
use vmhealth_sim::trace::Event;

/// When each VM of a node breaks, on the fleet's clock.
fn breaks(plan: &Plan, node: u32) -> BTreeMap<usize, Vec<Duration>> {
    let mut all = BTreeMap::<usize, Vec<Duration>>::new();
    run_node(plan, node, &mut |vm, at, entry| {
        if matches!(entry.event, Event::FaultBegun(_)) {
            all.entry(vm).or_default().push(at);
        }
    });
    all
}

/// Two groups on each of so many nodes, whose clocks jump by chance, which harms nobody.
fn jumping(seed: u64, nodes: u32, each: u32) -> Plan {
    let group = |name: &str| {
        format!(
            "{{name: {name}, manifest: m, count: {}, boot: {{is: 30s}}, faults: [{{fault: {{clockJump: {{forward: 1h}}}}, every: 12h}}]}}",
            nodes * each
        )
    };
    let groups = format!("[{}, {}]", group("a"), group("b"));
    plan(&format!("for: 3d, seed: {seed}, nodes: {{count: {nodes}}}, groups: {groups}"), &vm())
}

/// Of any seed, the least and the greatest among them, no two VMs break at the same time.
#[test]
fn each_vm_has_a_fate_of_its_own() {
    for seed in [0, 7, i64::MAX as u64] {
        let plan = jumping(seed, 4, 8);
        let fates: Vec<Vec<Duration>> = (0..4).flat_map(|node| breaks(&plan, node).into_values()).collect();
        let different: BTreeSet<&Vec<Duration>> = fates.iter().collect();
        assert!(fates.len() > 60, "{seed}: {fates:?}");
        assert_eq!(different.len(), fates.len(), "{seed}: {fates:?}");
    }
}

/// What a seed has once given it gives for good: of another fate, a result that was written down could not be had again.
#[test]
fn a_seed_is_the_same_fate_in_every_release() {
    for (seed, node, firsts) in [
        (0, 0, [2_769_014, 11_957_222, 117_100_968, 64_763_356]),
        (0, 1, [12_546_224, 35_448_860, 39_308_499, 37_216_633]),
        (7, 1, [3_555_739, 23_751_153, 7_229_436, 49_748_061]),
    ] {
        let breaks = breaks(&jumping(seed, 2, 2), node);
        let found: Vec<u128> = breaks.values().map(|times| times[0].as_millis()).collect();
        assert_eq!(found, firsts, "seed {seed}, node {node}: milliseconds to each VM's first fault");
    }
}

/// A VM is made so long before the fleet's beginning that its slowest boot, its probes and five minutes more are over, and up to
/// another minute, so that not all are asked at the same moment.
#[test]
fn a_vm_is_up_when_the_fleet_begins() {
    let http = |more: &str| format!("httpGet: {{port: 1500, path: /healthz}}, {more}");
    for (vm, boot, before_s) in [
        (vm(), "is: 30s", 30 + 300),
        (vm(), "from: 30s, to: 90s", 90 + 300),
        (
            vm().readiness(&http("initialDelaySeconds: 7, periodSeconds: 11, successThreshold: 3")),
            "is: 30s",
            30 + 7 + 44 + 300,
        ),
        (vm().liveness(&http("initialDelaySeconds: 500, periodSeconds: 20")), "is: 30s", 30 + 500 + 40 + 300),
    ] {
        let spec = format!(
            "for: 2h, nodes: {{count: 1}}, groups: [{{name: a, manifest: m, count: 60, boot: {{{boot}}}}}], \
             incidents: [{{at: 30m, fault: {{clockJump: {{forward: 1h}}}}}}]"
        );
        let mut before = Vec::new();
        run_node(&plan(&spec, &vm), 0, &mut |_, at, entry| {
            if matches!(entry.event, Event::FaultBegun(_)) {
                before.push(entry.at.since_origin() - at);
            }
        });
        let (least, most) = (before.iter().min().copied().unwrap(), before.iter().max().copied().unwrap());
        let from = Duration::from_secs(before_s);
        let about = |at: Duration, about: Duration| at.abs_diff(about) < Duration::from_secs(5);
        assert!(least >= from && about(least, from), "{boot}: {least:?}");
        assert!(
            most < from + Duration::from_secs(60) && about(most, from + Duration::from_secs(60)),
            "{boot}: {most:?}"
        );
    }
}

fn digest(spec: &str, vm: &Vm) -> u64 {
    let plan = plan(spec, vm);
    (0..plan.nodes()).map(|node| run_node(&plan, node, &mut |_, _, _| ()).digest).fold(0, u64::wrapping_add)
}

/// Runs that differ by a nanosecond are told apart, and so are nodes on which nothing is.
#[test]
fn a_digest_tells_runs_apart() {
    let of = |nanos: u64| {
        let at = 1_800_000_000_000 + nanos;
        let spec = format!(
            "for: 2h, nodes: {{count: 1}}, groups: [{{name: a, manifest: m, count: 1, boot: {{is: 30s}}}}], \
             incidents: [{{at: {at}ns, fault: {{clockJump: {{forward: 1h}}}}}}]"
        );
        digest(&spec, &vm())
    };
    let different: BTreeSet<u64> = (0..64).map(of).collect();
    assert_eq!(different.len(), 64);
    // It is printed, so that runs of two machines can be compared: it changes with what happens, and with nothing else.
    assert_eq!(of(0), 0xe234_ca36_fae0_9820, "{:#x}", of(0));
    let one =
        plan("for: 2h, nodes: {count: 3}, groups: [{name: a, manifest: m, count: 1, boot: {is: 30s}}]", &watched());
    let empty = [1, 2].map(|node| run_node(&one, node, &mut |_, _, _| ()).digest);
    assert_ne!(empty[0], empty[1]);
}

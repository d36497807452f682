//! The books of a node: what is counted of each failure, from when to when a VM is not available, and when it is back from an incident.

use super::{plan, run, secs, watched};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;
use vmhealth_sim::fixture::{Vm, vm};
use vmhealth_sim::fleet::{Outcome, Plan, Settling, Size, Tipping, run_node, tip};
use vmhealth_sim::trace::{DomainEvent, Event};

/// Two hours with so many VMs on one node.
fn node(nodes: &str, group: &str, incidents: &str, vm: &Vm) -> Plan {
    let groups = format!("groups: [{{name: a, manifest: m, {group}}}]");
    plan(&format!("for: 2h, nodes: {{count: 1{nodes}}}, {groups}, incidents: [{incidents}]"), vm)
}

fn patient() -> Vm {
    vm().liveness("httpGet: {port: 1500, path: /healthz}, initialDelaySeconds: 120")
}

/// Whoever is lost is ready again only after two minutes of answers.
fn slow_to_be_ready() -> Vm {
    vm().readiness("httpGet: {port: 1500, path: /healthz}, periodSeconds: 1, successThreshold: 120")
}

/// What is not 0: restarts by minute, times in milliseconds.
fn line(o: &Outcome) -> String {
    let (f, restarts) = (o.failures, format!("{:?}", o.minutes));
    let all: [(&str, &dyn Display); 11] = [
        ("faults", &o.faults),
        ("detected", &f.detected),
        ("passed", &f.passed),
        ("never", &f.never),
        ("harmless", &f.harmless),
        ("restarts", &restarts),
        ("kills", &o.kills),
        ("false", &o.false_restarts),
        ("lost", &(o.lost.iter().sum::<u128>() / 1_000_000)),
        ("misrouted", &(o.misrouted / 1_000_000)),
        ("back", &o.settling.after.as_millis()),
    ];
    let said =
        all.iter().map(|(name, value)| (name, value.to_string())).filter(|(_, value)| value != "0" && value != "{}");
    said.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

/// One VM that boots for a minute, and what befalls it.
#[test]
fn what_is_written_down_of_a_failure() {
    for (vm, incidents, expected) in [
        (vm(), "{at: 30m, fault: {clockJump: {forward: 1h}}}", "faults 1, harmless 1"),
        (
            vm(),
            "{at: 30m, fault: {clockJump: {forward: 1h}}}, {at: 31m, fault: {clockJump: {forward: 1h}}}",
            "faults 2, harmless 2",
        ),
        (
            vm(),
            "{at: 30m, fault: guestPoweroff}",
            "faults 1, detected 1, restarts {30: 1}, lost 65500, misrouted 63500, back 65500",
        ),
        // There is no guest to break: no fault took place.
        (
            vm(),
            "{at: 30m, nodeDown: {for: 5m}}, {at: 32m, fault: kernelPanic}",
            "faults 1, detected 1, restarts {35: 1}, lost 362000, misrouted 107137, back 62000",
        ),
        (vm(), "{at: 30m, fault: {health: hang}}", "faults 1, never 1, lost 5400000, misrouted 5400000"),
        (watched(), "{at: 30m, fault: {health: hang}}", "faults 1, detected 1, lost 5400000, misrouted 3361"),
        (
            watched(),
            "{at: 30m, fault: kernelPanic}",
            "faults 1, detected 1, restarts {30: 1}, lost 120411, misrouted 3361, back 120411",
        ),
        (vm(), "{at: 30m, networkBlip: {for: 20s}}", "faults 1, passed 1, lost 20000, misrouted 20000"),
        (watched(), "{at: 30m, networkBlip: {for: 20s}}", "faults 1, detected 1, lost 20411, misrouted 3361, back 411"),
        (
            patient(),
            "{at: 30m, fault: {health: hang}}",
            "faults 1, detected 1, restarts {30: 1}, kills 1, lost 90361, misrouted 88361, back 90361",
        ),
        (
            patient(),
            "{at: 30m, networkBlip: {for: 90s}}",
            "faults 1, detected 1, restarts {30: 1}, kills 1, false 1, lost 90361, misrouted 88361, back 361",
        ),
        (
            patient(),
            "{at: 30m, fault: guestReboot}",
            "faults 1, detected 1, restarts {30: 2}, kills 1, false 1, lost 116861, misrouted 114861, back 116861",
        ),
        // The second comes before the VM is available again, but after it has served.
        (
            slow_to_be_ready(),
            "{at: 30m, networkBlip: {for: 10s}}, {at: 31m, networkBlip: {for: 10s}}",
            "faults 2, detected 1, passed 1, lost 189411, misrouted 3361, back 119411",
        ),
        // No endpoint is left to go: the VMI's end is what is seen.
        (
            slow_to_be_ready(),
            "{at: 30m, kubeletRestart: {resetsReady: true}}, {at: 30m10s, fault: guestPoweroff}",
            "faults 1, detected 1, restarts {30: 1}, lost 194550, back 184550",
        ),
    ] {
        let plan = node("", "count: 1, boot: {is: 60s}", incidents, &vm);
        let mut seen = 0;
        let outcome = run_node(&plan, 0, &mut |_, _, _| seen += 1);
        assert_eq!(line(&outcome), expected, "{incidents}");
        assert_eq!((outcome.changes, outcome.vms, outcome.lived), (seen, 1, plan.horizon().as_nanos()), "{incidents}");
        assert_eq!(outcome.restarts, outcome.minutes.values().sum::<u64>(), "{incidents}");
        assert!(outcome.steps > seen, "{incidents}: {} steps", outcome.steps);
    }
}

/// Nobody sees these hang. Of the last ten minutes it is not known yet whether anybody will.
#[test]
fn a_failure_at_the_end_is_not_known_yet() {
    let plan = node("", "count: 60, boot: {is: 30s}, faults: [{fault: {health: hang}, every: 1h}]", "", &vm());
    let mut firsts = BTreeMap::new();
    let outcome = run_node(&plan, 0, &mut |vm, at, entry| {
        if matches!(entry.event, Event::FaultBegun(_)) {
            firsts.entry(vm).or_insert(at);
        }
    });
    let late = plan.horizon() - Duration::from_secs(600);
    let known = firsts.values().filter(|at| **at < late).count();
    assert!(known < firsts.len(), "{firsts:?}");
    assert_eq!((outcome.failures.never as usize, outcome.failures.detected), (known, 0));
    assert_eq!(outcome.still_down as usize, firsts.len());
}

/// Only the first of two nodes is hit.
#[test]
fn the_first_nodes_are_hit() {
    let spec = "for: 2h, nodes: {count: 2}, groups: [{name: a, manifest: m, count: 2, boot: {is: 60s}}], \
                incidents: [{at: 30m, nodeDown: {for: 2m}, nodes: 1}]";
    let plan = plan(spec, &vm());
    assert_eq!([0, 1].map(|node| run_node(&plan, node, &mut |_, _, _| ()).faults), [1, 0]);
}

/// Two boots beside each other, to the millisecond.
#[test]
fn who_boots_already_is_slowed_down_by_the_next_one() {
    let groups =
        "[{name: a, manifest: m, count: 1, boot: {is: 60s}}, {name: b, manifest: m, count: 1, boot: {is: 60s}}]";
    let incidents = "{at: 30m, fault: killQemu, groups: [a]}, {at: 30m30s, fault: killQemu, groups: [b]}";
    let nodes = "{count: 1, bootsAtFullSpeed: 1}";
    let spec = format!("for: 2h, nodes: {nodes}, groups: {groups}, incidents: [{incidents}]");
    let lost: Vec<u128> = run(&plan(&spec, &vm())).lost.iter().map(|nanos| nanos / 1_000_000).collect();
    // Two seconds until it starts, half a minute alone and twice as long for the other half. What it starts after its service takes
    // 11.25 s of its boot more, so the other one has done 41.25 s at half the pace, and does the rest at full speed.
    assert_eq!(lost, [0, 0, 2000 + 30_000 + 2 * 30_000, 2000 + 2 * 41_250 + 18_750]);
}

/// Minutes with many restarts that are ten minutes apart are one storm.
#[test]
fn storms_ten_minutes_apart_are_one() {
    for (second, minutes) in [("40m", 11), ("41m", 1)] {
        let incidents = format!("{{at: 30m, fault: killQemu}}, {{at: {second}, fault: killQemu}}");
        let outcome = run(&node("", "count: 3, boot: {is: 60s}", &incidents, &vm()));
        assert_eq!(outcome.storm.longest, Duration::from_secs(60 * minutes), "{second}: {:?}", outcome.minutes);
        assert_eq!((outcome.storm.nodes, outcome.storm.peak), (1, 3), "{second}");
    }
}

/// A VM that starts at the very moment at which its node has power again stays up.
#[test]
fn power_is_back_at_its_end() {
    let started = |plan: &Plan| {
        let mut all = Vec::new();
        run_node(plan, 0, &mut |_, at, entry| {
            if entry.event == Event::Qemu(DomainEvent::Started) {
                all.push(at);
            }
        });
        all
    };
    let with = |more: &str| {
        let incidents = format!("{{at: 30m, nodeDown: {{for: 2m}}}}{more}");
        started(&node("", "count: 1, boot: {is: 60s}", &incidents, &vm()))
    };
    let once = with("");
    let lasts = once[0] - Duration::from_secs(32 * 60 + 1);
    let twice = |lasts: Duration| with(&format!(", {{at: 32m1s, nodeDown: {{for: {}ns}}}}", lasts.as_nanos()));
    assert_eq!(twice(lasts), once);
    assert_eq!(twice(lasts + Duration::from_nanos(1)).len(), 2, "it is lost once more");
}

/// Back from an incident is who was lost to it, or was restarted for it, whatever else breaks meanwhile.
#[test]
fn who_is_back_from_an_incident() {
    let after = |b: &str, vm: &Vm| {
        let a = "{name: a, manifest: m, count: 1, boot: {is: 60s}}";
        let incidents = "incidents: [{at: 1h, nodeDown: {for: 30m}, groups: [a]}]";
        let outcome = run(&plan(&format!("for: 3h, nodes: {{count: 1}}, groups: [{a}{b}], {incidents}"), vm));
        assert_eq!(outcome.settling.unsettled, 0, "{b}");
        outcome.settling.after
    };
    let live = vm().liveness("httpGet: {port: 1500, path: /healthz}, initialDelaySeconds: 700");
    let group = |boot: &str, lost: &str| {
        let faults = format!("faults: [{{fault: {{networkLoss: {{for: {lost}}}}}, every: 1h}}]");
        format!(", {{name: b, manifest: m, count: 20, boot: {{is: {boot}}}, {faults}}}")
    };
    let boots = secs(60, 65);
    for (b, vm, expected) in [
        (String::new(), vm(), boots.clone()),
        // They are away by chance, and come back long after the incident.
        (group("60s", "20m"), vm(), boots.clone()),
        (String::new(), live.clone(), boots),
        // Killed while the incident lasts, they boot for ten minutes when it is over.
        (group("10m", "90s"), live, secs(300, 700)),
    ] {
        let found = after(&b, &vm);
        assert!(expected.contains(&found), "{b}: {found:?}");
    }
}

/// Without an incident nobody is back from one, though these are up only when a boot is quick enough for their liveness.
#[test]
fn nobody_is_back_from_nothing() {
    let hasty = vm().liveness("httpGet: {port: 1500, path: /healthz}, periodSeconds: 10, failureThreshold: 3");
    let outcome = run(&node("", "count: 20, boot: {from: 20s, to: 200s}", "", &hasty));
    assert!(outcome.false_restarts > 20, "{}", line(&outcome));
    assert_eq!((outcome.settling, outcome.still_down), (Settling::default(), 0));
}

/// Four boots of half a minute beside each other take two minutes, and liveness gives up after one and a half: three boots are
/// just quick enough. Where it gives up at once, the shortest loss of the disk is enough.
#[test]
fn the_smallest_that_tips() {
    let at_once = Tipping::Incident { number: 0, smallest: Size::Lasting(Duration::from_secs(1)), holds: None };
    for (liveness, incident, expected) in [
        (
            "periodSeconds: 10",
            "nodeDown: {for: 2m}",
            Tipping::Incident { number: 0, smallest: Size::Vms(4), holds: Some(Size::Vms(3)) },
        ),
        ("periodSeconds: 5, failureThreshold: 1", "storageErrors: {for: 1s}", at_once.clone()),
        ("periodSeconds: 5, failureThreshold: 1", "storageErrors: {for: 2s}", at_once),
    ] {
        let vm =
            vm().liveness(&format!("httpGet: {{port: 1500, path: /healthz}}, initialDelaySeconds: 60, {liveness}"));
        let plan = node(", bootsAtFullSpeed: 1", "count: 4, boot: {is: 30s}", &format!("{{at: 30m, {incident}}}"), &vm);
        assert_eq!(tip(&plan, 0), expected, "{incident}");
    }
}

/// In steps: nothing for a healthy VM's longer life, and for each thing that happens as much as for the one before.
#[test]
fn it_costs_nothing_to_be_well() {
    let jumps = ["", "{at: 10m, fault: {clockJump: {forward: 1h}}}, ", "{at: 20m, fault: {clockJump: {forward: 1h}}}"];
    for vm in [vm(), watched(), patient()] {
        let steps = |lasts: &str, incidents: &str| {
            let groups = "groups: [{name: a, manifest: m, count: 1, boot: {is: 60s}}]";
            let spec = format!("for: {lasts}, nodes: {{count: 1}}, {groups}, incidents: [{incidents}]");
            run(&plan(&spec, &vm)).steps
        };
        assert_eq!(steps("1m", ""), steps("400d", ""));
        let [none, one, two] = [0, 1, 2].map(|jumped| steps("2h", &jumps[..=jumped].concat()));
        assert_eq!(two - one, one - none, "{none}, {one}, {two}");
    }
}

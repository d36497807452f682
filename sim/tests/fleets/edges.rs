//! The edges of what a fleet file and a sweep may say: what is just allowed, and what is made of it.

use super::{GUEST, plan, tried, watched};
use std::time::Duration;
use vmhealth_sim::fixture::vm;
use vmhealth_sim::fleet::{Axis, BootSpec, FleetFile, Plan, Rate, Resolved, Swept};
use vmhealth_sim::kubelet::ProbeKind;
use vmhealth_sim::manifest::Timings;
use vmhealth_sim::scenario::GuestProfile;
use vmhealth_sim::time::Span;
use vmhealth_sim::yaml;

const GROUP: &str = "groups: [{name: a, manifest: m, count: 1, boot: {is: 30s}}]";

fn file(spec: &str) -> FleetFile {
    let text = format!("{{apiVersion: vmhealth.dev/v1alpha1, kind: Fleet, metadata: {{name: f}}, spec: {{{spec}}}}}");
    FleetFile::read("f", &text).unwrap_or_else(|e| panic!("{e}\n{spec}"))
}

/// The last that is accepted, and the first that is not.
#[test]
fn just_allowed_and_just_not() {
    let incident = |lasts: &str, what: &str| {
        format!("for: {lasts}, nodes: {{count: 1}}, {GROUP}, incidents: [{{at: 1h, {what}}}]")
    };
    let vms = |count: u32| {
        format!("for: 3h, nodes: {{count: 2}}, groups: [{{name: a, manifest: m, count: {count}, boot: {{is: 30s}}}}]")
    };
    let nodes = |more: &str| format!("for: 3h, nodes: {{count: 1{more}}}, {GROUP}");
    let boot = |boot: &str| nodes("").replace("{is: 30s}", boot);
    for (right, wrong, message) in [
        (vms(10_000), vms(10_001), "5001 VMs on a node; at most 5000: more nodes are needed"),
        (
            incident("2h2m", "nodeDown: {for: 2m}"),
            incident("2h2m", "nodeDown: {for: 120001ms}"),
            "spec.for: too short to see whether the fleet settles: an hour after the last incident is over, 2h 2m 1ms at least",
        ),
        (
            incident("40d", "nodeDown: {for: 30d}"),
            incident("40d", "nodeDown: {for: 721h}"),
            "spec.incidents[0].nodeDown.for: expected a span from 1ms to 30days",
        ),
        (
            nodes(", lossPerBoot: 0"),
            nodes(", lossPerBoot: 0.001"),
            // Where it stands in the file.
            "fleet.yaml:1:118: spec.nodes.lossPerBoot: boots slow each other down only with bootsAtFullSpeed",
        ),
        (
            boot("{from: 30s, to: 30s}"),
            boot("{from: 30001ms, to: 30s}"),
            "spec.groups[0].boot: the quickest boot (from) is longer than the slowest (to)",
        ),
        (
            boot("{median: 30s, sigma: 1}"),
            boot("{median: 30s, sigma: 1.001}"),
            "spec.groups[0].boot.sigma: expected a number from 0.001 to 1",
        ),
    ] {
        assert_eq!(tried(&right, &watched()).map(|_| ()), Ok(()), "{right}");
        let error = tried(&wrong, &watched()).map(|_| ()).err().unwrap_or_default();
        assert!(error.contains(message), "{wrong}\n{message}\n{error}");
    }
}

/// What a guest does not have cannot break, by chance or in an incident.
#[test]
fn only_what_is_there_breaks() {
    let faults = |fault: &str| {
        format!(
            "nodes: {{count: 1}}, {}",
            GROUP.replace("}}", &format!("}}, faults: [{{fault: {fault}, every: 1d}}]}}"))
        )
    };
    let incident = |fault: &str| format!("nodes: {{count: 1}}, {GROUP}, incidents: [{{at: 1h, fault: {fault}}}]");
    let (serves, not) = ("healthServer: true", "healthServer: false");
    let lacks =
        |field, group| Err(format!("{field}: health needs a guest with a healthServer, and this one has none{group}"));
    for (spec, guest, expected) in [
        (faults("{health: hang}"), serves, Ok(())),
        (faults("kernelPanic"), not, Ok(())),
        (faults("{health: hang}"), not, lacks("spec.groups[0].faults[0]", "")),
        (incident("{health: hang}"), serves, Ok(())),
        (incident("kernelPanic"), not, Ok(())),
        (incident("{health: hang}"), not, lacks("spec.incidents[0]", " (group a)")),
    ] {
        let guest: GuestProfile = yaml::read(&format!("{{{guest}}}")).unwrap_or_else(|e| panic!("{e:?}"));
        let plan = Plan::new(&file(&format!("for: 3h, {spec}")), vec![Resolved { vm: watched().build(), guest }]);
        assert_eq!(plan.map(|_| ()), expected, "{spec}");
    }
}

/// What a file says in another way than by a plain number.
#[test]
fn boots_and_rates_are_read() {
    let file = file(
        "for: 3h, nodes: {count: 1}, groups: [{name: a, manifest: m, count: 1, boot: {median: 60s, sigma: 0.25}, faults: [\
         {fault: kernelPanic, weibull: {scale: 3d, shape: 0.7}}, {fault: guestReboot, every: 2d}]}]",
    );
    let days = |days: u64| Span(Duration::from_secs(days * 86_400));
    let group = &file.spec.groups[0];
    assert_eq!(group.boot, BootSpec::Median { median: Span(Duration::from_secs(60)), sigma: 0.25 });
    let rates: Vec<Rate> = group.faults.iter().map(|fault| fault.rate).collect();
    assert_eq!(rates, [Rate::Weibull { scale: days(3), shape: 0.7 }, Rate::Every(days(2))]);
}

/// VMs are spread evenly, the first nodes have those that are left; and how long they boot at least and at most, of all at once.
#[test]
fn a_plan_says_who_boots_where_and_how_long() {
    let two = |first: &str, count| {
        format!(
            "[{{name: a, manifest: m, count: {count}, boot: {first}}}, {{name: b, manifest: m, count: 4, boot: {{is: 10s}}}}]"
        )
    };
    let secs = Duration::from_secs;
    for (nodes, groups, vms, boots) in [
        ("count: 3", two("{is: 60s}", 7), vec![5, 3, 3], (secs(60), secs(60))),
        ("count: 3", two("{from: 40s, to: 80s}", 8), vec![5, 4, 3], (secs(40), secs(80))),
        // Five boots beside each other on the first node.
        ("count: 3, bootsAtFullSpeed: 2", two("{from: 40s, to: 80s}", 7), vec![5, 3, 3], (secs(40), secs(200))),
        ("count: 1, bootsAtFullSpeed: 20", two("{is: 60s}", 9), vec![13], (secs(60), secs(60))),
    ] {
        let plan = plan(&format!("for: 3h, nodes: {{{nodes}}}, groups: {groups}"), &watched());
        let found: Vec<u32> = (0..plan.nodes()).map(|node| plan.vms_on(node)).collect();
        assert_eq!((found, plan.horizon()), (vms, secs(3 * 3600)), "{nodes} {groups}");
        assert_eq!((plan.boots(0), plan.boots(2)), (Some(boots), None), "{nodes} {groups}");
    }
}

/// A million faults by chance on a node are the most.
#[test]
fn a_million_faults_by_chance() {
    let with = |secs: u64| {
        let rate = "faults: [{fault: guestReboot, every: 1m}]";
        let spec = format!(
            "for: {secs}s, nodes: {{count: 1}}, groups: [{{name: a, manifest: m, count: 2, boot: {{is: 30s}}, {rate}}}]"
        );
        tried(&spec, &watched()).map(|_| ())
    };
    // With the seed 0, the one after the millionth comes in the second after this one.
    const MILLION: u64 = 30_039_240;
    assert_eq!(with(MILLION), Ok(()));
    assert!(with(MILLION + 1).is_err_and(|e| e.contains("more than 1000000 faults by chance")));
}

/// Each of a probe's five numbers is set, and no other; the probe that is not swept stays as it is.
#[test]
fn a_sweep_sets_the_number_that_it_names() {
    let vm = vm().liveness_http(1500).readiness_http(1500).build();
    let guest: GuestProfile = yaml::read(GUEST).unwrap_or_else(|e| panic!("{e:?}"));
    let file = file(&format!("for: 3h, nodes: {{count: 1}}, {GROUP}"));
    let before = vm.vmi.readiness.as_ref().map(|p| p.timings);
    type Change = fn(&mut Timings);
    let rows: [(&str, Change); 5] = [
        ("initialDelaySeconds", |t| t.initial_delay = 77),
        ("timeoutSeconds", |t| t.timeout = 77),
        ("periodSeconds", |t| t.period = 77),
        ("successThreshold", |t| t.success_threshold = 77),
        ("failureThreshold", |t| t.failure_threshold = 77),
    ];
    for (number, change) in rows {
        let axis: Axis = format!("readinessProbe.{number}=77").parse().unwrap_or_else(|e| panic!("{e}"));
        let mut guests = [Resolved { vm: vm.clone(), guest: guest.clone() }];
        assert_eq!(axis.swept, Swept::Probe(ProbeKind::Readiness, number));
        assert_eq!(axis.swept.set(axis.values[0], &mut file.clone(), &mut guests), Ok(()));
        let mut expected = before;
        expected.iter_mut().for_each(change);
        let vmi = &guests[0].vm.vmi;
        assert_eq!(vmi.readiness.as_ref().map(|p| p.timings), expected, "{number}");
        assert_eq!(vmi.liveness, vm.vmi.liveness, "{number}");
    }
}

/// Ten million VMs are the most, as in a file.
#[test]
fn a_sweep_ends_at_ten_million_vms() {
    let spread = |nodes: u32| {
        let mut file = file(&format!("for: 3h, nodes: {{count: {nodes}}}, {GROUP}"));
        let axis: Axis = "vmsPerNode=5000".parse().unwrap_or_else(|e| panic!("{e}"));
        axis.swept.set(axis.values[0], &mut file, &mut []).map(|()| file.spec.groups[0].count)
    };
    assert_eq!(spread(2000), Ok(10_000_000));
    for nodes in [2001, 4000] {
        let error = format!("vmsPerNode: 5000 on each of {nodes} nodes are more than 10000000 VMs");
        assert_eq!(spread(nodes), Err(error));
    }
}

/// A sign is no digit, on neither side of the point.
#[test]
fn numbers_of_a_sweep_are_digits() {
    for text in ["lossPerBoot=0.+1", "lossPerBoot=+0.1", "lossPerBoot=0.0001", "vmsPerNode=+1"] {
        let error = text.parse::<Axis>().err().unwrap_or_default();
        let (name, value) = text.split_once('=').unwrap_or_default();
        assert!(error.starts_with(name) && error.ends_with(&format!("found {value:?}")), "{text}: {error}");
    }
}

//! Fleet files that are refused: where, what is wrong and what was expected.

use super::{tried, watched};
use vmhealth_sim::fixture::vm;
use vmhealth_sim::fleet::FleetFile;

/// Where it is, what it is about, what is wrong and what was expected.
#[test]
fn what_is_refused() {
    let good = "apiVersion: vmhealth.dev/v1alpha1\nkind: Fleet\nmetadata: {name: f}\nspec:\n  for: 3h\n  nodes: {count: 1}\n  \
                groups:\n    - {name: a, manifest: m, count: 1, boot: {is: 30s}}\n  incidents:\n    - {at: 1h, nodeDown: {for: 2m}}\n";
    assert!(FleetFile::read("f", good).is_ok());
    for (from, to, message) in [
        ("kind: Fleet", "kind: Fleets", "f:2:7: kind: \"Fleets\" is not one of Fleet"),
        ("for: 3h", "fore: 3h", "f:5:9: spec.fore: there is no field \"fore\": did you mean for? (fields: for, seed, "),
        ("for: 3h", "fore: 3h", "spec: for is required"),
        ("for: 3h", "for: 3 parsecs", "f:5:8: spec.for: \"3 parsecs\" is not a span like 1m30s"),
        (
            "for: 3h",
            "for: 1h30m",
            "spec.for: too short to see whether the fleet settles: an hour after the last incident is over, 2h 2m at",
        ),
        ("{count: 1}", "{cuont: 1}", "f:6:18: spec.nodes.cuont: there is no field \"cuont\": did you mean count?"),
        ("{count: 1}", "{count: one}", "f:6:18: spec.nodes.count: expected a whole number, found "),
        ("count: 1,", "count: 0,", "f:8:37: spec.groups[0].count: expected a whole number from 1 to 10000000, found 0"),
        ("count: 1,", "count: 9000,", "9000 VMs on a node; at most 5000: more nodes are needed"),
        ("{is: 30s}", "{from: 30s}", "spec.groups[0].boot: expected {is: 60s}, {from: 45s, to: 90s} or {median: 60s"),
        (
            "{is: 30s}",
            "{from: 30s, to: 9s}",
            "spec.groups[0].boot: the quickest boot (from) is longer than the slowest (to)",
        ),
        (
            "nodeDown: {for: 2m}",
            "nodeDawn: {for: 2m}",
            "spec.incidents[0].nodeDawn: there is no field \"nodeDawn\": did you mean nodeDown?",
        ),
        ("nodeDown: {for: 2m}", "drain: {for: 2m}", "spec.incidents[0].drain: migration is required"),
        ("nodeDown: {for: 2m}", "nodes: 1", "f:10:7: spec.incidents[0]: expected exactly one of nodeDown, nodeCutOff,"),
        (
            "nodeDown: {for: 2m}",
            "kubeletRestart: {}, vms: 1",
            "spec.incidents[0].kubeletRestart: a kubelet is one for all VMs of its node: say nodes,",
        ),
        (
            "nodeDown: {for: 2m}",
            "kubeletRestart: {for: 2m}",
            "spec.incidents[0].kubeletRestart.for: there is no field \"for\" (fields: resetsReady)",
        ),
        ("nodeDown: {for: 2m}", "storageStall: {for: 2m}", "storageErrors has those that fail"),
        (
            "nodeDown: {for: 2m}",
            "fault: kernelPanik",
            "f:10:23: spec.incidents[0].fault: there is no fault \"kernelPanik\"; did you mean kernelPanic?",
        ),
        (
            "nodeDown: {for: 2m}",
            "nodeDown: {for: 2m}, nodes: 2",
            "spec.incidents[0].nodes: expected a whole number from 1 to 1, found 2",
        ),
        // The error is at the name that comes again, whatever is wrong before it.
        (
            "    - {name: a, manifest: m, count: 1, boot: {is: 30s}}\n",
            "    - {name: x}\n    - {name: a, manifest: m, count: 1, boot: {is: 30s}}\n    - {name: a, manifest: m, count: 1, \
             boot: {is: 30s}}\n",
            "spec.groups[2]: there is another group of the name \"a\"",
        ),
        (
            "nodeDown: {for: 2m}",
            "nodeDown: {for: 2m}, groups: [b]",
            "spec.incidents[0].groups[0]: there is no group \"b\" (groups: a)",
        ),
        (
            "{is: 30s}}",
            "{is: 30s}, faults: [{fault: kernelPanic}]}",
            "spec.groups[0].faults[0]: expected exactly one of every, weibull",
        ),
        ("metadata: {name: f}", "metadata: {name: f}\n---\na: 1", "expected one document, found 2"),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let error = FleetFile::read("f", &text).map(|_| ()).map_err(|e| e.to_string());
        assert!(error.as_ref().is_err_and(|e| e.contains(message)), "{to}\n{message}\n{error:?}");
    }
}

/// What a fleet file says that its manifest, or the number of its VMs, does not go with.
#[test]
fn what_no_plan_is_made_of() {
    let ready = |more: &str| vm().readiness(&format!("httpGet: {{port: 1500, path: /healthz}}, {more}"));
    let moved = || watched().spec("evictionStrategy: LiveMigrate");
    let group = "nodes: {count: 1}, groups: [{name: a, manifest: m, count: 20, boot: {is: 30s}";
    for (spec, vm, message) in [
        (
            format!("for: 3h, {group}}}], incidents: [{{at: 30m, badImage: {{for: 10m, apart: 1h}}}}]"),
            watched(),
            // The twentieth begins 19 hours after the first.
            "spec.for: too short to see whether the fleet settles: an hour after the last VM of a node has had its turn in the incidents, \
             20h 40m at least",
        ),
        (
            format!("for: 2h, {group}}}]").replace("count: 1}", "count: 1, bootsAtFullSpeed: 2, lossPerBoot: 0.1}"),
            watched(),
            "spec.nodes.lossPerBoot: 20 VMs that boot on a node at once have 0.100 of a full share each, and a loss of 0.1 leaves nothing",
        ),
        (
            format!("for: 2h, {group}}}], incidents: [{{at: 30m, drain: {{migration: 10m}}}}]"),
            moved(),
            "in the incidents, 3h 10m at least",
        ),
        (
            format!("for: 2h, {group}}}]"),
            ready("periodSeconds: 2147483647, successThreshold: 2147483647"),
            "spec.groups[0].manifest: readinessProbe: with initialDelaySeconds 0, periodSeconds 2147483647 and",
        ),
        (
            format!(
                "for: 400d, {group}, faults: [{{fault: guestReboot, every: 30d}}, {{fault: kernelPanic, every: 1m}}]}}]"
            ),
            watched(),
            "spec.groups[0].faults[1]: with kernelPanic so often a node has more than 1000000 faults by chance",
        ),
    ] {
        let error = tried(&spec, &vm).map(|_| ()).err().unwrap_or_default();
        assert!(error.contains(message), "{spec}\n{message}\n{error}");
    }
    // One hour later the last VM of two, or of a group of ten that move two at a time, has had its turn.
    for (vms, incident, vm) in [
        (2, "badImage: {for: 10m, apart: 1h}", watched()),
        (10, "drain: {migration: 10m}", moved()),
        (20, "badImage: {for: 10m, apart: 1h}, vms: 2", watched()),
    ] {
        let spec = format!(
            "for: 2h40m, nodes: {{count: 1}}, groups: [{{name: a, manifest: m, count: {vms}, boot: {{is: 30s}}}}], \
             incidents: [{{at: 30m, {incident}}}]"
        );
        assert_eq!(tried(&spec, &vm).map(|_| ()), Ok(()), "{spec}");
    }
}

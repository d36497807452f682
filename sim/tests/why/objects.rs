//! What the status of pods, VMs and VMIs says, alone, in a list, and whose it is.

use crate::{WEB, check, facts_of};
use vmhealth_sim::why::{Source, Whose, read};

fn object(kind: &str, name: &str, metadata: &str, rest: &str) -> String {
    let api = if kind == "Pod" { "v1" } else { "kubevirt.io/v1" };
    format!(
        "apiVersion: {api}\nkind: {kind}\nmetadata: {{name: {name}, namespace: shop{metadata}}}\nspec: {{}}\n{rest}\n"
    )
}

fn pod(status: &str) -> String {
    object("Pod", "virt-launcher-web-abcde", "", &format!("status: {status}"))
}

fn vmi(status: &str) -> String {
    object("VirtualMachineInstance", "web", "", &format!("status: {status}"))
}

const IDLE: &[&str] = &["idle 1"];
const AT: &str = "lastTransitionTime: \"2026-05-30T08:20:11Z\"";

#[test]
fn what_a_pods_status_says() {
    let condition = |kind: &str, status: &str| {
        pod(&format!(
            "{{conditions: [{{type: Ready, status: \"True\"}}, {{type: {kind}, status: \"{status}\", {AT}}}]}}"
        ))
    };
    let ended = |name: &str, state: &str, ended: &str| {
        pod(&format!(
            "{{containerStatuses: [{{name: {name}, {state}: {{terminated: {{{ended}, finishedAt: \"2026-07-11T10:41:27Z\"}}}}}}]}}"
        ))
    };
    let (oom, died) = ("exitCode: 137, reason: OOMKilled", "exitCode: 255, reason: Error");
    for (text, expected) in [
        (pod("{phase: Failed, reason: Evicted, message: The node was low on resource}"), &["Evicted - a:1"][..]),
        (pod("{phase: Running, reason: NodeLost}"), &["NodeLost - a:1"]),
        (pod("{phase: Failed, reason: UnexpectedAdmissionError}"), IDLE),
        (condition("DisruptionTarget", "True"), &["Evicted 2026-05-30T08:20:11Z a:1"]),
        (condition("DisruptionTarget", "False"), IDLE),
        (condition("PodScheduled", "True"), IDLE),
        (ended("compute", "state", oom), &["OomKilled 2026-07-11T10:41:27Z a:1"]),
        (ended("compute", "lastState", oom), &["OomKilled 2026-07-11T10:41:27Z a:1"]),
        (ended("compute", "state", died), &["LauncherDied 2026-07-11T10:41:27Z a:1"]),
        (ended("compute", "state", "exitCode: 0, reason: Completed"), IDLE),
        // KubeVirt's other containers, and another of the node's.
        (ended("guest-console-log", "state", oom), IDLE),
        (ended("guest-console-log", "state", died), IDLE),
    ] {
        check(&[&text], expected);
    }
}

#[test]
fn what_a_vms_status_says() {
    let vm = |status: &str| object("VirtualMachine", "web", "", &format!("status: {{printableStatus: {status}}}"));
    for (status, expected) in [
        ("Running", &["VmStatus(Running) - a:1"][..]),
        ("Stopped", &["VmStatus(Stopped) - a:1"]),
        ("CrashLoopBackOff", &["VmStatus(CrashLoopBackOff) - a:1"]),
        // Of a cluster that could not run it, which is no matter of health.
        ("ErrorUnschedulable", IDLE),
    ] {
        check(&[&vm(status)], expected);
    }
}

#[test]
fn what_a_vmis_status_says() {
    let of = |kind: &str, status: &str, reason: &str| {
        let synchronized = "{type: Synchronized, status: \"True\", reason: PausedByUser}";
        vmi(&format!(
            "{{conditions: [{synchronized}, {{type: {kind}, status: \"{status}\", reason: {reason}, {AT}}}]}}"
        ))
    };
    let ended = |phase: &str| {
        let change =
            |phase: &str, at: &str| format!("{{phase: {phase}, phaseTransitionTimestamp: \"2026-05-30T{at}Z\"}}");
        let changes = [change("Running", "08:00:00"), change(phase, "08:20:24")].join(", ");
        vmi(&format!("{{phase: {phase}, phaseTransitionTimestamps: [{changes}]}}"))
    };
    for (text, expected) in [
        (ended("Succeeded"), &["Ended(Succeeded) 2026-05-30T08:20:24Z a:1"][..]),
        (ended("Failed"), &["Ended(Failed) 2026-05-30T08:20:24Z a:1"]),
        (ended("Scheduled"), IDLE),
        (vmi("{phase: Failed}"), &["Ended(Failed) - a:1"]),
        (of("Ready", "False", "PodTerminating"), &["NotReady(PodTerminating) 2026-05-30T08:20:11Z a:1"]),
        (of("Ready", "False", "GuestNotRunning"), &["NotReady(GuestNotRunning) 2026-05-30T08:20:11Z a:1"]),
        (of("Ready", "True", "GuestNotRunning"), IDLE),
        (of("Ready", "False", "SomethingNew"), IDLE),
        (of("Paused", "True", "PausedIOError"), &["IoError 2026-05-30T08:20:11Z a:1"]),
        (of("Paused", "True", "PausedByUser"), &["PausedByUser 2026-05-30T08:20:11Z a:1"]),
        (of("Paused", "False", "PausedByUser"), IDLE),
        (of("Paused", "True", "PausedByMigrationMonitor"), IDLE),
        (
            vmi("{phase: Running, migrationState: {startTimestamp: \"2026-05-30T08:20:11Z\", completed: true}}"),
            &["Migrated 2026-05-30T08:20:11Z a:1"],
        ),
        (vmi("{phase: Running, migrationState: {completed: true}}"), &["Migrated - a:1"]),
    ] {
        check(&[&text], expected);
    }
}

/// A pod's label says more than its name; nothing else is known by that label.
#[test]
fn whose_it_is() {
    let label = |vm: &str| format!(", labels: {{vm.kubevirt.io/name: {vm}}}");
    let evicted = "status: {reason: Evicted}";
    let nobody = Whose::default();
    for (kind, name, metadata, vm, counts) in [
        ("Pod", "virt-launcher-web-abcde", "", WEB, true),
        ("Pod", "virt-launcher-db-abcde", "", WEB, false),
        ("Pod", "web", "", WEB, false),
        ("Pod", "virt-launcher-db-abcde", &*label("web"), WEB, true),
        ("Pod", "virt-launcher-web-abcde", &label("db"), WEB, false),
        ("Pod", "virt-launcher-web-abcde", &label("web"), Whose { namespace: "test", ..WEB }, false),
        // While it is not known which VM it is about, everything counts.
        ("Pod", "virt-launcher-web-abcde", &label("db"), nobody, true),
        ("VirtualMachineInstance", "web", &label("db"), WEB, true),
        ("VirtualMachineInstance", "db", &label("web"), WEB, false),
        ("VirtualMachine", "web", "", WEB, true),
        ("VirtualMachine", "db", "", WEB, false),
    ] {
        let status = if kind == "Pod" { evicted } else { "status: {phase: Failed, printableStatus: Stopped}" };
        let facts = facts_of(&[&object(kind, name, metadata, status)], vm);
        let expected = if counts { (1, 0, 0) } else { (0, 0, 1) };
        assert_eq!((facts.facts.len(), facts.idle, facts.others), expected, "{kind} {name} {metadata} {vm:?}");
    }
    // Each of them counts.
    let db = object("Pod", "virt-launcher-db-abcde", "", evicted);
    check(&[&db, &db], &["others 2"]);
    check(&[&pod("{phase: Running}"), &pod("{phase: Running}")], &["idle 2"]);
    // A second pod that says the same says something.
    check(&[&pod("{reason: Evicted}"), &pod("{reason: Evicted}")], &["Evicted - a:1 x2"]);
    // Where no namespace is said, none is kept.
    let named = |text: &str| facts_of(&[text], WEB).namespaces.into_iter().collect::<Vec<_>>();
    assert_eq!(named(&pod("{}")), ["shop"]);
    assert_eq!(named(&pod("{}").replace("shop", "\"\"")), [""; 0]);
}

/// Which status somebody has looked at; a manifest without one is no evidence.
#[test]
fn what_was_looked_at() {
    let without = |kind: &str| object(kind, "virt-launcher-web-abcde", "", "");
    for (text, expected) in [
        (pod("{phase: Running}"), &[Source::Pod][..]),
        (vmi("{phase: Running}"), &[Source::Vm]),
        (object("VirtualMachine", "web", "", "status: {ready: true}"), &[Source::Vm]),
        (without("Pod"), &[]),
        (without("VirtualMachine"), &[]),
    ] {
        let covered: Vec<Source> = facts_of(&[&text], WEB).covered.into_iter().collect();
        assert_eq!(covered, expected, "{text}");
    }
}

/// The node of the VM's own pod or VMI: its events are the VM's.
#[test]
fn whose_node_it_is() {
    let lost = "kind: Event\nreason: NodeNotReady\nmessage: m\ninvolvedObject: {kind: Node, name: one}\n";
    let placed = |kind: &str, name: &str, where_: &str| object(kind, name, "", "").replace("spec: {}", where_);
    for (kind, name, place, counts) in [
        ("Pod", "virt-launcher-web-abcde", "spec: {nodeName: one}", true),
        ("Pod", "virt-launcher-web-abcde", "spec: {nodeName: two}", false),
        ("Pod", "virt-launcher-db-abcde", "spec: {nodeName: one}", false),
        ("VirtualMachineInstance", "web", "status: {nodeName: one}", true),
        ("VirtualMachineInstance", "db", "status: {nodeName: one}", false),
        // Where it is wanted, and not where it is.
        ("VirtualMachineInstance", "web", "spec: {nodeName: one}", false),
    ] {
        let found = facts_of(&[&placed(kind, name, place), lost], WEB).facts;
        assert_eq!(found.len(), usize::from(counts), "{kind} {name} {place}: {found:#?}");
    }
}

/// `kubectl get -o yaml` makes a list, and who joins lists by hand makes one of lists.
#[test]
fn lists() {
    let list = |kind: &str, item: &str| {
        let item: String = item.lines().map(|line| format!("  {line}\n")).collect();
        format!("apiVersion: v1\nkind: {kind}\nitems:\n-{}", &item[1..])
    };
    let evicted = pod("{reason: Evicted}");
    let nested = |depth: usize| (0..depth).fold(evicted.clone(), |item, _| list("List", &item));
    for (text, expected) in [
        (list("PodList", &evicted), &["Evicted - a:4"][..]),
        (nested(1), &["Evicted - a:4"]),
        (nested(2), &["Evicted - a:7"]),
        (nested(3), &["Evicted - a:10"]),
        (nested(4), &["unread a:10 an object of kind \"List\""]),
        // A ConfigMap may have items of its own.
        (list("Backup", &evicted), &["unread a:1 an object of kind \"Backup\""]),
    ] {
        check(&[&text], expected);
    }
    assert_eq!(facts_of(&[&nested(1)], WEB).facts[0].text, "status.reason Evicted:");
}

/// A VM's manifest among the evidence says which VM it is about.
#[test]
fn manifests() {
    let of =
        |api: &str, kind: &str| format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: web, namespace: shop}}\n");
    for (text, expected) in [
        (of("kubevirt.io/v1", "VirtualMachine"), Some("VirtualMachine shop/web a:1")),
        (of("kubevirt.io/v1alpha3", "VirtualMachineInstance"), Some("VirtualMachineInstance shop/web a:1")),
        (of("kubevirt.io/v1", "VirtualMachineInstanceMigration"), None),
        (of("vmoperator.vmware.com/v1alpha2", "VirtualMachine"), None),
        (of("v1", "Pod"), None),
    ] {
        let found = read(&[("a".to_owned(), text.clone())], Whose::default()).1;
        let found: Vec<_> =
            found.iter().map(|m| format!("{} {}/{} {}:{}", m.kind, m.namespace, m.name, m.file, m.line)).collect();
        assert_eq!(found, Vec::from_iter(expected), "{text}");
    }
}

//! Events of pods, VMIs, VMs and nodes, as objects and as kubectl prints them.

use crate::{WEB, check, facts_of};
use vmhealth_sim::why::Source;

const POD: &str = "Pod virt-launcher-web-abcde";
const VMI: &str = "VirtualMachineInstance web";
const VM: &str = "VirtualMachine web";

/// An event as an object, `of` a kind and a name.
fn event(of: &str, kind: &str, reason: &str, message: &str) -> String {
    let (object, name) = of.split_once(' ').expect(of);
    format!(
        "apiVersion: v1\nkind: Event\ntype: {kind}\nreason: {reason}\nmessage: {message:?}\n\
         involvedObject: {{kind: {object}, name: {name}, namespace: shop}}\n"
    )
}

/// What an event is about, its type, reason and message; what is read out of it.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

const IDLE: &[&str] = &["idle 1"];
const OTHERS: &[&str] = &["others 1"];

/// kubevirt-health.md 8.4, kubelet-prober.md 11.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    (POD, "Warning", "Unhealthy", "Readiness probe failed: dial tcp 10.42.3.17:5432: connect: connection refused",
        &["Unhealthy(Readiness) - a:1", "Said(Readiness, Refused) - a:1"]),
    (POD, "Warning", "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 503",
        &["Unhealthy(Liveness) - a:1", "Said(Liveness, Status) - a:1"]),
    (POD, "Warning", "Unhealthy", "Liveness probe failed: Get \"http://10.244.1.9:80/\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
        &["Unhealthy(Liveness) - a:1", "Said(Liveness, TimedOut) - a:1"]),
    (POD, "Warning", "Unhealthy", "Liveness probe failed: panic: Guest agent is not responding: QEMU guest agent is not connected",
        &["Unhealthy(Liveness) - a:1", "Said(Liveness, NoAgent) - a:1"]),
    (POD, "Warning", "Unhealthy", "Readiness probe failed: cat: /tmp/ready: No such file or directory",
        &["Unhealthy(Readiness) - a:1"]),
    (POD, "Warning", "Unhealthy", "Startup probe failed: x",
        &["unread a:1 event Pod Unhealthy: Startup probe failed: x"]),
    (POD, "Normal", "Killing", "Stopping container compute", &["Killing - a:1"]),
    (POD, "Normal", "Killing", "Container compute failed liveness probe", &["Killing - a:1"]),
    (POD, "Normal", "Killing", "", &["Killing - a:1"]),
    (POD, "Normal", "Killing", "Stopping container guest-console-log", IDLE),
    // A pod that is no virt-launcher's, be its name the VM's.
    ("Pod web", "Normal", "Killing", "Stopping container compute", OTHERS),
    ("Pod virt-launcher-db-abcde", "Normal", "Killing", "Stopping container compute", OTHERS),
    (POD, "Normal", "Scheduled", "Successfully assigned shop/virt-launcher-web-abcde to one", IDLE),
    (POD, "Warning", "BackOff", "Back-off restarting", &["unread a:1 event Pod BackOff: Back-off restarting"]),
    (VMI, "Warning", "GuestAgentPingFailed", "GuestAgentPing probe failed", &["AgentPingFailed - a:1"]),
    (VMI, "Normal", "ShuttingDown", "Signaled Graceful Shutdown", &["ShuttingDown - a:1"]),
    (VMI, "Normal", "Deleted", "Signaled Deletion", IDLE),
    (VMI, "Normal", "Deleted", "VirtualMachineInstance stopping", &["Destroyed - a:1"]),
    (VMI, "Warning", "Stopped", "The VirtualMachineInstance crashed.", &["Ended(Failed) - a:1"]),
    // Either says it: its words, or its type.
    (VMI, "Normal", "Stopped", "The VirtualMachineInstance crashed.", &["Ended(Failed) - a:1"]),
    (VMI, "Warning", "Stopped", "The VirtualMachineInstance has failed.", &["Ended(Failed) - a:1"]),
    (VMI, "Normal", "Stopped", "The VirtualMachineInstance was shut down.", &["Ended(Succeeded) - a:1"]),
    (VMI, "Warning", "GuestPanicked", "VirtualMachineInstance guest panicked", &["GuestPanicked - a:1"]),
    (VMI, "Warning", "IOerror", "VM Paused due to IO error at the volume: root", &["IoError - a:1"]),
    (VMI, "Normal", "Migrated", "The VirtualMachineInstance migrated to node two.", &["Migrated - a:1"]),
    (VMI, "Normal", "Migrating", "VirtualMachineInstance is migrating.", &["Migrated - a:1"]),
    (VM, "Normal", "SuccessfulCreate", "Started the virtual machine by creating the new virtual machine instance web",
        &["VmiCreated - a:1"]),
    (VM, "Normal", "SuccessfulDelete", "Stopped the virtual machine by deleting the virtual machine instance 5b0f6c0e",
        &["VmiDeleted - a:1"]),
    // In another release's words; and of what nothing is known but the words.
    (VM, "Normal", "SuccessfulCreate", "Started web", &["VmiCreated - a:1"]),
    (VM, "Normal", "SuccessfulDelete", "Stopped web", &["VmiDeleted - a:1"]),
    ("other web", "Normal", "SuccessfulCreate", "Started the virtual machine by creating the new virtual machine instance web",
        &["VmiCreated - a:1"]),
    ("other web", "Normal", "SuccessfulDelete", "Stopped the virtual machine by deleting the virtual machine instance 5b0f6c0e",
        &["VmiDeleted - a:1"]),
    // The VMI's are about its pod.
    (VMI, "Normal", "SuccessfulCreate", "Created virtual machine pod virt-launcher-web-abcde", IDLE),
    (VMI, "Normal", "SuccessfulDelete", "Deleted virtual machine pod virt-launcher-web-abcde", IDLE),
    (POD, "Normal", "TaintManagerEviction", "Marking for deletion Pod shop/virt-launcher-web-abcde", &["Evicted - a:1"]),
    (POD, "Normal", "TaintManagerEviction", "Cancelling deletion of Pod shop/virt-launcher-web-abcde", IDLE),
    (POD, "Warning", "Evicted", "The node was low on resource: memory.", &["Evicted - a:1"]),
    (POD, "Warning", "NodeNotReady", "Node is not ready", &["NodeLost - a:1"]),
    (POD, "Warning", "OOMKilling", "Memory cgroup out of memory: Killed process 81 (qemu-kvm)", IDLE),
    // One that nothing says is the VM's.
    ("Node one", "Normal", "NodeNotReady", "Node one status is now: NodeNotReady", OTHERS),
];

#[test]
fn reasons_and_messages() {
    for (of, kind, reason, message, expected) in ROWS {
        check(&[&event(of, kind, reason, message)], expected);
    }
}

/// A node that drains is not lost; one that is not ready is, to its pod.
#[test]
fn of_a_node() {
    let pod = "kind: Pod\nmetadata: {name: virt-launcher-web-abcde}\nspec: {nodeName: one}\n";
    let of = |node: &str, reason: &str| event(&format!("Node {node}"), "Normal", reason, "Node status is now");
    let not_read = "unread b:1 event Node NodeNotSchedulable: Node status is now";
    for (node, reason, expected) in [
        ("one", "NodeNotReady", &["NodeLost - b:1", "idle 1"][..]),
        ("one", "NodeReady", &["idle 2"]),
        ("one", "NodeNotSchedulable", &["idle 1", not_read]),
        ("two", "NodeNotReady", &["idle 1", "others 1"]),
    ] {
        check(&[pod, &of(node, reason)], expected);
    }
}

/// By whichever name the API has for it; what is no number is once.
#[test]
fn how_often() {
    for (count, expected) in [
        ("count: 3", "IoError - a:1 x3"),
        ("series: {count: 4}", "IoError - a:1 x4"),
        ("deprecatedCount: 5", "IoError - a:1 x5"),
        ("count: none", "IoError - a:1"),
        ("count: 0", "IoError - a:1"),
    ] {
        check(&[&(event(VMI, "Warning", "IOerror", "VM Paused") + count + "\n")], &[expected]);
    }
}

/// `kubectl get events` names each object, its kind in lower case.
#[test]
fn tables() {
    let table = |rows: &[(&str, &str, &str, &str)]| {
        let line = |[age, kind, reason, object, message]: [&str; 5]| {
            format!("{age:<12}{kind:<10}{reason:<19}{object:<33}{message}\n")
        };
        let rows = rows.iter().map(|(reason, kind, object, message)| line(["5m", kind, reason, object, message]));
        line(["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]) + &rows.collect::<String>()
    };
    let (killing, stopped) = ("Stopping container compute", "The VirtualMachineInstance was shut down.");
    for (rows, expected) in [
        (&[("Killing", "Normal", "pod/virt-launcher-web-abcde", killing)][..], &["Killing 300 s before a:2"][..]),
        (&[("Killing", "Normal", "pod/web", killing)], OTHERS),
        (&[("Stopped", "Normal", "virtualmachineinstance/web", stopped)], &["Ended(Succeeded) 300 s before a:2"]),
        (&[("Stopped", "Warning", "virtualmachineinstance/web", "x")], &["Ended(Failed) 300 s before a:2"]),
        (&[("Stopped", "Normal", "virtualmachineinstance/db", stopped)], OTHERS),
        (&[("SuccessfulCreate", "Normal", "virtualmachine/web", "Started web")], &["VmiCreated 300 s before a:2"]),
        (&[("NodeNotReady", "Normal", "node/web", "Node web status is now")], OTHERS),
        (
            &[("FailedMount", "Warning", "virtualmachineinstance/web", "x")],
            &["unread a:2 event VirtualMachineInstance FailedMount: x"],
        ),
        (&[("FailedMount", "Warning", "pod/virt-launcher-web-abcde", "x")], &["unread a:2 event Pod FailedMount: x"]),
        (&[("FailedMount", "Warning", "virtualmachine/web", "x")], &["unread a:2 event VirtualMachine FailedMount: x"]),
        (
            &[("FailedBinding", "Normal", "persistentvolumeclaim/web", "x")],
            &["unread a:2 event other FailedBinding: x"],
        ),
    ] {
        check(&[&table(rows)], expected);
    }
    // Only of events: pods have a type and an age elsewhere.
    check(&["TYPE      REASON     AGE\n"], &["unread a:1 TYPE      REASON     AGE"]);
    check(&["TYPE      MESSAGE    AGE\n"], &["unread a:1 TYPE      MESSAGE    AGE"]);
    check(&["REASON    MESSAGE    AGE\n"], &["unread a:1 REASON    MESSAGE    AGE"]);
}

/// Who asks for all events has looked at each kind's; `kubectl describe` shows those of one object.
#[test]
fn what_was_looked_at() {
    use Source::*;
    let described = |kind: &str| {
        format!(
            "Name:         web\nNamespace:    shop\n{kind}Events:\n  Type    Reason     Age   From     Message\n  \
             ----    ------     ----  ----     -------\n  Normal  Scheduled  5m    default  x\n"
        )
    };
    let listed = "LAST SEEN   TYPE      REASON    OBJECT     MESSAGE\n5m          Normal    Killing   pod/db-0   x\n";
    for (text, expected) in [
        (listed, &[PodEvents, VmiEvents, VmEvents][..]),
        (&event(VMI, "Normal", "Created", "x"), &[PodEvents, VmiEvents, VmEvents]),
        (&described(""), &[PodEvents]),
        (&described("Kind:         VirtualMachineInstance\n"), &[VmiEvents]),
        (&described("Kind:         VirtualMachine\n"), &[VmEvents]),
    ] {
        let covered: Vec<Source> = facts_of(&[text], WEB).covered.into_iter().collect();
        assert_eq!(covered, expected, "{text}");
    }
}

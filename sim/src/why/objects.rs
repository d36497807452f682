//! Objects of the cluster's API to signs: events, pods, VMs and VMIs, alone or in a list.

use super::clock::{When, rfc3339};
use super::event::{self, Event, is_of};
use super::fact::{Facts, Place, Whose};
use super::sign::{Sign, Source};
use crate::trace::{NotReady, Phase, VmStatus};
use crate::yaml::{Node, Value};

/// A manifest that was found in the evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Its kind: `VirtualMachine` or `VirtualMachineInstance`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace; empty: it says none.
    pub namespace: String,
    /// Where it stands.
    pub file: String,
    /// The line in it.
    pub line: u64,
    /// The object as JSON.
    pub text: String,
}

/// A list is taken apart as deep as this: kubectl makes one level, and one more where lists are joined by hand.
const DEEPEST: usize = 3;

/// Calls with every object, those of lists one by one.
pub(super) fn each<'n>(node: &'n Node, depth: usize, found: &mut dyn FnMut(&'n Node)) {
    match node.at("items").map(|items| &items.value) {
        Some(Value::Seq(items)) if node.text_at("kind").ends_with("List") && depth < DEEPEST => {
            items.iter().for_each(|item| each(item, depth + 1, found));
        }
        _ => found(node),
    }
}

/// The manifest that a VM or a VMI is.
pub(super) fn manifest(node: &Node, place: Place<'_>) -> Option<Manifest> {
    let kind = node.text_at("kind");
    let ours = matches!(kind, "VirtualMachine" | "VirtualMachineInstance");
    (ours && node.text_at("apiVersion").starts_with("kubevirt.io/")).then(|| Manifest {
        kind: kind.to_owned(),
        name: node.text_at("metadata.name").to_owned(),
        namespace: node.text_at("metadata.namespace").to_owned(),
        file: place.file.to_owned(),
        line: place.line,
        text: node.to_json().to_string(),
    })
}

/// Whether it is the VM or one of its objects; a pod's label says more than its name.
fn is_vms(node: &Node, vm: Whose<'_>) -> bool {
    let (kind, name) = (node.text_at("kind"), node.text_at("metadata.name"));
    let namespace = node.text_at("metadata.namespace");
    let label = || node.at("metadata.labels")?.get("vm.kubevirt.io/name")?.value.as_str();
    match label() {
        Some(label) if kind == "Pod" && !vm.name.is_empty() => label == vm.name && vm.is_in(namespace),
        _ => is_of(vm, kind, namespace, name),
    }
}

/// The node that the object says is the VM's; empty: none.
pub(super) fn node_of<'n>(node: &'n Node, vm: Whose<'_>) -> &'n str {
    match node.text_at("kind") {
        "Pod" if is_vms(node, vm) => node.text_at("spec.nodeName"),
        "VirtualMachineInstance" if is_vms(node, vm) => node.text_at("status.nodeName"),
        _ => "",
    }
}

/// Adds what the object says of `vm`.
pub(super) fn take(facts: &mut Facts, node: &Node, vm: Whose<'_>, place: Place<'_>) {
    let kind = node.text_at("kind");
    match kind {
        "Event" => return take_event(facts, node, vm, place),
        "Pod" | "VirtualMachine" | "VirtualMachineInstance" => {}
        _ => return facts.not_read(place, &format!("an object of kind {kind:?}")),
    }
    if !is_vms(node, vm) {
        facts.others += 1;
        return;
    }
    facts.is_from(node.text_at("metadata.namespace"));
    let mut says = false;
    let mut add = |sign, when: Option<When>, text: String| {
        says = true;
        facts.add(sign, when, place, &text, 1);
    };
    match kind {
        "Pod" => pod(node, &mut add),
        "VirtualMachine" => vm_status(node, &mut add),
        _ => vmi_status(node, &mut add),
    }
    facts.idle += usize::from(!says);
    // A manifest without a status says nothing of what happened.
    if node.at("status").is_some() {
        facts.covered.insert(if kind == "Pod" { Source::Pod } else { Source::Vm });
    }
}

fn time(node: &Node, path: &str) -> Option<When> {
    rfc3339(node.text_at(path))
}

fn take_event(facts: &mut Facts, node: &Node, vm: Whose<'_>, place: Place<'_>) {
    // events.k8s.io/v1 has other names for the same.
    let or = |one: &'static str, other: &'static str| match node.text_at(one) {
        "" => node.text_at(other),
        text => text,
    };
    let times = ["series.count", "count", "deprecatedCount"];
    let times = times.iter().find_map(|path| match node.at(path)?.value {
        Value::Int(n) => u64::try_from(n).ok(),
        _ => None,
    });
    let whens = ["firstTimestamp", "deprecatedFirstTimestamp", "eventTime", "metadata.creationTimestamp"];
    let event = Event {
        uid: node.text_at("metadata.uid"),
        kind: or("involvedObject.kind", "regarding.kind"),
        name: or("involvedObject.name", "regarding.name"),
        namespace: or("involvedObject.namespace", "regarding.namespace"),
        reason: node.text_at("reason"),
        message: or("message", "note"),
        warning: node.text_at("type") == "Warning",
        when: whens.iter().find_map(|path| time(node, path)),
        times: times.unwrap_or(1),
        only: false,
    };
    event::take(facts, event, vm, place);
}

type Add<'a> = &'a mut dyn FnMut(Sign, Option<When>, String);

fn items<'n>(node: &'n Node, path: &str) -> &'n [Node] {
    match node.at(path).map(|list| &list.value) {
        Some(Value::Seq(items)) => items,
        _ => &[],
    }
}

fn condition<'n>(node: &'n Node, kind: &str) -> Option<&'n Node> {
    items(node, "status.conditions").iter().find(|c| c.text_at("type") == kind)
}

/// A condition's status; YAML's reader takes no quotes for it.
fn is_true(condition: &Node) -> bool {
    condition.text_at("status") == "True"
}

fn pod(node: &Node, add: Add<'_>) {
    let reason = node.text_at("status.reason");
    match reason {
        "Evicted" => add(Sign::Evicted, None, format!("status.reason {reason}: {}", node.text_at("status.message"))),
        "NodeLost" => add(Sign::NodeLost, None, format!("status.reason {reason}")),
        _ => {}
    }
    if let Some(target) = condition(node, "DisruptionTarget").filter(|c| is_true(c)) {
        let text = format!("condition DisruptionTarget: {}", target.text_at("reason"));
        add(Sign::Evicted, time(target, "lastTransitionTime"), text);
    }
    for container in items(node, "status.containerStatuses").iter().filter(|c| c.text_at("name") == "compute") {
        for state in ["state.terminated", "lastState.terminated"] {
            let Some(ended) = container.at(state) else { continue };
            let code = match ended.at("exitCode").map(|c| &c.value) {
                Some(Value::Int(code)) => *code,
                _ => 0,
            };
            let reason = ended.text_at("reason");
            let sign = match (reason, code) {
                ("OOMKilled", _) => Sign::OomKilled,
                (_, 255) => Sign::LauncherDied,
                _ => continue,
            };
            add(sign, time(ended, "finishedAt"), format!("compute terminated: {reason}, exit code {code}"));
        }
    }
}

fn vm_status(node: &Node, add: Add<'_>) {
    let status = node.text_at("status.printableStatus");
    if let Some(known) = VmStatus::ALL.iter().find(|s| s.as_str() == status) {
        add(Sign::VmStatus(*known), None, format!("status.printableStatus {status}"));
    }
}

fn vmi_status(node: &Node, add: Add<'_>) {
    let phase = match node.text_at("status.phase") {
        "Succeeded" => Some(Phase::Succeeded),
        "Failed" => Some(Phase::Failed),
        _ => None,
    };
    if let Some(phase) = phase {
        let changes = items(node, "status.phaseTransitionTimestamps");
        let at = changes.iter().find(|c| c.text_at("phase") == phase.as_str());
        add(Sign::Ended(phase), at.and_then(|c| time(c, "phaseTransitionTimestamp")), format!("status.phase {phase}"));
    }
    if let Some(ready) = condition(node, "Ready").filter(|c| !is_true(c)) {
        let reason = ready.text_at("reason");
        if let Some(known) = NotReady::ALL.iter().find(|r| r.as_str() == reason) {
            add(Sign::NotReady(*known), time(ready, "lastTransitionTime"), format!("condition Ready False: {reason}"));
        }
    }
    if let Some(paused) = condition(node, "Paused").filter(|c| is_true(c)) {
        let (reason, at) = (paused.text_at("reason"), time(paused, "lastTransitionTime"));
        match reason {
            "PausedIOError" => add(Sign::IoError, at, format!("condition Paused: {reason}")),
            "PausedByUser" => add(Sign::PausedByUser, at, format!("condition Paused: {reason}")),
            _ => {}
        }
    }
    if node.at("status.migrationState").is_some() {
        add(Sign::Migrated, time(node, "status.migrationState.startTimestamp"), "status.migrationState".to_owned());
    }
}

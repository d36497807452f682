//! A Kubernetes event to signs, by its reason and its message (kubevirt-health.md 8.4, kubelet-prober.md 11).

use super::clock::When;
use super::fact::{Facts, Place, Whose};
use super::sign::{Said, Sign, Source};
use crate::cluster::is_launcher_of;
use crate::kubelet::ProbeKind;
use crate::trace::Phase;

/// An event, wherever it was read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Event<'a> {
    /// `Pod`, `VirtualMachineInstance` ...; empty: not said.
    pub(super) kind: &'a str,
    /// The event's own; empty: not said.
    pub(super) uid: &'a str,
    /// Of the object; empty: not said.
    pub(super) name: &'a str,
    /// The object's; empty: not said.
    pub(super) namespace: &'a str,
    pub(super) reason: &'a str,
    pub(super) message: &'a str,
    /// Its type is Warning.
    pub(super) warning: bool,
    pub(super) when: Option<When>,
    pub(super) times: u64,
    /// Only events of this kind of object were asked for.
    pub(super) only: bool,
}

/// Whose event it is.
pub(super) fn is_of(vm: Whose<'_>, kind: &str, namespace: &str, name: &str) -> bool {
    vm.is_in(namespace)
        && match kind {
            _ if vm.name.is_empty() || name.is_empty() => true,
            "Pod" => is_launcher_of(vm.name, name),
            _ => name == vm.name || is_launcher_of(vm.name, name),
        }
}

/// Reasons that say nothing of what happened to a VM that ran.
const IDLE: &[&str] = &[
    "Created",
    "Started",
    "Pulled",
    "Pulling",
    "Scheduled",
    "SuccessfulAttachVolume",
    "SuccessfulMountVolume",
    "PreparingTarget",
    "NodeReady",
    "Starting",
    "NodeHasSufficientMemory",
    "NodeHasNoDiskPressure",
    "Provisioning",
    "ProvisioningSucceeded",
    "ExternalProvisioning",
    "WaitForFirstConsumer",
    "Bound",
    "ResumeFailed",
    "Resumed",
    "FailedScheduling",
    "SuccessfulUpdate",
    "SuccessfulDataVolumeCreate",
    "AddedInterface",
];

/// Adds what the event says of `vm`.
pub(super) fn take(facts: &mut Facts, event: Event<'_>, vm: Whose<'_>, place: Place<'_>) {
    let of_kind = match event.kind {
        "Pod" => Source::PodEvents,
        "VirtualMachine" => Source::VmEvents,
        _ => Source::VmiEvents,
    };
    let all = [Source::PodEvents, Source::VmiEvents, Source::VmEvents];
    facts.covered.extend(all.into_iter().filter(|source| !event.only || *source == of_kind));
    let ours = match event.kind {
        "Node" => facts.nodes.contains(event.name),
        kind => is_of(vm, kind, event.namespace, event.name),
    };
    if !ours {
        facts.others += 1;
        return;
    }
    if event.kind != "Node" {
        facts.is_from(event.namespace);
    }
    let Some(signs) = signs(&event) else {
        return facts.not_read(place, &format!("event {} {}: {}", event.kind, event.reason, event.message));
    };
    facts.idle += usize::from(signs.is_empty());
    let text = format!("{}: {}", event.reason, event.message);
    let says = format!("{} {text}", event.kind);
    let mut names = Vec::new();
    if !event.uid.is_empty() {
        names.push(format!("uid {}", event.uid));
    }
    if let Some(when @ When::Clock(_)) = event.when {
        names.push(format!("{when} {} {says}", event.name));
    }
    let times = facts.known.news(&says, &names, place.file, event.times.max(1));
    for sign in signs {
        facts.add(sign, event.when, place, &text, times);
    }
}

/// `None`: nobody here knows the reason.
fn signs(event: &Event<'_>) -> Option<Vec<Sign>> {
    let message = event.message;
    let about_vmi = message.contains("virtual machine instance");
    Some(match event.reason {
        "Unhealthy" => {
            let kind = [(ProbeKind::Readiness, "Readiness"), (ProbeKind::Liveness, "Liveness")];
            let (kind, _) = kind.into_iter().find(|(_, word)| message.contains(&format!("{word} probe")))?;
            let said = Said::of(message).map(|said| Sign::Said(kind, said));
            [Sign::Unhealthy(kind)].into_iter().chain(said).collect()
        }
        // Of another container it says nothing.
        "Killing" if message.contains("compute") || message.is_empty() => vec![Sign::Killing],
        "Killing" => vec![],
        "GuestAgentPingFailed" => vec![Sign::AgentPingFailed],
        "ShuttingDown" => vec![Sign::ShuttingDown],
        // Of one that had ended.
        "Deleted" if message.contains("Signaled Deletion") => vec![],
        "Deleted" => vec![Sign::Destroyed],
        "Stopped" if event.warning || message.contains("crashed") => vec![Sign::Ended(Phase::Failed)],
        "Stopped" => vec![Sign::Ended(Phase::Succeeded)],
        "GuestPanicked" => vec![Sign::GuestPanicked],
        "IOerror" => vec![Sign::IoError],
        "Migrated" | "Migrating" => vec![Sign::Migrated],
        // The VMI's own are about its pod.
        "SuccessfulCreate" if about_vmi || event.kind == "VirtualMachine" => vec![Sign::VmiCreated],
        "SuccessfulDelete" if about_vmi || event.kind == "VirtualMachine" => vec![Sign::VmiDeleted],
        "SuccessfulCreate" | "SuccessfulDelete" => vec![],
        "TaintManagerEviction" if message.contains("Cancelling") => vec![],
        "TaintManagerEviction" | "Evicted" | "EvictionByEvictionAPI" => vec![Sign::Evicted],
        "NodeNotReady" | "NodeNotSchedulable" if event.kind == "Pod" || event.reason == "NodeNotReady" => {
            vec![Sign::NodeLost]
        }
        // Of some process of the node: what was the pod's, its status says.
        "OOMKilling" => vec![],
        reason if IDLE.contains(&reason) => vec![],
        _ => return None,
    })
}

//! What a user sees of a layer's refusal, and the words of layers, ranks and verdicts.

use crate::manifest::one;
use vmhealth_sim::check::Kind::{self, VirtualMachine, VirtualMachineInstance, VirtualMachineInstanceReplicaSet};
use vmhealth_sim::check::{Layer, Rank, Verdict};
use vmhealth_sim::manifest::RunStrategy;

/// The layer, whose object it refuses, how that is run, and how what is seen begins or ends (kubevirt-health.md 2.1).
const OUTCOMES: &[(Layer, Kind, Option<RunStrategy>, &str)] = &[
    (Layer::ClientDecode, VirtualMachine, None, "`kubectl create` refuses it"),
    (Layer::Schema, VirtualMachine, None, "`kubectl create` is refused"),
    (Layer::VmWebhook, VirtualMachineInstance, None, "`kubectl create` is refused"),
    (Layer::VmiWebhook, VirtualMachine, None, "the VM is created and stays `Stopped`"),
    (Layer::VmiWebhook, VirtualMachineInstance, None, "`kubectl create` is refused"),
    (Layer::VmiWebhook, VirtualMachineInstanceReplicaSet, None, "the replica set is created and makes no VMI"),
    (Layer::PodValidation, VirtualMachine, None, "VM and VMI are created; the VM stays `Starting`"),
    (Layer::PodValidation, VirtualMachineInstance, None, "the VMI is created and stays Pending"),
    (Layer::Libvirt, VirtualMachine, Some(RunStrategy::Always), "then Failed; the VM enters `CrashLoopBackOff`"),
    (Layer::Libvirt, VirtualMachine, Some(RunStrategy::Manual), "once started, the VMI stays Scheduled"),
    (Layer::Libvirt, VirtualMachineInstance, None, "for 240 to 360 s, then Failed"),
    (Layer::Runtime, VirtualMachine, None, "everything is accepted and runs"),
    (Layer::Hazard, VirtualMachine, None, "it works as written"),
];

#[test]
fn what_is_seen_of_each_layer() {
    for (layer, kind, strategy, seen) in OUTCOMES {
        let outcome = layer.outcome(*kind, *strategy);
        let is_seen = outcome.starts_with(seen) || outcome.ends_with(seen);
        assert!(is_seen, "{layer} {kind:?} {strategy:?}: {outcome}");
    }
}

/// The VMI webhook refuses a VMI itself, and of a VM only what that makes.
#[test]
fn which_layers_keep_an_object_from_being_stored() {
    for (layer, kind, prevents) in [
        (Layer::VmWebhook, VirtualMachine, true),
        (Layer::VmiWebhook, VirtualMachine, false),
        (Layer::VmiWebhook, VirtualMachineInstance, true),
        (Layer::VmiWebhook, VirtualMachineInstanceReplicaSet, false),
        (Layer::PodValidation, VirtualMachineInstance, false),
        (Layer::Libvirt, VirtualMachineInstance, false),
    ] {
        assert_eq!(layer.prevents_creation(kind), prevents, "{layer} {kind:?}");
    }
}

/// What the VM's webhook refuses in a VM, the VMI's refuses in a bare VMI.
#[test]
fn who_refuses_a_bare_vmi() {
    for (kind, spec, layer) in [
        ("VirtualMachine", "runStrategy: Always, template: {spec: {VMI}}", Layer::VmWebhook),
        ("VirtualMachineInstance", "VMI", Layer::VmiWebhook),
    ] {
        let vmi = "readinessProbe: {periodSeconds: 5}, hostname: A, domain: {memory: {guest: 1Gi}, devices: {}}";
        let spec = spec.replace("VMI", vmi);
        let text = format!("apiVersion: kubevirt.io/v1\nkind: {kind}\nmetadata: {{name: vm}}\nspec: {{{spec}}}\n");
        let checked = one(&text);
        let found = checked.findings.iter().find(|f| f.rule.code == "no-handler").map(|f| f.layer);
        assert_eq!((found, checked.created), (Some(layer), false), "{text}{:?}", checked.findings);
    }
}

/// The words are those of the JSON report.
#[test]
fn words() {
    let json = |word: serde_json::Result<serde_json::Value>| word.ok();
    for rank in [Rank::Error, Rank::Warning, Rank::Note] {
        assert_eq!(json(serde_json::to_value(rank)), Some(rank.as_str().into()));
    }
    for verdict in [Verdict::Accepted, Verdict::Refused, Verdict::AcceptedButBroken] {
        assert_eq!(json(serde_json::to_value(verdict)), Some(verdict.as_str().into()));
    }
}

//! The layers of a cluster that a manifest passes, how bad a finding is, and what becomes of the manifest.

use super::kind::Kind;
use crate::manifest::RunStrategy;
use serde::Serialize;
use std::fmt;

/// Who refuses, in the order in which a cluster would (kubevirt-health.md 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// The client's request for strict decoding: kubectl's default.
    ClientDecode,
    /// The mutating webhook's OpenAPI schema, and the CRD's.
    Schema,
    /// KubeVirt's rules for the VM.
    VmWebhook,
    /// KubeVirt's rules for the VMI, when the VM controller creates it.
    VmiWebhook,
    /// Kubernetes' rules for the pod, when the VMI controller creates it.
    PodValidation,
    /// The XML that libvirt cannot define.
    Libvirt,
    /// Nobody refuses it, and it cannot do what it says.
    Runtime,
    /// It does what it says, which may not be what was meant.
    Hazard,
}

impl Layer {
    /// Whether the object is not even stored.
    pub fn prevents_creation(self, kind: Kind) -> bool {
        self <= Layer::VmWebhook || (kind == Kind::VirtualMachineInstance && self == Layer::VmiWebhook)
    }

    /// Whether admission ends here.
    pub fn refuses(self) -> bool {
        self <= Layer::PodValidation
    }

    /// What the user sees, and when. A VMI has no `strategy`.
    pub fn outcome(self, kind: Kind, strategy: Option<RunStrategy>) -> &'static str {
        let is_vm = kind.holds_vm();
        match self {
            Layer::ClientDecode => "`kubectl create` refuses it",
            Layer::Schema | Layer::VmWebhook => "`kubectl create` is refused",
            Layer::VmiWebhook if kind == Kind::VirtualMachineInstance => "`kubectl create` is refused",
            Layer::VmiWebhook if !is_vm => {
                "the replica set is created and makes no VMI: condition ReplicaFailure, event FailedCreate, retried for ever"
            }
            Layer::VmiWebhook => {
                "the VM is created and stays `Stopped`: condition Failure, event FailedCreate, retried for ever"
            }
            Layer::PodValidation if !is_vm => {
                "the VMI is created and stays Pending with Synchronized=False FailedCreate, retried for ever"
            }
            Layer::PodValidation => {
                "VM and VMI are created; the VM stays `Starting`, the VMI Pending with Synchronized=False FailedCreate, retried for ever"
            }
            Layer::Libvirt if !is_vm => "the VMI stays Scheduled with SyncFailed events for 240 to 360 s, then Failed",
            Layer::Libvirt if strategy == Some(RunStrategy::Manual) => {
                "once started, the VMI stays Scheduled with SyncFailed events for 240 to 360 s, then Failed; the VM is `Stopped`"
            }
            Layer::Libvirt => {
                "the VMI stays Scheduled with SyncFailed events for 240 to 360 s, then Failed; the VM enters `CrashLoopBackOff`"
            }
            Layer::Runtime => "everything is accepted and runs",
            Layer::Hazard => "it works as written",
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Layer::ClientDecode => "client-decode",
            Layer::Schema => "schema",
            Layer::VmWebhook => "vm-webhook",
            Layer::VmiWebhook => "vmi-webhook",
            Layer::PodValidation => "pod-validation",
            Layer::Libvirt => "libvirt",
            Layer::Runtime => "runtime",
            Layer::Hazard => "hazard",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rank {
    /// It is refused, or cannot do what it says.
    Error,
    /// It works, and may not do what was meant.
    Warning,
    /// Good to know.
    Note,
}

impl Rank {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Rank::Error => "error",
            Rank::Warning => "warning",
            Rank::Note => "note",
        }
    }
}

/// What becomes of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every layer takes it, and it can do what it says.
    Accepted,
    /// A layer from the client's decoding to pod validation refuses it.
    Refused,
    /// No layer refuses it, yet it cannot do what it says.
    AcceptedButBroken,
}

impl Verdict {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Accepted => "accepted",
            Verdict::Refused => "refused",
            Verdict::AcceptedButBroken => "accepted-but-broken",
        }
    }
}

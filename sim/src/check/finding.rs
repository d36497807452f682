//! What is found, and in which layer.

use super::code::Code;
use super::tree::Tree;
use crate::manifest::RunStrategy;
use crate::yaml::Pos;
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
    pub fn prevents_creation(self, is_vm: bool) -> bool {
        self <= Layer::VmWebhook || (!is_vm && self == Layer::VmiWebhook)
    }

    /// Whether admission ends here.
    pub fn refuses(self) -> bool {
        self <= Layer::PodValidation
    }

    /// What the user sees, and when. A bare VMI has no `strategy`.
    pub fn outcome(self, is_vm: bool, strategy: Option<RunStrategy>) -> &'static str {
        match self {
            Layer::ClientDecode => {
                "`kubectl create` refuses it (strict decoding); a client that does not ask for that loses the field silently"
            }
            Layer::Schema | Layer::VmWebhook => "`kubectl create` is refused",
            Layer::VmiWebhook if !is_vm => "`kubectl create` is refused",
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
            Layer::Hazard => "it does what it says",
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

/// One thing found in a manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What kind of thing.
    pub code: &'static Code,
    /// The field as the refusing layer reports it; empty where it reports none.
    pub field: String,
    /// The field in the manifest.
    pub vm_field: String,
    /// Where in the file.
    pub pos: Pos,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: String,
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

/// The manifest under examination, and what was found in it so far.
pub(super) struct Exam<'a> {
    pub(super) tree: Tree<'a>,
    /// Of the VMI's spec in the manifest: `spec.template.spec`, or `spec` in a bare VMI.
    pub(super) vmi: &'static str,
    pub(super) is_vm: bool,
    /// `amd64`, `arm64`, `s390x`, or whatever the manifest says.
    pub(super) architecture: String,
    /// Feature gates that are off.
    pub(super) without_gates: &'a [String],
    pub(super) found: Vec<Finding>,
}

impl Exam<'_> {
    /// A path below the VMI's spec as it is in the manifest.
    pub(super) fn path(&self, below: &str) -> String {
        format!("{}.{below}", self.vmi)
    }

    /// Whether a feature gate that is on by default is off there.
    pub(super) fn is_off(&self, gate: &str) -> bool {
        self.without_gates.iter().any(|g| g == gate)
    }

    /// Adds a finding at a path of the manifest; the layer reports the field as it stands there.
    pub(super) fn add(
        &mut self,
        code: &'static Code,
        vm_field: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add_as(code, vm_field, vm_field, message, help);
    }

    /// Adds a finding whose layer reports the field by another name.
    pub(super) fn add_as(
        &mut self,
        code: &'static Code,
        field: &str,
        vm_field: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let pos = self.tree.place(vm_field);
        self.found.push(Finding {
            code,
            field: field.to_owned(),
            vm_field: vm_field.to_owned(),
            pos,
            message: message.into(),
            help: help.into(),
        });
    }
}

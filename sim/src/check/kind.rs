//! The kinds of object that are VMs, make them or bring something to them, and where in them the VM stands.

use crate::cluster::KubevirtVersion;
use crate::meant::nearest;
use crate::yaml::Cursor;

/// What instance types and preferences were before v1beta1 (crds.go of v1.4.0 and v1.5.0: served).
const FORMER: [&str; 2] = ["instancetype.kubevirt.io/v1alpha2", "instancetype.kubevirt.io/v1alpha1"];
/// The first minor release of v1 that does not serve those (crds.go of v1.6.0; v1.7.0 has them no more).
const WITHOUT_FORMER: u16 = 6;

/// A kind of object that holds a VM or a VMI, or that a VM names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A VM.
    VirtualMachine,
    /// A VMI that nobody makes again.
    VirtualMachineInstance,
    /// Makes VMs of its template.
    VirtualMachinePool,
    /// Makes VMIs of its template.
    VirtualMachineInstanceReplicaSet,
    /// What a VM of its namespace may name: its CPUs, its memory and more.
    VirtualMachineInstancetype,
    /// The same for every namespace.
    VirtualMachineClusterInstancetype,
    /// What a VM of its namespace may name: what it gets where it says nothing itself.
    VirtualMachinePreference,
    /// The same for every namespace.
    VirtualMachineClusterPreference,
}

impl Kind {
    const ALL: [Kind; 4] = [
        Kind::VirtualMachine,
        Kind::VirtualMachineInstance,
        Kind::VirtualMachinePool,
        Kind::VirtualMachineInstanceReplicaSet,
    ];

    const BROUGHT: [Kind; 4] = [
        Kind::VirtualMachineInstancetype,
        Kind::VirtualMachineClusterInstancetype,
        Kind::VirtualMachinePreference,
        Kind::VirtualMachineClusterPreference,
    ];

    pub(super) fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// An instance type or a preference.
    pub(super) fn brought(name: &str) -> Option<Kind> {
        Kind::BROUGHT.into_iter().find(|kind| kind.as_str() == name)
    }

    /// It holds no VM: a VM names it.
    pub fn is_brought(self) -> bool {
        Kind::BROUGHT.contains(&self)
    }

    /// The kind that was meant by an object of a KubeVirt version whose kind is none of KubeVirt's.
    pub(super) fn meant(object: Cursor<'_>) -> Option<Kind> {
        const OTHERS: [&str; 3] = ["KubeVirt", "VirtualMachineInstanceMigration", "VirtualMachineInstancePreset"];
        let version = object.text_at("apiVersion")?;
        let kinds = [Kind::ALL, Kind::BROUGHT];
        let kinds = kinds.into_iter().find(|kinds| kinds.iter().any(|kind| kind.versions().contains(&version)))?;
        let name = object.text_at("kind").unwrap_or_default();
        if OTHERS.contains(&name) || name.ends_with("List") {
            return None;
        }
        let nearest = nearest(name, kinds.iter().map(|kind| kind.as_str()));
        Some(kinds.into_iter().find(|kind| nearest == Some(kind.as_str())).unwrap_or(kinds[0]))
    }

    /// Its name in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::VirtualMachine => "VirtualMachine",
            Kind::VirtualMachineInstance => "VirtualMachineInstance",
            Kind::VirtualMachinePool => "VirtualMachinePool",
            Kind::VirtualMachineInstanceReplicaSet => "VirtualMachineInstanceReplicaSet",
            Kind::VirtualMachineInstancetype => "VirtualMachineInstancetype",
            Kind::VirtualMachineClusterInstancetype => "VirtualMachineClusterInstancetype",
            Kind::VirtualMachinePreference => "VirtualMachinePreference",
            Kind::VirtualMachineClusterPreference => "VirtualMachineClusterPreference",
        }
    }

    /// What the API server serves, the newest first (KubeVirt pkg/virt-operator/resource/generate/components/crds.go).
    pub(super) fn versions(self) -> &'static [&'static str] {
        match self {
            Kind::VirtualMachinePool => &["pool.kubevirt.io/v1beta1", "pool.kubevirt.io/v1alpha1"],
            kind if kind.is_brought() => &["instancetype.kubevirt.io/v1beta1"],
            _ => &["kubevirt.io/v1", "kubevirt.io/v1alpha3"],
        }
    }

    /// Whether this release serves it under that version.
    pub(super) fn is_served(self, version: &str, release: KubevirtVersion) -> bool {
        self.versions().contains(&version) || (release.is_before(WITHOUT_FORMER) && self.is_former(version))
    }

    /// An older version of its own, whose fields are not today's.
    pub(super) fn is_former(self, version: &str) -> bool {
        self.is_brought() && FORMER.contains(&version)
    }

    /// Whether what is in it is a VM and not a VMI.
    pub fn holds_vm(self) -> bool {
        matches!(self, Kind::VirtualMachine | Kind::VirtualMachinePool)
    }

    /// Where the VM or VMI is that others are made of; `None`: it is one itself.
    pub(super) fn template(self) -> Option<&'static str> {
        match self {
            Kind::VirtualMachinePool => Some("spec.virtualMachineTemplate"),
            Kind::VirtualMachineInstanceReplicaSet => Some("spec.template"),
            _ => None,
        }
    }

    /// The VM or VMI in an object of this kind; where there is none, the object.
    pub(super) fn vm_in(self, object: Cursor<'_>) -> Cursor<'_> {
        self.template().and_then(|path| object.at(path)).unwrap_or(object)
    }
}

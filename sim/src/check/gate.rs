//! KubeVirt's feature gates that a manifest can depend on, and which of them are on in a cluster where nobody has touched them.

/// Beta: on unless the KubeVirt object disables them (`pkg/virt-config/featuregate/active.go` at d923fdb815).
pub const ON_BY_DEFAULT: &[&str] = &[
    "DecentralizedLiveMigration",
    "DeclarativeHotplugVolumes",
    "GPUsWithDRA",
    "HostDevicesWithDRA",
    "PasstBinding",
    "RebootPolicy",
    "WorkloadEncryptionSEV",
];

/// Alpha: off unless the KubeVirt object lists them (same file).
pub const OFF_BY_DEFAULT: &[&str] = &[
    "ContainerPathVolumes",
    "DownwardMetrics",
    "EnableVirtioFsStorageVolumes",
    "ExperimentalIgnitionSupport",
    "HostDevices",
    "HostDisk",
    "NetworkDevicesWithDRA",
    "PortRangesSpec",
    "ReservedOverheadMemlock",
    "Sidecar",
    "VSOCK",
    "WorkloadEncryptionTDX",
];

/// Of features that are simply there by now: off by default in older releases.
const FORMER: &[&str] = &["PanicDevices"];

/// All of them.
pub fn all() -> impl Iterator<Item = &'static str> {
    [ON_BY_DEFAULT, OFF_BY_DEFAULT, FORMER].into_iter().flatten().copied()
}

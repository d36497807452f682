//! KubeVirt's feature gates that a manifest can depend on, and which of them are on in a cluster where nobody has touched them.

use crate::cluster::KubevirtVersion;

/// Gates of features in beta are on by default since this minor release of v1 (kubevirt-health.md 1.6).
const BETA_IS_ON: u16 = 9;

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
    // Not alpha any more, and off unless the KubeVirt object says `persistentReservationConfiguration.enabled`.
    "PersistentReservation",
    "PortRangesSpec",
    "ReservedOverheadMemlock",
    "Sidecar",
    "VSOCK",
    "WorkloadEncryptionTDX",
];

/// Of features that are simply there by now: beta in older releases.
const FORMER: &[&str] = &["PanicDevices"];

/// All of them.
pub fn all() -> impl Iterator<Item = &'static str> {
    [ON_BY_DEFAULT, OFF_BY_DEFAULT, FORMER].into_iter().flatten().copied()
}

/// What is said of something whose gate is off, and how that is mended.
pub(super) fn needs(what: &str, gate: &str) -> (String, String) {
    let message = format!("{what} needs the feature gate {gate}, which is off");
    (message, format!("switch {gate} on in the KubeVirt object (and say --with-gate {gate}), or remove it"))
}

/// Whether a gate is off in a cluster of this release where nobody has touched it.
pub(super) fn is_off_by_default(gate: &str, version: KubevirtVersion) -> bool {
    let beta = [ON_BY_DEFAULT, FORMER].iter().any(|gates| gates.contains(&gate));
    OFF_BY_DEFAULT.contains(&gate) || (beta && version.is_before(BETA_IS_ON))
}

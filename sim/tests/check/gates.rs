//! What needs a feature gate (kubevirt-health.md 2.9).

use crate::manifest::In::{self, Devices, Domain, Vmi};
use crate::manifest::{NET, Parts, errors, manifest, one, with};
use crate::row::{Row, hold, later, row};
use vmhealth_sim::check::gate::{OFF_BY_DEFAULT, ON_BY_DEFAULT};
use vmhealth_sim::check::{Options, check};

const CONTAINER_PATH: (In, &str) = (Vmi, "volumes: [{name: d, containerPath: {path: /tmp/x}}]");
const SHOWN: (In, &str) = (Devices, "filesystems: [{name: d, virtiofs: {}}]");

pub(crate) const ROWS: &[Row] = &[
    later(
        &[CONTAINER_PATH, SHOWN],
        &[CONTAINER_PATH],
        &["container-path-without-filesystem spec.domain.volumes[0] <- spec.template.spec.volumes[0].name"],
    )
    .on(&["ContainerPathVolumes"]),
    later(
        &[CONTAINER_PATH, SHOWN],
        &[
            (Vmi, "volumes: [{name: d, containerPath: {path: /var/run/kubevirt/x}}]"),
            SHOWN,
            (Devices, "disks: [{name: d}]"),
        ],
        &[
            "container-path-not-shown spec.domain.volumes[0] <- spec.template.spec.volumes[0].name",
            "container-path-not-shown spec.domain.volumes[0].containerPath.path <- spec.template.spec.volumes[0].containerPath.path",
        ],
    )
    .on(&["ContainerPathVolumes"]),
    later(
        &[],
        &[CONTAINER_PATH, SHOWN],
        &["container-path-without-its-gate  <- spec.template.spec.volumes[0].containerPath"],
    ),
    row(
        &[(Devices, "hostDevices: []\nautoattachVSOCK: false")],
        &[(Devices, "hostDevices: [{name: a, deviceName: b/c}, {name: d, deviceName: b/c}]")],
        &["feature-gate-is-off spec.template.spec.HostDevices <- spec.template.spec.domain.devices.hostDevices[0]"],
    ),
];

/// A gate, what needs it, and what is reported without it.
const GATES: &[(&str, Parts, &str)] = &[
    (
        "HostDevices",
        &[(Devices, "hostDevices: [{name: a, deviceName: b/c}]")],
        "spec.template.spec.HostDevices <- spec.template.spec.domain.devices.hostDevices[0]",
    ),
    (
        "HostDisk",
        &[(Vmi, "volumes: [{name: a, hostDisk: {path: /d.img, type: Disk}}]")],
        "spec.template.spec.volumes[0] <- spec.template.spec.volumes[0].hostDisk",
    ),
    ("DownwardMetrics", &[(Devices, "downwardMetrics: {}")], "spec.template.spec.domain.devices.downwardMetrics"),
    (
        "DownwardMetrics",
        &[(Vmi, "volumes: [{name: a, downwardMetrics: {}}]"), (Devices, "disks: [{name: a, disk: {bus: virtio}}]")],
        "spec.template.spec.volumes[0] <- spec.template.spec.volumes[0].downwardMetrics",
    ),
    (
        "PersistentReservation",
        &[
            (Vmi, "volumes: [{name: a, persistentVolumeClaim: {claimName: c}}]"),
            (Devices, "disks: [{name: a, lun: {reservation: true}}]"),
        ],
        "spec.template.spec.domain.devices.disks.luns.reservation <- spec.template.spec.domain.devices.disks[0].lun.reservation",
    ),
    ("VSOCK", &[(Devices, "autoattachVSOCK: true")], "spec.template.spec.domain.devices.autoattachVSOCK"),
    (
        "ReservedOverheadMemlock",
        &[(Domain, "memory: {guest: 1Gi, reservedOverhead: {addedOverhead: 1Mi}}")],
        "spec.template.spec.domain.memory.reservedOverhead",
    ),
    (
        "EnableVirtioFsStorageVolumes",
        &[
            (Vmi, "volumes: [{name: a, persistentVolumeClaim: {claimName: c}}, {name: b, configMap: {name: c}}]"),
            (Devices, "filesystems: [{name: b, virtiofs: {}}, {name: a, virtiofs: {}}]"),
        ],
        "spec.template.spec.domain.devices.filesystems <- spec.template.spec.domain.devices.filesystems[1]",
    ),
    (
        "GPUsWithDRA",
        &[
            (Devices, "gpus: [{name: g, claimName: c, requestName: r}]"),
            (Vmi, "resourceClaims: [{name: c, resourceClaimName: x}]"),
        ],
        "spec.template.spec.domain.devices.gpus <- spec.template.spec.domain.devices.gpus[0]",
    ),
];

#[test]
fn gates() {
    hold(ROWS);
    for (gate, parts, found) in GATES {
        let text = manifest(parts);
        for is_on in [true, false] {
            let named = vec![(*gate).to_owned()];
            let options = match is_on {
                true => Options { with_gates: named, ..Options::default() },
                false => Options { without_gates: named, ..Options::default() },
            };
            let found = if is_on { vec![] } else { vec![format!("feature-gate-is-off {found}")] };
            assert_eq!(errors(&check(&text, &options).unwrap().manifests[0]), found, "{gate}: {text}");
            if is_on == ON_BY_DEFAULT.contains(gate) {
                assert_eq!(errors(&check(&text, &Options::default()).unwrap().manifests[0]), found, "{gate}: {text}");
            }
        }
    }
}

/// A GPU that a resource claim brings, and one of a device plugin, which an empty name is none of.
#[test]
fn devices_of_claims() {
    let off = Options { without_gates: vec!["GPUsWithDRA".to_owned()], ..Options::default() };
    for (gpu, is_claimed) in [
        ("name: g, deviceName: n.com/g", false),
        ("name: g", false),
        ("name: g, deviceName: n.com/g, claimName: c", false),
        ("name: g, deviceName: \"\", claimName: c", true),
        ("name: g, claimName: c", true),
        ("name: g, requestName: r", true),
    ] {
        let text = manifest(&[(Devices, "gpus: [{GPU}]")]).replace("GPU", gpu);
        let found = errors(&with(&text, &off)).iter().any(|found| found.starts_with("feature-gate-is-off"));
        assert_eq!(found, is_claimed, "{gpu}");
    }
}

/// The same for what has a rule of its own.
#[test]
fn gates_of_networks_and_annotations() {
    let ranges =
        (Devices, "interfaces: [{name: default, masquerade: {}, portRanges: [{start: 1, end: 9, protocol: TCP}]}]");
    let claim = (
        Vmi,
        "networks: [{name: default, resourceClaim: {claimName: c, requestName: r}}]\nresourceClaims: [{name: c, resourceClaimName: d}]",
    );
    let annotated = |annotation: &str| {
        manifest(&[]).replace(
            "  template:\n",
            &format!("  template:\n    metadata: {{annotations: {{{annotation}: \"[]\"}}}}\n"),
        )
    };
    for (gate, text, code) in [
        ("PortRangesSpec", manifest(&[NET, ranges]), "port-ranges-without-their-gate"),
        (
            "NetworkDevicesWithDRA",
            manifest(&[claim, (Devices, "interfaces: [{name: default, sriov: {}}]")]),
            "network-claim-without-its-gate",
        ),
        ("Sidecar", annotated("hooks.kubevirt.io/hookSidecars"), "annotation-without-its-gate"),
        ("ExperimentalIgnitionSupport", annotated("kubevirt.io/ignitiondata"), "annotation-without-its-gate"),
    ] {
        let on = Options { with_gates: vec![gate.to_owned()], ..Options::default() };
        assert!(errors(&one(&text)).iter().any(|found| found.starts_with(code)), "{text}");
        assert_eq!(errors(&with(&text, &on)), Vec::<String>::new(), "{text}");
    }
}

/// A gate is on or off by default.
#[test]
fn defaults() {
    assert!(ON_BY_DEFAULT.iter().all(|gate| !OFF_BY_DEFAULT.contains(gate)));
}

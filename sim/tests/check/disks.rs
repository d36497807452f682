//! Disks (kubevirt-health.md 2.9).

use crate::manifest::In::{self, Devices, Vm, Vmi};
use crate::row::{Row, hold, later, row};

const TWO: (In, &str) =
    (Vmi, "volumes: [{name: a, containerDisk: {image: i}}, {name: b, persistentVolumeClaim: {claimName: c}}]");
const ONE: (In, &str) = (Vmi, "volumes: [{name: a, containerDisk: {image: i}}]");
const ARM64: (In, &str) = (Vmi, "architecture: arm64");

pub(crate) const ROWS: &[Row] = &[
    row(
        &[TWO, (Devices, "disks: [{name: a}, {name: b}]")],
        &[TWO, (Devices, "disks: [{name: a}, {name: b}, {name: a}]")],
        &["duplicate-name spec.template.spec.domain.devices.disks[2].name"],
    ),
    row(
        &[ONE],
        &[(Vmi, "volumes: [{name: a, containerDisk: {image: i}}, {name: a, emptyDisk: {capacity: 1Gi}}]")],
        &["duplicate-name spec.template.spec.volumes[1].name"],
    ),
    row(
        &[(Vmi, "volumes: [{name: root-1, containerDisk: {image: i}}]"), (Devices, "disks: [{name: root-1}]")],
        &[(Vmi, "volumes: [{name: Root_1, containerDisk: {image: i}}]"), (Devices, "disks: [{name: Root_1}]")],
        &[
            "bad-disk-name spec.template.spec.domain.devices.disks.domain.devices.disks[0].name <- spec.template.spec.domain.devices.disks[0].name",
        ],
    ),
    // KubeVirt adds a disk for the volume.
    row(
        &[ONE],
        &[
            (Vmi, "volumes: [{name: a, containerDisk: {image: i}}, {name: b.c, emptyDisk: {capacity: 1Gi}}]"),
            (Devices, "disks: [{name: a}]"),
        ],
        &[
            "bad-disk-name spec.template.spec.domain.devices.disks.domain.devices.disks[1].name <- spec.template.spec.volumes[1].name",
        ],
    ),
    row(
        &[ONE, (Devices, "disks: [{name: a, cdrom: {bus: sata}}]")],
        &[ONE, (Devices, "disks: [{name: a, cdrom: {bus: sata}, disk: {bus: sata}}]")],
        &["several-disk-devices spec.template.spec.domain.devices.disks[0]"],
    ),
    row(
        &[TWO, (Devices, "disks: [{name: a, bootOrder: 1}, {name: b, bootOrder: 3}]")],
        &[TWO, (Devices, "disks: [{name: a, bootOrder: 1}, {name: b, bootOrder: 1}]")],
        &["bad-boot-order spec.template.spec.domain.devices.disks[1].bootOrder"],
    ),
    // A number without a sign may be larger than 32 bits, up to what a float holds.
    row(
        &[ONE, (Devices, "disks: [{name: a, bootOrder: 9007199254740991}]")],
        &[ONE, (Devices, "disks: [{name: a, bootOrder: 9007199254740993}]")],
        &["out-of-range spec.template.spec.domain.devices.disks[0].bootOrder"],
    ),
    row(
        &[ONE, (Devices, "disks: [{name: a, bootOrder: 1}]")],
        &[ONE, (Devices, "disks: [{name: a, bootOrder: 0}]")],
        &["bad-boot-order spec.template.spec.domain.devices.disks[0].bootOrder"],
    ),
    row(
        &[ONE, (Devices, "disks: [{name: a, cdrom: {bus: scsi}}]")],
        &[ONE, (Devices, "disks: [{name: a, cdrom: {bus: virtio}}]")],
        &["bus-does-not-fit spec.template.spec.domain.devices.disks[0].cdrom.bus"],
    ),
    row(
        &[ONE, (Devices, "disks: [{name: a, disk: {bus: scsi, readonly: true}}]")],
        &[ONE, (Devices, "disks: [{name: a, disk: {bus: sata, readonly: true}}]")],
        &[
            "bus-does-not-fit spec.template.spec.domain.devices.disks[0].disk.bus <- spec.template.spec.domain.devices.disks[0].disk.readonly",
        ],
    ),
    row(
        &[ONE, (Devices, "disks: [{name: a, dedicatedIOThread: true, disk: {bus: virtio}}]")],
        &[ONE, (Devices, "disks: [{name: a, dedicatedIOThread: true, disk: {bus: scsi}}]")],
        &[
            "bus-does-not-fit spec.template.spec.domain.devices.disks.domain.devices.disks[0] <- spec.template.spec.domain.devices.disks[0].dedicatedIOThread",
        ],
    ),
    row(
        &[ONE, (Devices, "disks: [{name: a, disk: {bus: virtio, pciAddress: \"0000:aF:01.7\"}}]")],
        &[ONE, (Devices, "disks: [{name: a, disk: {pciAddress: \"0000:81:01.8\"}}]")],
        &[
            "bus-does-not-fit spec.template.spec.domain.devices.disks.domain.devices.disks.disk[0].pciAddress <- spec.template.spec.domain.devices.disks[0].disk.pciAddress",
            "bus-does-not-fit spec.template.spec.domain.devices.disks.domain.devices.disks.disk[0].pciAddress <- spec.template.spec.domain.devices.disks[0].disk.pciAddress",
        ],
    ),
    row(
        &[ONE, (Devices, "disks: [{name: a, serial: \"A_1.b+c-d\"}]")],
        &[ONE, (Devices, "disks: [{name: a, serial: \"A 1\"}]")],
        &["bad-serial spec.template.spec.domain.devices.disks[0].serial"],
    ),
    row(
        &[
            ONE,
            (
                Devices,
                "disks: [{name: a, disk: {bus: virtio}, blockSize: {custom: {logical: 512, physical: 4096, discardGranularity: 1024}}}]",
            ),
        ],
        &[
            ONE,
            (
                Devices,
                "disks: [{name: a, disk: {bus: virtio}, blockSize: {custom: {logical: 512, physical: 4096, discardGranularity: 1000}}}]",
            ),
        ],
        &["bad-block-size spec.template.spec.domain.devices.disks[0].blockSize.custom.discardGranularity"],
    ),
    row(
        &[ONE, (Devices, "disks: [{name: a, disk: {bus: sata}, blockSize: {custom: {logical: 512, physical: 512}}}]")],
        &[
            ONE,
            (Devices, "disks: [{name: a, disk: {bus: sata}, blockSize: {custom: {logical: 1024, physical: 4096}}}]"),
        ],
        &["bad-block-size spec.template.spec.domain.devices.disks[0].blockSize.custom.logical"],
    ),
    row(
        &[
            ONE,
            (
                Devices,
                "disks: [{name: a, disk: {bus: scsi}, blockSize: {custom: {logical: 2097152, physical: 2097152}, matchVolume: {enabled: false}}}]",
            ),
        ],
        &[
            ONE,
            (Devices, "disks: [{name: a, disk: {bus: scsi}, blockSize: {custom: {logical: 256, physical: 4194304}}}]"),
        ],
        &[
            "bad-block-size spec.template.spec.domain.devices.disks[0].blockSize.custom.logical",
            "bad-block-size spec.template.spec.domain.devices.disks[0].blockSize.custom.physical",
        ],
    ),
    row(
        &[ONE, (Devices, "disks: [{name: a, disk: {bus: scsi}, blockSize: {matchVolume: {}}}]")],
        &[
            ONE,
            (
                Devices,
                "disks: [{name: a, disk: {bus: scsi}, blockSize: {custom: {logical: 512, physical: 512}, matchVolume: {}}}]",
            ),
        ],
        &["bad-block-size spec.template.spec.domain.devices.disks[0].blockSize"],
    ),
    row(
        &[ONE],
        &[
            ONE,
            (Devices, "disks: [{name: a, disk: {bus: virtio}, blockSize: {custom: {logical: 4096, physical: 512}}}]"),
        ],
        &["bad-block-size spec.template.spec.domain.devices.disks[0].blockSize.custom.logical"],
    ),
    // Without a bus it is sata on amd64, which the VMI's defaults fill in.
    later(
        &[(Vm, "preference: {name: p}"), ONE, (Devices, "disks: [{name: a, dedicatedIOThread: true}]")],
        &[ONE, (Devices, "disks: [{name: a, dedicatedIOThread: true}]")],
        &[
            "default-bus-does-not-fit spec.domain.devices.disks.domain.devices.disks[0] <- spec.template.spec.domain.devices.disks[0].dedicatedIOThread",
        ],
    ),
    later(
        &[ARM64, ONE, (Devices, "disks: [{name: a, disk: {readonly: true}}]")],
        &[ONE, (Devices, "disks: [{name: a, disk: {readonly: true}}]")],
        &[
            "default-bus-does-not-fit spec.domain.devices.disks[0].disk.bus <- spec.template.spec.domain.devices.disks[0].disk.readonly",
        ],
    ),
    later(
        &[ARM64, ONE, (Devices, "disks: [{name: a, blockSize: {custom: {logical: 4096, physical: 4096}}}]")],
        &[ONE, (Devices, "disks: [{name: a, blockSize: {custom: {logical: 4096, physical: 4096}}}]")],
        &[
            "default-bus-does-not-fit spec.domain.devices.disks[0].blockSize.custom.logical <- spec.template.spec.domain.devices.disks[0].blockSize.custom.logical",
        ],
    ),
    later(
        &[ONE, (Devices, "disks: [{name: a, cdrom: {}}]")],
        &[ARM64, ONE, (Devices, "disks: [{name: a, cdrom: {}}]")],
        &[
            "default-bus-does-not-fit spec.domain.devices.disks[0].cdrom.bus <- spec.template.spec.domain.devices.disks[0].cdrom.bus",
        ],
    ),
    later(
        &[(Vmi, "volumes: [{name: a, downwardMetrics: {}}]"), (Devices, "disks: [{name: a, disk: {bus: virtio}}]")],
        &[(Vmi, "volumes: [{name: a, downwardMetrics: {}}]"), (Devices, "disks: [{name: a, disk: {}}]")],
        &["default-bus-does-not-fit spec.domain.devices.disks[0].disk.bus <- spec.template.spec.domain.devices.disks[0].disk.bus"],
    )
    .on(&["DownwardMetrics"]),
    row(
        &[TWO, (Devices, "disks: [{name: b, lun: {bus: scsi}}]")],
        &[TWO, (Devices, "disks: [{name: a, lun: {bus: scsi}}]")],
        &["lun-without-block-device spec.template.spec.domain.devices.disks[0].lun"],
    ),
    row(
        &[(Vmi, "volumes: [{name: a, downwardMetrics: {}}]"), (Devices, "disks: [{name: a, disk: {bus: virtio}}]")],
        &[(Vmi, "volumes: [{name: a, downwardMetrics: {}}]"), (Devices, "disks: [{name: a, disk: {bus: scsi}}]")],
        &["bad-downward-metrics-disk spec.template.spec.domain.devices.disks[0].disk.bus"],
    )
    .on(&["DownwardMetrics"]),
    row(
        &[],
        &[(Vmi, "volumes: [{name: a, downwardMetrics: {}}]"), (Devices, "disks: [{name: a, cdrom: {bus: sata}}]")],
        &["bad-downward-metrics-disk spec.template.spec.domain.devices.disks[0].disk"],
    )
    .on(&["DownwardMetrics"]),
    // Words.
    row(
        &[ONE, (Devices, "disks: [{name: a, disk: {bus: usb}, cache: none, io: native, errorPolicy: report}]")],
        &[ONE, (Devices, "disks: [{name: a, disk: {bus: ide}, cache: None, io: default, errorPolicy: \"\"}]")],
        &[
            "unsupported-word spec.template.spec.domain.devices.disks[0].disk.bus",
            "unsupported-word spec.template.spec.domain.devices.disks[0].cache",
            "unsupported-word spec.template.spec.domain.devices.disks.domain.devices.disks[0].io <- spec.template.spec.domain.devices.disks[0].io",
            "unsupported-word spec.template.spec.domain.devices.disks[0].errorPolicy",
        ],
    ),
    row(
        &[TWO, (Devices, "disks: [{name: a, cdrom: {bus: \"\"}}, {name: b, lun: {}}]")],
        &[TWO, (Devices, "disks: [{name: a, cdrom: {bus: SATA}}, {name: b, lun: {bus: nvme}}]")],
        &[
            "unsupported-word spec.template.spec.domain.devices.disks[1].lun.bus",
            "unsupported-word spec.template.spec.domain.devices.disks[0].cdrom.bus",
        ],
    ),
    // Of what is on sata by default only a disk is one of downward metrics; on arm64 it is on virtio.
    later(
        &[ARM64, (Vmi, "volumes: [{name: a, downwardMetrics: {}}]"), (Devices, "disks: [{name: a, disk: {}}]")],
        &[(Vmi, "volumes: [{name: a, downwardMetrics: {}}]"), (Devices, "disks: [{name: a, disk: {}}]")],
        &[
            "default-bus-does-not-fit spec.domain.devices.disks[0].disk.bus <- spec.template.spec.domain.devices.disks[0].disk.bus",
        ],
    )
    .on(&["DownwardMetrics"]),
];

#[test]
fn disks() {
    hold(ROWS);
}

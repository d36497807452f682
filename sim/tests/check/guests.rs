//! What a guest's image and its system are known by, and the watchdog beside liveness (guest-images.md 1, 2).

use crate::manifest::In::{self, Devices, Domain, Vm, Vmi};
use crate::people::{NO_EDIT, RHEL, Row, TWO_DISKS, hold};

const WATCHDOG: (In, &str) = (Devices, "watchdog: {name: w, i6300esb: {action: reset}}");
const AT_WATCHDOG: &str = "spec.template.spec.domain.devices.watchdog";
const EXEC: (In, &str) = (Vmi, "readinessProbe: {exec: {command: [cat, /a]}}");
const PING: (In, &str) = (Vmi, "readinessProbe: {guestAgentPing: {}}");
const HTTP: (In, &str) = (Vmi, "readinessProbe: {httpGet: {port: 80}}");
const UBUNTU: (In, &str) = (
    Vmi,
    "volumes: [{name: d, containerDisk: {image: 'quay.io/containerdisks/ubuntu:24.04'}}, {name: c, cloudInitNoCloud: {userData: \"packages: [watchdog]\"}}]",
);
const FEDORA: (In, &str) = (
    Vmi,
    "volumes: [{name: d, containerDisk: {image: 'quay.io/containerdisks/fedora:40'}}, {name: c, cloudInitNoCloud: {userData: \"packages: [watchdog]\"}}]",
);
const DEBIAN_FOR_CLOUDS: (In, &str) = (
    Vmi,
    "volumes: [{name: d, containerDisk: {image: 'example.com/debian-12-genericcloud:1'}}, {name: c, cloudInitNoCloud: {userData: \"packages: [watchdog]\"}}]",
);
/// Two DataVolumes, of which the first is booted.
const OF_DATA_VOLUMES: &str = "volumes: [{name: d, dataVolume: {name: ours}}, {name: c, dataVolume: {name: other}}]";
const TEMPLATES: &str = "dataVolumeTemplates: [{metadata: {name: other}, spec: {storage: {}, source: {registry: {url: 'docker://quay.io/containerdisks/fedora:40'}}}}, {metadata: {name: ours}, spec: {storage: {}, source: {registry: {url: 'docker://quay.io/containerdisks/ubuntu:24.04'}}}}]";

/// Puts an annotation into the VMI's metadata that Go does not read as true.
const PAUSED_BY_YES: &[(&str, &str)] =
    &[("  template:\n", "  template:\n    metadata: {annotations: {kubevirt.io/pause-guest-agent-probes: \"yes\"}}\n")];

const ROWS: &[Row] = &[
    // Only who asks for a watchdog needs its driver.
    Row {
        code: "driver-does-not-load",
        bad: (&[TWO_DISKS, UBUNTU, WATCHDOG], NO_EDIT),
        good: (&[TWO_DISKS, UBUNTU], NO_EDIT),
        field: AT_WATCHDOG,
        part: "Ubuntu keeps the driver i6300esb from loading",
    },
    Row {
        code: "driver-does-not-load",
        bad: (&[TWO_DISKS, DEBIAN_FOR_CLOUDS, WATCHDOG], NO_EDIT),
        good: (&[TWO_DISKS, FEDORA, WATCHDOG], NO_EDIT),
        field: AT_WATCHDOG,
        part: "Debian's kernel for clouds has no driver i6300esb",
    },
    Row {
        code: "driver-does-not-load",
        bad: (&[TWO_DISKS, (Vmi, OF_DATA_VOLUMES), (Vm, TEMPLATES), WATCHDOG], NO_EDIT),
        good: (
            &[TWO_DISKS, (Vmi, OF_DATA_VOLUMES), (Vm, TEMPLATES), WATCHDOG],
            &[(
                "dataVolume: {name: ours}}, {name: c, dataVolume: {name: other}",
                "dataVolume: {name: other}}, {name: c, dataVolume: {name: ours}",
            )],
        ),
        field: AT_WATCHDOG,
        part: "docker://quay.io/containerdisks/ubuntu:24.04",
    },
    // The agent is in some images.
    Row {
        code: "agent-not-in-user-data",
        bad: (&[TWO_DISKS, UBUNTU, PING], NO_EDIT),
        good: (&[TWO_DISKS, FEDORA, PING], NO_EDIT),
        field: "spec.template.spec.readinessProbe.guestAgentPing",
        part: "no user data mentions qemu-guest-agent",
    },
    Row {
        code: "what-the-image-brings",
        bad: (&[TWO_DISKS, RHEL, EXEC], NO_EDIT),
        good: (&[TWO_DISKS, RHEL, HTTP], NO_EDIT),
        field: "spec.template.spec.volumes",
        part: "SELinux confines the agent",
    },
    Row {
        code: "guest-exec-not-allowed",
        bad: (&[TWO_DISKS, RHEL, EXEC], NO_EDIT),
        good: (&[TWO_DISKS, RHEL, PING], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec",
        part: "does not allow guest-exec as it is installed",
    },
    // What is for Windows only.
    Row {
        code: "watchdog-on-windows",
        bad: (&[(Domain, "features: {hyperv: {relaxed: {}}}"), WATCHDOG], NO_EDIT),
        good: (&[(Domain, "features: {acpi: {}}"), WATCHDOG], NO_EDIT),
        field: AT_WATCHDOG,
        part: "hyperv features",
    },
    Row {
        code: "watchdog-on-windows",
        bad: (&[(Devices, "panicDevices: [{model: hyperv}]"), WATCHDOG], NO_EDIT),
        good: (&[(Devices, "panicDevices: [{model: pvpanic}]"), WATCHDOG], NO_EDIT),
        field: AT_WATCHDOG,
        part: "hyperv features",
    },
    // A guest boots in 60 s, and the daemon's heartbeat is 60 s if nobody says otherwise.
    Row {
        code: "reset-outlasts-liveness",
        bad: (
            &[WATCHDOG, (Vmi, "livenessProbe: {httpGet: {port: 80}, initialDelaySeconds: 120, periodSeconds: 20}")],
            NO_EDIT,
        ),
        good: (
            &[
                WATCHDOG,
                (
                    Vmi,
                    "livenessProbe: {httpGet: {port: 80}, initialDelaySeconds: 120, periodSeconds: 20, failureThreshold: 4}",
                ),
            ],
            NO_EDIT,
        ),
        field: AT_WATCHDOG,
        part: "after a reset the guest is away for about 60 s, and liveness stops it after 40 to",
    },
    Row {
        code: "liveness-before-watchdog",
        bad: (
            &[
                WATCHDOG,
                (
                    Vmi,
                    "livenessProbe: {httpGet: {port: 80}, initialDelaySeconds: 120, periodSeconds: 58, failureThreshold: 2}",
                ),
            ],
            NO_EDIT,
        ),
        good: (
            &[
                WATCHDOG,
                (
                    Vmi,
                    "livenessProbe: {httpGet: {port: 80}, initialDelaySeconds: 120, periodSeconds: 59, failureThreshold: 2}",
                ),
            ],
            NO_EDIT,
        ),
        field: AT_WATCHDOG,
        part: "when the guest hangs, liveness acts after 59 to",
    },
    // An annotation for pings matters where there is one.
    Row {
        code: "pause-annotation-not-heeded",
        bad: (&[PING], PAUSED_BY_YES),
        good: (&[HTTP], PAUSED_BY_YES),
        field: "spec.template.metadata.annotations.kubevirt.io/pause-guest-agent-probes",
        part: "counts as false",
    },
];

#[test]
fn each_is_found_where_it_is_and_not_in_the_nearest_manifest() {
    hold(ROWS);
}

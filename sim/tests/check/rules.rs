//! Every rule of kubevirt-health.md 2.2 to 2.7 with a manifest that it takes and one that it does not, field paths included.

use crate::manifest::In::{Devices, Domain, Vm, Vmi};
use crate::manifest::{NET, NIC};
use crate::row::{Row, hold, later, row};

const READY: &str = "readinessProbe: {guestAgentPing: {}}";

pub(crate) const ROWS: &[Row] = &[
    // Client-side strict decoding.
    row(&[(Vmi, READY)], &[(Vm, READY)], &["unknown-field spec.readinessProbe"]),
    row(
        &[(Vmi, "livenessProbe: {guestAgentPing: {}, periodSeconds: 5}")],
        &[(Vmi, "livenessProbe: {guestAgentPing: {}, periodseconds: 5}")],
        &["unknown-field spec.template.spec.livenessProbe.periodseconds"],
    ),
    row(
        &[(Devices, "watchdog: {name: w, i6300esb: {action: reset}}")],
        &[(Devices, "watchdog: {name: w, i6300esb: {action: reset}, timeout: 10}")],
        &["unknown-field spec.template.spec.domain.devices.watchdog.timeout"],
    ),
    row(&[], &[(Vmi, "startupProbe: {guestAgentPing: {}}")], &["unknown-field spec.template.spec.startupProbe"]),
    // Schema.
    row(
        &[(Vmi, "readinessProbe: {tcpSocket: {port: 22}}")],
        &[(Vmi, "readinessProbe: {tcpSocket: {}}")],
        &["missing-field spec.template.spec.readinessProbe.tcpSocket.port"],
    ),
    row(
        &[(Vmi, "readinessProbe: {httpGet: {port: 80, httpHeaders: [{name: A, value: \"1\"}]}}")],
        &[(Vmi, "readinessProbe: {httpGet: {port: 80, httpHeaders: [{name: A, value: 1}, {name: B}]}}")],
        &["wrong-type spec.template.spec.readinessProbe.httpGet.httpHeaders[0].value"],
    ),
    row(
        &[(Vmi, "readinessProbe: {httpGet: {port: 443, scheme: HTTPS}}")],
        &[(Vmi, "readinessProbe: {httpGet: {port: 443, scheme: https}}")],
        &["unknown-word spec.template.spec.readinessProbe.httpGet.scheme"],
    ),
    row(
        &[(Domain, "machine: {type: pc-q35-rhel9.6.0}")],
        &[(Domain, "machine: {type: pc-i440fx-9.0}")],
        &["machine-type-not-supported spec.template.spec.domain.machine.type"],
    ),
    row(
        &[(Domain, "firmware: {bootloader: {efi: {}}}"), (Domain, "features: {smm: {}}")],
        &[(Domain, "firmware: {bootloader: {efi: {}}}"), (Domain, "features: {smm: {enabled: false}}")],
        &["secure-boot-without-smm spec.template.spec.domain <- spec.template.spec.domain.firmware.bootloader.efi"],
    ),
    row(
        &[(Vm, "preference: {name: p}"), (Domain, "firmware: {bootloader: {efi: {}}}")],
        &[
            (Vm, "preference: {name: p}"),
            (Domain, "firmware: {bootloader: {efi: {}}}"),
            (Domain, "features: {smm: {enabled: false}}"),
        ],
        &["secure-boot-without-smm spec.template.spec.domain <- spec.template.spec.domain.firmware.bootloader.efi"],
    ),
    row(
        &[(Domain, "firmware: {bootloader: {efi: {secureBoot: false}}}")],
        &[(Domain, "firmware: {bootloader: {efi: {secureBoot: true}}}")],
        &["secure-boot-without-smm spec.template.spec.domain <- spec.template.spec.domain.firmware.bootloader.efi"],
    ),
    row(
        &[(Domain, "rebootPolicy: Terminate")],
        &[(Domain, "rebootPolicy: terminate")],
        &["unknown-word spec.template.spec.domain.rebootPolicy"],
    ),
    row(
        &[(Vmi, "readinessProbe: {guestAgentPing: {}, periodSeconds: 2147483647}")],
        &[(Vmi, "readinessProbe: {guestAgentPing: {}, periodSeconds: 2147483648}")],
        &["wrong-type spec.template.spec.readinessProbe.periodSeconds"],
    ),
    row(
        &[(Vmi, "terminationGracePeriodSeconds: 0")],
        &[(Vmi, "terminationGracePeriodSeconds: \"0\"")],
        &["wrong-type spec.template.spec.terminationGracePeriodSeconds"],
    ),
    row(
        &[(Domain, "memory: {guest: 1.5Gi}")],
        &[(Domain, "memory: {guest: 1GB}")],
        &["wrong-type spec.template.spec.domain.memory.guest"],
    ),
    // VM webhook.
    row(
        &[(Vmi, "readinessProbe: {httpGet: {port: 80}}")],
        &[(Vmi, "readinessProbe: {httpGet: {port: 80}, guestAgentPing: {}}")],
        &["several-handlers spec.template.spec.readinessProbe"],
    ),
    row(
        &[(Vmi, READY)],
        &[(Vmi, "readinessProbe: {periodSeconds: 5}")],
        &["no-handler spec.template.spec.readinessProbe"],
    ),
    row(
        &[(Vmi, "livenessProbe: {guestAgentPing: {}}")],
        &[(Vmi, "livenessProbe:\n  guestAgentPing:")],
        &["no-handler spec.template.spec.livenessProbe"],
    ),
    row(
        &[NET, NIC, (Vmi, "livenessProbe: {httpGet: {port: 80}}")],
        &[
            (Vmi, "networks: [{name: default, multus: {networkName: net, default: true}}]"),
            (Devices, "interfaces: [{name: default, bridge: {}}]"),
            (Vmi, "livenessProbe: {httpGet: {port: 80}}"),
        ],
        &["network-probe-without-pod-network spec.template.spec.livenessProbe.httpGet"],
    ),
    row(
        &[(Vmi, "readinessProbe: {tcpSocket: {port: 22}}")],
        &[(Vmi, "readinessProbe: {tcpSocket: {port: 22}}"), (Devices, "autoattachPodInterface: false")],
        &["network-probe-without-pod-network spec.template.spec.readinessProbe.tcpSocket"],
    ),
    row(
        &[(Vmi, "startStrategy: Paused")],
        &[(Vmi, "startStrategy: Paused\nlivenessProbe: {guestAgentPing: {}}")],
        &["paused-start-with-liveness spec.template.spec.startStrategy"],
    ),
    row(
        &[(Vmi, "startStrategy: Paused")],
        &[(Vmi, "startStrategy: Running")],
        &["bad-start-strategy spec.template.spec.startStrategy"],
    ),
    row(
        &[(Vm, "running: true")],
        &[(Vm, "running: true\nrunStrategy: Always")],
        &["running-and-run-strategy spec.running"],
    ),
    row(&[(Vm, "runStrategy: Halted")], &[(Vm, "none:")], &["no-run-strategy spec.running"]),
    row(&[(Vm, "runStrategy: WaitAsReceiver")], &[(Vm, "runStrategy: always")], &["bad-run-strategy spec.runStrategy"]),
    row(
        &[(Vmi, "evictionStrategy: LiveMigrateIfPossible")],
        &[(Vmi, "evictionStrategy: Never")],
        &["bad-eviction-strategy spec.template.spec.evictionStrategy"],
    ),
    row(
        &[(Devices, "panicDevices: [{model: pvpanic}, {}]")],
        &[(Devices, "panicDevices: [{}, {model: pv}]")],
        &["bad-panic-model spec.template.spec.domain.devices.panicDevices[1].model"],
    ),
    row(
        &[(Vmi, "architecture: s390x")],
        &[(Vmi, "architecture: s390x"), (Devices, "panicDevices: [{}]")],
        &["panic-device-on-s390x spec.template.spec.domain.devices.panicDevices"],
    ),
    row(&[NET, NIC], &[NET], &["network-without-interface spec.template.spec.networks[0].name"]),
    row(&[NET, NIC], &[NIC], &["interface-without-network spec.template.spec.domain.devices.interfaces[0].name"]),
    row(
        &[
            (Vmi, "volumes: [{name: d, containerDisk: {image: i}}]"),
            (Devices, "disks: [{name: d, disk: {bus: virtio}}]"),
        ],
        &[(Devices, "disks: [{name: d, disk: {bus: virtio}}]")],
        &["disk-without-volume spec.template.spec.domain.devices.disks[0].name"],
    ),
    row(
        &[
            (Vmi, "volumes: [{name: c, cloudInitNoCloud: {userDataBase64: YQ==}}]"),
            (Devices, "disks: [{name: c, disk: {}}]"),
        ],
        &[
            (Vmi, "volumes: [{name: c, cloudInitNoCloud: {userDataBase64: \"?\"}}]"),
            (Devices, "disks: [{name: c, disk: {}}]"),
        ],
        &["bad-cloud-init spec.template.spec.volumes[0].cloudInitNoCloud.userDataBase64"],
    ),
    row(
        &[(Vmi, "volumes: [{name: c, cloudInitNoCloud: {userData: a}}]"), (Devices, "disks: [{name: c, disk: {}}]")],
        &[
            (Vmi, "volumes: [{name: c, cloudInitNoCloud: {userData: a, userDataBase64: YQ==}}]"),
            (Devices, "disks: [{name: c, disk: {}}]"),
        ],
        &["bad-cloud-init spec.template.spec.volumes[0].cloudInitNoCloud"],
    ),
    row(
        &[(Vmi, "volumes: [{name: d, emptyDisk: {capacity: 1Gi}}]")],
        &[(Vmi, "volumes: [{name: d, emptyDisk: {capacity: 1Gi}, containerDisk: {image: i}}]")],
        &["not-one-volume-source spec.template.spec.volumes[0]"],
    ),
    // Go's base64 does not mind line breaks, and what is empty is not there.
    row(
        &[(Vmi, "volumes: [{name: c, cloudInitNoCloud: {userDataBase64: \"YWJj\\nZGVm\\n\", userData: \"\"}}]")],
        &[(Vmi, "volumes: [{name: c, cloudInitNoCloud: {userData: \"\"}}]")],
        &["bad-cloud-init spec.template.spec.volumes[0].cloudInitNoCloud"],
    ),
    // VMI webhooks.
    later(
        &[(Devices, "watchdog: {name: w, i6300esb: {action: poweroff}}")],
        &[(Devices, "watchdog: {name: w, diag288: {action: poweroff}}")],
        &[
            "watchdog-of-another-architecture spec.domain.devices.watchdog <- spec.template.spec.domain.devices.watchdog",
        ],
    ),
    later(
        &[(Vmi, "architecture: s390x"), (Devices, "watchdog: {name: w, diag288: {}}")],
        &[(Vmi, "architecture: s390x"), (Devices, "watchdog: {name: w, i6300esb: {}}")],
        &[
            "watchdog-of-another-architecture spec.domain.devices.watchdog <- spec.template.spec.domain.devices.watchdog",
        ],
    ),
    later(
        &[(Vmi, "architecture: arm64")],
        &[(Vmi, "architecture: arm64"), (Devices, "watchdog: {name: w}")],
        &[
            "watchdog-of-another-architecture spec.domain.devices.watchdog <- spec.template.spec.domain.devices.watchdog",
        ],
    ),
    later(
        &[(Vmi, "architecture: amd64")],
        &[(Vmi, "architecture: riscv64")],
        &["unknown-architecture spec.architecture <- spec.template.spec.architecture"],
    ),
    later(
        &[(Domain, "memory: {hugepages: {pageSize: 2Mi}}")],
        &[(Domain, "none:")],
        &["no-memory  <- spec.template.spec.domain"],
    ),
    // Pod validation.
    later(
        &[(Vmi, "livenessProbe: {guestAgentPing: {}, successThreshold: 0}")],
        &[(Vmi, "livenessProbe: {guestAgentPing: {}, successThreshold: 2}")],
        &[
            "liveness-success-threshold spec.containers[0].livenessProbe.successThreshold <- spec.template.spec.livenessProbe.successThreshold",
        ],
    ),
    later(
        &[(Vmi, "readinessProbe: {tcpSocket: {port: 1}}")],
        &[(Vmi, "readinessProbe: {tcpSocket: {port: 0}}")],
        &[
            "port-out-of-range spec.containers[0].readinessProbe.tcpSocket.port <- spec.template.spec.readinessProbe.tcpSocket.port",
        ],
    ),
    later(
        &[(Vmi, "readinessProbe: {httpGet: {port: 65535}}")],
        &[(Vmi, "readinessProbe: {httpGet: {port: 70000}}")],
        &[
            "port-out-of-range spec.containers[0].readinessProbe.httpGet.port <- spec.template.spec.readinessProbe.httpGet.port",
        ],
    ),
    later(
        &[
            NET,
            (Devices, "interfaces: [{name: default, masquerade: {}, ports: [{name: web, port: 80}]}]"),
            (Vmi, "readinessProbe: {tcpSocket: {port: web}}"),
        ],
        &[(Vmi, "readinessProbe: {tcpSocket: {port: \"8080\"}}")],
        &[
            "bad-port-name spec.containers[0].readinessProbe.tcpSocket.port <- spec.template.spec.readinessProbe.tcpSocket.port",
        ],
    ),
    later(
        &[(Vmi, "readinessProbe: {exec: {command: [\"true\"]}}")],
        &[(Vmi, "readinessProbe: {exec: {}}")],
        &[
            "empty-command spec.containers[0].readinessProbe.exec.command <- spec.template.spec.readinessProbe.exec.command",
        ],
    ),
    later(
        &[(Vmi, "readinessProbe: {httpGet: {port: 80, httpHeaders: [{name: X-A, value: b}]}}")],
        &[(Vmi, "readinessProbe: {httpGet: {port: 80, httpHeaders: [{name: \"X A\", value: b}]}}")],
        &[
            "bad-header-name spec.containers[0].readinessProbe.httpGet.httpHeaders <- spec.template.spec.readinessProbe.httpGet.httpHeaders",
        ],
    ),
    later(
        &[(Vmi, "readinessProbe: {guestAgentPing: {}, initialDelaySeconds: -10}")],
        &[(Vmi, "readinessProbe: {guestAgentPing: {}, initialDelaySeconds: -11}")],
        &[
            "negative-delay spec.containers[0].readinessProbe.initialDelaySeconds <- spec.template.spec.readinessProbe.initialDelaySeconds",
        ],
    ),
    later(
        &[(Vmi, "readinessProbe: {guestAgentPing: {}, initialDelaySeconds: 2147483637}")],
        &[(Vmi, "readinessProbe: {guestAgentPing: {}, initialDelaySeconds: 2147483638}")],
        &[
            "negative-delay spec.containers[0].readinessProbe.initialDelaySeconds <- spec.template.spec.readinessProbe.initialDelaySeconds",
        ],
    ),
    // Beyond admission.
    later(
        &[(Devices, "watchdog: {name: w, i6300esb: {action: reset}}")],
        &[(Devices, "watchdog: {name: w, i6300esb: {action: Reset}}")],
        &["unknown-watchdog-action spec.template.spec.domain.devices.watchdog.i6300esb.action"],
    ),
    later(
        &[
            NET,
            (Devices, "interfaces: [{name: default, masquerade: {}, ports: [{name: web, port: 80}]}]"),
            (Vmi, "livenessProbe: {httpGet: {port: web}}"),
        ],
        &[NET, NIC, (Vmi, "livenessProbe: {httpGet: {port: web}}")],
        &["undeclared-port spec.template.spec.livenessProbe.httpGet.port"],
    ),
    later(
        &[
            NET,
            (Devices, "interfaces: [{name: default, bridge: {}, ports: [{port: 22}]}]"),
            (Vmi, "readinessProbe: {tcpSocket: {port: 80}}"),
        ],
        &[
            NET,
            (Devices, "interfaces: [{name: default, masquerade: {}, ports: [{port: 22}]}]"),
            (Vmi, "readinessProbe: {tcpSocket: {port: 80}}"),
        ],
        &["port-not-forwarded spec.template.spec.readinessProbe.tcpSocket.port"],
    ),
    later(
        &[(Vmi, "readinessProbe: {exec: {command: [sh, -c, 'test -f /ok']}}")],
        &[(Vmi, "readinessProbe: {exec: {command: [sh, -c, 'echo \"ok\"']}}")],
        &["unescaped-exec-argument spec.template.spec.readinessProbe.exec.command[2]"],
    ),
    row(
        &[(Vmi, "architecture: s390x"), (Domain, "machine: {type: s390-ccw-virtio-rhel9.6.0}")],
        &[(Vmi, "architecture: s390x"), (Domain, "machine: {type: q35}")],
        &["machine-type-not-supported spec.template.spec.domain.machine.type"],
    ),
    row(
        &[(Devices, "inputs: [{name: i, bus: usb, type: tablet}]")],
        &[(Devices, "inputs: [{name: i, bus: usb}]")],
        &["unsupported-word spec.template.spec.domain.devices.inputs[0].type"],
    ),
];

#[test]
fn each_rule_takes_the_good_and_refuses_the_bad() {
    hold(ROWS);
}

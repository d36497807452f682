//! Slips of one value: each finding with a manifest that has it and the nearest one that has not.

use crate::manifest::In::{self, Devices, Domain, Vmi};
use crate::people::{NO_EDIT, RHEL, Row, TWO_DISKS, hold};

const ALPINE: (In, &str) = (
    Vmi,
    "volumes: [{name: d, containerDisk: {image: 'quay.io/containerdisks/alpine:3.20'}}, {name: c, cloudInitNoCloud: {userData: \"hostname: a\"}}]",
);
const POD: (In, &str) = (Vmi, "networks: [{name: default, pod: {}}]");
const MULTUS: (In, &str) = (Vmi, "networks: [{name: blue, multus: {networkName: net}}]");

const ROWS: &[Row] = &[
    Row {
        code: "grace-beyond-systemds-limit",
        bad: (&[TWO_DISKS, RHEL, (Vmi, "terminationGracePeriodSeconds: 1801")], NO_EDIT),
        good: (&[TWO_DISKS, ALPINE, (Vmi, "terminationGracePeriodSeconds: 1801")], NO_EDIT),
        field: "spec.template.spec.terminationGracePeriodSeconds",
        part: "a guest whose systemd still runs",
    },
    Row {
        code: "agent-has-one-second",
        bad: (&[(Vmi, "livenessProbe: {guestAgentPing: {}, timeoutSeconds: 1}")], NO_EDIT),
        good: (&[(Vmi, "livenessProbe: {guestAgentPing: {}, timeoutSeconds: 2}")], NO_EDIT),
        field: "spec.template.spec.livenessProbe.timeoutSeconds",
        part: "after 2 s has failed: KubeVirt adds 1 s",
    },
    Row {
        code: "agent-has-one-second",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [cat, /a]}, timeoutSeconds: 1}")], NO_EDIT),
        good: (&[(Vmi, "readinessProbe: {httpGet: {port: 80}, timeoutSeconds: 1}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.timeoutSeconds",
        part: "a command that ends after 1 s, or whose answer is here after 2 s",
    },
    Row {
        code: "multicast-mac-address",
        bad: (
            &[POD, (Devices, "interfaces: [{name: default, masquerade: {}, macAddress: 01:00:5e:00:00:01}]")],
            NO_EDIT,
        ),
        good: (
            &[POD, (Devices, "interfaces: [{name: default, masquerade: {}, macAddress: 02:00:5e:00:00:01}]")],
            NO_EDIT,
        ),
        field: "spec.template.spec.domain.devices.interfaces[0].macAddress",
        part: "libvirt defines no interface with 01:00:5e:00:00:01, the address of default",
    },
    Row {
        code: "multicast-mac-address",
        bad: (&[MULTUS, (Devices, "interfaces: [{name: blue, bridge: {}, macAddress: FFff.ffff.FFFF}]")], NO_EDIT),
        // Its address is the network plugin's.
        good: (&[MULTUS, (Devices, "interfaces: [{name: blue, sriov: {}, macAddress: FFff.ffff.FFFF}]")], NO_EDIT),
        field: "spec.template.spec.domain.devices.interfaces[0].macAddress",
        part: "it is multicast",
    },
    Row {
        code: "multicast-mac-address",
        bad: (
            &[MULTUS, (Devices, "interfaces: [{name: blue, bridge: {}, state: up, macAddress: 01:00:5e:00:00:01}]")],
            NO_EDIT,
        ),
        // libvirt never gets it.
        good: (
            &[
                MULTUS,
                (Devices, "interfaces: [{name: blue, bridge: {}, state: absent, macAddress: 01:00:5e:00:00:01}]"),
            ],
            NO_EDIT,
        ),
        field: "spec.template.spec.domain.devices.interfaces[0].macAddress",
        part: "it is multicast",
    },
    Row {
        code: "multicast-mac-address",
        bad: (&[MULTUS, (Devices, "interfaces: [{name: blue, bridge: {}, macAddress: 01:00:5e:00:00:01}]")], NO_EDIT),
        good: (
            &[MULTUS, (Devices, "interfaces: [{name: blue, binding: {name: plug}, macAddress: 01:00:5e:00:00:01}]")],
            NO_EDIT,
        ),
        field: "spec.template.spec.domain.devices.interfaces[0].macAddress",
        part: "it is multicast",
    },
    Row {
        code: "bad-firmware-uuid",
        bad: (&[(Domain, "firmware: {uuid: 5d307ca9-b3ef-428c-8861-06e72d69f223-}")], NO_EDIT),
        good: (&[(Domain, "firmware: {uuid: '-5d307ca9-b3ef-428c-8861-06e72d69f223 '}")], NO_EDIT),
        field: "spec.template.spec.domain.firmware.uuid",
        part: "is no UUID",
    },
    Row {
        code: "bad-firmware-uuid",
        bad: (&[(Domain, "firmware: {uuid: my-vm}")], NO_EDIT),
        good: (&[(Domain, "firmware: {uuid: 5d307ca9-b3ef-428c-8861-06e72d69f223, serial: 'a b, c'}")], NO_EDIT),
        field: "spec.template.spec.domain.firmware.uuid",
        part: "\"my-vm\" is no UUID: libvirt cannot define the domain",
    },
    Row {
        code: "bad-firmware-uuid",
        bad: (&[(Domain, "firmware: {uuid: 5d307ca9b3ef428c886106e72d69f22}")], NO_EDIT),
        good: (&[(Domain, "firmware: {uuid: ' 5d307ca9B3EF428c 886106e7-2d-69f223'}")], NO_EDIT),
        field: "spec.template.spec.domain.firmware.uuid",
        part: "is no UUID",
    },
    Row {
        code: "bad-firmware-uuid",
        bad: (&[(Domain, "firmware: {uuid: 5d307ca9b-3ef-428c-8861-06e72d69f223}")], NO_EDIT),
        good: (&[(Domain, "firmware: {uuid: ''}")], NO_EDIT),
        field: "spec.template.spec.domain.firmware.uuid",
        part: "is no UUID",
    },
    Row {
        code: "blank-in-program-path",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [/usr/local/bin/my check]}}")], NO_EDIT),
        good: (&[(Vmi, "readinessProbe: {exec: {command: [/usr/local/bin/my-check]}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[0]",
        part: "the program is \"/usr/local/bin/my check\", blanks included",
    },
    Row {
        code: "command-line-in-one-string",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [/usr/bin/systemctl is-active nginx]}}")], NO_EDIT),
        good: (&[(Vmi, "readinessProbe: {exec: {command: [/opt/my tools/check]}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[0]",
        part: "no program is called",
    },
    Row {
        code: "command-line-in-one-string",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [/opt/check --now]}}")], NO_EDIT),
        good: (&[(Vmi, "readinessProbe: {exec: {command: ['C:\\Program Files\\c.exe']}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[0]",
        part: "no program is called",
    },
    Row {
        code: "shell-words-without-a-shell",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [ls, '/run/app/*.ok']}}")], NO_EDIT),
        good: (&[(Vmi, "readinessProbe: {exec: {command: [find, /run/app, -path, '/run/app/*.ok']}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[1]",
        part: "ls receives \"/run/app/*.ok\" as an argument",
    },
    Row {
        code: "shell-words-without-a-shell",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [test, -e, ~/ready]}}")], NO_EDIT),
        good: (&[(Vmi, "readinessProbe: {exec: {command: [curl, -f, 'http://localhost/a?b=[1]*']}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[2]",
        part: "there is no shell that would act on it",
    },
    Row {
        code: "shell-words-without-a-shell",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [\"${CMD}\"]}}")], NO_EDIT),
        good: (&[(Vmi, "readinessProbe: {exec: {command: [sh, -c, \"${CMD}\"]}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[0]",
        part: "looks for a program called \"${CMD}\"",
    },
    Row {
        code: "shell-words-without-a-shell",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [$(CHECK), a]}}")], NO_EDIT),
        good: (&[(Vmi, "readinessProbe: {exec: {command: [/opt/$/check, a]}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[0]",
        part: "there is no shell",
    },
    Row {
        code: "shell-words-without-a-shell",
        bad: (&[(Vmi, "livenessProbe: {exec: {command: [~/check]}}")], NO_EDIT),
        good: (&[(Vmi, "livenessProbe: {exec: {command: [/opt/a~b/check]}}")], NO_EDIT),
        field: "spec.template.spec.livenessProbe.exec.command[0]",
        part: "a program called \"~/check\"",
    },
    Row {
        code: "agent-has-one-second",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [virt-probes, a]}, timeoutSeconds: 1}")], NO_EDIT),
        good: (
            &[(
                Vmi,
                "readinessProbe: {exec: {command: [virt-probe, --domainName, default_vm, --guestAgentPing]}, timeoutSeconds: 1}",
            )],
            NO_EDIT,
        ),
        field: "spec.template.spec.readinessProbe.timeoutSeconds",
        part: "a command that ends after 1 s",
    },
    Row {
        code: "command-line-in-one-string",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [/opt/Acme -Tools/check]}}")], NO_EDIT),
        good: (&[(Vmi, "readinessProbe: {exec: {command: [/opt/Acme - Tools/check]}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[0]",
        part: "no program is called",
    },
    Row {
        code: "command-line-in-one-string",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: ['C:\\Tools\\health --now']}}")], NO_EDIT),
        good: (&[(Vmi, "readinessProbe: {exec: {command: ['C:\\Program Files\\Acme\\health']}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[0]",
        part: "no program is called",
    },
    Row {
        code: "blank-in-program-path",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: ['C:/Program Files/health']}}")], NO_EDIT),
        good: (&[(Vmi, "readinessProbe: {exec: {command: ['C:/Program Files/health.exe']}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[0]",
        part: "blanks included",
    },
    Row {
        code: "shell-words-without-a-shell",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [check, /healthz*]}}")], NO_EDIT),
        good: (
            &[(Vmi, "readinessProbe: {exec: {command: [check, '/healthz?full=1', '//status[1]', '//*[@ok]']}}")],
            NO_EDIT,
        ),
        field: "spec.template.spec.readinessProbe.exec.command[1]",
        part: "check receives \"/healthz*\"",
    },
    Row {
        code: "shell-words-without-a-shell",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [timeout, '5', ls, /run/*/ok]}}")], NO_EDIT),
        good: (&[(Vmi, "readinessProbe: {exec: {command: [timeout, '5', find, /run, -path, /run/*/ok]}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[3]",
        part: "there is no shell",
    },
    Row {
        code: "virt-probe-in-the-guest",
        bad: (
            &[(Vmi, "readinessProbe: {exec: {command: [bash, -o, pipefail, -c, virt-probe --guestAgentPing]}}")],
            NO_EDIT,
        ),
        good: (&[(Vmi, "readinessProbe: {exec: {command: [bash, -o, pipefail, -c, cat /virt-probe]}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[0]",
        part: "looks for virt-probe in the guest",
    },
    Row {
        code: "virt-probe-in-the-guest",
        bad: (
            &[(Vmi, "readinessProbe: {exec: {command: [sh, -c, exec /usr/bin/virt-probe --guestAgentPing]}}")],
            NO_EDIT,
        ),
        good: (&[(Vmi, "readinessProbe: {exec: {command: [sh, -c, exec cat virt-probe]}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[0]",
        part: "looks for virt-probe in the guest",
    },
    Row {
        code: "shell-without-its-script",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [bash, -o, pipefail, -c, cat, /a]}}")], NO_EDIT),
        good: (&[(Vmi, "readinessProbe: {exec: {command: [bash, -o, pipefail, -c, cat /a]}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[4]",
        part: "the shell runs \"cat\" alone",
    },
];

#[test]
fn each_is_found_where_it_is_and_not_in_the_nearest_manifest() {
    hold(ROWS);
}

/// The codes that a row of this table finds.
pub(crate) fn codes() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.code)
}

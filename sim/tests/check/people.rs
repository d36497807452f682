//! What people write: each finding with a manifest that has it and the nearest one that has not, its field included.

mod others;

use crate::manifest::In::{self, Devices, Domain, Vm, Vmi};
use crate::manifest::{Parts, errors, manifest};
use vmhealth_sim::check::{Checked, Options, check};

/// A manifest: its parts, and what is replaced in its text afterwards.
pub(crate) type Text = (Parts, &'static [(&'static str, &'static str)]);

pub(crate) struct Row {
    pub(crate) code: &'static str,
    pub(crate) bad: Text,
    pub(crate) good: Text,
    /// Where, in the manifest.
    pub(crate) field: &'static str,
    /// Of what is said.
    pub(crate) part: &'static str,
}

const DISK: (In, &str) = (Devices, "disks: [{name: c, disk: {}}]");
const WATCHDOG: (In, &str) = (Devices, "watchdog: {name: w, i6300esb: {action: poweroff}}");
/// Refused whatever else there is.
const NONSENSE: (In, &str) = (Vmi, "nonsense: 1");
pub(crate) const NO_EDIT: &[(&str, &str)] = &[];

const AT_WATCHDOG: &str = "spec.template.spec.domain.devices.watchdog";
const AT_LIVENESS: &str = "spec.template.spec.livenessProbe";

const SYSTEMD: (In, &str) = (
    Vmi,
    "volumes: [{name: c, cloudInitNoCloud: {userData: \"write_files: [{path: /etc/systemd/system.conf.d/w.conf, content: RuntimeWatchdogSec=20}]\"}}]",
);
const SYSTEMD_REEXEC: (In, &str) = (
    Vmi,
    "volumes: [{name: c, cloudInitNoCloud: {userData: \"write_files: [{path: /etc/systemd/system.conf.d/w.conf, content: RuntimeWatchdogSec=20}]\\nruncmd: [systemctl daemon-reexec]\"}}]",
);
const SYSTEMD_AND_DAEMON: (In, &str) = (
    Vmi,
    "volumes: [{name: c, cloudInitNoCloud: {userData: \"runcmd: [echo RuntimeWatchdogSec=20 >> /etc/systemd/system.conf, echo watchdog-device=/dev/watchdog > /etc/watchdog.conf, reboot]\"}}]",
);
const SYSCTL: (In, &str) = (
    Vmi,
    "volumes: [{name: c, cloudInitNoCloud: {userData: \"write_files: [{path: /etc/sysctl.d/p.conf, content: kernel.panic = 10}]\"}}]",
);
const SYSCTL_READ: (In, &str) = (
    Vmi,
    "volumes: [{name: c, cloudInitNoCloud: {userData: \"write_files: [{path: /etc/sysctl.d/p.conf, content: kernel.panic = 10}]\\nruncmd: [sysctl --system]\"}}]",
);
const UBUNTU: (In, &str) = (
    Vmi,
    "volumes: [{name: d, containerDisk: {image: 'quay.io/containerdisks/ubuntu:24.04'}}, {name: c, cloudInitNoCloud: {userData: \"packages: [watchdog]\"}}]",
);
const UBUNTU_LOADED: (In, &str) = (
    Vmi,
    "volumes: [{name: d, containerDisk: {image: 'quay.io/containerdisks/ubuntu:24.04'}}, {name: c, cloudInitNoCloud: {userData: \"bootcmd: [modprobe i6300esb]\"}}]",
);
pub(crate) const TWO_DISKS: (In, &str) = (Devices, "disks: [{name: d, disk: {}}, {name: c, disk: {}}]");
pub(crate) const RHEL: (In, &str) = (
    Vmi,
    "volumes: [{name: d, containerDisk: {image: 'registry.redhat.io/rhel9/rhel-guest-image:9.4'}}, {name: c, cloudInitNoCloud: {userData: \"packages: [qemu-guest-agent]\"}}]",
);
const RHEL_ALLOWED: (In, &str) = (
    Vmi,
    "volumes: [{name: d, containerDisk: {image: 'registry.redhat.io/rhel9/rhel-guest-image:9.4'}}, {name: c, cloudInitNoCloud: {userData: \"runcmd: [sed -i /FILTER/d /etc/sysconfig/qemu-ga, systemctl restart qemu-guest-agent]\"}}]",
);

const EXEC: (In, &str) = (Vmi, "readinessProbe: {exec: {command: [cat, /etc/hostname]}}");
const HTTP: (In, &str) = (Vmi, "readinessProbe: {httpGet: {port: 80}}");
const LIVENESS: (In, &str) = (Vmi, "livenessProbe: {httpGet: {port: 80}, initialDelaySeconds: 40, periodSeconds: 3}");
const PATIENT: (In, &str) =
    (Vmi, "livenessProbe: {httpGet: {port: 80}, initialDelaySeconds: 120, periodSeconds: 20, failureThreshold: 5}");
const PING: (In, &str) = (Vmi, "readinessProbe: {guestAgentPing: {}}");

/// Puts a line into the VMI's metadata.
const TEMPLATE: &str = "  template:\n";
const PROXY: &[(&str, &str)] =
    &[(TEMPLATE, "  template:\n    metadata: {annotations: {sidecar.istio.io/inject: \"true\"}}\n")];
const AMBIENT: &[(&str, &str)] =
    &[(TEMPLATE, "  template:\n    metadata: {labels: {istio.io/dataplane-mode: ambient}}\n")];
const PAUSED: &[(&str, &str)] =
    &[(TEMPLATE, "  template:\n    metadata: {annotations: {kubevirt.io/pause-guest-agent-probes: \"true\"}}\n")];
const PAUSED_BY_YES: &[(&str, &str)] =
    &[(TEMPLATE, "  template:\n    metadata: {annotations: {kubevirt.io/pause-guest-agent-probes: \"yes\"}}\n")];
const PAUSED_VM: &[(&str, &str)] =
    &[("{name: vm}", "{name: vm, annotations: {kubevirt.io/pause-guest-agent-probes: \"true\"}}")];
const BARE: &[(&str, &str)] = &[
    ("kind: VirtualMachine\n", "kind: VirtualMachineInstance\n"),
    ("  runStrategy: Always\n", ""),
    ("  template:\n", ""),
    ("    spec:\n", ""),
    ("      ", "  "),
];

const ROWS: &[Row] = &[
    Row {
        code: "armed-from-the-next-boot",
        bad: (&[DISK, SYSTEMD, WATCHDOG], NO_EDIT),
        good: (&[DISK, SYSTEMD_REEXEC, WATCHDOG], NO_EDIT),
        field: AT_WATCHDOG,
        part: "arms nothing in the first boot",
    },
    Row {
        code: "two-to-pet-one-watchdog",
        bad: (&[DISK, SYSTEMD_AND_DAEMON, WATCHDOG], NO_EDIT),
        good: (&[DISK, SYSTEMD, WATCHDOG], NO_EDIT),
        field: AT_WATCHDOG,
        part: "the second one finds it busy",
    },
    Row {
        code: "panic-timer-from-the-next-boot",
        bad: (&[DISK, SYSCTL], NO_EDIT),
        good: (&[DISK, SYSCTL_READ], NO_EDIT),
        field: "spec.template.spec.volumes",
        part: "does nothing in the first boot",
    },
    Row {
        code: "driver-does-not-load",
        bad: (&[TWO_DISKS, UBUNTU, WATCHDOG], NO_EDIT),
        good: (&[TWO_DISKS, UBUNTU_LOADED, WATCHDOG], NO_EDIT),
        field: AT_WATCHDOG,
        part: "Ubuntu keeps the driver i6300esb from loading",
    },
    Row {
        code: "what-the-image-brings",
        bad: (&[TWO_DISKS, UBUNTU, WATCHDOG], NO_EDIT),
        good: (&[DISK, SYSTEMD, WATCHDOG], NO_EDIT),
        field: "spec.template.spec.volumes",
        part: "by its name quay.io/containerdisks/ubuntu:24.04: the driver is blacklisted",
    },
    Row {
        code: "guest-exec-not-allowed",
        bad: (&[TWO_DISKS, RHEL, EXEC], NO_EDIT),
        good: (&[TWO_DISKS, RHEL_ALLOWED, EXEC], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec",
        part: "does not allow guest-exec as it is installed",
    },
    Row {
        code: "command-line-in-one-string",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [cat /etc/hostname]}}")], NO_EDIT),
        good: (&[EXEC], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[0]",
        part: "no program is called \"cat /etc/hostname\": the VM is never Ready",
    },
    Row {
        code: "shell-words-without-a-shell",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [cat, /a, '|', grep, b]}}")], NO_EDIT),
        good: (&[(Vmi, "readinessProbe: {exec: {command: [sh, -c, 'cat /a | grep b']}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[2]",
        part: "cat receives \"|\" as an argument",
    },
    Row {
        code: "shell-without-its-script",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [sh, -c, systemctl, is-active, nginx]}}")], NO_EDIT),
        good: (&[(Vmi, "readinessProbe: {exec: {command: [sh, -c, systemctl is-active nginx]}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[2]",
        part: "runs \"systemctl\" alone",
    },
    Row {
        code: "shell-without-its-script",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [/bin/bash, systemctl is-active nginx]}}")], NO_EDIT),
        good: (&[(Vmi, "readinessProbe: {exec: {command: [/bin/bash, /opt/check.sh]}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[1]",
        part: "without -c the shell looks for a file",
    },
    Row {
        code: "virt-probe-by-hand",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [virt-probe, --command, cat]}}")], NO_EDIT),
        good: (
            &[(Vmi, "readinessProbe: {exec: {command: [virt-probe, --domainName, default_vm, --command, cat]}}")],
            NO_EDIT,
        ),
        field: "spec.template.spec.readinessProbe.exec.command[0]",
        part: "knows no VM",
    },
    Row {
        code: "virt-probe-by-hand",
        bad: (
            &[(Vmi, "readinessProbe: {exec: {command: [virt-probe, --domainName, other_machine, --command, cat]}}")],
            NO_EDIT,
        ),
        good: (
            &[(
                Vmi,
                "readinessProbe: {exec: {command: [virt-probe, --domainName, default_vm, --command, cat, --, /etc/hostname]}}",
            )],
            NO_EDIT,
        ),
        field: "spec.template.spec.readinessProbe.exec.command[2]",
        part: "another VM's: this one's domain is default_vm",
    },
    Row {
        code: "virt-probe-by-hand",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [virt-probe, --domainName=vm, --command, cat]}}")], NO_EDIT),
        good: (&[(Vmi, "readinessProbe: {exec: {command: [virt-probe, --domainName=ns_vm, --command=cat]}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[1]",
        part: "another VM's",
    },
    Row {
        code: "virt-probe-by-hand",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [virt-probe, --domainName, default_vm]}}")], NO_EDIT),
        good: (
            &[(Vmi, "readinessProbe: {exec: {command: [virt-probe, --domainName, default_vm, --guestAgentPing]}}")],
            NO_EDIT,
        ),
        field: "spec.template.spec.readinessProbe.exec.command[0]",
        part: "without --command and --guestAgentPing",
    },
    Row {
        code: "virt-probe-by-hand",
        bad: (
            &[(
                Vmi,
                "readinessProbe: {exec: {command: [virt-probe, --domainName, default_vm, --timeout, '5', --command, cat]}}",
            )],
            NO_EDIT,
        ),
        good: (
            &[(
                Vmi,
                "readinessProbe: {exec: {command: [virt-probe, --domainName, default_vm, --timeoutSeconds, '5', -v, '3', --command, cat]}}",
            )],
            NO_EDIT,
        ),
        field: "spec.template.spec.readinessProbe.exec.command[3]",
        part: "knows no option --timeout",
    },
    Row {
        code: "command-without-a-program",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [\"\", a]}}")], NO_EDIT),
        good: (&[(Vmi, "readinessProbe: {exec: {command: [a, \"\"]}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[0]",
        part: "no program",
    },
    Row {
        code: "virt-probe-in-the-guest",
        bad: (
            &[(
                Vmi,
                "readinessProbe: {exec: {command: [/usr/bin/virt-probe, --domainName, default_vm, --guestAgentPing]}}",
            )],
            NO_EDIT,
        ),
        good: (
            &[(
                Vmi,
                "readinessProbe: {exec: {command: [virt-probe, --domainName, default_vm, --command, cat, --, /etc/hostname]}}",
            )],
            NO_EDIT,
        ),
        field: "spec.template.spec.readinessProbe.exec.command[0]",
        part: "looks for virt-probe in the guest",
    },
    Row {
        code: "virt-probe-in-the-guest",
        bad: (
            &[(
                Vmi,
                "readinessProbe: {exec: {command: [sh, -c, virt-probe --domainName default_vm --guestAgentPing]}}",
            )],
            NO_EDIT,
        ),
        good: (&[(Vmi, "readinessProbe: {exec: {command: [sh, -c, cat /etc/virt-probe]}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[0]",
        part: "looks for virt-probe in the guest",
    },
    Row {
        code: "petted-too-seldom",
        bad: (
            &[
                WATCHDOG,
                DISK,
                (
                    Vmi,
                    "volumes: [{name: c, cloudInitNoCloud: {userData: \"runcmd: [watchdog -t 4 -T 4 /dev/watchdog]\"}}]",
                ),
            ],
            NO_EDIT,
        ),
        good: (
            &[
                WATCHDOG,
                DISK,
                (
                    Vmi,
                    "volumes: [{name: c, cloudInitNoCloud: {userData: \"runcmd: [watchdog -t 3 -T 4 /dev/watchdog]\"}}]",
                ),
            ],
            NO_EDIT,
        ),
        field: "spec.template.spec.domain.devices.watchdog",
        part: "pets every 4 s a device that fires after 4 s",
    },
    Row {
        code: "petted-too-seldom",
        bad: (
            &[
                WATCHDOG,
                DISK,
                (
                    Vmi,
                    "volumes: [{name: c, cloudInitNoCloud: {userData: \"write_files: [{path: /etc/watchdog.conf, content: \\\"watchdog-device = /dev/watchdog\\\\ninterval = 60\\\\nwatchdog-timeout = 30\\\"}]\"}}]",
                ),
            ],
            NO_EDIT,
        ),
        good: (
            &[
                WATCHDOG,
                DISK,
                (
                    Vmi,
                    "volumes: [{name: c, cloudInitNoCloud: {userData: \"write_files: [{path: /etc/watchdog.conf, content: \\\"watchdog-device = /dev/watchdog\\\\ninterval = 10\\\\nwatchdog-timeout = 30\\\"}]\"}}]",
                ),
            ],
            NO_EDIT,
        ),
        field: "spec.template.spec.domain.devices.watchdog",
        part: "interval 60 s is not 2 s shorter than watchdog-timeout 30 s",
    },
    Row {
        code: "line-end-in-exec-argument",
        bad: (&[(Vmi, "readinessProbe: {exec: {command: [sh, -c, \"a\\nb\"]}}")], NO_EDIT),
        good: (&[(Vmi, "readinessProbe: {exec: {command: [sh, -c, a; b]}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[2]",
        part: "works only with json-c before 0.18",
    },
    Row {
        code: "binding-without-a-way-to-the-guest",
        bad: (
            &[
                HTTP,
                (Vmi, "networks: [{name: default, pod: {}}]"),
                (Devices, "interfaces: [{name: default, binding: {name: l2bridge}}]"),
            ],
            NO_EDIT,
        ),
        good: (
            &[
                HTTP,
                (Vmi, "networks: [{name: default, pod: {}}]"),
                (Devices, "interfaces: [{name: default, binding: {name: passt}}]"),
            ],
            NO_EDIT,
        ),
        field: "spec.template.spec.readinessProbe.httpGet",
        part: "this probe never gets through",
    },
    Row {
        code: "istio-answers-the-probe",
        bad: (&[(Vmi, "readinessProbe: {httpGet: {port: 15021}}")], PROXY),
        good: (&[HTTP], PROXY),
        field: "spec.template.spec.readinessProbe.httpGet",
        part: "port 15021 is answered by Istio's proxy",
    },
    Row {
        code: "ambient-mesh-swallows-probes",
        bad: (&[HTTP], AMBIENT),
        good: (&[PING], AMBIENT),
        field: "spec.template.spec.readinessProbe.httpGet",
        part: "nothing from the node gets through",
    },
    Row {
        code: "reboot-outlasts-liveness",
        bad: (&[LIVENESS, HTTP], NO_EDIT),
        good: (&[PATIENT, HTTP], NO_EDIT),
        field: AT_LIVENESS,
        part: "a reboot of the guest takes about 60 s, and liveness stops it after 6 s",
    },
    Row {
        code: "rerun-on-failure-after-a-drain",
        bad: (&[(Vm, "runStrategy: RerunOnFailure")], NO_EDIT),
        good: (&[(Vm, "runStrategy: RerunOnFailure"), (Vmi, "evictionStrategy: LiveMigrate")], NO_EDIT),
        field: "spec.template.spec.evictionStrategy",
        part: "when its node is drained",
    },
    Row {
        code: "nobody-brings-a-bare-vmi-back",
        bad: (&[], BARE),
        good: (&[], NO_EDIT),
        field: "kind",
        part: "nobody brings a bare VirtualMachineInstance back",
    },
    Row {
        code: "liveness-stops-the-migration-target",
        bad: (&[LIVENESS, (Vmi, "evictionStrategy: LiveMigrate")], NO_EDIT),
        good: (&[(Vmi, "livenessProbe: {guestAgentPing: {}}"), (Vmi, "evictionStrategy: LiveMigrate")], NO_EDIT),
        field: AT_LIVENESS,
        part: "about 56 s after its start",
    },
    Row {
        code: "grace-beyond-systemds-limit",
        bad: (&[(Vmi, "terminationGracePeriodSeconds: 3600")], NO_EDIT),
        good: (&[(Vmi, "terminationGracePeriodSeconds: 1800")], NO_EDIT),
        field: "spec.template.spec.terminationGracePeriodSeconds",
        part: "after 30 min, if need be by force; one that hangs is there for the whole 3600 s",
    },
    Row {
        code: "pause-annotation-on-the-vm",
        bad: (&[PING], PAUSED_VM),
        good: (&[PING], PAUSED),
        field: "metadata.annotations.kubevirt.io/pause-guest-agent-probes",
        part: "does nothing on the VirtualMachine",
    },
    Row {
        code: "pause-annotation-without-pings",
        bad: (&[EXEC], PAUSED),
        good: (&[PING], PAUSED),
        field: "spec.template.metadata.annotations.kubevirt.io/pause-guest-agent-probes",
        part: "does not pause readinessProbe: it has exec",
    },
    Row {
        code: "pause-annotation-not-heeded",
        bad: (&[PING], PAUSED_BY_YES),
        good: (&[PING], PAUSED),
        field: "spec.template.metadata.annotations.kubevirt.io/pause-guest-agent-probes",
        part: "\"yes\" counts as false",
    },
    Row {
        code: "unrendered-template",
        // Else it has no verdict.
        bad: (&[HTTP, NONSENSE], &[("{name: vm}", "{name: \"{{ .Release.Name }}\"}")]),
        good: (&[HTTP], NO_EDIT),
        field: "",
        part: "this is a Helm template: render it first",
    },
    Row {
        code: "unrendered-template",
        bad: (&[NONSENSE, (Vmi, "readinessProbe: {httpGet: {port: 80}, periodSeconds: \"${PERIOD}\"}")], NO_EDIT),
        good: (&[HTTP], NO_EDIT),
        field: "spec.template.spec.readinessProbe.periodSeconds",
        part: "depends on a placeholder",
    },
    Row {
        code: "callout-of-a-document",
        bad: (&[(Vmi, "readinessProbe: {httpGet: {port: 80, path: /healthz <2>}}")], NO_EDIT),
        good: (&[(Vmi, "readinessProbe: {httpGet: {port: 80, path: /healthz}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.httpGet.path",
        part: "ends in a callout",
    },
];

fn text((parts, edits): &Text) -> String {
    edits.iter().fold(manifest(parts), |text, (from, to)| text.replace(from, to))
}

fn checked(text: &str, options: &Options) -> Checked {
    let mut checks = check(text, options).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(checks.manifests.len(), 1, "{text}");
    checks.manifests.remove(0)
}

#[test]
fn each_is_found_where_it_is_and_not_in_the_nearest_manifest() {
    hold(ROWS);
}

/// Each row's code is found in its bad manifest, where it says, and not in its good one.
pub(crate) fn hold(rows: &[Row]) {
    let mut wrong = Vec::new();
    for Row { code, bad, good, field, part } in rows {
        let (bad, good) = (text(bad), text(good));
        let found = checked(&bad, &Options::default()).findings;
        let told = |f: &&vmhealth_sim::check::Finding| f.rule.code == *code && f.vm_field == *field;
        match found.iter().find(told) {
            Some(finding) if finding.message.contains(part) => {}
            Some(finding) => wrong.push(format!("{code}: {:?} lacks {part:?}", finding.message)),
            None => {
                let list = found.iter().map(|f| format!("{} {}: {}", f.rule.code, f.vm_field, f.message));
                wrong.push(format!("{code} is not found at {field}\n{bad}{}", list.collect::<Vec<_>>().join("\n")));
            }
        }
        if checked(&good, &Options::default()).findings.iter().any(|f| f.rule.code == *code) {
            wrong.push(format!("{code} is found in\n{good}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The codes that a row of this table finds.
pub(crate) fn codes() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.code)
}

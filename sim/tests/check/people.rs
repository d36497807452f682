//! What people write: each finding with a manifest that has it and the nearest one that has not, its field included.

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
        good: (&[(Vmi, "readinessProbe: {exec: {command: [virt-probe, --domainName, default_vm]}}")], NO_EDIT),
        field: "spec.template.spec.readinessProbe.exec.command[0]",
        part: "knows no VM",
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
        bad: (&[HTTP], &[("{name: vm}", "{name: \"{{ .Release.Name }}\"}")]),
        good: (&[HTTP], NO_EDIT),
        field: "",
        part: "this is a Helm template: render it first",
    },
    Row {
        code: "unrendered-template",
        bad: (&[(Vmi, "readinessProbe: {httpGet: {port: 80}, periodSeconds: \"${PERIOD}\"}")], NO_EDIT),
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

/// What an older release refuses or does otherwise.
#[test]
fn releases_differ() {
    let row = |version: &str, parts: Parts, gates: &[&str], expected: &[&str]| {
        let options = Options {
            kubevirt: version.parse().expect(version),
            with_gates: gates.iter().map(|g| (*g).to_owned()).collect(),
            ..Options::default()
        };
        let text = manifest(parts);
        let found: Vec<&str> = checked(&text, &options)
            .findings
            .iter()
            .map(|f| f.rule.code)
            .filter(|code| ["release", "gate", "line-end"].iter().any(|word| code.contains(word)))
            .collect();
        assert_eq!(found, expected, "{version} {gates:?}\n{text}");
    };
    let panics: Parts = &[(Devices, "panicDevices: [{model: isa}]")];
    let (newer, gate) = ("field-of-a-newer-release", "gate-is-off-in-this-release");
    row("1.5", panics, &[], &[newer, gate]);
    row("v1.6.0", panics, &[], &[gate]);
    row("v1.8.4", panics, &["PanicDevices"], &[]);
    row("v1.9.0", panics, &[], &[]);
    let reboots: Parts = &[(Domain, "rebootPolicy: Terminate")];
    row("v1.7.3", reboots, &[], &[newer, "reboot-policy-without-its-gate"]);
    row("v1.8.0", reboots, &[], &["reboot-policy-without-its-gate"]);
    row("v1.8.0", reboots, &["RebootPolicy"], &[]);
    row("v1.9.0", reboots, &[], &[]);
    row("v1.4.0", &[(Vm, "runStrategy: WaitAsReceiver")], &["DecentralizedLiveMigration"], &[]);
    let encrypted: Parts = &[(Domain, "firmware: {bootloader: {efi: {secureBoot: false}}}\nlaunchSecurity: {sev: {}}")];
    assert!(
        !errors(&checked(
            &manifest(encrypted),
            &Options { kubevirt: "v1.8.0".parse().expect("1.8"), ..Options::default() }
        ))
        .is_empty()
    );
    row("v1.9.0", &[(Vm, "runStrategy: WaitAsReceiver")], &[], &[]);
    let lines: Parts = &[(Vmi, "readinessProbe: {exec: {command: [sh, -c, \"a\\tb\"]}}")];
    row("v1.4.1", lines, &[], &["line-end-breaks-exec"]);
    row("v1.5.0", lines, &[], &["line-end-in-exec-argument"]);
}

/// `runStrategy` in the template is said once: its absence from where it belongs says the same.
#[test]
fn a_run_strategy_in_the_template_is_said_once() {
    let text = manifest(&[(Vm, "none:"), (Vmi, "runStrategy: Always")]);
    let found = checked(&text, &Options::default());
    let errors: Vec<&str> = found.findings.iter().map(|f| f.rule.code).collect();
    assert_eq!(errors, ["unknown-field"], "{text}{:?}", found.findings);
    assert!(found.findings[0].help.contains("belongs to spec"), "{}", found.findings[0].help);
}

/// What is not a manifest is called by its name, and a text that is no YAML by what it is.
#[test]
fn other_kinds_of_files() {
    for (text, expected) in [
        ("spec: {template: {spec: {livenessProbe: {}}}}\n", "a merge patch without apiVersion and kind"),
        ("livenessProbe: {guestAgentPing: {}}\n", "a part of a VirtualMachine"),
        ("- {op: add, path: /spec/runStrategy, value: Always}\n", "a JSON patch"),
        ("kind: Kustomization\n", "Kustomization: check what `kubectl kustomize` prints"),
        ("kind: ConfigMap\n", "ConfigMap"),
    ] {
        let checks = check(text, &Options::default()).unwrap();
        let kinds: Vec<&str> = checks.skipped.iter().map(|s| s.kind.as_str()).collect();
        assert!(kinds.len() == 1 && kinds[0].starts_with(expected), "{text}: {kinds:?}");
    }
    for (text, expected) in [
        ("kind: VirtualMachine\n{{- if .Values.a }}\nspec: {}\n{{- end }}\n", "this is a Helm template"),
        ("kind: VirtualMachine\nmetadata:\n  name: {{ .Release.Name }}\n", "this is a Helm template"),
        ("kind: VirtualMachine\n{% if a %}\nspec: {}\n{% endif %}\n", "this is a Jinja template"),
        ("kind: VirtualMachine\nspec: <1>\n  running: true\n", "<1> is a callout"),
        ("kind: [\n", ""),
    ] {
        let error = check(text, &Options::default()).expect_err(text);
        assert!(error.message.starts_with(expected), "{text}: {error}");
        assert!(!expected.is_empty() || !error.message.contains("template"), "{text}: {error}");
    }
    let patch = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: vm}\nspec: {template: {spec: {livenessProbe: {guestAgentPing: {}}}}}\n";
    let has =
        |text: &str| checked(text, &Options::default()).findings.iter().any(|f| f.rule.code == "looks-like-a-patch");
    assert!(has(patch) && !has(&patch.replace("spec: {template", "spec: {runStrategy: Always, template")));
    // A callout behind a number is why that is no number.
    let text = manifest(&[(Vmi, "readinessProbe: {httpGet: {port: 80}, periodSeconds: 3 <2>}")]);
    let found = checked(&text, &Options::default());
    let wrong = found.findings.iter().find(|f| f.rule.code == "wrong-type").expect("it is a text");
    assert!(wrong.help.contains("remove <2>"), "{}", wrong.help);
}

/// What a guest needs may be in its image, and user data tells only where there is some.
#[test]
fn user_data_or_the_image() {
    const NONE: &str = "volumes: [{name: c, emptyDisk: {capacity: 1Gi}}]";
    const SILENT: &str = "volumes: [{name: c, cloudInitNoCloud: {userData: 'hostname: a'}}]";
    const FEDORA: &str = "volumes: [{name: d, containerDisk: {image: 'quay.io/containerdisks/fedora:40'}}, {name: c, cloudInitNoCloud: {userData: 'hostname: a'}}]";
    const LATE: &str = "livenessProbe: {guestAgentPing: {}, initialDelaySeconds: 120, failureThreshold: 4}";
    const PETS: [(In, &str); 4] = [DISK, WATCHDOG, (Vmi, LATE), HTTP];
    let text = |parts: &[(In, &'static str)]| checked(&manifest(parts), &Options::default()).findings;
    for (parts, expected) in [
        (vec![DISK, (Vmi, NONE), PING], &["image-must-bring-the-agent"] as &[&str]),
        (vec![DISK, (Vmi, SILENT), PING], &["agent-not-in-user-data"]),
        (vec![TWO_DISKS, (Vmi, FEDORA), PING], &["what-the-image-brings"]),
        (
            [&PETS[..], &[(Vmi, NONE)]].concat(),
            &["image-must-bring-the-agent", "image-must-arm-the-watchdog", "liveness-before-watchdog"],
        ),
        ([&PETS[..], &[(Vmi, SILENT)]].concat(), &["agent-not-in-user-data", "watchdog-daemon-not-in-user-data"]),
    ] {
        let found = text(&parts);
        let about = |code: &&str| code.contains("watchdog") || code.contains("agent") || code.contains("image");
        let mut codes: Vec<&str> = found.iter().map(|f| f.rule.code).filter(about).collect();
        codes.retain(|code| *code != "q35-second-watchdog");
        codes.sort_by_key(|code| expected.iter().position(|e| e == code));
        assert_eq!(codes, expected, "{}", manifest(&parts));
    }
    let brings = |probe| {
        let found = text(&[TWO_DISKS, (Vmi, FEDORA), probe]);
        found.into_iter().find(|f| f.rule.code == "what-the-image-brings").expect("it is Fedora").message
    };
    assert!(brings(EXEC).contains("SELinux") && !brings(PING).contains("SELinux"));
}

/// What ends a command that hangs, in the guest's own words.
#[test]
fn a_limit_that_the_guest_knows() {
    for (command, word) in [
        ("[cat, /a]", Some("`timeout 1 ...`")),
        ("[timeout, \"1\", cat, /a]", None),
        ("[powershell.exe, -File, 'C:/a.ps1']", Some("Wait-Job -Timeout")),
        ("[timeout, \"1\", powershell, -File, 'C:/a.ps1']", Some("Wait-Job -Timeout")),
    ] {
        let text = manifest(&[(Vmi, &format!("readinessProbe: {{exec: {{command: {command}}}}}"))]);
        let found = checked(&text, &Options::default()).findings;
        let help = found.iter().find(|f| f.rule.code == "timed-out-commands-pile-up").map(|f| f.help.as_str());
        assert_eq!(help.is_some(), word.is_some(), "{command}");
        assert!(help.zip(word).is_none_or(|(help, word)| help.contains(word)), "{command}: {help:?}");
    }
}

/// Words behind a shell, or behind a program with a language of its own, are theirs.
#[test]
fn commands_that_bring_their_own_shell() {
    for (command, found) in [
        ("[timeout, \"4\", sh, -c, 'echo $HOME | cat']", None),
        ("[/usr/bin/env, bash, -c, 'echo $HOME']", None),
        ("[powershell.exe, -Command, '$s = 1']", None),
        ("[PowerShell.EXE, -Command, '$s = 1']", None),
        ("['C:/Program Files/Git/bin/Bash.exe', -c, 'echo $HOME']", None),
        ("[bash.exe, -c, systemctl, is-active, x]", Some("shell-without-its-script")),
        ("[awk, '$NF > 3']", None),
        ("[bash, /opt/check.sh, -c, conf, x]", None),
        ("[bash, -c, systemctl, is-active, x]", Some("shell-without-its-script")),
        ("[timeout, \"4\", cat, a, '|', wc]", Some("shell-words-without-a-shell")),
    ] {
        let text = manifest(&[(Vmi, &format!("readinessProbe: {{exec: {{command: {command}}}}}"))]);
        let checked = checked(&text, &Options::default());
        let codes: Vec<&str> = checked.findings.iter().map(|f| f.rule.code).filter(|c| c.contains("shell")).collect();
        assert_eq!(codes, found.into_iter().collect::<Vec<_>>(), "{command}");
    }
}

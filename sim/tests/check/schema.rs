//! What the API server and the schemas make of a manifest: unknown fields and nulls, what is really required, ranges, metadata of the
//! template, keys that come twice.

use crate::manifest::In::{Devices, Domain, Vm, Vmi};
use crate::manifest::{NET, NIC, errors, manifest, one};
use crate::row::{Row, found, hold, later, row};
use vmhealth_sim::check::Verdict;

const ROWS: &[Row] = &[
    // A null counts where the field is unknown, and only there.
    row(
        &[(Vmi, "readinessProbe: {guestAgentPing: {}, periodSeconds: }")],
        &[(Vmi, "readinessProbe: {guestAgentPing: {}, grpc: }")],
        &["unknown-field spec.template.spec.readinessProbe.grpc"],
    ),
    row(&[(Vmi, "livenessProbe:")], &[(Vmi, "startupProbe:")], &["unknown-field spec.template.spec.startupProbe"]),
    row(
        &[(Devices, "watchdog: {name: w, i6300esb: }")],
        &[(Devices, "watchdog: {name: w, i6300ESB: }")],
        &["unknown-field spec.template.spec.domain.devices.watchdog.i6300ESB"],
    ),
    row(
        &[(Vmi, "nodeSelector: {a: }")],
        &[(Vmi, "readinessProbe: {exec: {command: [ls, ]}}"), (Vmi, "tolerations: [~]")],
        &["wrong-type spec.template.spec.tolerations[0]"],
    ),
    // What is in a list or a mapping where there should be another thing.
    row(
        &[(Devices, "watchdog: {name: w}")],
        &[(Devices, "watchdog: [{name: w, i6300esb: {action: reset}}]")],
        &[
            "unknown-field spec.template.spec.domain.devices.watchdog[0].name",
            "unknown-field spec.template.spec.domain.devices.watchdog[0].i6300esb",
            "wrong-type spec.template.spec.domain.devices.watchdog",
        ],
    ),
    row(
        &[(Vmi, "livenessProbe: {guestAgentPing: {}}")],
        &[(Vmi, "livenessProbe: {guestAgentPing: {}, periodSeconds: {seconds: }}")],
        &[
            "unknown-field spec.template.spec.livenessProbe.periodSeconds.seconds",
            "wrong-type spec.template.spec.livenessProbe.periodSeconds",
        ],
    ),
    row(
        &[NET, NIC],
        &[(Vmi, "networks: {name: default}")],
        &["unknown-field spec.template.spec.networks.name", "wrong-type spec.template.spec.networks"],
    ),
    row(
        &[(Devices, "watchdog: {name: w}")],
        &[(Devices, "watchdog: [i6300esb]")],
        &["wrong-type spec.template.spec.domain.devices.watchdog"],
    ),
    // Few fields are really required; the others get a zero value, and a later layer says whether that will do.
    row(
        &[(Vmi, "readinessProbe: {httpGet: {port: 80, httpHeaders: [{name: A}]}}")],
        &[(Vmi, "readinessProbe: {httpGet: {path: /}}")],
        &["missing-field spec.template.spec.readinessProbe.httpGet.port"],
    ),
    later(
        &[(Devices, "watchdog: {i6300esb: {}}")],
        &[(Devices, "watchdog: {diag288: {}}")],
        &[
            "watchdog-of-another-architecture spec.domain.devices.watchdog <- spec.template.spec.domain.devices.watchdog",
        ],
    ),
    later(
        &[(Vmi, "readinessProbe: {httpGet: {port: 80, httpHeaders: [{name: A, value: b}]}}")],
        &[(Vmi, "readinessProbe: {httpGet: {port: 80, httpHeaders: [{value: b}]}}")],
        &[
            "bad-header-name spec.containers[0].readinessProbe.httpGet.httpHeaders <- spec.template.spec.readinessProbe.httpGet.httpHeaders",
        ],
    ),
    // Ranges, sizes, items that must differ.
    row(
        &[(Domain, "cpu: {cores: 0}")],
        &[(Domain, "cpu: {cores: -1}")],
        &["out-of-range spec.template.spec.domain.cpu.cores"],
    ),
    row(
        &[(Domain, "cpu: {threads: 4294967295}")],
        &[(Domain, "cpu: {threads: 4294967296}")],
        &["out-of-range spec.template.spec.domain.cpu.threads"],
    ),
    row(
        &[(Devices, "disks: [{name: c, bootOrder: 1}]"), (Vmi, "volumes: [{name: c, emptyDisk: {capacity: 1Gi}}]")],
        &[(Devices, "disks: [{name: c, bootOrder: -1}]"), (Vmi, "volumes: [{name: c, emptyDisk: {capacity: 1Gi}}]")],
        &["out-of-range spec.template.spec.domain.devices.disks[0].bootOrder"],
    ),
    row(
        &[(Vmi, "terminationGracePeriodSeconds: 9007199254740991")],
        &[(Vmi, "terminationGracePeriodSeconds: 9007199254740992")],
        &["out-of-range spec.template.spec.terminationGracePeriodSeconds"],
    ),
    row(
        &[(Vmi, "resourceClaims: [{name: a, resourceClaimName: c}, {name: b, resourceClaimName: c}]")],
        &[(Vmi, "resourceClaims: [{name: a}, {name: b}, {name: a}]")],
        &["same-item-twice spec.template.spec.resourceClaims[2]"],
    ),
    row(
        &[
            (
                Vm,
                "dataVolumeTemplates: [{metadata: {name: d, creationTimestamp: }, spec: {contentType: kubevirt, storage: {}, source: {blank: {}}}}]",
            ),
            (Vmi, "volumes: [{name: d, dataVolume: {name: d}}]"),
        ],
        &[(Vm, "dataVolumeTemplates: [{metadata: {name: d, labels: }, spec: {contentType: raw}}]")],
        &[
            "wrong-type spec.dataVolumeTemplates[0].metadata.labels",
            "unknown-word spec.dataVolumeTemplates[0].spec.contentType",
        ],
    ),
    // The CRD keeps what it does not know of a clock.
    row(
        &[(Domain, "clock: {utc: {}, timer: {hpet: {present: false}}}")],
        &[(Domain, "clock: {utc: {}, rtc: , timer: {hpet: {absent: }}}")],
        &[
            "unknown-field spec.template.spec.domain.clock.timer.hpet.absent",
            "forbidden-field spec.template.spec.domain.clock.rtc",
        ],
    ),
    row(
        &[(Domain, "memory: {guest: \" 1Gi \"}")],
        &[(Domain, "memory: {guest: 1 Gi}")],
        &["wrong-type spec.template.spec.domain.memory.guest"],
    ),
    row(
        &[
            (Vmi, "volumes: [{name: d, containerPath: {path: /tmp/x, readOnly: true}}]"),
            (Devices, "filesystems: [{name: d, virtiofs: {}}]"),
        ],
        &[
            (Vmi, "volumes: [{name: d, containerPath: {path: tmp/../x, readOnly: false}}]"),
            (Devices, "filesystems: [{name: d, virtiofs: {}}]"),
        ],
        &[
            "bad-container-path spec.template.spec.volumes[0].containerPath.path",
            "bad-container-path spec.template.spec.volumes[0].containerPath.path",
            "bad-container-path spec.template.spec.volumes[0].containerPath.readOnly",
        ],
    )
    .on(&["ContainerPathVolumes"]),
    // `tRUE` is a text to kubectl's YAML.
    row(&[(Vm, "running: True")], &[(Vm, "running: tRUE")], &["wrong-type spec.running"]),
    row(
        &[(Vm, "running: yes")],
        &[(Vm, "running: true\nrunStrategy: always")],
        &["running-and-run-strategy spec.running", "bad-run-strategy spec.runStrategy"],
    ),
    // The last one of a name counts; nobody but us refuses that.
    later(
        &[(Vm, "runStrategy: Halted")],
        &[(Vm, "runStrategy: nonsense\nrunStrategy: Halted")],
        &["duplicate-key spec.runStrategy"],
    ),
    // A star of a machine type stands for no slash; what KubeVirt does not know has amd64's types.
    row(
        &[(Domain, "machine: {type: q35.x}")],
        &[(Domain, "machine: {type: q35/x}")],
        &[
            "machine-type-not-supported spec.template.spec.domain.machine.type",
            "bad-node-label spec.nodeSelector <- spec.template.spec.domain.machine.type",
        ],
    ),
    row(
        &[(Domain, "machine: {type: q35}")],
        &[(Vmi, "architecture: ppc64le"), (Domain, "machine: {type: pseries}")],
        &[
            "machine-type-not-supported spec.template.spec.domain.machine.type",
            "unknown-architecture spec.architecture <- spec.template.spec.architecture",
        ],
    ),
    row(
        &[(Domain, "firmware: {bootloader: {efi: {}}}\nlaunchSecurity: {tdx: {}}")],
        &[(Vmi, "architecture: arm64"), (Domain, "firmware: {bootloader: {efi: {}}}")],
        &["secure-boot-without-smm spec.template.spec.domain <- spec.template.spec.domain.firmware.bootloader.efi"],
    )
    .on(&["WorkloadEncryptionTDX"]),
    // An empty CD-ROM waits for a volume.
    row(
        &[(Devices, "disks: [{name: c, cdrom: {}}]")],
        &[(Devices, "disks: [{name: c, lun: {}}]")],
        &["disk-without-volume spec.template.spec.domain.devices.disks[0].name"],
    ),
    later(
        &[(Domain, "resources: {requests: {memory: \"0\"}, limits: {memory: 1Mi}}"), (Domain, "none:")],
        &[(Domain, "resources: {requests: {memory: \"0\"}, limits: {memory: 0.0Gi}}"), (Domain, "none:")],
        &[
            "no-memory  <- spec.template.spec.domain",
            "limit-of-nothing spec.containers[0].resources.requests <- spec.template.spec.domain.resources.limits.memory",
        ],
    ),
    later(
        &[(Vmi, "volumes: [{name: c, containerDisk: {image: i}}]")],
        &[(Vmi, "volumes: [{name: c, containerDisk: {path: /disk/a}}]")],
        &["container-disk-without-image spec.volumes <- spec.template.spec.volumes[0].containerDisk.image"],
    ),
    // One second more does not fit 32 bits.
    later(
        &[(
            Vmi,
            "livenessProbe: {exec: {command: [virt-probe, --domainName, a_vm, --guestAgentPing]}, timeoutSeconds: 2147483647}",
        )],
        &[(Vmi, "livenessProbe: {exec: {command: [virt-probe-x]}, timeoutSeconds: 2147483647}")],
        &[
            "timeout-overflows spec.containers[0].livenessProbe.timeoutSeconds <- spec.template.spec.livenessProbe.timeoutSeconds",
        ],
    ),
    later(
        &[(Vmi, "readinessProbe: {guestAgentPing: {}, timeoutSeconds: 2147483646}")],
        &[(Vmi, "readinessProbe: {guestAgentPing: {}, timeoutSeconds: 2147483647}")],
        &[
            "timeout-overflows spec.containers[0].readinessProbe.timeoutSeconds <- spec.template.spec.readinessProbe.timeoutSeconds",
        ],
    ),
];

#[test]
fn what_the_schemas_take() {
    hold(ROWS);
}

/// The codes that a row of this file finds.
pub(crate) fn codes() -> impl Iterator<Item = &'static str> {
    let metadata = METADATA.iter().flat_map(|row| row.1).filter_map(|found| found.split(' ').next());
    found(ROWS).chain(metadata).chain(["too-much", "unreadable-metadata"])
}

/// `spec.template.metadata`, what is found in it, and whether the VM object is stored.
const METADATA: &[(&str, &[&str], bool)] = &[
    ("{}", &[], true),
    ("{creationTimestamp: , labels: {a: b, c: \"\"}, annotations: {Example.com/x: \"\"}}", &[], true),
    ("", &["wrong-type spec.template.metadata"], false),
    ("{labels: }", &["wrong-type spec.template.metadata.labels"], false),
    ("{annotations: {a: }}", &["wrong-type spec.template.metadata.annotations.a"], false),
    ("{labels: {a: 1}}", &["wrong-type spec.template.metadata.labels.a"], false),
    ("{livenessProbe: {tcpSocket: {port: 1}}}", &["forbidden-field spec.template.metadata.livenessProbe"], false),
    ("{label: }", &["forbidden-field spec.template.metadata.label"], false),
    ("[{name: a}]", &["wrong-type spec.template.metadata"], false),
    ("{labels: {a b: c}}", &["bad-template-metadata metadata.labels <- spec.template.metadata.labels"], true),
    ("{labels: {Example.com/a: c}}", &["bad-template-metadata metadata.labels <- spec.template.metadata.labels"], true),
    ("{labels: {a: -b}}", &["bad-template-metadata metadata.labels <- spec.template.metadata.labels.a"], true),
    (
        "{annotations: {a/b/c: d}}",
        &["bad-template-metadata metadata.annotations <- spec.template.metadata.annotations"],
        true,
    ),
    ("{labels: {kubevirt.io/nodeName: node}}", &["reserved-label spec.template.metadata.labels"], false),
    ("{labels: {kubevirt.io/size: small}}", &[], true),
    (
        "{annotations: {hooks.kubevirt.io/hookSidecars: \"[]\", kubevirt.io/ignitiondata: \"\"}}",
        &["annotation-without-its-gate spec.template.metadata.annotations"],
        false,
    ),
];

#[test]
fn metadata_of_the_template() {
    for (metadata, finds, created) in METADATA {
        let text = manifest(&[]).replace("  template:\n", &format!("  template:\n    metadata: {metadata}\n"));
        let checked = one(&text);
        assert_eq!(
            (errors(&checked), checked.created),
            (finds.iter().map(ToString::to_string).collect(), *created),
            "{text}"
        );
    }
}

/// An object whose own metadata cannot be read is not looked at any further.
const OWN_METADATA: &[(&str, &[&str])] = &[
    ("labels: {a: \"1\"}, creationTimestamp: 2026-01-31T12:00:00Z", &[]),
    ("labels: {a: 1}", &["unreadable-metadata metadata.labels.a"]),
    ("annotations: [a]", &["unreadable-metadata metadata.annotations"]),
    ("creationTimestamp: 2026-01-31T12:00:00.25+01:00", &[]),
    ("creationTimestamp: 2026-01-31", &["unreadable-metadata metadata.creationTimestamp"]),
    ("creationTimestamp: 2026-13-31T12:00:00Z", &["unreadable-metadata metadata.creationTimestamp"]),
    ("creationTimestamp: 2026-01-31T12:00:00.Z", &["unreadable-metadata metadata.creationTimestamp"]),
    ("creationTimestamp: 2026-01-31T12:00:00X", &["unreadable-metadata metadata.creationTimestamp"]),
    ("creationTimestamp: 2026-01-31T12:00:00+01:000", &["unreadable-metadata metadata.creationTimestamp"]),
];

#[test]
fn metadata_of_its_own() {
    for (metadata, finds) in OWN_METADATA {
        let text = manifest(&[]).replace("metadata: {name: vm}", &format!("metadata: {{name: vm, {metadata}}}"));
        assert_eq!(errors(&one(&text)), *finds, "{text}");
    }
}

/// A VM's webhook writes the zero value of what the schema requires; a replica set's writes nothing.
#[test]
fn what_no_webhook_fills_in() {
    let vm = manifest(&[(Devices, "watchdog: {i6300esb: {}}")]);
    assert_eq!(errors(&one(&vm)), Vec::<String>::new(), "{vm}");
    let replica_set = "apiVersion: kubevirt.io/v1\nkind: VirtualMachineInstanceReplicaSet\nmetadata: {name: r}\nspec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {domain: {memory: {guest: 1Gi}, devices: {watchdog: {i6300esb: {}}}}}}}\n";
    let found = errors(&one(replica_set));
    assert_eq!(found, ["missing-field spec.template.spec.domain.devices.watchdog.name"], "{replica_set}");
}

/// A bare VMI's own metadata is what its webhook looks at, and secure boot is off on arm64 unless it is said to be on.
#[test]
fn bare_vmis() {
    let vmi = |metadata: &str, spec: &str| {
        format!(
            "apiVersion: kubevirt.io/v1\nkind: VirtualMachineInstance\nmetadata: {{name: vmi{metadata}}}\nspec: {{architecture: arm64, domain: {{devices: {{}}, memory: {{guest: 1Gi}}{spec}}}}}\n"
        )
    };
    for (metadata, spec, finds) in [
        ("", "", None),
        (", labels: {kubevirt.io/nodeName: node}", "", Some("reserved-label metadata.labels")),
        ("", ", firmware: {bootloader: {efi: {}}}", None),
        (
            "",
            ", firmware: {bootloader: {efi: {secureBoot: true}}}",
            Some("secure-boot-without-smm spec.domain <- spec.domain.firmware.bootloader.efi"),
        ),
    ] {
        let text = vmi(metadata, spec);
        assert_eq!(errors(&one(&text)), finds.into_iter().collect::<Vec<_>>(), "{text}");
    }
}

/// A manifest that somebody has from `kubectl get -o yaml` goes through; what no status has does not.
#[test]
fn a_status_is_looked_at() {
    for (status, finds) in [
        ("", None),
        ("{}", None),
        ("{created: true, printableStatus: Running, conditions: [{type: Ready, lastProbeTime: }]}", None),
        ("{ready: 1}", Some("wrong-type status.ready")),
        ("running", Some("wrong-type status")),
        ("{phase: Running}", Some("unknown-field status.phase")),
    ] {
        let text = format!("{}status: {status}\n", manifest(&[]));
        assert_eq!(errors(&one(&text)), finds.into_iter().collect::<Vec<_>>(), "{text}");
    }
}

/// The webhook's floats do not tell all whole numbers apart, but a quantity is a text to it.
#[test]
fn whole_numbers_beyond_a_float() {
    let beyond = (1_u64 << 53) + 1;
    for (parts, finds) in [
        ([(crate::manifest::In::Domain, format!("memory: {{guest: {beyond}}}"))], None),
        (
            [(Vmi, format!("terminationGracePeriodSeconds: {beyond}"))],
            Some("out-of-range spec.template.spec.terminationGracePeriodSeconds"),
        ),
    ] {
        let [(place, line)] = &parts;
        let text = manifest(&[(*place, line)]);
        assert_eq!(errors(&one(&text)), finds.into_iter().collect::<Vec<_>>(), "{text}");
    }
}

/// What is not there is found where its key stands.
#[test]
fn a_null_is_at_its_key() {
    let text = manifest(&[(Vmi, "startupProbe:\nreadinessProbe: {guestAgentPing: {}}")]);
    let found = &one(&text).findings[0];
    assert_eq!(&text[found.span.range()], "startupProbe");
    let line = text.lines().nth(usize::try_from(found.pos.line).unwrap() - 1).unwrap();
    assert_eq!(line.find("startupProbe"), Some(usize::try_from(found.pos.column).unwrap() - 1));
}

#[test]
fn lists_have_an_end() {
    for (count, fine) in [(256, true), (257, false)] {
        let volumes: Vec<String> =
            (0..count).map(|i| format!("{{name: v{i}, emptyDisk: {{capacity: 1Gi}}}}")).collect();
        let text = manifest(&[]).replace("      volumes: [", &format!("      volumes: [{}, ", volumes[1..].join(", ")));
        let found = errors(&one(&text));
        let expected: &[&str] = if fine { &[] } else { &["too-much spec.template.spec.volumes"] };
        assert_eq!(found, expected, "{count}");
    }
}

/// Where a key comes twice, what stands in the manifest is what the last one says, also of what is not about a VM.
#[test]
fn keys_that_come_twice() {
    let text =
        manifest(&[(Vmi, "livenessProbe: {exec: {}}\nlivenessProbe: {guestAgentPing: {}, initialDelaySeconds: 100}")]);
    let checked = one(&text);
    let found: Vec<(u64, &str)> = checked.findings.iter().map(|f| (f.pos.line, f.message.as_str())).collect();
    let line = text.lines().position(|l| l.contains("exec")).unwrap() as u64 + 1;
    assert_eq!(checked.verdict, Verdict::AcceptedButBroken);
    assert!(found.iter().any(|(l, m)| *l == line && m.contains("kubectl takes the last one silently")), "{found:?}");
    assert!(checked.vm.unwrap().vmi.liveness.is_some());
    // The place is the key's, also where it has a word behind it.
    let text = manifest(&[(Vmi, "schedulerName: a\nschedulerName: b")]);
    let found = one(&text).findings.into_iter().find(|f| f.rule.code == "duplicate-key");
    assert_eq!(found.map(|f| (f.pos.column, text[f.span.range()].to_owned())), Some((7, "schedulerName".to_owned())));
}

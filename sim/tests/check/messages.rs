//! What `check` advises for slips that people make.

use crate::manifest::In::{self, Devices, Domain, Vm, Vmi};
use crate::manifest::{NET, NIC, Parts, manifest, one};
use vmhealth_sim::check::Rank;

const DISK: (In, &str) = (Devices, "disks: [{name: c, disk: {}}]");

/// A manifest with one error, its code, and the advice.
const ROWS: &[(Parts, &str, &str)] = &[
    (
        &[DISK, (Vmi, "volumes: [{name: c, cloudInitNoCloud: {userData: x, userDataSecretRef: {name: s}}}]")],
        "unknown-field",
        "write secretRef",
    ),
    (
        &[(Vmi, "startupProbe: {guestAgentPing: {}}")],
        "unknown-field",
        "KubeVirt has no startupProbe: give the livenessProbe an initialDelaySeconds",
    ),
    (&[(Vmi, "runStrategy: Always")], "unknown-field", "runStrategy belongs to spec"),
    (&[(Vmi, "livenessProbe: {guestAgentPing: {}, periodSeconds: \"60\"}")], "wrong-type", "write 60, without quotes"),
    (&[(Vmi, "terminationGracePeriodSeconds: \"0\"")], "wrong-type", "write 0, without quotes"),
    (&[(Vmi, "terminationGracePeriodSeconds: soon")], "wrong-type", "write a whole number"),
    (
        &[(Vmi, "livenessProbe: {guestAgentPing: {}, periodSeconds: \"2147483648\"}")],
        "wrong-type",
        "write a whole number of 32 bits",
    ),
    (&[(Devices, "autoattachMemBalloon: \"false\"")], "wrong-type", "write false, without quotes"),
    (&[(Vm, "readinessProbe: {guestAgentPing: {}}")], "unknown-field", "readinessProbe belongs to spec.template.spec"),
    (&[(Vmi, "watchdog: {name: w}")], "unknown-field", "watchdog belongs to spec.template.spec.domain.devices"),
    (
        &[(Vmi, "livenessProbe: {guestAgentPing: {}}\nperiodSeconds: 5")],
        "unknown-field",
        "indent it: periodSeconds stands below readinessProbe or livenessProbe",
    ),
    (&[(Domain, "rebootpolicy: Reboot")], "unknown-field", "the name is rebootPolicy: case counts"),
    (
        &[(Vm, "runStrategy: off")],
        "wrong-type",
        "write Halted: without quotes false, no, n and off are the boolean false",
    ),
    (&[(Vm, "runStrategy: On")], "wrong-type", "write Always: without quotes true, yes, y and on are the boolean true"),
    (&[(Vm, "runStrategy: \"off\"")], "bad-run-strategy", "write Halted"),
    (&[(Vm, "runStrategy: Running")], "bad-run-strategy", "write Always"),
    (
        &[(Vmi, "hostname: no")],
        "wrong-type",
        "put it in quotes: without them false, no, n and off are the boolean false",
    ),
    (
        &[(Devices, "disks: [{disk: {}}]"), (Vmi, "volumes: [{containerDisk: {image: i}}]")],
        "bad-disk-name",
        "add a name like root-disk, the same in disks and in volumes",
    ),
    (
        &[DISK, (Vmi, "volumes: [{name: c, cloudInitNoCloud: {userData: x, secretRef: {name: s}}}]")],
        "bad-cloud-init",
        "keep one of them: what userData says goes into the Secret that secretRef names, or it is all here",
    ),
    (
        &[(Vmi, "8080: x")],
        "unknown-field",
        "8080 is a number, and fields have names: remove it, or write an item of a list with a dash, `- 8080`",
    ),
    (&[(Domain, "rebotPolicy: Reboot")], "unknown-field", "did you mean rebootPolicy?"),
];

#[test]
fn advice() {
    let mut wrong = Vec::new();
    for (parts, code, help) in ROWS {
        let text = manifest(parts);
        let checked = one(&text);
        let errors = checked.findings.iter().filter(|f| f.rule.rank == Rank::Error);
        let found: Vec<(&str, &str)> = errors.map(|f| (f.rule.code, f.help.as_str())).collect();
        if found != [(*code, *help)] {
            wrong.push(format!("{help:?}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A manifest, the code of what is found in it, a part of what is said of it, and a part of the advice.
const SAID: &[(Parts, &str, &str, &str)] = &[
    (
        &[(Domain, "memory: {guest: -1Gi}")],
        "no-size-for-the-guest",
        "Memory size must be greater than or equal to 0",
        "",
    ),
    (&[(Domain, "memory: {guest: \"0\"}")], "no-size-for-the-guest", "a domain needs memory, and the guest has 0", ""),
    (
        &[(Domain, "memory: {guest: 1Mi, hugepages: {pageSize: 2Mi}}")],
        "huge-pages-do-not-fit",
        "equal to or larger than the page size",
        "",
    ),
    (
        &[(Domain, "memory: {guest: 3Mi, hugepages: {pageSize: 2Mi}}")],
        "huge-pages-do-not-fit",
        "is not a multiple of the page size",
        "",
    ),
    (
        &[(Vm, "instancetype: {name: i, kind: I}"), (Domain, "none:")],
        "unknown-instancetype-kind",
        "got unexpected kind in InstancetypeMatcher: I",
        "write VirtualMachineClusterInstancetype or VirtualMachineInstancetype",
    ),
    (
        &[(Vm, "preference: {name: p, kind: P}")],
        "unknown-instancetype-kind",
        "got unexpected kind in PreferenceMatcher: P",
        "write VirtualMachineClusterPreference or VirtualMachinePreference",
    ),
    // What KubeVirt says of a DataVolume from which it infers nothing (pkg/instancetype/infer/volume.go).
    (
        &[(Vm, FROM_SNAPSHOT_REF), (Vmi, DATA_VOLUME), DISK],
        "bad-instancetype-matcher",
        "unable to infer defaults from DataVolumeSourceRef as Kind VolumeSnapshot is not supported",
        "",
    ),
    (
        &[(Vm, FROM_REGISTRY), (Vmi, DATA_VOLUME), DISK],
        "bad-instancetype-matcher",
        "unable to infer defaults from DataVolumeSpec as DataVolumeSource is not supported",
        "",
    ),
    (
        &[NET, (Devices, "interfaces: [{name: default, passt: {}}]")],
        "discontinued-binding",
        "Passt network binding has been discontinued",
        "write `passtBinding: {}`",
    ),
    (
        &[NET, (Devices, "interfaces: [{name: default, slirp: {}}]")],
        "discontinued-binding",
        "Slirp interface support has been discontinued",
        "write `masquerade: {}` or `bridge: {}`",
    ),
    // What an interface lacks depends on its network, and a bare key is the slip.
    (
        &[NET, (Devices, "interfaces: [{name: default, masquerade: {}, bridge: {}}]")],
        "not-one-binding",
        "",
        "keep one of them",
    ),
    (&[NET, (Devices, "interfaces: [{name: default}]")], "not-one-binding", "", "add `masquerade: {}`"),
    (&[NET, (Devices, "interfaces: [{name: default, model: }]")], "not-one-binding", "", "add `masquerade: {}`"),
    (
        &[NET, (Devices, "interfaces: [{name: default, masquerade: }]")],
        "not-one-binding",
        "",
        "write `masquerade: {}`: a bare `masquerade:` is null",
    ),
    (
        &[(Vmi, "networks: [{name: default, multus: {networkName: nad}}]"), (Devices, "interfaces: [{name: default}]")],
        "not-one-binding",
        "",
        "add `bridge: {}`",
    ),
    // What has another type.
    (
        &[(Vmi, "livenessProbe: {guestAgentPing: {}, periodSeconds: true}")],
        "wrong-type",
        "",
        "write a whole number of 32 bits",
    ),
    (&[(Vmi, "hostname: 5")], "wrong-type", "", "put it in quotes"),
    (&[(Devices, "autoattachMemBalloon: 1")], "wrong-type", "", "write true or false"),
    (&[(Vmi, "subdomain: [a]")], "wrong-type", "", "write a text"),
    // An argument that JSON does not take: a path of Windows has another way to be written.
    (
        &[(Vmi, "readinessProbe: {exec: {command: ['C:\\Windows']}}")],
        "unescaped-exec-argument",
        "breaks the JSON",
        "write forward slashes",
    ),
    (
        &[(Vmi, "readinessProbe: {exec: {command: [dir, '\\\\Server\\Share']}}")],
        "unescaped-exec-argument",
        "breaks the JSON",
        "write forward slashes",
    ),
    (
        &[(Vmi, "readinessProbe: {exec: {command: [grep, 'ab\\Sc']}}")],
        "unescaped-exec-argument",
        "breaks the JSON",
        "put it into a script in the guest",
    ),
    (
        &[(Vmi, "readinessProbe: {exec: {command: [grep, 'a:\"']}}")],
        "unescaped-exec-argument",
        "breaks the JSON",
        "put it into a script in the guest",
    ),
    (
        &[(Vmi, "readinessProbe: {exec: {command: [grep, 'a\\S:']}}")],
        "unescaped-exec-argument",
        "breaks the JSON",
        "put it into a script in the guest",
    ),
    // The path of a file in an image.
    (
        &[(Vmi, "volumes: [{name: c, containerDisk: {image: i, path: /}}]"), DISK],
        "bad-container-disk-path",
        "it must not point to the root",
        "",
    ),
    (
        &[(Vmi, "volumes: [{name: c, containerDisk: {image: i, path: //}}]"), DISK],
        "bad-container-disk-path",
        "it must be an absolute path",
        "",
    ),
    // What is not there.
    (
        &[(Vmi, "networks: [{name: default}]"), NIC],
        "not-one-network-source",
        "should have a network type",
        "add `pod: {}`",
    ),
    (
        &[NET, (Devices, "interfaces: [{name: default, masquerade: {}, ports: [{name: a}]}]")],
        "bad-interface-port",
        "Port field is mandatory.",
        "add port",
    ),
    (
        &[(Vm, "dataVolumeTemplates: [{metadata: {name: dv}, spec: {source: {blank: {}}}}]"), (Vmi, DATA_VOLUME), DISK],
        "bad-data-volume-template",
        "neither pvc nor storage is given",
        "add storage",
    ),
    (
        &[(Vm, "dataVolumeTemplates: [{metadata: , spec: {storage: {}, source: {blank: {}}}}]")],
        "wrong-type",
        "found nothing",
        "remove it, or write",
    ),
    (
        &[(Vmi, "volumes: [{name: c, downwardAPI: {fields: [{path: a, fieldRef: {fieldPath: \"\"}}]}}]"), DISK],
        "bad-downward-api",
        "the fieldPath is required",
        "",
    ),
    (
        &[
            (
                Vmi,
                "volumes: [{name: c, downwardAPI: {fields: [{path: a, fieldRef: {fieldPath: \"metadata.labels['a b']\"}}]}}]",
            ),
            DISK,
        ],
        "bad-downward-api",
        "\"a b\" is not a key",
        "",
    ),
    // A gate that is off.
    (
        &[(Vmi, "volumes: [{name: c, hostDisk: {path: /a, type: Disk}}]"), DISK],
        "feature-gate-is-off",
        "this needs the feature gate HostDisk, which is off",
        "switch HostDisk on in the KubeVirt object (and say --with-gate HostDisk)",
    ),
];
const DATA_VOLUME: &str = "volumes: [{name: c, dataVolume: {name: dv}}]";
const FROM_SNAPSHOT_REF: &str = "preference: {inferFromVolume: c}\ndataVolumeTemplates: [{metadata: {name: dv}, spec: {storage: {}, sourceRef: {kind: VolumeSnapshot, name: s}}}]";
const FROM_REGISTRY: &str = "preference: {inferFromVolume: c}\ndataVolumeTemplates: [{metadata: {name: dv}, spec: {storage: {}, source: {registry: {url: docker://i}}}}]";

#[test]
fn what_is_said_and_advised() {
    let mut wrong = Vec::new();
    for (parts, code, message, help) in SAID {
        let checked = one(&manifest(parts));
        let mut found = checked.findings.iter().filter(|f| f.rule.code == *code);
        if !found.any(|f| f.message.contains(message) && f.help.contains(help)) {
            let all: Vec<_> = checked.findings.iter().map(|f| (f.rule.code, &f.message, &f.help)).collect();
            wrong.push(format!("{code} {message:?} {help:?}: {all:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Only what the API server does not know can it leave out, and what is not simulated matters where somebody would run it.
#[test]
fn what_is_said_beside_an_error() {
    for (parts, edit, code, is_lost) in [
        (&[(Domain, "rebotPolicy: Reboot")][..], ("{name: vm}", "{name: vm}"), "unknown-field", true),
        (&[], ("kubevirt.io/v1", "kubevirt.io/v2"), "unknown-api-version", false),
        (&[], ("{name: vm}", "{name: vm, labels: {a: 1}}"), "unreadable-metadata", false),
    ] {
        let checked = one(&manifest(parts).replace(edit.0, edit.1));
        let finding = checked.findings.iter().find(|f| f.rule.code == code).unwrap_or_else(|| panic!("{code}"));
        assert_eq!(finding.outcome(checked.kind, None).contains("loses the field silently"), is_lost, "{code}");
    }
    let unsimulated = "watchdog: {name: w, i6300esb: {action: dump}}";
    for (parts, is_said) in [
        (&[(Devices, unsimulated)][..], true),
        // Beside a warning, and beside what only kubectl minds.
        (&[(Devices, unsimulated), (Vm, "running: true")], true),
        (&[(Devices, unsimulated), (Vmi, "live: 1")], false),
        (&[(Devices, unsimulated), (Domain, "resources: {requests: {cpu: -1}}")], false),
    ] {
        let checked = one(&manifest(parts));
        assert_eq!(checked.findings.iter().any(|f| f.rule.code == "not-simulated"), is_said);
    }
    // Of what is refused nobody asks how it would run.
    let text = manifest(&[(Vmi, "livenessProbe: {tcpSocket: {port: 80}}")]);
    for (text, is_said) in [(text.clone(), true), (text.replace("{name: vm}", "{name: Vm}"), false)] {
        let found = one(&text).findings.iter().any(|f| f.rule.code == "tcp-probe-outlives-a-hang");
        assert_eq!(found, is_said, "{text}");
    }
}

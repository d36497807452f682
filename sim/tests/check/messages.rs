//! What `check` advises for slips that people make.

use crate::manifest::In::{self, Devices, Domain, Vm, Vmi};
use crate::manifest::{Parts, manifest, one};
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
        (&[(Devices, unsimulated), (Domain, "resources: {requests: {cpu: -1}}")], false),
    ] {
        let checked = one(&manifest(parts));
        assert_eq!(checked.findings.iter().any(|f| f.rule.code == "not-simulated"), is_said);
    }
}

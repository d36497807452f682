//! Instance types and preferences that stand beside VMs: what the API server and KubeVirt refuse of them.

use crate::manifest::In::{Domain, Vm};
use crate::manifest::{errors, manifest};
use vmhealth_sim::check::{Options, Verdict, check};

const GOOD: &str = "cpu: {guest: 1}, memory: {guest: 1Gi}";

fn object(kind: &str, spec: &str) -> String {
    format!("apiVersion: instancetype.kubevirt.io/v1beta1\nkind: {kind}\nmetadata: {{name: small}}\nspec: {{{spec}}}\n")
}

/// What is found in the object, beside a VM that names another one.
fn found(text: &str) -> Vec<String> {
    found_in("v1.9.0", text)
}

fn found_in(release: &str, text: &str) -> Vec<String> {
    let options = Options { kubevirt: release.parse().expect(release), ..Options::default() };
    let text = format!("{}---\n{text}", manifest(&[]));
    let checks = check(&text, &options).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(checks.manifests[0].verdict, Verdict::Accepted, "the VM is as it was");
    assert_eq!(checks.manifests.len() + checks.skipped.len(), 2, "{text}");
    checks.manifests[1..].iter().flat_map(errors).collect()
}

#[test]
fn instance_types() {
    for kind in ["VirtualMachineInstancetype", "VirtualMachineClusterInstancetype"] {
        for (spec, expected) in [
            (GOOD, &[][..]),
            ("cpu: {guest: 0, maxSockets: 4}, memory: {guest: 1Gi, overcommitPercent: 100}", &[]),
            ("memory: {guest: 1Gi}", &["missing-field spec.cpu"]),
            ("cpu: {}, memory: {}", &["missing-field spec.cpu.guest", "missing-field spec.memory.guest"]),
            ("cpu: {guest: 1}", &["missing-field spec.memory"]),
            ("cpu: {guest: \"1\"}, memory: {guest: 1Gi}", &["wrong-type spec.cpu.guest"]),
            ("cpu: {guest: -1}, memory: {guest: 1Gi}", &["out-of-range spec.cpu.guest"]),
            ("cpu: {guest: 1, cores: 2}, memory: {guest: 1Gi}", &["unknown-field spec.cpu.cores"]),
            ("cpu: {guest: 1}, memory: {guest: 1 Gi}", &["wrong-type spec.memory.guest"]),
            (
                "cpu: {guest: 1}, memory: {guest: 1Gi, overcommitPercent: 101}",
                &["out-of-range spec.memory.overcommitPercent"],
            ),
            (
                "cpu: {guest: 1}, memory: {guest: 1Gi, overcommitPercent: 10, hugepages: {pageSize: 2Mi}}",
                &["bad-instancetype spec.memory.overcommitPercent"],
            ),
            ("cpu: {guest: 1}, memory: {guest: -1Gi}", &["instancetype-brings-nothing spec.memory.guest"]),
            ("cpu: {guest: 1}, memory: {guest: 0}", &["instancetype-brings-nothing spec.memory.guest"]),
            ("cpu: {guest: 1}, memory: {guest: 1Gi}, gpus: [{deviceName: a}]", &["missing-field spec.gpus[0].name"]),
        ] {
            assert_eq!(found(&object(kind, spec)), expected, "{spec}");
        }
    }
    let without = object("VirtualMachineInstancetype", GOOD).replace("{name: small}", "{}");
    assert_eq!(found(&without), ["missing-field metadata.name"]);
    let older = object("VirtualMachineInstancetype", GOOD).replace("v1beta1", "v1");
    assert_eq!(found(&older), ["unknown-api-version apiVersion"]);
    let slip = object("VirtualMachineInstanceType", GOOD);
    assert_eq!(found(&slip), ["unknown-kind kind"]);
}

/// A good one is accepted, whether a VM names it or not; one of which nobody has looked at the fields is passed over.
#[test]
fn good_by_themselves() {
    let options = Options { kubevirt: "v1.5.0".parse().expect("a release"), ..Options::default() };
    let good = object("VirtualMachineInstancetype", GOOD);
    let preference = object("VirtualMachineClusterPreference", "preferredTerminationGracePeriodSeconds: 5");
    let former = good.replace("v1beta1", "v1alpha1");
    let named = manifest(&[(Vm, "instancetype: {name: small, kind: VirtualMachineInstancetype}"), (Domain, "none:")]);
    const FORMER: &str = "VirtualMachineInstancetype of instancetype.kubevirt.io/v1alpha1";
    for (text, manifests, skipped) in [
        (good.clone(), 1, &[][..]),
        (preference.clone(), 1, &[]),
        (format!("{good}---\n{preference}"), 2, &[]),
        (format!("{good}---\n{named}"), 2, &[]),
        (former.clone(), 0, &[FORMER]),
        (format!("{former}---\n{named}"), 1, &[FORMER]),
    ] {
        let checks = check(&text, &options).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let verdicts: Vec<Verdict> = checks.manifests.iter().map(|checked| checked.verdict).collect();
        assert_eq!(verdicts, vec![Verdict::Accepted; manifests], "{text}");
        let kinds: Vec<&str> = checks.skipped.iter().map(|skipped| skipped.kind.as_str()).collect();
        assert_eq!(kinds, skipped, "{text}");
    }
    let open = good.replace("small", "\"${NAME}\"");
    let checks = check(&open, &options).unwrap_or_else(|e| panic!("{e}\n{open}"));
    assert_eq!((checks.manifests.len(), checks.skipped.len(), checks.unjudged.len()), (0, 0, 1), "{open}");
}

#[test]
fn versions_that_older_releases_serve() {
    for (release, version, is_served) in [
        ("v1.4.0", "v1alpha1", true),
        ("v1.4.0", "v1alpha3", false),
        ("v1.5.2", "v1alpha2", true),
        ("v1.5.2", "v1beta1", true),
        ("v1.6.0", "v1alpha1", false),
        ("v1.7.0", "v1alpha2", false),
    ] {
        // A field of the older versions that today's have not; these look no further.
        let more = if is_served && version != "v1beta1" { ", older: 1" } else { "" };
        for (kind, spec) in [
            ("VirtualMachineInstancetype", GOOD),
            ("VirtualMachineClusterInstancetype", GOOD),
            ("VirtualMachinePreference", "cpu: {}"),
            ("VirtualMachineClusterPreference", "cpu: {}"),
        ] {
            let text = object(kind, &format!("{spec}{more}")).replace("v1beta1", version);
            let expected = if is_served { &[][..] } else { &["unknown-api-version apiVersion"] };
            assert_eq!(found_in(release, &text), expected, "{release} {text}");
        }
    }
}

#[test]
fn preferences() {
    for kind in ["VirtualMachinePreference", "VirtualMachineClusterPreference"] {
        for (spec, expected) in [
            ("", &[][..]),
            ("cpu: {preferredCPUTopology: preferSpread}, preferSpreadSocketToCoreRatio: 4", &[]),
            ("cpu: {preferredCPUTopology: spread, spreadOptions: {across: CoresThreads}}", &[]),
            ("cpu: {preferredCPUTopology: core}", &["bad-preference spec.cpu.preferredCPUTopology"]),
            ("cpu: {preferredCPUTopology: Cores}", &["bad-preference spec.cpu.preferredCPUTopology"]),
            (
                "cpu: {preferredCPUTopology: spread, spreadOptions: {across: Cores}}",
                &["bad-preference spec.cpu.spreadOptions.across"],
            ),
            (
                "cpu: {preferredCPUTopology: spread, spreadOptions: {across: CoresThreads, ratio: 4}}",
                &["bad-preference spec.cpu.spreadOptions.ratio"],
            ),
            // The older name of the ratio, of which 0 is none.
            (
                "cpu: {preferredCPUTopology: spread, spreadOptions: {across: CoresThreads}}, preferSpreadSocketToCoreRatio: 0",
                &[],
            ),
            (
                "cpu: {preferredCPUTopology: spread, spreadOptions: {across: CoresThreads}}, preferSpreadSocketToCoreRatio: 4",
                &["bad-preference spec.cpu.spreadOptions.ratio"],
            ),
            // Without a spread nobody looks at its options.
            ("cpu: {spreadOptions: {across: Cores}}", &[]),
            ("devices: {preferredDiskbus: virtio}", &["unknown-field spec.devices.preferredDiskbus"]),
            (
                "devices: {preferredAutoattachMemBalloon: \"no\"}",
                &["wrong-type spec.devices.preferredAutoattachMemBalloon"],
            ),
            ("requirements: {memory: {}}", &["missing-field spec.requirements.memory.guest"]),
            ("preferredTerminationGracePeriodSeconds: 1m", &["wrong-type spec.preferredTerminationGracePeriodSeconds"]),
        ] {
            assert_eq!(found(&object(kind, spec)), expected, "{spec}");
        }
    }
}

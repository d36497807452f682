//! Manifests for the tables, and what is found in them.

use In::{Devices, Domain, Vm, Vmi};
use vmhealth_sim::check::{Checked, Options, Rank, check};

/// Where a row's lines go: the VM's spec, the VMI's spec, its domain, its devices.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum In {
    Vm,
    Vmi,
    Domain,
    Devices,
}

/// A manifest that everybody accepts, with these lines more. Its `runStrategy`, memory and disk give way to a row's own.
pub(crate) fn manifest(parts: &[(In, &str)]) -> String {
    let part = |wanted: In, indent: usize| -> String {
        let lines = parts.iter().filter(|(place, _)| *place == wanted).flat_map(|(_, text)| text.lines());
        lines.map(|line| format!("{:indent$}{line}\n", "")).collect()
    };
    let has = |place, word: &str| parts.iter().any(|(p, text)| *p == place && text.contains(word));
    let strategy =
        if has(Vm, "unStrategy") || has(Vm, "running") || has(Vm, "none:") { "" } else { "  runStrategy: Always\n" };
    let (volumes, disks) = match has(Vmi, "volumes") || has(Devices, "disks") {
        true => ("", ""),
        false => (
            "      volumes: [{name: seed, cloudInitNoCloud: {userData: \"packages: [qemu-guest-agent], watchdog-device = /dev/watchdog\"}}]\n",
            "          disks: [{name: seed, disk: {bus: virtio}}]\n",
        ),
    };
    let memory = if has(Domain, "memory") || has(Domain, "none:") { "" } else { "        memory: {guest: 1Gi}\n" };
    format!(
        "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {{name: vm}}\nspec:\n{strategy}{}  template:\n    spec:\n{volumes}{}      domain:\n{memory}{}        devices:\n          rng: {{}}\n{disks}{}",
        part(Vm, 2).replace("  none:\n", ""),
        part(Vmi, 6),
        part(Domain, 8).replace("        none:\n", ""),
        part(Devices, 10)
    )
}

/// The first of several.
pub(crate) fn first(text: &str) -> Checked {
    check(text, &Options::default()).unwrap_or_else(|e| panic!("{e}\n{text}")).manifests.remove(0)
}

pub(crate) fn one(text: &str) -> Checked {
    with(text, &Options::default())
}

pub(crate) fn with(text: &str, options: &Options) -> Checked {
    let mut checks = check(text, options).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(checks.manifests.len(), 1, "{text}");
    checks.manifests.remove(0)
}

/// The errors as `code field`, where the layer's field differs from the manifest's also that.
pub(crate) fn errors(checked: &Checked) -> Vec<String> {
    let errors = checked.findings.iter().filter(|f| f.rule.rank == Rank::Error);
    errors
        .map(|f| match f.field == f.vm_field {
            true => format!("{} {}", f.rule.code, f.field),
            false => format!("{} {} <- {}", f.rule.code, f.field, f.vm_field),
        })
        .collect()
}

pub(crate) type Parts = &'static [(In, &'static str)];

/// The pod network, and an interface for it.
pub(crate) const NET: (In, &str) = (In::Vmi, "networks: [{name: default, pod: {}}]");
pub(crate) const NIC: (In, &str) = (In::Devices, "interfaces: [{name: default, masquerade: {}}]");

//! Hyper-V enlightenments, of which some need others (kubevirt-health.md 2.9).

use crate::check::layer::{Layer, Rank};
use crate::check::predicates::is_off;
use crate::check::rule::{Check, Rule};

/// An enlightenment and the one that it needs. KubeVirt adds that itself, unless it is turned off.
const NEEDS: [(&str, &str); 5] =
    [("evmcs", "vapic"), ("ipi", "vpindex"), ("tlbflush", "vpindex"), ("synictimer", "synic"), ("synic", "vpindex")];

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "hyperv-needs-another",
        layer: Layer::VmiWebhook,
        rank: Rank::Error,
        story: "evmcs needs vapic; ipi, tlbflush and synic need vpindex; synictimer needs synic. KubeVirt switches on \
            what is missing but not what `enabled: false` turns off. Only the VMI is checked for this: the VM itself \
            is created.",
        source: "KubeVirt pkg/virt-api/webhooks/hyperv.go; pkg/defaults/hyperv.go",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let hyperv = "domain.features.hyperv";
            // `{}` is on.
            let is_there = |name: &str| context.at(&format!("{hyperv}.{name}")).is_some();
            let is_off = |name: &str| is_off(context.at(&format!("{hyperv}.{name}.enabled")));
            // synictimer brings synic.
            let is_on = |name: &str| match name {
                "synic" if is_there("synictimer") && !is_off("synictimer") => !is_off("synic"),
                _ => is_there(name) && !is_off(name),
            };
            for (name, needs) in NEEDS {
                if is_on(name) && is_off(needs) {
                    let place = context.place(&format!("{hyperv}.{needs}"));
                    let message = format!("{name} needs {needs}, which is turned off");
                    let help = format!("switch {needs} on, or {name} off");
                    report.add_as(format!("spec.{hyperv}.{hyperv}.{name}"), place, message, help);
                }
            }
        }),
    },
    &Rule {
        code: "hyperv-twice",
        layer: Layer::VmiWebhook,
        rank: Rank::Error,
        story: "hypervPassthrough takes all enlightenments that the node has; hyperv names them one by one. Only the \
            VMI is checked for having both.",
        source: "KubeVirt pkg/virt-api/webhooks/hyperv.go ValidateVirtualMachineInstanceHypervMode",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let (path, other) = ("domain.features.hyperv", "domain.features.hypervPassthrough");
            if context.at(path).is_some() && context.at(other).is_some() {
                let message = "hyperv and hypervPassthrough exclude each other";
                report.add_as(format!("spec.{path}"), context.place(other), message, "keep one of them");
            }
        }),
    },
];

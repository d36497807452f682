//! What an older release of KubeVirt does not have (kubevirt-health.md 1.6).

use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Rule};

/// A field of the VMI's spec about health: its path, and the minor release of v1 that it came with.
const FIELDS: [(&str, u16); 3] =
    [("domain.devices.panicDevices", 6), ("domain.devices.watchdog.diag288", 6), ("domain.rebootPolicy", 8)];
/// The same with the gate that it was behind, where no other rule asks for it.
const GATES: [(&str, &str); 1] = [("domain.devices.panicDevices", "PanicDevices")];

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "field-of-a-newer-release",
        layer: Layer::ClientDecode,
        rank: Rank::Error,
        story: "The cluster's KubeVirt is older than this field. kubectl asks for strict decoding, so it is refused; a \
            client that does not ask loses the field silently.",
        source: "sim/docs/kubevirt-health.md 1.6",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let version = context.options.kubevirt;
            for (path, minor) in FIELDS.into_iter().filter(|(_, minor)| version.is_before(*minor)) {
                if let Some(at) = context.at(path) {
                    let message =
                        format!("unknown field {:?} in KubeVirt {version}: it came with v1.{minor}", at.path());
                    report.add(at, message, "remove it, or upgrade KubeVirt");
                }
            }
        }),
    },
    &Rule {
        code: "gate-is-off-in-this-release",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "In this release the field is behind a feature gate that is off unless the cluster's administrator has \
            switched it on (`--with-gate`).",
        source: "sim/docs/kubevirt-health.md 1.6",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let version = context.options.kubevirt;
            for (path, gate) in GATES.into_iter().filter(|(_, gate)| context.is_off(gate)) {
                if let Some(at) = context.at(path) {
                    let message =
                        format!("needs the feature gate {gate}, which is off by default in KubeVirt {version}");
                    report.add(at, message, format!("switch {gate} on in the KubeVirt object, or remove this"));
                }
            }
        }),
    },
];

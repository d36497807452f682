//! Networks and interfaces, which come in pairs.

use crate::check::layer::{Layer, Rank};
use crate::check::predicates::has_counterpart;
use crate::check::rule::{Check, Rule};

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "network-without-interface",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "Every network needs an interface of the same name.",
        source: "sim/docs/kubevirt-health.md 2.2",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            has_counterpart(context, "networks", "domain.devices.interfaces", "interface", report);
        }),
    },
    &Rule {
        code: "interface-without-network",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "Every interface needs a network of the same name.",
        source: "sim/docs/kubevirt-health.md 2.2",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            has_counterpart(context, "domain.devices.interfaces", "networks", "network", report);
        }),
    },
];

//! Networks: one source each, one of them the pod's, and an interface for each (KubeVirt pkg/network/admitter/netsource.go,
//! netiface.go, dra.go).

use crate::check::context::CheckContext;
use crate::check::layer::{Layer, Rank};
use crate::check::predicates::{has_counterpart, repeated};
use crate::check::rule::{Check, Rule};
use crate::yaml::Cursor;

/// What a network can be.
const SOURCES: [&str; 3] = ["pod", "multus", "resourceClaim"];

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
    &Rule {
        code: "duplicate-network",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "An interface finds its network by name, so no two networks have the same.",
        source: "KubeVirt pkg/network/admitter/netiface.go validateNetworkNameUnique",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for (network, name) in repeated(context.items_at("networks")) {
                let message =
                    format!("Network with name {name:?} already exists, every network must have a unique name");
                report.add(network.place("name"), message, "give it another name, and its interface the same");
            }
        }),
    },
    &Rule {
        code: "not-one-network-source",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A network is the pod's (`pod: {}`), a NetworkAttachmentDefinition (`multus`) or a resource claim, and only \
            one of them. A bare `pod:` is null and counts as absent.",
        source: "KubeVirt pkg/network/admitter/netsource.go validateSingleNetworkSource",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for network in context.items_at("networks") {
                match SOURCES.iter().filter(|source| network.get(source).is_some()).count() {
                    0 => {
                        report.add(network, "should have a network type", "add `pod: {}`, or multus with a networkName")
                    }
                    1 => {}
                    _ => report.add(
                        network,
                        "should have only one network type",
                        "keep one of pod, multus, resourceClaim",
                    ),
                }
            }
        }),
    },
    &Rule {
        code: "multus-without-network-name",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "`multus` names a NetworkAttachmentDefinition, in the VM's namespace or as namespace/name.",
        source: "KubeVirt pkg/network/admitter/netsource.go validateMultusNetworkSource",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let nameless = |network: &Cursor<'_>| {
                let multus = network.get("multus");
                multus.is_some_and(|multus| multus.text_at("networkName").is_none_or(str::is_empty))
            };
            // KubeVirt tells of the first one only.
            if let Some(network) = context.items_at("networks").find(nameless) {
                let help = "add multus.networkName, the name of a NetworkAttachmentDefinition";
                report.add(network, "CNI delegating plugin must have a networkName", help);
            }
        }),
    },
    &Rule {
        code: "several-default-networks",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A pod has one default network: `pod: {}`, or the one multus network that says `default: true`.",
        source: "KubeVirt pkg/network/admitter/netsource.go validateSinglePodNetwork",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let (pods, defaults) = (default_networks(context, false), default_networks(context, true));
            if let Some(second) = pods.get(1) {
                let field = format!("{}.interfaces", context.spec_path());
                let message = format!("more than one interface is connected to a pod network in {field}");
                report.add_as(field, *second, message, "keep one network with `pod: {}`");
            }
            let field = format!("{}.networks", context.spec_path());
            if let Some(second) = defaults.get(1) {
                let message = "Multus CNI should only have one default network";
                report.add_as(&field, *second, message, "keep one `default: true`");
            }
            if let (Some(_), Some(multus)) = (pods.first(), defaults.first()) {
                let message = "Pod network cannot be defined when Multus default network is defined";
                report.add_as(&field, *multus, message, "remove `default: true`, or the network with `pod: {}`");
            }
        }),
    },
    &Rule {
        code: "network-claim-without-its-gate",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "Networks of a resourceClaim need the feature gate NetworkDevicesWithDRA, which is off unless the \
            cluster's administrator turns it on.",
        source: "KubeVirt pkg/network/admitter/dra.go validateNetworkDevicesWithDRA",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let claims = |n: &Cursor<'_>| n.get("resourceClaim").is_some() && context.is_off("NetworkDevicesWithDRA");
            if let Some(network) = context.items_at("networks").find(claims) {
                report.add_as(
                    format!("{}.networks", context.spec_path()),
                    network,
                    "vmi.spec.networks contains DRA networks but NetworkDevicesWithDRA feature gate is not enabled",
                    "use a multus network, or have the gate turned on",
                );
            }
        }),
    },
];

/// The networks that take the place of the pod's default one: those with `pod`, or those with multus that say so.
fn default_networks<'a>(context: &CheckContext<'a>, multus: bool) -> Vec<Cursor<'a>> {
    let is_default = |network: &Cursor<'a>| match multus {
        true => network.at("multus.default").and_then(Cursor::boolean) == Some(true),
        false => network.get("pod").is_some(),
    };
    context.items_at("networks").filter(is_default).collect()
}

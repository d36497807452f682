//! Where the pod may run, and as whom: affinity, spread, node selector, tolerations, priority, service account
//! (KubeVirt validate-k8s-utils.go, vmi-create-admitter.go; Kubernetes pkg/apis/core/validation).

use crate::check::layer::{Layer, Rank};
use crate::check::predicates::{is_dns_label, is_label, is_qualified, is_subdomain};
use crate::check::rule::{Check, Report, Rule};
use crate::check::selectors::{Naming, Over, expression, label_key, label_selector, labels};
use crate::yaml::{Cursor, Place};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
/// The pod's.
const NODE_SELECTOR: &str = "spec.nodeSelector";
const WEIGHTS: RangeInclusive<i64> = 1..=100;

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "bad-service-account",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "serviceAccountName is a ServiceAccount's name, and a serviceAccount volume, if there is one, names the same.",
        source: "KubeVirt vmi-create-admitter.go validateServiceAccountName",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let Some(at) = context.at("serviceAccountName") else { return };
            let Some(name) = at.text().filter(|name| !name.is_empty()) else { return };
            if !is_subdomain(name) {
                let message = format!("{} is not a valid service account name: {name:?}", at.path());
                report.add(at, message, "write the name of a ServiceAccount of the VM's namespace");
            }
            let volumes = context.items_at("volumes").filter_map(|volume| volume.get("serviceAccount"));
            let of = |volume: Cursor<'_>| volume.text_at("serviceAccountName").unwrap_or_default().to_owned();
            if let Some(other) = volumes.map(of).find(|other| other != name) {
                let message = format!(
                    "spec.serviceAccountName {name:?} and serviceAccount volume {other:?} must reference the same service account"
                );
                report.add(at, message, "write the same name in both");
            }
        }),
    },
    &Rule {
        code: "bad-service-account-of-a-volume",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "The pod runs as the ServiceAccount of a serviceAccount volume, and Kubernetes looks at its name: lowercase letters, \
            digits, dashes and dots. KubeVirt does not.",
        source: "KubeVirt pkg/virt-controller/services/template.go; Kubernetes pkg/apis/core/validation ValidatePodSpec",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for at in context.items_at("volumes").filter_map(|volume| volume.at("serviceAccount.serviceAccountName")) {
                if let Some(name) = at.text().filter(|name| !name.is_empty() && !is_subdomain(name)) {
                    let message = format!("{name:?} is not the name of a ServiceAccount");
                    report.add_as("spec.serviceAccountName", at, message, "write a name like default");
                }
            }
        }),
    },
    &Rule {
        code: "bad-affinity",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "Terms need a topologyKey, weights of 1 to 100, and expressions whose values fit their operator. KubeVirt \
            leaves `affinity` out of the field that it names.",
        source: "KubeVirt validate-k8s-utils.go validateAffinity",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let Some(affinity) = context.at("affinity") else { return };
            let (own, named) = (affinity.path(), context.spec_path());
            let naming = |place: &Place<'_>| place.path().replacen(&own, &named, 1);
            if let Some(node) = affinity.get("nodeAffinity") {
                node_affinity(node, &naming, report);
            }
            for pods in ["podAffinity", "podAntiAffinity"].into_iter().filter_map(|key| affinity.get(key)) {
                pods.items_at(REQUIRED).for_each(|term| pod_term(term, &naming, report));
                for item in pods.items_at(PREFERRED) {
                    weight(item, &naming, report);
                    item.get("podAffinityTerm").into_iter().for_each(|term| pod_term(term, &naming, report));
                }
            }
        }),
    },
    &Rule {
        code: "bad-spread-constraint",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A constraint has a maxSkew from 1 on, a topologyKey, and a labelSelector that is one.",
        source: "KubeVirt validate-k8s-utils.go validateTopologySpreadConstraints",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for (i, constraint) in context.items_at("topologySpreadConstraints").enumerate() {
                if constraint.get("maxSkew").and_then(Cursor::int64).unwrap_or_default() < 1 {
                    report.add(constraint.place("maxSkew"), "must be greater than zero", "write 1 or more");
                }
                topology_key(constraint, &|place| place.path(), report);
                // KubeVirt leaves the index out.
                let list = context.place("topologySpreadConstraints").path();
                let naming = |p: &Place<'_>| p.path().replacen(&format!("{list}[{i}]"), &list, 1);
                constraint.get("labelSelector").into_iter().for_each(|at| label_selector(at, &naming, report));
            }
        }),
    },
    &Rule {
        code: "bad-min-domains",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "minDomains is 1 or more, and only for `whenUnsatisfiable: DoNotSchedule`; matchLabelKeys needs a labelSelector.",
        source: "Kubernetes pkg/apis/core/validation validateTopologySpreadConstraints",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for (i, constraint) in context.items_at("topologySpreadConstraints").enumerate() {
                let field = |name: &str| format!("spec.topologySpreadConstraints[{i}].{name}");
                if let Some(at) = constraint.get("minDomains") {
                    let when = text(constraint, "whenUnsatisfiable");
                    if at.int64().is_some_and(|n| n < 1) {
                        report.add_as(
                            field("minDomains"),
                            at,
                            "must be greater than 0",
                            "write 1 or more, or remove it",
                        );
                    }
                    if when != "DoNotSchedule" {
                        let message = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {when}");
                        report.add_as(field("minDomains"), at, message, "remove it, or write DoNotSchedule");
                    }
                }
                let keys = constraint.get("matchLabelKeys").filter(|at| at.items().next().is_some());
                if let (Some(at), None) = (keys, constraint.get("labelSelector")) {
                    let message = "must not be specified when labelSelector is not set";
                    report.add_as(field("matchLabelKeys"), at, message, "add a labelSelector, or remove it");
                }
            }
        }),
    },
    &Rule {
        code: "bad-node-selector",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "A nodeSelector is node labels: keys and values must be such. KubeVirt does not look at it, so VM and VMI are \
            created and no pod ever is.",
        source: "Kubernetes pkg/apis/core/validation ValidatePodSpec",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let naming = |_: &Place<'_>| NODE_SELECTOR.to_owned();
            context.at("nodeSelector").into_iter().for_each(|at| labels(at, &naming, report));
        }),
    },
    &Rule {
        code: "bad-node-label",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "The pod asks for a node with the labels cpu-model.node.kubevirt.io/MODEL, cpu-feature.node.kubevirt.io/FEATURE and \
            machine-type.node.kubevirt.io/TYPE, so each must be the name of a label: letters, digits, -, _ and ., at most 63. KubeVirt \
            does not look at it, so VM and VMI are created and no pod ever is.",
        source: "KubeVirt pkg/virt-controller/services/nodeselectorrenderer.go, template.go setNodeAffinityForbiddenFeaturePolicy",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let own = [("cpu-model", "domain.cpu.model"), ("machine-type", "domain.machine.type")];
            let own = own
                .into_iter()
                .filter_map(|(kind, path)| Some((kind, context.at(path)?.into(), context.text_at(path)?)));
            let own = own.filter(|(.., name)| !name.is_empty()).map(|(kind, at, name)| (kind, at, name, NODE_SELECTOR));
            let features = context.items_at("domain.cpu.features").filter_map(|feature| {
                let field = match text(feature, "policy") {
                    "" | "require" => NODE_SELECTOR,
                    "forbid" => "spec.affinity.nodeAffinity",
                    _ => return None,
                };
                Some(("cpu-feature", feature.place("name"), text(feature, "name"), field))
            });
            let labels: Vec<(&str, Place<'_>, &str, &str)> = own.chain(features).collect();
            for (kind, at, name, field) in labels.into_iter().filter(|(_, _, name, _)| !is_label(name)) {
                let message = format!("{kind}.node.kubevirt.io/{name} is not a label's key");
                report.add_as(field, at, message, "write a name of letters, digits, -, _ and .");
            }
        }),
    },
    &Rule {
        code: "bad-toleration",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "A toleration without a key needs `operator: Exists`, which has no value; tolerationSeconds needs \
            `effect: NoExecute`. KubeVirt does not look at it, so VM and VMI are created and no pod ever is.",
        source: "Kubernetes pkg/apis/core/validation ValidateTolerations",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for (i, at) in context.items_at("tolerations").enumerate() {
                let (key, operator, value) = (text(at, "key"), text(at, "operator"), text(at, "value"));
                let mut refuse = |field: &str, part: &str, message: String, help: &str| {
                    report.add_as(format!("spec.tolerations[{i}].{field}"), at.place(part), message, help);
                };
                if !key.is_empty() && !is_qualified(key) {
                    refuse("key", "key", format!("{key:?} is not a label key"), "write the taint's key");
                }
                if key.is_empty() && operator != "Exists" {
                    let message =
                        "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
                    refuse("operator", "operator", message.into(), "write `operator: Exists`, or add the taint's key");
                }
                if at.get("tolerationSeconds").is_some() && text(at, "effect") != "NoExecute" {
                    let message = "effect must be 'NoExecute' when `tolerationSeconds` is set";
                    refuse(
                        "effect",
                        "effect",
                        message.into(),
                        "write `effect: NoExecute`, or remove tolerationSeconds",
                    );
                }
                if operator == "Exists" && !value.is_empty() {
                    let message = "value must be empty when `operator` is 'Exists'";
                    refuse("operator", "value", message.into(), "remove value, or write Equal");
                } else if !value.is_empty() && !is_label(value) {
                    let message = format!("{value:?} is not a label's value");
                    refuse("operator", "value", message, "write the taint's value");
                }
            }
        }),
    },
    &Rule {
        code: "bad-priority-class",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "The name of a PriorityClass: lowercase letters, digits, dashes and dots. KubeVirt does not look at it.",
        source: "Kubernetes pkg/apis/core/validation ValidatePodSpec",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let at = context.at("priorityClassName").and_then(|at| Some((at, at.text()?)));
            if let Some((at, name)) = at.filter(|(_, name)| !name.is_empty() && !is_subdomain(name)) {
                let message =
                    format!("{name:?} is not a name: lowercase letters, digits, dashes and dots, at most 253");
                report.add_as("spec.priorityClassName", at, message, "write the name of a PriorityClass");
            }
        }),
    },
];

fn text<'a>(at: Cursor<'a>, key: &str) -> &'a str {
    at.text_at(key).unwrap_or_default()
}

fn node_affinity<'a>(at: Cursor<'a>, naming: Naming<'_>, report: &mut Report<'_, 'a>) {
    if let Some(required) = at.get(REQUIRED) {
        if required.items_at("nodeSelectorTerms").next().is_none() {
            let place = required.place("nodeSelectorTerms");
            let message = "must have at least one node selector term";
            report.add_as(naming(&place), place, message, "add a term with matchExpressions");
        }
        required.items_at("nodeSelectorTerms").for_each(|term| node_term(term, naming, report));
    }
    for item in at.items_at(PREFERRED) {
        weight(item, naming, report);
        item.get("preference").into_iter().for_each(|term| node_term(term, naming, report));
    }
}

fn node_term<'a>(term: Cursor<'a>, naming: Naming<'_>, report: &mut Report<'_, 'a>) {
    term.items_at("matchExpressions").for_each(|at| expression(at, Over::NodeLabels, naming, report));
    for field in term.items_at("matchFields") {
        expression(field, Over::NodeFields, naming, report);
        let name = |value: &Cursor<'a>| value.text().is_some_and(is_subdomain);
        if text(field, "key") == "metadata.name" {
            for value in field.items_at("values").filter(|value| !name(value)) {
                let message = format!("{:?} is not a node's name", value.text().unwrap_or_default());
                report.add_as(naming(&value.into()), value, message, "write the name of a node");
            }
        }
    }
}

fn pod_term<'a>(term: Cursor<'a>, naming: Naming<'_>, report: &mut Report<'_, 'a>) {
    for selector in ["labelSelector", "namespaceSelector"].into_iter().filter_map(|key| term.get(key)) {
        label_selector(selector, naming, report);
    }
    let named: BTreeSet<&str> = term.items_at("namespaces").filter_map(|n| n.text()).collect();
    for name in named.into_iter().filter(|name| !is_dns_label(name)) {
        let (place, list) = (term.place("namespace"), term.place("namespaces"));
        report.add_as(
            naming(&place),
            list,
            format!("{name:?} is not a namespace's name"),
            "write the name of a namespace",
        );
    }
    topology_key(term, naming, report);
}

fn topology_key<'a>(at: Cursor<'a>, naming: Naming<'_>, report: &mut Report<'_, 'a>) {
    let (place, key) = (at.place("topologyKey"), text(at, "topologyKey"));
    if key.is_empty() {
        report.add_as(naming(&place), place, "can not be empty", "write a node label like kubernetes.io/hostname");
    } else {
        label_key(place, key, naming, report);
    }
}

fn weight<'a>(at: Cursor<'a>, naming: Naming<'_>, report: &mut Report<'_, 'a>) {
    let n = at.get("weight").and_then(Cursor::int64).unwrap_or_default();
    if !WEIGHTS.contains(&n) {
        let place = at.place("weight");
        report.add_as(naming(&place), place, format!("{n}: must be in the range 1-100"), "write 1 to 100");
    }
}

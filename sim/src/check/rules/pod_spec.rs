//! What goes from the VMI into its pod as it is, so that only Kubernetes' pod validation looks at it: resources by name, node
//! selector, tolerations, priority class (kubevirt-health.md 2.9).

use super::object::{entries, is_label, is_qualified, is_subdomain};
use crate::check::context::CheckContext;
use crate::check::layer::{Layer, Rank};
use crate::check::machine::resource;
use crate::check::predicates::is_dns_label;
use crate::check::quantity::Quantity;
use crate::check::rule::{Check, Report, Rule};
use crate::yaml::{Cursor, Place};

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "unknown-resource",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "Requests and limits are of cpu, memory, ephemeral-storage, hugepages-SIZE, or of what a device plugin \
            offers, with its domain: nvidia.com/gpu. A disk's size is its volume's matter.",
        source: "Kubernetes pkg/apis/core/validation/validation.go validateContainerResourceName",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for list in ["requests", "limits"] {
                for (name, at) in amounts(context, list) {
                    let standard = ["cpu", "memory", "ephemeral-storage"].contains(&name);
                    let is_known = match name.contains('/') {
                        true => is_qualified(name),
                        false => standard || name.starts_with("hugepages-"),
                    };
                    if !is_known {
                        let help = "write cpu, memory, ephemeral-storage or a name like nvidia.com/gpu";
                        let field = format!("spec.containers[0].resources.{list}[{name}]");
                        report.add_as(field, at, format!("there is no resource {name:?}"), help);
                    }
                }
            }
        }),
    },
    &Rule {
        code: "resource-and-limit-differ",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "Of ephemeral-storage the request is not greater than the limit; of huge pages and of a device \
            plugin's resources request and limit are equal, so a request without a limit is refused, too.",
        source: "Kubernetes pkg/apis/core/validation/validation.go validateResourceRequirements",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for (name, at) in amounts(context, "requests") {
                let limit = amounts(context, "limits").find(|(other, _)| *other == name);
                let limit = limit.and_then(|(_, limit)| Quantity::of(limit));
                let Some(request) = Quantity::of(at) else { continue };
                let overcommits = !name.contains('/') && !name.starts_with("hugepages-");
                let fault = match limit {
                    // The webhooks compare those.
                    _ if ["cpu", "memory"].contains(&name) => None,
                    None if !overcommits => Some(("limits", "has a request and no limit")),
                    Some(limit) if !overcommits && limit != request => {
                        Some(("requests", "has a limit unlike its request"))
                    }
                    Some(limit) if request > limit => Some(("requests", "has a request greater than its limit")),
                    _ => None,
                };
                if let Some((field, why)) = fault {
                    let field = format!("spec.containers[0].resources.{field}");
                    report.add_as(
                        field,
                        at,
                        format!("{name} {why}"),
                        format!("give {name} a limit equal to its request"),
                    );
                }
            }
        }),
    },
    &Rule {
        code: "limit-of-nothing",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "A limit of 0 is no limit to KubeVirt's webhooks, but the pod gets it, next to a request for the guest's \
            CPUs and memory, which is greater.",
        source: "KubeVirt pkg/virt-controller/services/renderresources.go WithMemoryRequests, WithoutDedicatedCPU",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            // Dedicated CPUs and huge pages have limits of their own.
            let is_dedicated = context.is_set("domain.cpu.dedicatedCpuPlacement");
            for (name, is_other) in [("cpu", false), ("memory", context.is_set("domain.memory.hugepages"))] {
                let (request, limit) = resource(context, name);
                let asks = name == "memory" || request.is_none_or(|request| request > Quantity::ZERO);
                if limit == Some(Quantity::ZERO) && asks && !is_dedicated && !is_other {
                    let place = context.place(&format!("domain.resources.limits.{name}"));
                    let message = format!("the {name} limit is 0, and the pod needs more");
                    report.add_as("spec.containers[0].resources.requests", place, message, "remove the limit");
                }
            }
        }),
    },
    &Rule {
        code: "bad-node-selector",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "nodeSelector has labels of nodes: [prefix/]name, and values of at most 63 letters, digits, -, _ and .",
        source: "Kubernetes pkg/apis/core/validation/validation.go ValidatePodSpec",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let Some(selector) = context.at("nodeSelector") else { return };
            for (key, value) in entries(selector) {
                if !is_qualified(key) || !(value.is_empty() || is_label(value)) {
                    let message = format!("{key:?}: {value:?} is no label of a node");
                    report.add_as(
                        "spec.nodeSelector",
                        selector,
                        message,
                        "write it as `kubectl get nodes --show-labels` does",
                    );
                }
            }
        }),
    },
    &Rule {
        code: "bad-priority-class",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "A priority class has a name of lowercase letters, digits, dashes and dots.",
        source: "Kubernetes pkg/apis/core/validation/validation.go ValidatePriorityClassName",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let name = context.text_at("priorityClassName").unwrap_or_default();
            if !(name.is_empty() || is_subdomain(name)) {
                let message = format!("{name:?} is no priority class");
                let help = "write its name as `kubectl get priorityclasses` does";
                report.add_as("spec.priorityClassName", context.place("priorityClassName"), message, help);
            }
        }),
    },
    &Rule {
        code: "subdomain-with-dots",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "KubeVirt takes a subdomain with dots; Kubernetes wants one label, the name of a headless Service.",
        source: "Kubernetes pkg/apis/core/validation/validation.go ValidatePodSpec",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let name = context.text_at("subdomain").unwrap_or_default();
            if is_subdomain(name) && !is_dns_label(name) {
                let message = format!("{name:?} is not one label");
                report.add_as("spec.subdomain", context.place("subdomain"), message, "write the Service's name");
            }
        }),
    },
    &Rule {
        code: "bad-toleration",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "A toleration's operator is Equal (the default) or Exists, which has no value; without a key it is \
            Exists; with tolerationSeconds its effect is NoExecute.",
        source: "Kubernetes pkg/apis/core/validation/validation.go ValidateTolerations",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for (i, toleration) in context.items_at("tolerations").enumerate() {
                tolerates(toleration, &format!("spec.tolerations[{i}]"), report);
            }
        }),
    },
];

/// The members of `domain.resources.LIST`.
fn amounts<'a>(context: &CheckContext<'a>, list: &str) -> impl Iterator<Item = (&'a str, Cursor<'a>)> {
    let list = context.at(&format!("domain.resources.{list}"));
    list.into_iter().flat_map(Cursor::members).map(|(key, at)| (key.name.as_str(), at))
}

fn tolerates<'a>(at: Cursor<'a>, field: &str, report: &mut Report<'_, 'a>) {
    let text = |key| at.text_at(key).unwrap_or_default();
    let (key, operator, value, effect) = (text("key"), text("operator"), text("value"), text("effect"));
    let mut add = |key: &str, place: Place<'a>, message: &str, help: &str| {
        report.add_as(format!("{field}.{key}"), place, message, help);
    };
    if !(key.is_empty() || is_qualified(key)) {
        add("key", at.place("key"), "the key is no key of a taint", "write a key like example.com/gpu");
    }
    if key.is_empty() && operator != "Exists" {
        add("operator", at.into(), "without a key the operator is Exists", "add the key, or operator: Exists");
    }
    if at.get("tolerationSeconds").is_some() && effect != "NoExecute" {
        add("effect", at.into(), "tolerationSeconds are for the effect NoExecute", "write effect: NoExecute");
    }
    match operator {
        "Exists" if !value.is_empty() => {
            add("operator", at.place("value"), "the operator Exists has no value", "remove the value");
        }
        "" | "Equal" if !(value.is_empty() || is_label(value)) => {
            add("operator", at.place("value"), "the value is no value of a taint", "use letters, digits, -, _ and .");
        }
        _ => {}
    }
}

//! Resources by name: they go from the VMI into its pod, where only Kubernetes' pod validation looks at most of them
//! (kubevirt-health.md 2.9).

use crate::check::context::CheckContext;
use crate::check::layer::{Layer, Rank};
use crate::check::machine::resource;
use crate::check::predicates::is_qualified;
use crate::check::rule::{Check, Rule};
use crate::manifest::Quantity;
use crate::yaml::Cursor;

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
        code: "device-is-no-resource",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "The deviceName of a GPU or a host device is a resource's name, with the domain of its device plugin in lowercase letters: \
            nvidia.com/GV100GL. KubeVirt does not look at it.",
        source: "KubeVirt pkg/virt-controller/services/renderresources.go WithGPUsDevicePlugins; Kubernetes validateContainerResourceName",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for list in ["domain.devices.gpus", "domain.devices.hostDevices"] {
                let names = context.items_at(list).filter_map(|device| device.get("deviceName"));
                for (at, name) in names.filter_map(|at| Some((at, at.text()?))) {
                    if name.contains('/') && !is_qualified(name) {
                        let field = format!("spec.containers[0].resources.limits[{name}]");
                        let message = format!("{name:?} is not the name of a resource");
                        report.add_as(field, at, message, "write the name that the device plugin gives it");
                    }
                }
            }
        }),
    },
    &Rule {
        code: "broken-huge-pages",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "Huge pages by their resource's name, hugepages-2Mi, come in whole pages of that size, and a page has a whole \
            number of bytes; memory.hugepages.pageSize makes such a resource of the pod.",
        source: "Kubernetes pkg/apis/core/validation/validation.go validateResourceQuantityHugePageValue; pkg/apis/core/helper \
            IsHugePageResourceValueDivisible",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let size = context.at("domain.memory.hugepages.pageSize").and_then(|at| Some((at, Quantity::of(at)?)));
            if let Some((at, size)) = size.filter(|(_, size)| *size > Quantity::ZERO && size.milli() % 1000 != 0) {
                let name = at.text().map_or_else(|| size.value().to_string(), str::to_owned);
                let field = format!("spec.containers[0].resources.limits[hugepages-{name}]");
                report.add_as(field, at, "a page has a whole number of bytes", "write a size like 2Mi");
            }
            for list in ["requests", "limits"] {
                for (name, at) in amounts(context, list) {
                    let Some(size) = name.strip_prefix("hugepages-") else { continue };
                    let page = Quantity::parse(size).filter(|page| *page > Quantity::ZERO && page.milli() % 1000 == 0);
                    let Some(amount) = Quantity::of(at) else { continue };
                    if page.is_none_or(|page| amount.value() % page.value() != 0) || amount < Quantity::ZERO {
                        let field = format!("spec.containers[0].resources.{list}[{name}]");
                        let message = format!("it is not a positive integer multiple of {name}");
                        report.add_as(field, at, message, "write it in whole pages");
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
                let is_native = !name.contains('/') || name.contains("kubernetes.io/");
                let overcommits = is_native && !name.starts_with("hugepages-");
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
        code: "bad-resource-amount",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "No amount is below 0, and of what a device plugin offers there are whole ones only: `example.com/gpu: 500m` is \
            none.",
        source: "Kubernetes pkg/apis/core/validation/validation.go ValidateResourceQuantityValue",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for list in ["requests", "limits"] {
                for (name, at) in amounts(context, list) {
                    let Some(amount) = Quantity::of(at) else { continue };
                    // The webhooks look at those; huge pages have a rule of their own.
                    let is_told = ["cpu", "memory"].contains(&name) || name.starts_with("hugepages-");
                    let is_device = name.contains('/') && is_qualified(name) && !name.contains("kubernetes.io/");
                    // It is asked in thousandths, as many as 64 bits hold.
                    let is_broken = is_device && amount.milli().min(i64::MAX.into()) % 1000 != 0;
                    let message = match () {
                        () if amount < Quantity::ZERO && !is_told => format!("{name} must be 0 or more"),
                        () if is_broken => format!("{name} must be an integer"),
                        () => continue,
                    };
                    let field = format!("spec.containers[0].resources.{list}[{name}]");
                    report.add_as(field, at, message, "write a whole number");
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
];

/// The members of `domain.resources.LIST`.
fn amounts<'a>(context: &CheckContext<'a>, list: &str) -> impl Iterator<Item = (&'a str, Cursor<'a>)> {
    let list = context.at(&format!("domain.resources.{list}"));
    list.into_iter().flat_map(Cursor::members).map(|(key, at)| (key.name.as_str(), at))
}

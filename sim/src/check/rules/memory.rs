//! Memory: requests and limits, huge pages, and the maximum that memory hotplug may reach (kubevirt-health.md 2.9).

use crate::check::beside::Matcher;
use crate::check::context::CheckContext;
use crate::check::layer::{Layer, Rank};
use crate::check::machine::{guest_memory, page_size, resource};
use crate::check::rule::{Check, Rule};
use crate::manifest::Quantity;
use crate::yaml::Cursor;

/// What KubeVirt takes as a memory request: 1M.
const LEAST_REQUEST: Quantity = Quantity::whole(1_000_000);
const GIB: i128 = 1 << 30;
/// In whole blocks memory is plugged: those of a transparent huge page, or of a huge page of 1Gi.
const BLOCK: i128 = 2 << 20;

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "negative-resource",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "Requests and limits of CPU and memory are 0 or more. CPUs are counted in thousandths: of 8Ei, where Kubernetes caps \
            what has a binary unit, KubeVirt's number turns negative.",
        source: "KubeVirt vmi-create-admitter.go validateMemoryRequestsNegativeOrNull, validateCPURequestNotNegative",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for path in ["requests.memory", "limits.memory", "requests.cpu", "limits.cpu"] {
                let Some(at) = context.at(&format!("domain.resources.{path}")) else { continue };
                let is_negative = |q: Quantity| q < Quantity::ZERO || (path.ends_with("cpu") && is_capped(at, q));
                if Quantity::of(at).is_some_and(is_negative) {
                    report.add(at, format!("{path} must be greater than or equal to 0"), "write 0 or more");
                }
            }
        }),
    },
    &Rule {
        code: "no-size-for-the-guest",
        layer: Layer::Libvirt,
        rank: Rank::Error,
        story: "No webhook minds a guest's memory of 0 or below; the pod asks for the overhead alone and starts. Then virt-launcher refuses to write the domain's XML (`Memory size must be greater \
            than or equal to 0`), or libvirt to define it.",
        source: "KubeVirt vmi-create-admitter.go ValidateVirtualMachineInstanceMandatoryFields; renderresources.go WithMemoryRequests; \
            pkg/virt-launcher/virtwrap/converter/vcpu/vcpu.go QuantityToByte; libvirt virDomainDefPostParseMemory",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let of = |path: &str| context.at(path).and_then(|at| Some((at, Quantity::of(at)?)));
            let guest = of("domain.memory.guest");
            // Of a VM the webhook compares it with the guest's.
            let most = of("domain.memory.maxGuest").filter(|(_, q)| !context.is_vm && *q < Quantity::ZERO);
            let nothing = guest.filter(|(_, q)| *q <= Quantity::ZERO);
            for (at, quantity) in nothing.into_iter().chain(most) {
                let message = match quantity < Quantity::ZERO {
                    true => "Memory size must be greater than or equal to 0",
                    false => "a domain needs memory, and the guest has 0",
                };
                report.add(at, message, "write the guest's memory, like 2Gi");
            }
        }),
    },
    &Rule {
        code: "memory-request-below-1m",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A memory request below 1M is taken for a slip of the unit: `512` is 512 bytes, `100m` a tenth of one.",
        source: "KubeVirt vmi-create-admitter.go validateMemoryRequestsNegativeOrNull",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let Some(at) = context.at("domain.resources.requests.memory") else { return };
            if Quantity::of(at).is_some_and(|q| q > Quantity::ZERO && q < LEAST_REQUEST) {
                let message = "the memory request must be greater than or equal to 1M";
                report.add(at, message, "add the unit, like 512Mi or 2Gi");
            }
        }),
    },
    &Rule {
        code: "request-above-limit",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A request of CPU or memory must not be greater than the limit.",
        source: "KubeVirt vmi-create-admitter.go validateMemoryLimitsNegativeOrNull, validateCpuRequestDoesNotExceedLimit",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for name in ["memory", "cpu"] {
                let (Some(request), Some(limit)) = resource(context, name) else { continue };
                if limit > Quantity::ZERO && request > limit {
                    let place = context.place(&format!("domain.resources.requests.{name}"));
                    let message = format!("the {name} request is greater than the limit");
                    report.add(place, message, "lower the request or raise the limit");
                }
            }
        }),
    },
    &Rule {
        code: "huge-pages-do-not-fit",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "pageSize is a quantity like 2Mi or 1Gi, and the memory (the request, else the guest's memory, else \
            the limit) consists of whole pages. KubeVirt reports the request, also where the guest's memory is meant.",
        source: "KubeVirt vmi-create-admitter.go validateHugepagesMemoryRequests",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let path = "domain.memory.hugepages";
            if context.at(path).is_none() || context.has_unseen(Matcher::Instancetype) {
                return;
            }
            let place = context.place(&format!("{path}.pageSize"));
            let Some(page) = page_size(context).filter(|page| *page > Quantity::ZERO) else {
                let text = context.text_at("domain.memory.hugepages.pageSize").unwrap_or_default();
                return report.add(place, format!("{text:?} is not the size of a page"), "write 2Mi or 1Gi");
            };
            let given = |quantity: Option<Quantity>| quantity.filter(|q| q.value() != 0);
            // Where no mutator fills it in, the webhook computes with a memory that is not there.
            if context.kind.template().is_some()
                && context.at("domain.memory.guest").is_none()
                && context.at("domain.resources.requests.memory").is_none()
            {
                let message =
                    "failed calling webhook: it needs the guest's memory, which only a VM's own webhook fills in";
                return report.add_as("", place, message, "add domain.memory.guest, like 2Gi");
            }
            let (request, limit) = resource(context, "memory");
            let memory = given(request).or_else(|| given(guest_memory(context))).or_else(|| given(limit));
            if let Some(memory) = memory
                && (memory < page || memory.value() % page.value() != 0)
            {
                let message = match memory < page {
                    true => "the memory must be equal to or larger than the page size",
                    false => "the memory is not a multiple of the page size",
                };
                let field = context.place("domain.resources.requests.memory").path();
                report.add_as(field, place, message, "give it memory in whole pages, or choose a smaller page");
            }
        }),
    },
    &Rule {
        code: "guest-in-broken-huge-pages",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "The pod asks for huge pages as large as the guest, where the request is larger than that; then the \
            guest, too, consists of whole pages.",
        source: "KubeVirt pkg/virt-controller/services/renderresources.go WithHugePages; Kubernetes \
            pkg/apis/core/validation/validation.go validateResourceQuantityHugePageValue",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let (Some(page), Some(guest)) = (page_size(context), guest_memory(context)) else { return };
            let (Some(request), _) = resource(context, "memory") else { return };
            if page > Quantity::ZERO && request > guest && guest.value() % page.value() != 0 {
                let page = context.text_at("domain.memory.hugepages.pageSize").unwrap_or_default();
                report.add_as(
                    format!("spec.containers[0].resources.limits[hugepages-{page}]"),
                    context.place("domain.memory.guest"),
                    format!("the guest's memory is not in whole pages of {page}"),
                    "write it as a multiple of the page size",
                );
            }
        }),
    },
    &Rule {
        code: "bad-max-guest",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "maxGuest asks for memory hotplug. That needs amd64, a guest of at least 1Gi, guest and maximum in \
            blocks of 2Mi (of 1Gi with huge pages of 1Gi), a guest that is not larger than the maximum, and neither \
            realtime, NUMA passthrough nor launch security. Without maxGuest a cluster plugs memory where it can \
            and is silent where it cannot.",
        source: "KubeVirt pkg/liveupdate/memory/memory.go ValidateLiveUpdateMemory",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            // A bare VMI is not looked at.
            if let Some(why) =
                no_hotplug(context).filter(|_| context.is_vm && !context.has_unseen(Matcher::Instancetype))
            {
                let field = context.place("domain.memory.guest").path();
                report.add_as(field, context.place("domain.memory.maxGuest"), why, "mend that, or remove maxGuest");
            }
        }),
    },
];

/// It is the greatest whole number of 64 bits; what has a decimal unit may be more (apimachinery `resource.ParseQuantity`).
fn is_capped(at: Cursor<'_>, quantity: Quantity) -> bool {
    let is_written = at.value().quantity().is_some_and(|text| text.ends_with('i') || text == i64::MAX.to_string());
    is_written && quantity.is_capped()
}

/// Why memory cannot be plugged up to `maxGuest`; `None` if it can, or if nobody asks for it.
fn no_hotplug(context: &CheckContext<'_>) -> Option<&'static str> {
    let most = Quantity::of(context.at("domain.memory.maxGuest")?)?;
    for (path, why) in [
        ("domain.cpu.realtime", "memory hotplug is not compatible with realtime VMs"),
        ("domain.cpu.numa.guestMappingPassthrough", "memory hotplug is not compatible with guest mapping passthrough"),
        ("domain.launchSecurity", "memory hotplug is not compatible with encrypted VMs"),
    ] {
        if context.at(path).is_some() {
            return Some(why);
        }
    }
    let large_pages = context.text_at("domain.memory.hugepages.pageSize") == Some("1Gi");
    let block = if large_pages { GIB } else { BLOCK };
    let Some(guest) = guest_memory(context) else {
        return Some("memory hotplug needs the guest's memory");
    };
    match () {
        () if guest > most => Some("the guest's memory is greater than maxGuest"),
        () if guest.value() % block != 0 => Some("the guest's memory is not in whole blocks of 2Mi, or of 1Gi pages"),
        () if most.value() % block != 0 => Some("maxGuest is not in whole blocks of 2Mi, or of 1Gi pages"),
        () if context.has_open_architecture() => {
            Some("memory hotplug is there on amd64 only, and the template names no architecture")
        }
        () if context.architecture != "amd64" => Some("memory hotplug is there on amd64 only"),
        () if guest.value() < GIB => Some("memory hotplug needs a guest of at least 1Gi"),
        () => None,
    }
}

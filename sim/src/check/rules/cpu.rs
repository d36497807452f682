//! CPUs: their number, what dedicated CPUs ask for, and settings that need another one (kubevirt-health.md 2.9).

use crate::check::beside::Matcher;
use crate::check::context::CheckContext;
use crate::check::layer::{Layer, Rank};
use crate::check::machine::{Topology, guest_memory, resource};
use crate::check::rule::{Check, Report, Rule};
use crate::manifest::Quantity;
use crate::yaml::Cursor;

const DEDICATED: &str = "domain.cpu.dedicatedCpuPlacement";
const NUMA: &str = "domain.cpu.numa.guestMappingPassthrough";
const REALTIME: &str = "domain.cpu.realtime";

/// A setting, the one that it needs, and which of both KubeVirt reports.
const NEEDS: &[(&str, &str, &str)] = &[
    (NUMA, DEDICATED, NUMA),
    (NUMA, "domain.memory.hugepages", NUMA),
    ("domain.cpu.isolateEmulatorThread", DEDICATED, "domain.cpu.isolateEmulatorThread"),
    (REALTIME, DEDICATED, DEDICATED),
    (REALTIME, NUMA, NUMA),
];

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "sockets-above-maximum",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "maxSockets is how far CPU hotplug may go; the guest does not start with more.",
        source: "KubeVirt vmi-create-admitter.go validateCPUHotplug",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let Some(most) = context.at("domain.cpu.maxSockets").and_then(Cursor::int64) else { return };
            let Topology { sockets, .. } = Topology::of(context);
            if most != 0 && i64::from(sockets) > most && !context.has_unseen(Matcher::Instancetype) {
                let message = format!("{sockets} sockets are more than maxSockets {most}");
                report.add(context.place("domain.cpu.sockets"), message, "raise maxSockets or remove it");
            }
        }),
    },
    &Rule {
        code: "cpu-setting-needs-another",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "isolateEmulatorThread needs dedicatedCpuPlacement; numa.guestMappingPassthrough needs \
            dedicatedCpuPlacement and huge pages; realtime needs dedicatedCpuPlacement and \
            numa.guestMappingPassthrough.",
        source: "KubeVirt vmi-create-admitter.go validateNUMA, validateCPUIsolatorThread, validateRealtime",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for (setting, needs, field) in NEEDS {
                if context.is_set(setting) && !context.is_set(needs) && !context.has_unseen(Matcher::Instancetype) {
                    let place = context.at(setting).map_or(context.place(setting), Into::into);
                    let message = format!("{setting} needs {needs}");
                    let help = format!("add {needs}, or remove {setting}");
                    report.add_as(context.place(field).path(), place, message, help);
                }
            }
        }),
    },
    &Rule {
        code: "dedicated-cpus-do-not-add-up",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "Dedicated CPUs are whole CPUs of a node: CPU requests and limits are whole numbers, equal to each \
            other and to the guest's CPUs (sockets x cores x threads) where both are given; memory request and limit \
            are equal, the memory's size is given, and a core has at most two threads, on arm64 one.",
        source: "KubeVirt vmi-create-admitter.go validateCpuPinning",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            if context.is_set(DEDICATED) && !context.has_unseen(Matcher::Instancetype) {
                dedicated(context, report);
            }
        }),
    },
    &Rule {
        code: "io-thread-pool-without-size",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "ioThreadsPolicy: supplementalPool needs the number of its threads.",
        source: "KubeVirt vmi-create-admitter.go validateIOThreadsPolicy",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let count = context.at("domain.ioThreads.supplementalPoolThreadCount").and_then(Cursor::int64);
            if context.text_at("domain.ioThreadsPolicy") == Some("supplementalPool") && count.is_none_or(|n| n < 1) {
                report.add_as(
                    context.place("domain.ioThreads.count").path(),
                    context.place("domain.ioThreads.supplementalPoolThreadCount"),
                    "the policy supplementalPool needs a positive number of threads",
                    "add domain.ioThreads.supplementalPoolThreadCount",
                );
            }
        }),
    },
];

fn dedicated<'a>(context: &CheckContext<'a>, report: &mut Report<'_, 'a>) {
    let cpus = resource(context, "cpu");
    for (list, amount) in [("requests", cpus.0), ("limits", cpus.1)] {
        if amount.is_some_and(|q| q > Quantity::ZERO && q.milli() % 1000 != 0) {
            let place = context.place(&format!("domain.resources.{list}.cpu"));
            report.add(place, "dedicated CPUs are whole CPUs", "write a whole number");
        }
    }
    let mut add = |field: &str, path: &str, message: String, help: &str| {
        report.add_as(context.place(field).path(), context.place(path), message, help);
    };
    let memory = resource(context, "memory");
    let request = "domain.resources.requests.memory";
    if let (Some(least), Some(most)) = memory
        && least > Quantity::ZERO
        && most > Quantity::ZERO
        && least.value() != most.value()
    {
        let message = "with dedicated CPUs the memory request equals the limit".to_owned();
        add(request, request, message, "remove one of them");
    }
    let is_given = |q: Option<Quantity>| q.is_some_and(|q| q != Quantity::ZERO);
    let has_memory = is_given(memory.0) || is_given(memory.1) || context.is_set("domain.memory.hugepages");
    if !has_memory && !is_given(guest_memory(context)) {
        let message = "dedicated CPUs need the memory's size".to_owned();
        add("domain.resources.limits.memory", "domain.memory.guest", message, "add domain.memory.guest, like 2Gi");
    }
    let counts = ["sockets", "cores", "threads"].map(|count| context.at(&format!("domain.cpu.{count}")));
    let has_none = counts.into_iter().flatten().all(|at| at.int64() == Some(0));
    let is_positive = |q: Option<Quantity>| q.is_some_and(|q| q.value() != 0);
    // A pool's and a replica set's template go through no mutator that would make it one CPU.
    if context.kind.template().is_some() && has_none && !is_positive(cpus.0) && !is_positive(cpus.1) {
        let message = "a CPU request, a CPU limit or cores must be given".to_owned();
        add(DEDICATED, "domain.cpu.cores", message, "add domain.cpu.cores");
    }
    let topology = Topology::of(context);
    // The webhook fills in a request that is not there.
    let whole = |q: Option<Quantity>| q.map_or(0, Quantity::value);
    let limit = whole(cpus.1);
    let request = if whole(cpus.0) == 0 { limit } else { whole(cpus.0) };
    let vcpus = topology.vcpus();
    if request > 0 && limit > 0 && request != limit {
        let message = format!("the CPU request {request} does not equal the limit {limit}");
        add(DEDICATED, "domain.resources.limits.cpu", message, "remove one of them");
    }
    if (request > 0 || limit > 0) && vcpus > 0 && request != vcpus && limit != vcpus {
        let message = format!("{vcpus} CPUs of the guest against a request or limit of {}", request.max(limit));
        add(DEDICATED, "domain.resources", message, "remove the CPU request and limit: they follow the guest's CPUs");
    }
    if context.architecture == "arm64" && topology.threads > 1 {
        let message = format!("{} threads on arm64, where a core has one", topology.threads);
        add("architecture", "domain.cpu.threads", message, "write threads: 1");
    }
    if topology.threads > 2 {
        let message = format!("not more than two threads with dedicated CPUs, found {}", topology.threads);
        add(DEDICATED, "domain.cpu.threads", message, "write threads: 1 or 2");
    }
}

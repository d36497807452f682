//! Instance types and preferences themselves, beyond their schema: what KubeVirt's webhooks for them refuse
//! (KubeVirt pkg/instancetype/webhooks/admitter.go, pkg/instancetype/preference/webhooks/admitter.go).

use crate::check::context::CheckContext;
use crate::check::kind::Kind;
use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Findings, Report, Rule};
use crate::manifest::Quantity;

pub(super) static RULES: &[&Rule] = &[&BAD_INSTANCETYPE, &BAD_PREFERENCE, &NOTHING_BROUGHT];

static BAD_INSTANCETYPE: Rule = Rule {
    code: "bad-instancetype",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "KubeVirt's webhook for instance types refuses one that overcommits memory in huge pages.",
    source: "KubeVirt pkg/instancetype/webhooks/admitter.go ValidateInstanceTypeSpec",
    shown_by: &[],
    check: Check::OnTheWay,
};

static BAD_PREFERENCE: Rule = Rule {
    code: "bad-preference",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "KubeVirt's webhook for preferences knows the topologies sockets, cores, threads, spread and any (and their old names with \
        `prefer` in front), spreads across SocketsCores, SocketsCoresThreads or CoresThreads, and the last one only two threads to a core.",
    source: "KubeVirt pkg/instancetype/preference/webhooks/admitter.go ValidatePreferenceSpec",
    shown_by: &[],
    check: Check::OnTheWay,
};

static NOTHING_BROUGHT: Rule = Rule {
    code: "instancetype-brings-nothing",
    layer: Layer::Runtime,
    rank: Rank::Error,
    story: "An instance type is stored whatever its memory is. Of one with 0 or less no VM runs: KubeVirt refuses the VMI, or \
        virt-launcher its domain.",
    source: "KubeVirt pkg/instancetype/webhooks/admitter.go has no rule; vcpu.go QuantityToByte, vmi-create-admitter.go \
        validateMemoryIsProvided",
    shown_by: &[],
    check: Check::OnTheWay,
};

/// What a preference may want its vCPUs to be; the older ones with `prefer` in front.
const TOPOLOGIES: [&str; 5] = ["sockets", "cores", "threads", "spread", "any"];
const OLD_TOPOLOGIES: [&str; 5] = ["preferSockets", "preferCores", "preferThreads", "preferSpread", "preferAny"];
const ACROSS: [&str; 3] = ["SocketsCoresThreads", "SocketsCores", "CoresThreads"];

/// Looks at an instance type or a preference whose fields have their types, and are those of today's version.
pub(in crate::check) fn look_at<'a>(context: &CheckContext<'a>, findings: &mut Findings<'a>) {
    if context.kind.is_former(context.object.text_at("apiVersion").unwrap_or_default()) {
        return;
    }
    match context.kind {
        Kind::VirtualMachineInstancetype | Kind::VirtualMachineClusterInstancetype => {
            overcommit(context, &mut findings.of(&BAD_INSTANCETYPE));
            memory(context, &mut findings.of(&NOTHING_BROUGHT));
        }
        _ => spread(context, &mut findings.of(&BAD_PREFERENCE)),
    }
}

fn overcommit<'a>(context: &CheckContext<'a>, report: &mut Report<'_, 'a>) {
    let percent = context.at("memory.overcommitPercent").filter(|at| at.int64() != Some(0));
    if let Some(at) = percent.filter(|_| context.at("memory.hugepages").is_some()) {
        let message = "spec.memory.overcommitPercent and spec.memory.hugepages should not be requested together.";
        report.add(at, message, "remove one of them");
    }
}

fn memory<'a>(context: &CheckContext<'a>, report: &mut Report<'_, 'a>) {
    let memory = context.at("memory.guest");
    if let Some(at) = memory.filter(|at| Quantity::of(*at).is_some_and(|memory| memory <= Quantity::ZERO)) {
        report.add(at, "no memory: no VM that names this instance type runs", "write a size like 2Gi");
    }
}

fn spread<'a>(context: &CheckContext<'a>, report: &mut Report<'_, 'a>) {
    let Some(at) = context.at("cpu.preferredCPUTopology") else { return };
    let topology = at.text().unwrap_or_default();
    if !TOPOLOGIES.contains(&topology) && !OLD_TOPOLOGIES.contains(&topology) {
        let message = format!("unknown preferredCPUTopology {topology}");
        return report.add(at, message, format!("write one of {}", TOPOLOGIES.join(", ")));
    }
    if !["spread", "preferSpread"].contains(&topology) {
        return;
    }
    let across = context.text_at("cpu.spreadOptions.across").unwrap_or("SocketsCores");
    if !ACROSS.contains(&across) {
        let message = format!("across {across} is not supported");
        let place = context.place("cpu.spreadOptions.across");
        return report.add(place, message, format!("write one of {}", ACROSS.join(", ")));
    }
    let number = |path: &str| context.at(path).and_then(|at| at.int64());
    let older = number("preferSpreadSocketToCoreRatio").filter(|ratio| *ratio != 0);
    let ratio = number("cpu.spreadOptions.ratio").or(older).unwrap_or(2);
    if across == "CoresThreads" && ratio != 2 {
        let message = "only a ratio of 2 (1 core 2 threads) is allowed when spreading vCPUs over cores and threads";
        report.add(context.place("cpu.spreadOptions.ratio"), message, "write ratio: 2");
    }
}

//! Instance types and preferences: how a VM names them, and what it may not say itself then (KubeVirt pkg/instancetype).

use crate::check::beside::Matcher;
use crate::check::context::CheckContext;
use crate::check::expand::{Spread, number_at, spread, topology};
use crate::check::layer::{Layer, Rank};
use crate::check::predicates::name_of;
use crate::check::rule::{Check, Report, Rule};
use crate::manifest::bytes;
use crate::yaml::{Cursor, Node, Value};

/// A field of the VMI, and the instance type's that does not bear it; empty: every instance type has CPUs and memory.
const CONFLICTS: &[(&str, &str)] = &[
    ("nodeSelector", "nodeSelector"),
    ("schedulerName", "schedulerName"),
    ("domain.resources.requests.cpu", ""),
    ("domain.resources.limits.cpu", ""),
    ("domain.cpu.sockets", ""),
    ("domain.cpu.cores", ""),
    ("domain.cpu.threads", ""),
    ("domain.cpu.model", "cpu.model"),
    ("domain.cpu.dedicatedCpuPlacement", "cpu.dedicatedCPUPlacement"),
    ("domain.cpu.isolateEmulatorThread", "cpu.isolateEmulatorThread"),
    ("domain.cpu.numa", "cpu.numa"),
    ("domain.cpu.realtime", "cpu.realtime"),
    ("domain.ioThreads.supplementalPoolThreadCount", "ioThreads.supplementalPoolThreadCount"),
    ("domain.ioThreadsPolicy", "ioThreadsPolicy"),
    ("domain.launchSecurity", "launchSecurity"),
    ("domain.devices.gpus", "gpus"),
    ("domain.devices.hostDevices", "hostDevices"),
];

/// The same of memory, of which KubeVirt tells the first.
const MEMORY_CONFLICTS: &[(&str, &str)] = &[
    ("domain.memory.guest", ""),
    ("domain.memory.hugepages", "memory.hugepages"),
    ("domain.memory.maxGuest", "memory.maxGuest"),
    ("domain.resources.requests.memory", ""),
    ("domain.resources.limits.memory", ""),
];

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "bad-instancetype-matcher",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "spec.instancetype and spec.preference have a name, or inferFromVolume with the name of a volume that is a \
            PersistentVolumeClaim or a DataVolume of a claim, a snapshot or a DataSource; with that neither name nor kind. The VM's \
            mutating webhook says so.",
        source: "KubeVirt pkg/instancetype/webhooks/vm/mutator.go; pkg/instancetype/infer/volume.go",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for matcher in Matcher::ALL {
                if let Some(at) = context.matcher(matcher) {
                    check_matcher(context, matcher, at, report);
                }
            }
        }),
    },
    &Rule {
        code: "instancetype-conflict",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "An instance type brings CPUs and memory, so the VM says nothing of them: no cores, sockets or threads, no guest \
            memory, no requests or limits. What else it brings, like GPUs or a node selector, the VM must not have either.",
        source: "KubeVirt pkg/instancetype/apply, pkg/instancetype/conflict",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let Some(matcher) = context.matcher(Matcher::Instancetype) else { return };
            // Where it may be that none is found, the VM's own count then.
            if matcher.text_at("inferFromVolumeFailurePolicy") == Some("Ignore") {
                return;
            }
            let spec = context.brought.instancetype;
            let brings = |from: &str| from.is_empty() || spec.is_some_and(|spec| spec.at(from).is_some());
            let conflicts = |table: &'static [(&str, &str)]| {
                table
                    .iter()
                    .filter(move |(_, from)| brings(from))
                    .filter_map(|(to, _)| context.written_at(to))
                    .filter(|at| says(*at))
            };
            for at in conflicts(CONFLICTS).chain(conflicts(MEMORY_CONFLICTS).take(1)) {
                // The API's name of the field differs from the message's.
                let field = at.path().replace("dedicatedCpuPlacement", "dedicatedCPUPlacement");
                let message = format!("VM field(s) {field} conflicts with selected instance type");
                report.add_as(field, at, message, "remove it, or remove spec.instancetype");
            }
            // A bare VMI has no instance type.
            let written = context.written_annotations();
            let given = spec.and_then(|spec| spec.get("annotations"));
            for (key, at) in written.into_iter().flat_map(Cursor::members) {
                let brought = given.and_then(|given| given.get(&key.name)).and_then(|node| node.value.as_str());
                if brought.is_some_and(|text| at.text() != Some(text)) {
                    let field = format!("annotations.{}", key.name);
                    let message = format!("VM field(s) {field} conflicts with selected instance type");
                    report.add_as(field, at, message, "remove it, or remove spec.instancetype");
                }
            }
        }),
    },
    &Rule {
        code: "uneven-cpu-spread",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A preference that spreads vCPUs over sockets and cores needs an instance type whose vCPUs can be divided so.",
        source: "KubeVirt pkg/instancetype/preference/validation/cpu.go CheckSpreadCPUTopology",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let (Some(spec), Some(preference)) = (context.brought.instancetype, context.brought.preference) else {
                return;
            };
            let (guest, Spread { ratio, across }) =
                (number_at(spec, "cpu.guest").unwrap_or_default(), spread(preference));
            let divisor = if across == "SocketsCoresThreads" { ratio.saturating_mul(2) } else { ratio };
            if topology(Some(preference)) == "spread" && guest % divisor > 0 {
                let message = format!(
                    "{guest} vCPUs provided by the instance type are not divisible by {divisor}, as the preference wants"
                );
                let place = context.root.place("spec.instancetype");
                report.add_as(
                    "instancetype.spec.cpu.guest",
                    place,
                    message,
                    "name another instance type or preference",
                );
            }
        }),
    },
    &Rule {
        code: "preference-wants-more",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A preference may require so many vCPUs, so much memory, or an architecture; the instance type, or the VM itself, \
            must have them.",
        source: "KubeVirt pkg/instancetype/preference/requirements",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let Some(preference) = context.brought.preference else { return };
            let wanted = preference.at("requirements.architecture").and_then(|at| at.value.as_str());
            if let Some(wanted) = wanted.filter(|wanted| *wanted != context.architecture) {
                let message = format!(
                    "preference requires architecture {wanted} but {} is being requested",
                    context.architecture
                );
                report.add(
                    context.place("architecture"),
                    failure(&message),
                    "name another preference, or write that architecture",
                );
            }
            cpus(context, preference, report);
            memory(context, preference, report);
        }),
    },
    &Rule {
        code: "unknown-instancetype-kind",
        layer: Layer::VmiWebhook,
        rank: Rank::Error,
        story: "The kinds are VirtualMachineClusterInstancetype, which is the default, and VirtualMachineInstancetype; of a \
            preference VirtualMachineClusterPreference and VirtualMachinePreference. Any other is accepted, and the VM then \
            waits for ever: its condition says FailedFindInstancetype or FailedFindPreference.",
        source: "KubeVirt pkg/instancetype/find/spec.go; controller/vm/controller.go checkResourcesExist",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for (matcher, at) in Matcher::ALL.into_iter().filter_map(|m| Some((m, context.matcher(m)?))) {
                let Some((at, kind)) = at.get("kind").and_then(|at| Some((at, at.text()?))) else { continue };
                if !kind.is_empty() && matcher.is_namespaced(kind).is_none() {
                    let message = format!("got unexpected kind in {}: {kind}", matcher.type_name());
                    let what = if matcher == Matcher::Instancetype { "Instancetype" } else { "Preference" };
                    report.add(at, message, format!("write VirtualMachineCluster{what} or VirtualMachine{what}"));
                }
            }
        }),
    },
    &Rule {
        code: "instancetype-not-seen",
        layer: Layer::Hazard,
        rank: Rank::Note,
        story: "What an instance type or a preference brings stands in the cluster: CPUs, memory, devices, firmware, the grace \
            period. Put its manifest into the same file and it is used.",
        source: "KubeVirt pkg/instancetype/apply, pkg/instancetype/preference/apply",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for matcher in Matcher::ALL.into_iter().filter(|matcher| context.has_unseen(*matcher)) {
                let Some(at) = context.matcher(matcher) else { continue };
                let (what, text) = (matcher.field(), |key| at.text_at(key).unwrap_or_default());
                let (message, help) = match (text("name"), text("inferFromVolume")) {
                    ("", volume) => {
                        (format!("which {what} the volume {volume:?} names cannot be seen here"), "write its name")
                    }
                    (name, _) => (
                        format!("what {what} {name:?} brings cannot be seen here"),
                        "put its manifest into the same file to have it used",
                    ),
                };
                report.add(at, message, help);
            }
        }),
    },
];

fn failure(message: &str) -> String {
    format!("failure checking preference requirements: {message}")
}

fn check_matcher<'a>(context: &CheckContext<'a>, matcher: Matcher, at: Cursor<'a>, report: &mut Report<'_, 'a>) {
    let given = |key: &str| at.text_at(key).filter(|text| !text.is_empty());
    let Some(volume) = given("inferFromVolume") else {
        if given("name").is_none() {
            let message =
                format!("Either Name or InferFromVolume should be provided within the {}", matcher.type_name());
            report.add(at, message, "add its name");
        }
        return check_policy(at, report);
    };
    for (key, what) in [("name", "Name"), ("kind", "Kind")] {
        if given(key).is_some() {
            let message = format!("{what} already set, should be cleared before setting inferFromVolume");
            report.add(at.place(key), message, format!("remove {key} or inferFromVolume"));
        }
    }
    check_policy(at, report);
    let ignores = given("inferFromVolumeFailurePolicy") == Some("Ignore");
    let place = at.place("inferFromVolume");
    let Some(found) = context.items_at("volumes").find(|v| name_of(*v) == volume) else {
        let message = format!("unable to find volume {volume} to infer defaults");
        return report.add(place, message, "write the name of one of the VM's volumes");
    };
    if let Some(why) = cannot_infer(context, found).filter(|_| !ignores) {
        let help =
            "name a volume of a PersistentVolumeClaim or DataSource that has the labels, or write the name itself";
        report.add(place, format!("unable to infer defaults from {why}"), help);
    }
}

/// What nothing can be inferred from, whatever is in the cluster (KubeVirt pkg/instancetype/infer/volume.go).
fn cannot_infer(context: &CheckContext<'_>, volume: Cursor<'_>) -> Option<String> {
    if volume.get("persistentVolumeClaim").is_some() {
        return None;
    }
    let Some(data_volume) = volume.get("dataVolume") else {
        return Some(format!("volume {} as type is not supported", name_of(volume)));
    };
    let mut templates = context.root.items_at("spec.dataVolumeTemplates");
    let template = templates.find(|t| t.text_at("metadata.name").unwrap_or_default() == name_of(data_volume))?;
    let has = |path: &str| template.at(path).is_some();
    match template.at("spec.sourceRef.kind").and_then(Cursor::text) {
        _ if has("spec.source.pvc") || has("spec.source.snapshot") => None,
        Some("DataSource") => None,
        Some(kind) => Some(format!("DataVolumeSourceRef as Kind {kind} is not supported")),
        _ => Some("DataVolumeSpec as DataVolumeSource is not supported".into()),
    }
}

fn check_policy<'a>(at: Cursor<'a>, report: &mut Report<'_, 'a>) {
    let key = "inferFromVolumeFailurePolicy";
    if let Some(policy) = at.text_at(key).filter(|policy| !["Ignore", "Reject"].contains(policy)) {
        let message = format!("Invalid value '{policy}' for InferFromVolumeFailurePolicy");
        report.add(at.place(key), message, "write Reject, which is the default, or Ignore");
    }
}

/// The vCPUs that a preference requires, of the instance type or of the VM.
fn cpus<'a>(context: &CheckContext<'a>, preference: &Node, report: &mut Report<'_, 'a>) {
    let Some(wanted) = number_at(preference, "requirements.cpu.guest") else { return };
    if let Some(spec) = context.brought.instancetype {
        let given = number_at(spec, "cpu.guest").unwrap_or_default();
        if given < wanted {
            let message = format!(
                "insufficient CPU resources of {given} vCPU provided by instance type, preference requires {wanted} vCPU"
            );
            report.add(context.root.place("spec.instancetype"), failure(&message), "name a larger instance type");
        }
        return;
    }
    let number = |field: &str| context.at(&format!("domain.cpu.{field}")).and_then(Cursor::int64).filter(|n| *n > 0);
    let is_given = ["cores", "sockets", "threads"].iter().any(|field| number(field).is_some());
    // Without a topology it is one vCPU, or as many sockets as requests and limits say.
    let resources = ["domain.resources.limits.cpu", "domain.resources.requests.cpu"];
    let by_resources = !is_given && resources.iter().any(|path| context.at(path).is_some());
    if by_resources || context.has_unseen(Matcher::Instancetype) {
        return;
    }
    let fields: &[&str] = match (topology(Some(preference)).as_str(), spread(preference).across.as_str()) {
        ("threads", _) => &["threads"],
        ("cores", _) => &["cores"],
        ("spread", "CoresThreads") => &["cores", "threads"],
        ("any", _) => &["cores", "sockets", "threads"],
        ("spread", "SocketsCoresThreads") => &["sockets", "cores", "threads"],
        ("spread", _) => &["sockets", "cores"],
        _ => &["sockets"],
    };
    let of = |field: &&str| number(field).unwrap_or(if is_given { 0 } else { 1 });
    let given = fields.iter().map(of).fold(1, i64::saturating_mul);
    if given < wanted {
        let paths = fields.iter().map(|field| context.place(&format!("domain.cpu.{field}")).path()).collect::<Vec<_>>();
        let list = fields.join(", ");
        let message = format!(
            "insufficient CPU resources of {given} vCPU provided by VirtualMachine, preference requires {wanted} vCPU provided as {list}"
        );
        let help = format!("write more {list}");
        report.add_as(paths.join(", "), context.place("domain.cpu"), failure(&message), help);
    }
}

/// The memory that a preference requires; with an instance type it is the guest's already.
fn memory<'a>(context: &CheckContext<'a>, preference: &Node, report: &mut Report<'_, 'a>) {
    let Some(wanted) = preference.at("requirements.memory.guest").and_then(|at| Some((at, quantity(&at.value)?)))
    else {
        return;
    };
    if context.has_unseen(Matcher::Instancetype) {
        return;
    }
    let places = ["domain.memory.guest", "domain.resources.requests.memory", "domain.resources.limits.memory"];
    let given = places.iter().find_map(|path| context.at(path));
    let bytes = given.and_then(|at| quantity(at.value()));
    if bytes.unwrap_or_default() < wanted.1 {
        let (what, place) = match context.brought.instancetype {
            Some(_) => ("instance type", context.root.place("spec.instancetype")),
            None => ("VirtualMachine", context.place("domain.memory")),
        };
        let [given, wanted] = [given.map(Cursor::value), Some(&wanted.0.value)].map(written);
        let message =
            format!("insufficient Memory resources of {given} provided by {what}, preference requires {wanted}");
        report.add(place, failure(&message), "give it more memory");
    }
}

/// A quantity in bytes.
fn quantity(value: &Value) -> Option<u64> {
    bytes(&written(Some(value)))
}

/// A quantity as it is written.
fn written(value: Option<&Value>) -> String {
    value.and_then(Value::quantity).unwrap_or_else(|| "0Mi".into())
}

/// Whether a value says something: not false, empty, or a topology's 0.
fn says(at: Cursor<'_>) -> bool {
    match at.value() {
        Value::Int(n) => *n != 0 || !at.path().contains(".cpu."),
        Value::Bool(is_on) => *is_on,
        Value::Str(text) => !text.is_empty(),
        Value::Seq(items) => !items.is_empty(),
        _ => true,
    }
}

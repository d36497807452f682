//! The annotation that pauses agent pings, in places and on probes where it does nothing (kubevirt-health.md 3.4), and those that the pod
//! is refused for.

use crate::check::context::CheckContext;
use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Rule};
use crate::manifest::{Handler, VirtualMachine};
use crate::yaml::Cursor;

const PAUSE: &str = "kubevirt.io/pause-guest-agent-probes";

/// Keys of annotations that say which system calls the pod, or one container of it, may make.
const SECCOMP: [&str; 2] =
    ["seccomp.security.alpha.kubernetes.io/pod", "container.seccomp.security.alpha.kubernetes.io/"];

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "bad-seccomp-annotation",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "Annotations of the VMI become the pod's. Kubernetes still reads two old ones, whose value names a seccomp profile: \
            runtime/default, docker/default, unconfined, or localhost/ with a path.",
        source: "Kubernetes pkg/apis/core/validation/validation.go ValidateSeccompPodAnnotations",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let [pod, container] = SECCOMP;
            let annotations = context.metadata_of_vmi().and_then(|metadata| metadata.get("annotations"));
            for (key, at) in annotations.into_iter().flat_map(Cursor::members) {
                let is_seccomp = key.name == pod || key.name.starts_with(container);
                if let Some(profile) = at.text().filter(|profile| is_seccomp && !is_seccomp_profile(profile)) {
                    let message = format!("{profile:?} is not a valid seccomp profile");
                    let help = "write runtime/default, or remove the annotation";
                    report.add_as(format!("metadata.annotations.{}", key.name), at, message, help);
                }
            }
        }),
    },
    &Rule {
        code: "pause-annotation-on-the-vm",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "virt-launcher looks for kubevirt.io/pause-guest-agent-probes on the VirtualMachineInstance. Annotations of \
            the VirtualMachine itself are not handed on: there it does nothing.",
        source: "sim/docs/kubevirt-health.md 1.1, 3.4",
        shown_by: &[],
        check: Check::Running(|context, _, report| {
            if let Some(at) = annotation(context.root).filter(|_| context.is_vm) {
                let place = context.root.place("spec.template.metadata.annotations").path();
                report.add(
                    at,
                    "this annotation does nothing on the VirtualMachine: it is looked for on the VirtualMachineInstance",
                    format!("put it into {place}, or on the running VMI: `kubectl annotate vmi`"),
                );
            }
        }),
    },
    &Rule {
        code: "pause-annotation-without-pings",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "kubevirt.io/pause-guest-agent-probes answers guestAgentPing only. Probes with exec, httpGet or tcpSocket go \
            on as before, whatever the annotation says.",
        source: "sim/docs/kubevirt-health.md 3.4",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            let Some(at) = of_vmi(context) else { return };
            let probes: Vec<_> = [("readinessProbe", &vm.vmi.readiness), ("livenessProbe", &vm.vmi.liveness)]
                .into_iter()
                .filter_map(|(name, probe)| Some((name, &probe.as_ref()?.handler)))
                .collect();
            if probes.iter().any(|(_, handler)| **handler == Handler::GuestAgentPing) {
                return;
            }
            let message = match probes.first() {
                Some((name, handler)) => {
                    format!("this annotation does not pause {name}: it has {}, not guestAgentPing", handler.name())
                }
                None => "this annotation pauses nothing: there is no probe".to_owned(),
            };
            report.add(at, message, "remove it, or make the probe a guestAgentPing");
        }),
    },
    &Rule {
        code: "pause-annotation-not-heeded",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "kubevirt.io/pause-guest-agent-probes came with v1.9; before, it is a label like any other. Its value is \
            read as Go reads a boolean: 1, t, T, true, True, TRUE; `yes` and `on` are not.",
        source: "sim/docs/kubevirt-health.md 1.6, 3.4",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            let Some(at) = of_vmi(context).filter(|_| has_ping(vm)) else { return };
            let (version, text) = (context.options.kubevirt, at.text().unwrap_or_default());
            let is_false = ["0", "f", "F", "FALSE", "false", "False"].contains(&text);
            if !version.heeds_probe_annotation() {
                report.add(
                    at,
                    format!("KubeVirt {version} does not know this annotation: it came with v1.9"),
                    "remove it",
                );
            } else if !vm.vmi.agent_probes_paused && !is_false {
                report.add(at, format!("{text:?} counts as false: pings are not paused"), "write \"true\"");
            }
        }),
    },
];

fn annotation(object: Cursor<'_>) -> Option<Cursor<'_>> {
    object.at("metadata.annotations")?.get(PAUSE)
}

fn of_vmi<'a>(context: &CheckContext<'a>) -> Option<Cursor<'a>> {
    if context.is_vm { annotation(context.root.at("spec.template")?) } else { annotation(context.root) }
}

fn has_ping(vm: &VirtualMachine) -> bool {
    [&vm.vmi.readiness, &vm.vmi.liveness].into_iter().flatten().any(|p| p.handler == Handler::GuestAgentPing)
}

/// A path is relative and leads down.
fn is_seccomp_profile(profile: &str) -> bool {
    match profile.strip_prefix("localhost/") {
        Some(path) => !path.starts_with('/') && path.split('/').all(|part| part != ".."),
        None => ["runtime/default", "docker/default", "unconfined"].contains(&profile),
    }
}

//! Kubernetes' own rules for the pod that a probe ends up in (kubevirt-health.md 2.4).

use crate::check::context::ProbeField;
use crate::check::layer::{Layer, Rank};
use crate::check::predicates::name_of;
use crate::check::rule::{Check, Report, Rule};
use crate::manifest::{LIBVIRT_STARTUP_DELAY, VIRT_PROBE, is_header_name};
use crate::yaml::{Cursor, Value};

/// `virt-launcher-NAME-` begins the pod's name; without the dash at its end it has at most 253 characters.
const VM_NAME_LIMIT: usize = 253 - "virt-launcher-".len();

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "name-too-long-for-the-pod",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "The pod is called virt-launcher-NAME-xxxxx, and the beginning of a name has at most \
            253 characters, so a VM's has at most 239.",
        source: "Kubernetes apimachinery validation/objectmeta.go (generateName); KubeVirt pkg/virt-controller/services/template.go",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let name = context.object.at("metadata.name").filter(|_| context.kind.template().is_none());
            if let Some((at, name)) = name.and_then(|at| Some((at, at.text()?)))
                && name.len() > VM_NAME_LIMIT
            {
                let message = format!("a name of {} characters, of at most {VM_NAME_LIMIT}", name.len());
                report.add_as("metadata.generateName", at, message, "write a shorter one");
            }
        }),
    },
    &Rule {
        code: "liveness-success-threshold",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "Kubernetes wants a liveness probe's successThreshold to be 1. KubeVirt does not look at it, so VM \
            and VMI are created and no pod ever is.",
        source: "sim/docs/kubevirt-health.md 2.4; 11.2 row 34",
        shown_by: &[],
        check: Check::Probe(|probe, report| {
            let threshold = probe.cursor.get("successThreshold").and_then(Cursor::int64);
            // Below 1 means 1.
            if let Some(n) = threshold.filter(|n| probe.name == "livenessProbe" && *n > 1) {
                let message = format!("must be 1 for liveness, found {n}");
                refuse(probe, "successThreshold", message, "remove it or write 1", report);
            }
        }),
    },
    &Rule {
        code: "negative-delay",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "KubeVirt adds 10 s to initialDelaySeconds; what is still below 0 is refused with the pod.",
        source: "sim/docs/kubevirt-health.md 2.4, 3.1",
        shown_by: &[],
        check: Check::Probe(|probe, report| {
            let delay = probe.cursor.get("initialDelaySeconds").and_then(Cursor::int32);
            // A sum that does not fit wraps around.
            if let Some(n) = delay
                && n.checked_add(LIBVIRT_STARTUP_DELAY).is_none_or(|n| n < 0)
            {
                let message = format!("{n} + {LIBVIRT_STARTUP_DELAY} is not a whole number of 32 bits from 0 on");
                refuse(probe, "initialDelaySeconds", message, "write 0 or more", report);
            }
        }),
    },
    &Rule {
        code: "timeout-overflows",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "KubeVirt adds 1 s to timeoutSeconds of what virt-probe runs. To the greatest number of 32 bits that \
            makes the least one, which is refused with the pod.",
        source: "sim/docs/kubevirt-health.md 2.4, 3.1",
        shown_by: &[],
        check: Check::Probe(|probe, report| {
            let program = probe.cursor.items_at("exec.command").next().and_then(|at| at.text());
            let wrapped = probe.cursor.get("guestAgentPing").is_some() || program.is_some_and(|p| p != VIRT_PROBE);
            let timeout = probe.cursor.get("timeoutSeconds").and_then(Cursor::int32);
            if let Some(n) = timeout.filter(|n| wrapped && n.checked_add(1).is_none()) {
                let message = format!("{n} + 1 is not a whole number of 32 bits");
                refuse(probe, "timeoutSeconds", message, "write a smaller one", report);
            }
        }),
    },
    &Rule {
        code: "port-out-of-range",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "Ports are 1 to 65535. Only the pod is checked for it, so VM and VMI are created.",
        source: "sim/docs/kubevirt-health.md 2.4; 11.2 row 34",
        shown_by: &[],
        check: Check::Probe(|probe, report| {
            for (path, at) in ports(probe) {
                if let Value::Int(n) = at.value()
                    && !(1..=65535).contains(n)
                {
                    refuse(probe, path, format!("{n} is not a port"), "write 1 to 65535", report);
                }
            }
        }),
    },
    &Rule {
        code: "bad-port-name",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "A port's name is a service name: lowercase letters, digits and single dashes, at least one letter, \
            at most 15 characters. `\"8080\"` in quotes is such a name, and not a legal one.",
        source: "sim/docs/kubevirt-health.md 2.4",
        shown_by: &[],
        check: Check::Probe(|probe, report| {
            for (path, port) in ports(probe).filter_map(|(path, at)| Some((path, at.text()?))) {
                if let Err(why) = service_name(port) {
                    let help = match port.parse::<u16>() {
                        Ok(_) => "write the number without quotes",
                        Err(_) => "write a number, or a name of at most 15 lowercase letters, digits and single dashes",
                    };
                    refuse(probe, path, format!("{port:?} is not a port's name: {why}"), help, report);
                }
            }
        }),
    },
    &Rule {
        code: "empty-command",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "An exec probe without a command.",
        source: "sim/docs/kubevirt-health.md 2.4",
        shown_by: &[],
        check: Check::Probe(|probe, report| {
            if let Some(exec) = probe.cursor.get("exec")
                && exec.items_at("command").next().is_none()
            {
                let help = "add the program and its arguments as a list";
                refuse(probe, "exec.command", "the command is empty".into(), help, report);
            }
        }),
    },
    &Rule {
        code: "bad-header-name",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "A header's name is letters, digits and dashes. One that is left out counts as empty; a value that is \
            left out is one.",
        source: "sim/docs/kubevirt-health.md 2.4",
        shown_by: &[],
        check: Check::Probe(|probe, report| {
            for name in probe.cursor.items_at("httpGet.httpHeaders").map(name_of) {
                if !is_header_name(name) {
                    let message = format!("{name:?} is not a header's name");
                    refuse(probe, "httpGet.httpHeaders", message, "use letters, digits and dashes", report);
                }
            }
        }),
    },
];

/// Kubernetes names the field of the pod's container.
fn refuse<'a>(probe: &ProbeField<'a>, path: &str, message: String, help: &str, report: &mut Report<'_, 'a>) {
    let field = format!("spec.containers[0].{}.{path}", probe.name);
    report.add_as(field, probe.cursor.place(path), message, help);
}

/// The ports of its handlers, with their paths.
fn ports<'a>(probe: &ProbeField<'a>) -> impl Iterator<Item = (&'static str, Cursor<'a>)> {
    let cursor = probe.cursor;
    ["httpGet.port", "tcpSocket.port"].into_iter().filter_map(move |path| Some((path, cursor.at(path)?)))
}

/// IANA_SVC_NAME (Kubernetes validation.IsValidPortName).
pub(super) fn service_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.len() > 15 {
        return Err("it must have 1 to 15 characters");
    }
    if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return Err("only lowercase letters, digits and dashes are allowed");
    }
    if !name.bytes().any(|b| b.is_ascii_lowercase()) {
        return Err("it needs a letter");
    }
    if name.contains("--") || name.starts_with('-') || name.ends_with('-') {
        return Err("dashes must stand alone and inside");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::service_name;

    #[test]
    fn service_names() {
        for (name, fine) in [
            ("http", true),
            ("a", true),
            ("http-8080", true),
            ("fifteen-letters", true),
            ("sixteen--letters", false),
            ("8080", false),
            ("Http", false),
            ("a--b", false),
            ("-a", false),
            ("a-", false),
            ("", false),
        ] {
            assert_eq!(service_name(name).is_ok(), fine, "{name}");
        }
    }
}

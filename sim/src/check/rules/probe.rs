//! Probes: what KubeVirt asks of one, and what surprises in the way it asks.

use crate::budget::{Answer, detection};
use crate::check::context::ProbeField;
use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Rule};
use crate::manifest::{Handler, PodProbe};
use crate::yaml::Value;

/// The four handlers, in KubeVirt's order.
const HANDLERS: [&str; 4] = ["httpGet", "tcpSocket", "exec", "guestAgentPing"];

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "no-handler",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A probe without httpGet, tcpSocket, exec or guestAgentPing. Often a bare `guestAgentPing:`, which is \
            null and dropped before validation: it must be written `guestAgentPing: {}`.",
        source: "sim/docs/kubevirt-health.md 1.2, 2.2",
        shown_by: &[],
        check: Check::Probe(|probe, report| {
            if !handlers(probe).is_empty() {
                return;
            }
            let null = |key| matches!(probe.cursor.value(), Value::Map(m) if m.iter().any(|(k, _)| k.name == key));
            let (name, at) = (probe.name, probe.cursor);
            match null("guestAgentPing") {
                true => report.add(
                    at,
                    format!("{name} has no handler: a bare guestAgentPing is null, and nulls are dropped"),
                    "write guestAgentPing: {}",
                ),
                false => report.add(
                    at,
                    format!("{name} has no handler"),
                    "add one of httpGet, tcpSocket, exec, guestAgentPing: {}",
                ),
            }
        }),
    },
    &Rule {
        code: "several-handlers",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A probe has one handler, and a VMI one readiness and one liveness probe: to check two things, put \
            both behind one endpoint of the guest.",
        source: "sim/docs/kubevirt-health.md 2.2",
        shown_by: &[],
        check: Check::Probe(|probe, report| {
            let set = handlers(probe);
            if set.len() > 1 {
                let message = format!("{} must have exactly one handler, found {}", probe.name, set.join(" and "));
                report.add(probe.cursor, message, "keep one of them");
            }
        }),
    },
    &Rule {
        code: "network-probe-without-pod-network",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "The kubelet reaches the guest through the pod's own address, so an httpGet or tcpSocket probe needs \
            a `networks[]` entry with `pod`. A Multus network does not count, not even as the default one, although \
            the VM may be reachable there.",
        source: "sim/docs/kubevirt-health.md 2.2",
        shown_by: &[],
        check: Check::Probe(|probe, report| {
            if has_pod_network(probe) {
                return;
            }
            for handler in ["httpGet", "tcpSocket"] {
                if let Some(at) = probe.cursor.get(handler) {
                    let message = format!("{handler} needs the pod network, and no entry of networks has `pod`");
                    let help = "add a network with `pod: {}` and an interface for it, or use exec or guestAgentPing";
                    report.add(at, message, help);
                }
            }
        }),
    },
    &Rule {
        code: "period-not-above-timeout",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "The documentation demands that periodSeconds be greater than timeoutSeconds; nothing enforces it. \
            Attempts of one probe never overlap: one that hangs for longer than the period delays the next one, so \
            detection takes timeouts, not periods.",
        source: "OpenShift documentation, Virtual machine health checks; sim/docs/kubevirt-health.md 2.5, 3.5",
        shown_by: &[],
        check: Check::RunningProbe(|running, report| {
            let timings = running.probe.timings;
            if timings.period <= timings.timeout {
                let worst = detection(&PodProbe::from(running.probe), Answer::Silence).worst.as_secs();
                let cursor = running.field.cursor;
                let place = cursor.get("timeoutSeconds").map(Into::into);
                let message = format!(
                    "periodSeconds {} is not greater than timeoutSeconds {}: a guest that hangs is detected after up to {worst} s",
                    timings.period, timings.timeout
                );
                let place = place.unwrap_or_else(|| cursor.place("periodSeconds"));
                report.add(place, message, "make periodSeconds greater than timeoutSeconds");
            }
        }),
    },
    &Rule {
        code: "probe-of-another-host",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "With `host` the kubelet probes that host and not this VM: the VM is restarted or taken out of \
            service for the health of another machine.",
        source: "sim/docs/kubevirt-health.md 2.5",
        shown_by: &[],
        check: Check::RunningProbe(|running, report| {
            let host = match &running.probe.handler {
                Handler::HttpGet(get) => get.host.as_ref(),
                Handler::TcpSocket { host, .. } => host.as_ref(),
                Handler::Exec { .. } | Handler::GuestAgentPing => None,
            };
            if let Some(host) = host {
                let place = running.field.cursor.place(&format!("{}.host", running.probe.handler.name()));
                report.add(place, format!("{} checks {host}, not this VM", running.field.name), "remove host");
            }
        }),
    },
    &Rule {
        code: "tcp-probe-outlives-a-hang",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "A tcpSocket probe succeeds when the guest's kernel completes the handshake. A service that hangs \
            keeps its listening socket, and the kernel goes on accepting for it: the hang is never seen. Use \
            httpGet, or a command that asks for an answer.",
        source: "sim/docs/kubevirt-health.md 3.2; 11.2 row 15",
        shown_by: &["http-hang/liveness-tcp/never-detected"],
        check: Check::RunningProbe(|running, report| {
            if matches!(running.probe.handler, Handler::TcpSocket { .. }) {
                report.add(
                    running.handler(),
                    "a service that hangs keeps accepting connections: this probe does not notice",
                    "use httpGet, or exec with a command that waits for an answer",
                );
            }
        }),
    },
    &Rule {
        code: "agent-probes-paused",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "The annotation kubevirt.io/pause-guest-agent-probes answers every agent ping with success without \
            asking the guest: the probe cannot fail until it is removed.",
        source: "sim/docs/kubevirt-health.md 3.4; 11.2 row 13",
        shown_by: &["agent-stopped/liveness-ping/annotation"],
        check: Check::RunningProbe(|running, report| {
            if running.pings_are_paused() {
                let message = format!(
                    "the annotation kubevirt.io/pause-guest-agent-probes keeps {} from ever failing",
                    running.field.name
                );
                report.add(running.handler(), message, "remove the annotation when the maintenance is over");
            }
        }),
    },
];

fn handlers(probe: &ProbeField<'_>) -> Vec<&'static str> {
    HANDLERS.into_iter().filter(|h| probe.cursor.get(h).is_some()).collect()
}

/// `networks[]` with a `pod` entry; a VM without any network gets one (kubevirt-health.md 2.2).
fn has_pod_network(probe: &ProbeField<'_>) -> bool {
    let spec = probe.spec;
    let none = |path| spec.items_at(path).next().is_none();
    let attached = spec.at("domain.devices.autoattachPodInterface").and_then(|a| a.boolean()) != Some(false);
    let added = none("networks") && none("domain.devices.interfaces") && attached;
    added || spec.items_at("networks").any(|network| network.get("pod").is_some())
}

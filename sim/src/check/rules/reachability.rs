//! Whether a connection from the node reaches the guest at all: bindings and meshes (kubevirt-health.md 3.2).

use crate::check::context::{CheckContext, RunningProbe};
use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Rule};
use crate::manifest::{Destination, VirtualMachine};
use crate::yaml::Place;

/// What Istio's proxy listens on in every pod that has it (KubeVirt pkg/network/istio/ports.go).
const PROXY_PORTS: [u16; 10] = [15000, 15001, 15004, 15006, 15008, 15009, 15020, 15021, 15053, 15090];
/// The one binding plugin of the pod network through which the pod's address is the guest's.
const REACHES: &str = "passt";

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "binding-without-a-way-to-the-guest",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "The kubelet connects to the pod's address. With masquerade and bridge that leads to the guest. A plugin \
            such as l2bridge, which puts the guest into a network of its own, leaves nothing behind that address: http \
            and tcp probes never get through.",
        source: "sim/docs/kubevirt-health.md 3.2",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            let Some(binding) = plugin(context).filter(|b| *b != REACHES) else { return };
            for (_, place) in asks_the_guest(context, vm) {
                let message = format!(
                    "with the binding {binding} the pod's address does not lead to the guest: this probe never gets through"
                );
                report.add(place, message, "use exec or guestAgentPing, or the binding masquerade");
            }
        }),
    },
    &Rule {
        code: "istio-answers-the-probe",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "These ports are Istio's own in every pod that has its proxy. A probe of one is answered by the proxy, \
            whatever the guest does: liveness never fails, readiness is early.",
        source: "KubeVirt pkg/network/istio/ports.go; sim/docs/kubevirt-health.md 3.2",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            if context.vmi_metadata("sidecar.istio.io/inject").is_none_or(|value| value != "true") {
                return;
            }
            for (port, place) in asks_the_guest(context, vm).into_iter().filter(|(port, _)| PROXY_PORTS.contains(port))
            {
                let message = format!("port {port} is answered by Istio's proxy, whatever the guest does");
                report.add(place, message, "let the service listen on another port, and probe that");
            }
        }),
    },
    &Rule {
        code: "ambient-mesh-swallows-probes",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "Istio's ambient mode redirects what comes to the pod's address to its own proxy in the pod's network \
            namespace, before KubeVirt's rules forward it to the guest: http and tcp probes do not get through.",
        source: "sim/docs/kubevirt-health.md 3.2",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            if context.vmi_metadata("istio.io/dataplane-mode") != Some("ambient") {
                return;
            }
            for (_, place) in asks_the_guest(context, vm) {
                report.add(
                    place,
                    "in Istio's ambient mode nothing from the node gets through to the guest: this probe always fails",
                    "take this VM out of the mesh (istio.io/dataplane-mode: none), or use exec or guestAgentPing",
                );
            }
        }),
    },
];

/// The binding plugin of the pod network's interface.
fn plugin<'a>(context: &CheckContext<'a>) -> Option<&'a str> {
    let pod = context.items_at("networks").find(|network| network.get("pod").is_some())?.text_at("name")?;
    let mut interfaces = context.items_at("domain.devices.interfaces").filter(|i| i.text_at("name") == Some(pod));
    interfaces.next()?.text_at("binding.name")
}

/// The probes that connect to the guest: the port, and where they are.
fn asks_the_guest<'a>(context: &CheckContext<'a>, vm: &VirtualMachine) -> Vec<(u16, Place<'a>)> {
    let port = |running: &RunningProbe<'_, 'a>| match vm.vmi.destination(&running.probe.handler)? {
        Ok(Destination::Guest { port } | Destination::NotForwarded { port }) => Some((port, running.handler())),
        Ok(Destination::Elsewhere { .. }) | Err(_) => None,
    };
    context.running_probes(vm).iter().filter_map(port).collect()
}

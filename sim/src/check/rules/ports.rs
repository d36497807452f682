//! The ports that interfaces declare: of the pod network KubeVirt looks at them, all of them become the pod's
//! (KubeVirt pkg/network/admitter/netiface.go, pkg/virt-controller/services/rendercontainer.go containerPortsFromVMI).

use super::pod::service_name;
use crate::check::layer::{Layer, Rank};
use crate::check::nic::nics;
use crate::check::predicates::name_of;
use crate::check::rule::{Check, Rule};
use crate::yaml::Cursor;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

const PORTS: RangeInclusive<i64> = 1..=65535;
const NAME_HELP: &str = "write a name of at most 15 lowercase letters, digits and single dashes, used once";

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "bad-interface-port",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A declared port has a number from 1 to 65535, TCP or UDP if it says which, and a name that is a service name \
            and no other port's, if it has one. KubeVirt looks at the ports of the pod network only.",
        source: "KubeVirt pkg/network/admitter/netiface.go validatePortConfiguration",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for nic in nics(context).into_iter().filter(|nic| nic.is_on_pod_network()) {
                let mut names = BTreeSet::new();
                for port in nic.at.items_at("ports") {
                    let name = name_of(port);
                    if !name.is_empty() && !names.insert(name) {
                        report.add(port.place("name"), format!("Duplicate name of the port: {name}"), NAME_HELP);
                    }
                    if !name.is_empty() && service_name(name).is_err() {
                        report.add(port.place("name"), format!("Invalid name of the port: {name}"), NAME_HELP);
                    }
                    match number_of(port) {
                        0 => report.add(port.place("port"), "Port field is mandatory.", "add port, 1 to 65535"),
                        n if !PORTS.contains(&n) => {
                            report.add(
                                port.place("port"),
                                "Port field must be in range 0 < x < 65536.",
                                "write 1 to 65535",
                            );
                        }
                        _ => {}
                    }
                    if !["", "TCP", "UDP"].contains(&protocol_of(port)) {
                        let message = "Unknown protocol, only TCP or UDP allowed";
                        report.add(port.place("protocol"), message, "write TCP or UDP; case counts");
                    }
                }
            }
        }),
    },
    &Rule {
        code: "port-ranges-without-their-gate",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "portRanges needs the feature gate PortRangesSpec, which is off unless the cluster's administrator turns it on.",
        source: "KubeVirt pkg/network/admitter/netiface.go validatePortRangesConfiguration",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for nic in nics(context).into_iter().filter(|_| context.is_off("PortRangesSpec")) {
                // An empty list does not come through a mutating webhook, which a template does not have.
                let counts = |ranges: &Cursor<'_>| context.kind.template().is_some() || ranges.items().next().is_some();
                if let Some(ranges) = nic.at.get("portRanges").filter(counts) {
                    report.add_as(
                        nic.at.place("name").path(),
                        ranges,
                        "portRanges is specified on interface but the PortRangesSpec feature gate is not enabled",
                        "list the ports in ports, or have the gate turned on",
                    );
                }
            }
        }),
    },
    &Rule {
        code: "bad-container-port",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "Every declared port becomes a port of the pod's container, also those that KubeVirt did not look at: number, \
            protocol and name must be Kubernetes', and a name may occur once among the ports of all interfaces.",
        source: "Kubernetes pkg/apis/core/validation validateContainerPorts; KubeVirt rendercontainer.go containerPortsFromVMI",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let (mut names, mut all) = (BTreeSet::new(), 0..);
            for nic in nics(context) {
                let mut own = BTreeSet::new();
                for (port, i) in nic.at.items_at("ports").zip(&mut all) {
                    // What KubeVirt refuses never comes here.
                    let is_new = !nic.is_on_pod_network();
                    let (name, field) = (name_of(port), format!("spec.containers[0].ports[{i}]"));
                    let repeats = !name.is_empty() && !names.insert(name) && (is_new || !own.contains(name));
                    own.insert(name);
                    if repeats {
                        let message = format!("Duplicate value: {name:?}: another port has this name");
                        report.add_as(format!("{field}.name"), port.place("name"), message, NAME_HELP);
                    }
                    if is_new
                        && !name.is_empty()
                        && let Err(why) = service_name(name)
                    {
                        let message = format!("{name:?} is not a port's name: {why}");
                        report.add_as(format!("{field}.name"), port.place("name"), message, NAME_HELP);
                    }
                    if is_new && !PORTS.contains(&number_of(port)) {
                        let message = format!("{} is not a port", number_of(port));
                        report.add_as(
                            format!("{field}.containerPort"),
                            port.place("port"),
                            message,
                            "write 1 to 65535",
                        );
                    }
                    if is_new && !["", "TCP", "UDP", "SCTP"].contains(&protocol_of(port)) {
                        let message = format!("{:?} is not one of SCTP, TCP, UDP", protocol_of(port));
                        report.add_as(format!("{field}.protocol"), port.place("protocol"), message, "write TCP or UDP");
                    }
                }
            }
        }),
    },
];

/// 0 if it is not there.
fn number_of(port: Cursor<'_>) -> i64 {
    port.get("port").and_then(Cursor::int64).unwrap_or_default()
}

fn protocol_of(port: Cursor<'_>) -> &str {
    port.text_at("protocol").unwrap_or_default()
}

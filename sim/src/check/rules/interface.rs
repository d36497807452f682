//! Network interfaces: one binding each, and fields that mean something (KubeVirt pkg/network/admitter/binding.go, netiface.go,
//! admit.go, passt.go, discontinued.go).

use crate::check::address::{is_ipv4, is_pci_address, mac_length};
use crate::check::beside::Matcher;
use crate::check::context::CheckContext;
use crate::check::layer::{Layer, Rank};
use crate::check::nic::{BINDINGS, DISCONTINUED, Nic, nics};
use crate::check::predicates::{name_of, repeated};
use crate::check::rule::{Check, Rule};
use crate::yaml::{Cursor, Value};
use std::collections::BTreeSet;

const MODELS: [&str; 7] = ["e1000", "e1000e", "igb", "ne2k_pci", "pcnet", "rtl8139", "virtio"];
/// The in-pod bridge's own (KubeVirt pkg/network/link/mac.go).
const RESERVED_MAC: &str = "02:00:00:00:00:00";
/// RFC 3942: site-specific options.
const PRIVATE_DHCP_OPTIONS: std::ops::RangeInclusive<i64> = 224..=254;

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "discontinued-binding",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "slirp, macvtap and passt are no longer part of KubeVirt since v1.3: passtBinding takes passt's place, a \
            binding plugin that the administrator installs the other ones'.",
        source: "KubeVirt pkg/network/admitter/discontinued.go",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for (nic, (key, what)) in nics(context).into_iter().flat_map(|nic| DISCONTINUED.map(|d| (nic, d))) {
                let Some(at) = nic.at.get(key) else { continue };
                let help =
                    if key == "passt" { "write `passtBinding: {}`" } else { "write `masquerade: {}` or `bridge: {}`" };
                // KubeVirt looks before it looks at the template, and names the VMI's field.
                let field = at.path().replacen(&context.spec_path(), "spec", 1);
                report.add_of_each(context, field, at, format!("{what} has been discontinued since v1.3"), help);
            }
        }),
    },
    &Rule {
        code: "not-one-binding",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "An interface has one binding: bridge, masquerade, sriov, passtBinding, or a plugin's under `binding`. A bare \
            `masquerade:` is null and counts as absent.",
        source: "KubeVirt pkg/network/admitter/binding.go validateInterfaceBindingExists",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for nic in nics(context) {
                let count = BINDINGS.iter().filter(|binding| nic.has(binding)).count();
                // Of a VM's interface that is said first and alone; a template is not asked.
                let is_said = context.kind.template().is_none() && nic.has_any(&DISCONTINUED.map(|(key, _)| key));
                // A preference may bring masquerade before the webhook looks.
                let may_come = count == 0 && nic.is_on_pod_network() && context.has_unseen(Matcher::Preference);
                if count == 1 || is_said || may_come {
                    continue;
                }
                let name = nic.name;
                let message =
                    format!("logical {name} interface must have exactly one binding method or binding plugin");
                report.add(nic.at, message, if count > 1 { "keep one of them".into() } else { missing_binding(&nic) });
            }
        }),
    },
    &Rule {
        code: "binding-plugin-not-seen",
        layer: Layer::Hazard,
        rank: Rank::Note,
        story: "A binding plugin must be registered in the KubeVirt object under spec.configuration.network.binding; without that no \
            pod is ever made, and the VMI says \"couldn't find configuration for network binding\".",
        source: "KubeVirt pkg/network/netbinding/netbinding.go",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for plugin in nics(context).into_iter().filter_map(|nic| nic.at.get("binding")) {
                let name = name_of(plugin);
                let message = format!("whether the cluster has the binding plugin {name:?} cannot be seen here");
                report.add(plugin, message, "look in the KubeVirt object, under spec.configuration.network.binding");
            }
        }),
    },
    &Rule {
        code: "binding-without-pod-network",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "masquerade and passtBinding translate addresses of the pod's own network; on a multus network use bridge.",
        source: "KubeVirt pkg/network/admitter/binding.go validateMasqueradeBinding, passt.go",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for nic in nics(context) {
                let at = || nic.at.place("name");
                if nic.has("passtBinding") && context.is_off("PasstBinding") {
                    report.add(at(), "PasstBinding feature gate is not enabled", "write `masquerade: {}`");
                }
                // That the network is missing is said elsewhere.
                if nic.network.is_none() || nic.is_on_pod_network() {
                    continue;
                }
                for (key, what) in [("masquerade", "Masquerade"), ("passtBinding", "PasstBinding")] {
                    if nic.has(key) {
                        let message = format!("{what} interface only implemented with pod network");
                        report.add(at(), message, "write `bridge: {}`, or give its network `pod: {}`");
                    }
                }
            }
        }),
    },
    &Rule {
        code: "duplicate-interface",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "An interface is connected to the network of its name, and no two to the same.",
        source: "KubeVirt pkg/network/admitter/netiface.go validateInterfaceNameUnique",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for (nic, _) in repeated(context.items_at("domain.devices.interfaces")) {
                let message = "Only one interface can be connected to one specific network";
                report.add(nic.place("name"), message, "add a network of another name, and name that");
            }
        }),
    },
    &Rule {
        code: "bad-interface-name",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "Letters, digits, dashes and underscores.",
        source: "KubeVirt pkg/network/admitter/netiface.go validateInterfaceNameFormat",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let fits =
                |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
            for nic in nics(context).into_iter().filter(|nic| !fits(nic.name)) {
                let message = "Network interface name can only contain alphabetical characters, numbers, dashes (-) or underscores (_)";
                report.add(nic.at.place("name"), message, "write a name like default, here and in networks");
            }
        }),
    },
    &Rule {
        code: "bad-interface-model",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "The models are virtio, which is the default, e1000, e1000e, igb, ne2k_pci, pcnet and rtl8139.",
        source: "KubeVirt pkg/network/admitter/netiface.go validateInterfaceModel",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for (nic, at, model) in texts(context, "model") {
                if !MODELS.contains(&model) {
                    let name = nic.at.place("name").path();
                    let message = format!("interface {name} uses model {model} that is not supported.");
                    report.add(
                        at,
                        message,
                        format!("write one of {}, or remove it: virtio is the default", MODELS.join(", ")),
                    );
                }
            }
        }),
    },
    &Rule {
        code: "bad-mac-address",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "Six bytes, as 02:ab:cd:00:00:01, 02-ab-cd-00-00-01 or 02ab.cd00.0001, and with masquerade not the address of the \
            bridge in the pod.",
        source: "KubeVirt pkg/network/link/mac.go, pkg/network/admitter/binding.go",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for (nic, at, mac) in texts(context, "macAddress") {
                let what = match mac_length(mac) {
                    None => "malformed",
                    Some(6) if nic.has("masquerade") && mac == RESERVED_MAC => {
                        let message =
                            "The requested MAC address is reserved for the in-pod bridge. Please choose another one.";
                        report.add(at, message, "write another one, or none");
                        continue;
                    }
                    Some(6) => continue,
                    Some(_) => "too long",
                };
                let message = format!("interface {} has {what} MAC address ({mac}).", nic.at.place("name").path());
                report.add(at, message, "write one like \"02:ab:cd:00:00:01\", or none");
            }
        }),
    },
    &Rule {
        code: "multicast-mac-address",
        layer: Layer::Libvirt,
        rank: Rank::Error,
        story: "The lowest bit of the first byte says that an address is a group's. KubeVirt takes it, and hands it to libvirt, \
            which defines no interface with it. libvirt never gets one that is SR-IOV's, a binding plugin's (unless the plugin has a \
            tap, which is not seen here) or `absent`.",
        source: "sim/docs/kubevirt-health.md 2.6",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let is_libvirts =
                |nic: &Nic<'_>| !nic.has_any(&["sriov", "binding"]) && nic.at.text_at("state") != Some("absent");
            for (nic, at, mac) in texts(context, "macAddress").filter(|(nic, ..)| is_libvirts(nic)) {
                let Some(first) = mac_length(mac).and_then(|_| u8::from_str_radix(&mac[..2], 16).ok()) else {
                    continue;
                };
                if first & 1 == 1 {
                    let message = format!(
                        "libvirt defines no interface with {mac}, the address of {}: it is multicast",
                        nic.name
                    );
                    let help =
                        format!("write {:02x}{}, whose first byte is even, or none", first & 0xfe | 2, &mac[2..]);
                    report.add(at, message, help);
                }
            }
        }),
    },
    &Rule {
        code: "bad-interface-pci-address",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "Domain, bus, slot and function in hexadecimal, as 0000:81:01.0.",
        source: "KubeVirt pkg/network/admitter/netiface.go validatePciAddress",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for (nic, at, address) in texts(context, "pciAddress").filter(|(_, _, address)| !is_pci_address(address)) {
                let name = nic.at.place("name").path();
                let message = format!("interface {name} has malformed PCI address ({address}).");
                report.add(at, message, "write one like \"0000:81:01.0\", or none");
            }
        }),
    },
    &Rule {
        code: "bad-interface-state",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "`up` and `down` are the link's, not for SR-IOV; `absent` unplugs an interface with the bridge binding that is not \
            on the default network.",
        source: "KubeVirt pkg/network/admitter/admit.go validateInterfaceStateValue",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for (nic, at, state) in texts(context, "state") {
                let is_default = |n: Cursor<'_>| n.at("multus.default").and_then(Cursor::boolean) == Some(true);
                let on_default = nic.is_on_pod_network() || nic.network.is_some_and(is_default);
                let name = nic.name;
                let known = format!("{name:?} interface's state {state:?} is");
                let unknown = format!("logical {name} interface state value is unsupported: {state}");
                let absent = state == "absent";
                for (wrong, message) in [
                    (!absent && !["up", "down"].contains(&state), unknown),
                    (
                        ["up", "down"].contains(&state) && nic.has("sriov"),
                        format!("{known} not supported for SR-IOV NICs"),
                    ),
                    (absent && !nic.has("bridge"), format!("{known} supported only for bridge binding")),
                    (absent && on_default, format!("{known} not supported on default networks")),
                ] {
                    if wrong {
                        report.add(at, message, "write up or down, or remove it");
                    }
                }
            }
        }),
    },
    &Rule {
        code: "bad-dhcp-options",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "Private options are 224 to 254, each once; NTP servers are IPv4 addresses, not names.",
        source: "KubeVirt pkg/network/admitter/netiface.go validateDHCPOptions",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for options in nics(context).into_iter().filter_map(|nic| nic.at.get("dhcpOptions")) {
                let mut numbers = BTreeSet::new();
                for at in options.items_at("privateOptions") {
                    // KubeVirt names the VMI's spec.
                    let number = at.get("option").and_then(Cursor::int64).unwrap_or_default();
                    if !numbers.insert(number) {
                        let message = "Found Duplicates: you have provided duplicate DHCPPrivateOptions";
                        report.add_as(context.spec_path(), at, message, format!("keep one value of option {number}"));
                    }
                    if !PRIVATE_DHCP_OPTIONS.contains(&number) {
                        let message = "provided DHCPPrivateOptions are out of range, must be in range 224 to 254";
                        report.add_as(context.spec_path(), at, message, "write an option of 224 to 254");
                    }
                }
                for server in options.items_at("ntpServers").filter(|s| !s.text().is_some_and(is_ipv4)) {
                    let message = "NTP servers must be a list of valid IPv4 addresses.";
                    report.add(server, message, "write its address, like 192.0.2.1");
                }
            }
        }),
    },
];

/// A text of each interface that has one and is not empty.
fn texts<'a>(context: &CheckContext<'a>, key: &'static str) -> impl Iterator<Item = (Nic<'a>, Cursor<'a>, &'a str)> {
    let of = move |nic: Nic<'a>| nic.at.get(key).and_then(|at| Some((nic, at, at.text()?)));
    nics(context).into_iter().filter_map(of).filter(|(_, _, text)| !text.is_empty())
}

fn missing_binding(nic: &Nic<'_>) -> String {
    let Value::Map(members) = nic.at.value() else { return "write a mapping".into() };
    let is_null = |binding: &&&str| members.iter().any(|(key, at)| key.name == **binding && at.value == Value::Null);
    match BINDINGS.iter().find(is_null) {
        Some(binding) => format!("write `{binding}: {{}}`: a bare `{binding}:` is null"),
        None if nic.is_on_pod_network() => "add `masquerade: {}`".into(),
        None => "add `bridge: {}`".into(),
    }
}

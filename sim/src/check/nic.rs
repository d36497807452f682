//! A VMI's network interfaces, each with the network that it is for.

use super::context::CheckContext;
use super::predicates::name_of;
use crate::yaml::Cursor;
use std::collections::BTreeMap;

/// What an interface's binding can be.
pub(super) const BINDINGS: [&str; 5] = ["bridge", "masquerade", "sriov", "passtBinding", "binding"];
/// Bindings that were, and how the cluster calls them.
pub(super) const DISCONTINUED: [(&str, &str); 3] =
    [("slirp", "Slirp interface support"), ("passt", "Passt network binding"), ("macvtap", "Macvtap network binding")];

/// An item of `domain.devices.interfaces`.
#[derive(Clone, Copy)]
pub(super) struct Nic<'a> {
    pub(super) at: Cursor<'a>,
    pub(super) name: &'a str,
    /// The network of its name; of several the last (KubeVirt pkg/network/vmispec/network.go IndexNetworkSpecByName).
    pub(super) network: Option<Cursor<'a>>,
}

impl Nic<'_> {
    pub(super) fn has(&self, key: &str) -> bool {
        self.at.get(key).is_some()
    }

    pub(super) fn has_any(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.has(key))
    }

    /// It is connected to the pod's own network.
    pub(super) fn is_on_pod_network(&self) -> bool {
        self.network.is_some_and(|network| network.get("pod").is_some())
    }
}

/// The interfaces that the manifest names.
pub(super) fn nics<'a>(context: &CheckContext<'a>) -> Vec<Nic<'a>> {
    let networks: BTreeMap<&str, Cursor<'a>> = context.items_at("networks").map(|n| (name_of(n), n)).collect();
    let interfaces = context.items_at("domain.devices.interfaces");
    interfaces
        .map(|at| (at, name_of(at)))
        .map(|(at, name)| Nic { at, name, network: networks.get(name).copied() })
        .collect()
}

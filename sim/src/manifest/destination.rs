//! Where a probe's connection goes: the one place that resolves its port and knows what masquerade forwards.

use super::probe::{Handler, Scheme};
use super::types::VmiSpec;

/// Where an http or tcp probe connects to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A port of the guest.
    Guest {
        /// From 1.
        port: u16,
    },
    /// A port of the VM's address that masquerade does not forward: it is refused, whatever the guest does.
    NotForwarded {
        /// From 1.
        port: u16,
    },
    /// Another host than the VM: the probe has a `host`.
    Elsewhere {
        /// A name or an address.
        host: String,
        /// From 1.
        port: u16,
    },
}

impl Destination {
    /// The port, wherever it is.
    pub fn port(&self) -> u16 {
        match self {
            Destination::Guest { port } | Destination::NotForwarded { port } | Destination::Elsewhere { port, .. } => {
                *port
            }
        }
    }

    /// The host that the probe has, if any.
    pub fn host(&self) -> Option<&str> {
        match self {
            Destination::Elsewhere { host, .. } => Some(host),
            Destination::Guest { .. } | Destination::NotForwarded { .. } => None,
        }
    }
}

impl VmiSpec {
    /// The guest's ports that the probes connect to, each once.
    pub fn asked_ports(&self) -> Vec<u16> {
        let mut ports = Vec::new();
        for probe in [&self.readiness, &self.liveness].into_iter().flatten() {
            match self.destination(&probe.handler) {
                Some(Ok(Destination::Guest { port })) if !ports.contains(&port) => ports.push(port),
                _ => {}
            }
        }
        ports
    }

    /// Of [`VmiSpec::asked_ports`] those that a probe asks by HTTPS.
    pub fn asked_by_https(&self) -> Vec<u16> {
        let by_https = |handler: &Handler| matches!(handler, Handler::HttpGet(get) if get.scheme == Scheme::Https);
        let probes = [&self.readiness, &self.liveness].into_iter().flatten().filter(|probe| by_https(&probe.handler));
        let ports = probes.filter_map(|probe| match self.destination(&probe.handler) {
            Some(Ok(Destination::Guest { port })) => Some(port),
            _ => None,
        });
        ports.collect()
    }

    /// Where a probe connects to; `None`: it does not. The error is the kubelet's text for a port that it cannot resolve.
    pub fn destination(&self, handler: &Handler) -> Option<Result<Destination, String>> {
        let host = match handler {
            Handler::HttpGet(get) => &get.host,
            Handler::TcpSocket { host, .. } => host,
            Handler::Exec { .. } | Handler::GuestAgentPing => &None,
        };
        Some(handler.port()?.resolve(&self.ports).map(|port| match host {
            Some(host) => Destination::Elsewhere { host: host.clone(), port },
            None if self.forwards(port) => Destination::Guest { port },
            None => Destination::NotForwarded { port },
        }))
    }
}

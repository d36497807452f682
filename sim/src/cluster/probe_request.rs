//! What an attempt of a probe comes to: what goes on the wire, or an answer that needs none.

use crate::kubelet::{Attempt, Verdict};
use crate::manifest::{Destination, Handler, PodProbe, Scheme, VmiSpec};
use std::time::Duration;

/// One attempt of a probe, resolved.
#[derive(Debug, Clone, PartialEq)]
pub enum ProbeRequest {
    /// GET it, as the kubelet does.
    Http {
        /// Where to.
        to: Destination,
        /// HTTP or HTTPS.
        scheme: Scheme,
        /// As in the manifest.
        path: String,
        /// As in the manifest, in their order.
        headers: Vec<(String, String)>,
    },
    /// Connect, and nothing more.
    Tcp {
        /// Where to.
        to: Destination,
    },
    /// Ask the guest agent for a sign of life, as virt-probe does.
    Ping,
    /// Have the guest agent run a program without a shell, as virt-probe does.
    Exec {
        /// The program and its arguments.
        command: Vec<String>,
        /// How long virt-probe waits for its end.
        inner_timeout: Duration,
    },
    /// Nothing is asked: this is what the kubelet gets.
    Answer {
        /// So long after the attempt's begin.
        after: Duration,
        /// The answer.
        attempt: Attempt,
    },
}

impl ProbeRequest {
    /// What a probe asks of a VMI whose domain runs. `pings_paused`: virt-launcher answers pings itself (kubevirt-health.md 3.4).
    pub fn of(probe: &PodProbe, spec: &VmiSpec, pings_paused: bool) -> ProbeRequest {
        let to = match spec.destination(&probe.handler).transpose() {
            Ok(to) => to,
            Err(text) => return ProbeRequest::at_once(Verdict::Error, &text),
        };
        match (&probe.handler, to) {
            (Handler::HttpGet(get), Some(to)) => {
                let (path, headers) = (get.path.clone(), get.headers.clone());
                ProbeRequest::Http { to, scheme: get.scheme, path, headers }
            }
            (_, Some(to)) => ProbeRequest::Tcp { to },
            (Handler::Exec { .. }, None) if probe.breaks_json() => {
                ProbeRequest::at_once(Verdict::Failure, "panic: invalid character in the agent's command")
            }
            (Handler::Exec { command }, None) => {
                ProbeRequest::Exec { command: command.clone(), inner_timeout: probe.inner_timeout }
            }
            _ if pings_paused => ProbeRequest::at_once(Verdict::Success, ""),
            _ => ProbeRequest::Ping,
        }
    }

    /// What it comes to while there is no domain. virt-launcher's manager.go GuestPing answers for it; whatever is
    /// asked otherwise is not answered by anybody.
    pub fn without_domain(self, timeout: Duration) -> ProbeRequest {
        match self {
            ProbeRequest::Answer { .. } => self,
            ProbeRequest::Ping => ProbeRequest::at_once(Verdict::Failure, "the domain does not exist"),
            ProbeRequest::Http { .. } | ProbeRequest::Tcp { .. } | ProbeRequest::Exec { .. } => {
                let text = "the domain does not exist yet".into();
                ProbeRequest::Answer { after: timeout, attempt: Attempt { verdict: Verdict::Failure, text } }
            }
        }
    }

    /// Where it connects to.
    pub fn destination(&self) -> Option<&Destination> {
        match self {
            ProbeRequest::Http { to, .. } | ProbeRequest::Tcp { to } => Some(to),
            ProbeRequest::Ping | ProbeRequest::Exec { .. } | ProbeRequest::Answer { .. } => None,
        }
    }

    fn at_once(verdict: Verdict, text: &str) -> ProbeRequest {
        ProbeRequest::Answer { after: Duration::ZERO, attempt: Attempt { verdict, text: text.to_owned() } }
    }
}

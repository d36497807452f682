//! What happened in a template between its power-on and its capture, as far as anybody outside could have seen it.
//!
//! All times are spans since the vCPUs first ran.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The history of a template's boot.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct History {
    /// When it was stopped.
    pub captured: Duration,
    /// When the agent's port was opened or closed.
    pub agent: Vec<(Duration, bool)>,
    /// What connections to its ports met.
    pub ports: BTreeMap<u16, PortHistory>,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// What was found out about it before its capture.
    pub facts: Vec<String>,
}

/// What connections to one port met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PortHistory {
    /// Before this nothing answered at all; `None`: nothing ever did.
    pub answers: Option<Duration>,
    /// From here on they were accepted; `None`: never.
    pub open: Option<Duration>,
}

/// How a port answers a connection at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortReply {
    /// Nothing.
    Silence,
    /// A reset.
    Refusal,
    /// It is as it was at the capture: ask the fork.
    AsCaptured,
}

impl PortHistory {
    /// Takes what a connection that was made at `at` met: accepted, refused, or silence, which under load may also be slowness.
    pub(super) fn observe(&mut self, at: Duration, met: Option<bool>) {
        let Some(accepted) = met else { return };
        self.answers.get_or_insert(at);
        if accepted {
            self.open.get_or_insert(at);
        } else {
            // A service that was restarted is open from its last start on.
            self.open = None;
        }
    }
}

impl History {
    /// What a connection to `port` met that was made at `at` and kept trying for `timeout`, and after how long. A port that
    /// was not watched is closed if it is closed in the fork.
    pub fn met(&self, port: u16, at: Duration, timeout: Duration) -> (PortReply, Duration) {
        let answers = self.ports.values().filter_map(|p| p.answers).min();
        let waited = match answers {
            Some(answers) if answers <= at => Duration::ZERO,
            Some(answers) if answers < at + timeout => answers - at,
            _ => return (PortReply::Silence, timeout),
        };
        let reply = match self.ports.get(&port) {
            Some(PortHistory { open: Some(open), .. }) if at + waited < *open => PortReply::Refusal,
            _ => PortReply::AsCaptured,
        };
        (reply, waited)
    }

    /// Whether the agent's port was open at `at`.
    pub fn agent_open(&self, at: Duration) -> bool {
        self.agent.iter().rev().find(|(t, _)| *t <= at).is_some_and(|(_, open)| *open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_connections_meet() {
        let second = Duration::from_secs;
        let mut port = PortHistory::default();
        for (at, met) in
            [(1, None), (5, Some(false)), (7, Some(true)), (8, Some(false)), (9, Some(true)), (10, Some(true))]
        {
            port.observe(second(at), met);
        }
        assert_eq!(port, PortHistory { answers: Some(second(5)), open: Some(second(9)) });
        let history = History {
            captured: second(20),
            agent: vec![(second(6), true), (second(7), false), (second(8), true)],
            ports: [(1500, port)].into(),
            ..History::default()
        };
        for (port, at, timeout, met, waited) in [
            (1500, 4, 1, PortReply::Silence, 1),
            (1500, 3, 5, PortReply::Refusal, 2),
            (1500, 5, 1, PortReply::Refusal, 0),
            (1500, 8, 1, PortReply::Refusal, 0),
            (1500, 9, 1, PortReply::AsCaptured, 0),
            (80, 2, 2, PortReply::Silence, 2),
            (80, 6, 1, PortReply::AsCaptured, 0),
        ] {
            let found = history.met(port, second(at), second(timeout));
            assert_eq!(found, (met, second(waited)), "port {port} at {at} s");
        }
        assert_eq!([5, 6, 7, 8].map(|at| history.agent_open(second(at))), [false, true, false, true]);
    }
}

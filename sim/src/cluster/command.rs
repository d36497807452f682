//! What a VMI asks of its world, and what it has to say beside that.

use super::probe_request::ProbeRequest;
use crate::kubelet::ProbeKind;
use crate::trace::Event;
use std::time::Duration;

/// What a VMI has to say since it was last asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VmiOutput {
    /// For the trace: what was seen, and its detail.
    pub seen: Vec<(Event, String)>,
    /// For its world.
    pub commands: Vec<VmiCommand>,
}

/// What a VMI wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum VmiCommand {
    /// Start the domain; its vCPUs stand still if `paused`.
    StartDomain {
        /// `startStrategy: Paused`.
        paused: bool,
    },
    /// Run one attempt of a probe.
    Probe {
        /// Which of the two.
        kind: ProbeKind,
        /// What it asks for.
        request: ProbeRequest,
        /// The kubelet waits no longer.
        timeout: Duration,
    },
    /// Ask the guest to shut down: agent first when connected, else the ACPI button.
    AskToShutDown,
    /// Kill the domain.
    Destroy,
    /// The domain has ended in order: quit the process that waits.
    Reap,
    /// Stop the vCPUs.
    Pause,
    /// Let them go on.
    Resume,
    /// Whether the Service may forward to the VMI: its pod is among the ready endpoints.
    Endpoint {
        /// Forward or refuse.
        ready: bool,
    },
}

//! What KubeVirt's controllers do with one VM: VMI phases and conditions, graceful stop, run strategy.
//!
//! Source: kubevirt-health.md 4-8. It must not know where events come from: QEMU's words arrive as [`DomainEvent`].

mod command;
mod domain;
mod launcher;
mod probe_request;
mod retries;
mod stop;
mod version;
mod vm;
mod vmi;

pub use crate::trace::{DomainEvent, Exit, Phase};
pub use command::{VmiCommand, VmiOutput};
pub use domain::{Domain, ShutoffReason, final_phase};
pub use launcher::Chance;
pub use probe_request::ProbeRequest;
pub use retries::Retries;
pub use stop::{GracefulStop, StopAction};
pub use version::KubevirtVersion;
pub use vm::{Decision, VmController, is_replaced};
pub use vmi::{Conditions, Vmi};

use std::time::Duration;

/// Delays of the cluster's own machinery. KubeVirt has no constants for them (kubevirt-health.md 6): these are
/// ours, the same in both worlds, and small beside a boot.
#[derive(Debug, Clone, Copy)]
pub struct Churn {
    /// From the VMI's creation to its pod on a node.
    pub schedule: Duration,
    /// From the pod on the node to the `compute` container running.
    pub container_start: Duration,
    /// From a VMI's deletion to it and its pod being gone.
    pub cleanup: Duration,
}

impl Default for Churn {
    fn default() -> Self {
        Churn {
            schedule: Duration::from_millis(500),
            container_start: Duration::from_millis(500),
            cleanup: Duration::from_secs(1),
        }
    }
}

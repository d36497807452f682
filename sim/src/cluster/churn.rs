//! How long the cluster's own machinery takes.

use std::time::Duration;

/// Delays of the cluster's own machinery. KubeVirt has no constants for them (kubevirt-health.md 6): these are
/// ours, the same in both worlds, and small beside a boot.
#[derive(Debug, Clone, Copy, PartialEq)]
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

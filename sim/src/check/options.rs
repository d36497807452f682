//! What a manifest does not say and a cluster would.

use crate::cluster::KubevirtVersion;
use crate::manifest::Architecture;
use std::time::Duration;

/// What a manifest does not say and a cluster would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The cluster's default.
    pub architecture: Architecture,
    /// How long the guest needs from its start until it answers its probes.
    pub boot: Duration,
    /// Feature gates of KubeVirt that are off there although they are on by default.
    pub without_gates: Vec<String>,
    /// Those that are on there although they are off by default, perhaps only in its release.
    pub with_gates: Vec<String>,
    /// The cluster's release.
    pub kubevirt: KubevirtVersion,
}

impl Default for Options {
    fn default() -> Self {
        // A cloud image with cloud-init on a busy node.
        Options {
            architecture: Architecture::default(),
            boot: Duration::from_secs(60),
            without_gates: Vec::new(),
            with_gates: Vec::new(),
            kubevirt: KubevirtVersion::default(),
        }
    }
}

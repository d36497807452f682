//! What a run is given.

use crate::platform::Platform;
use crate::template::Template;
use std::path::PathBuf;
use std::sync::Arc;
use vmhealth_sim::manifest::VirtualMachine;
use vmhealth_sim::scenario::Spec;

/// What a run needs.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The user's manifest.
    pub manifest: Arc<VirtualMachine>,
    /// What happens to it.
    pub spec: Spec,
    /// What the guests run on.
    pub platform: Platform,
    /// What they are forked from; `None`: they boot cold.
    pub template: Option<Arc<Template>>,
    /// Short, ours alone, removed after the run.
    pub scratch: PathBuf,
    /// Where the evidence goes.
    pub evidence: PathBuf,
}

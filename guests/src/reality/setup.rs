//! What a run is given.

use crate::platform::Platform;
use crate::template::Template;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;
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
    /// The guests are to be held where the run ends, unless it simply passes, and this is to be told where they are reached;
    /// `None`: nothing is held.
    pub freeze: Option<mpsc::UnboundedSender<Held>>,
}

/// A guest of a run that is held.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// Whose guest.
    pub vmi: u32,
    /// The scenario's clock, which stands, seconds.
    pub at_s: f64,
    /// Why the run is at its end; empty: it was told to stop here.
    pub why: String,
    /// The file that its console is written to.
    pub console: PathBuf,
    /// A QMP socket for one client.
    pub qmp: PathBuf,
    /// A socket for gdb, or why there is none.
    pub gdb: Result<PathBuf, String>,
}

//! What a reader has to know of a scenario beside what came of it.

use serde::{Deserialize, Serialize};

/// Of the scenario's file and its guest.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct About {
    /// Its `metadata.summary`.
    pub summary: String,
    /// The scenario's file; one of vmhealth's own by its path in the repository.
    pub file: String,
    /// The line of its `metadata.id`, counted from 1; 1 where it is not known.
    pub line: u64,
    /// From the daemon's last write to the watchdog's firing, seconds; `None`: nothing holds a watchdog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watchdog_s: Option<f64>,
}

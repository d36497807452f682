//! The phases of a VirtualMachineInstance (kubevirt-health.md 4).

use std::fmt;

/// `status.phase`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The object was seen.
    Pending,
    /// Its pod exists.
    Scheduling,
    /// `compute` runs; handed to the node.
    Scheduled,
    /// The domain runs.
    Running,
    /// It ended in order.
    Succeeded,
    /// It ended otherwise.
    Failed,
}

impl Phase {
    /// Final phases never change.
    pub fn is_final(self) -> bool {
        matches!(self, Phase::Succeeded | Phase::Failed)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

//! What goes into the engine and what comes out.

use crate::cluster::DomainEvent;
use crate::kubelet::{Attempt, ProbeKind};
use crate::manifest::PodProbe;
use crate::scenario::Fault;
use crate::time::Time;
pub use crate::trace::Connection;

/// What a world reports. VMIs are counted from 1; what concerns one that is gone is dropped.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The domain did something, at its own time (QEMU's rate-limited events arrive late).
    Domain {
        /// Whose.
        vmi: u32,
        /// When it happened.
        at: Time,
        /// What.
        event: DomainEvent,
    },
    /// An attempt's answer.
    Probe {
        /// Whose.
        vmi: u32,
        /// Which probe.
        kind: ProbeKind,
        /// The answer.
        attempt: Attempt,
    },
    /// The guest is as its profile says, in this boot.
    GuestReady {
        /// Whose.
        vmi: u32,
        /// What was seen.
        report: GuestReport,
    },
    /// The guest will not become what its profile says.
    GuestNotReady {
        /// Whose.
        vmi: u32,
        /// Why, and what was seen last.
        reason: String,
    },
    /// Its kernel crashed, and no fault had broken it.
    GuestCrashed {
        /// Whose.
        vmi: u32,
        /// What its console says.
        reason: String,
    },
    /// The guest's boot up to now was a template's.
    Forked {
        /// Whose.
        vmi: u32,
        /// Which template, and how much of its boot.
        from: String,
    },
    /// The guest boots from power-on although there is a template.
    Cold {
        /// Whose.
        vmi: u32,
        /// Why.
        reason: String,
    },
    /// News of a step's fault.
    Fault {
        /// The step's index.
        step: usize,
        /// The news.
        news: FaultNews,
    },
    /// Who pets the watchdog from now on.
    Petter {
        /// Whose.
        vmi: u32,
        /// The process's name, or `nobody`.
        name: String,
    },
    /// A connection to the Service.
    Connection {
        /// When it was decided.
        at: Time,
        /// What became of it.
        outcome: Connection,
    },
    /// The host could not do something that the run needs.
    HostFailed {
        /// What, and the mend where known.
        reason: String,
    },
}

/// What was verified in a booted guest before anything is done to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GuestReport {
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// In words, one fact a line: lspci, holder of the device, timeout, cloud-init.
    pub facts: Vec<String>,
}

/// News of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultNews {
    /// It was seen to have taken effect; says how.
    Confirmed(String),
    /// The guest lacks what it needs, or shows nothing of it.
    Failed(String),
    /// The host could not inject it.
    HostFailed(String),
}

/// What the engine asks of a world.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Start the VMI's domain.
    StartDomain {
        /// Whose.
        vmi: u32,
        /// Its vCPUs stand still until they are resumed.
        paused: bool,
    },
    /// Find out whether the guest is as its profile says; answered by GuestReady or GuestNotReady.
    Verify {
        /// Whose.
        vmi: u32,
    },
    /// Run one attempt of a probe.
    Probe {
        /// Whose.
        vmi: u32,
        /// Which probe.
        kind: ProbeKind,
        /// The handler and its numbers.
        probe: PodProbe,
    },
    /// Ask the guest to shut down: agent first when connected, else the ACPI button.
    AskToShutDown {
        /// Whose.
        vmi: u32,
    },
    /// Kill the domain.
    Destroy {
        /// Whose.
        vmi: u32,
    },
    /// The domain ended in order and waits: quit it.
    Reap {
        /// Whose.
        vmi: u32,
    },
    /// Stop the vCPUs.
    Pause {
        /// Whose.
        vmi: u32,
    },
    /// Let the vCPUs go on.
    Resume {
        /// Whose.
        vmi: u32,
    },
    /// The VMI is gone: release all of it.
    Discard {
        /// Whose.
        vmi: u32,
    },
    /// Whether the Service may forward to the VMI.
    Endpoint {
        /// Whose.
        vmi: u32,
        /// Forward or refuse.
        ready: bool,
    },
    /// Break something and see that it broke.
    Inject {
        /// Whose.
        vmi: u32,
        /// The step's index, for the answer.
        step: usize,
        /// What.
        fault: Fault,
    },
}

//! What goes into the engine and what comes out: a VMI's number once, then what it is about.

use crate::cluster::{DomainEvent, VmiCommand};
use crate::kubelet::{Attempt, ProbeKind};
use crate::scenario::{Fault, UserRequest};
use crate::time::Time;
pub use crate::trace::Connection;

/// What a world reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// From one VMI; dropped when that one is gone.
    Of {
        /// Its number, counted from 1.
        vmi: u32,
        /// What it reports.
        what: VmiInput,
    },
    /// News of a step's fault.
    Fault {
        /// The step's index.
        step: usize,
        /// How far the fault has come.
        news: FaultNews,
    },
    /// A connection to the Service.
    Connection {
        /// When it was decided.
        at: Time,
        /// What became of it.
        outcome: Connection,
    },
    /// Somebody who watches wants something broken now; it begins once nothing else is under way.
    Asked {
        /// What breaks.
        fault: Fault,
    },
    /// A user asks for something that is no step of the scenario; it is done at once.
    Requested {
        /// What is asked for.
        request: UserRequest,
    },
    /// Who watches has seen enough: the run ends here.
    Enough,
    /// The host could not do something that the run needs.
    HostFailed {
        /// What it could not do, and the mend where known.
        reason: String,
    },
}

/// What one VMI's domain, guest or probe reports.
#[derive(Debug, Clone, PartialEq)]
pub enum VmiInput {
    /// The domain did something, at its own time (QEMU's rate-limited events arrive late).
    Domain {
        /// When it happened.
        at: Time,
        /// In QEMU's words.
        event: DomainEvent,
    },
    /// A probe's attempt is answered.
    Probe {
        /// Which of the VMI's two probes.
        kind: ProbeKind,
        /// Its answer.
        attempt: Attempt,
    },
    /// The guest is as its profile says, in this boot.
    GuestReady(GuestReport),
    /// The guest will not become what its profile says.
    GuestNotReady {
        /// Why not, and what was seen last.
        reason: String,
    },
    /// Its kernel crashed, and no fault had broken it.
    GuestCrashed {
        /// What its console says.
        reason: String,
    },
    /// The guest's boot up to now was a template's.
    Forked {
        /// Which template, and how much of its boot.
        from: String,
    },
    /// The guest boots from power-on although there is a template.
    Cold {
        /// Why it is no fork.
        reason: String,
    },
    /// Another process holds the watchdog device from now on, or none.
    WatchdogHolder {
        /// The process's name, or `nobody`.
        name: String,
    },
}

impl VmiInput {
    /// The input, from this VMI.
    pub fn of(self, vmi: u32) -> Input {
        Input::Of { vmi, what: self }
    }
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
    /// The guest ended before it could be broken.
    NoGuest,
}

/// What the engine asks of a world.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// The VMI that it is about, counted from 1.
    pub vmi: u32,
    /// What is to be done.
    pub what: Request,
}

/// What is to be done with one VMI, and who asks for it.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// KubeVirt or the kubelet: what a cluster would do.
    Cluster(VmiCommand),
    /// The scenario: find out whether the guest is as its profile says; answered by GuestReady or GuestNotReady.
    Verify,
    /// The scenario: break something and see that it broke.
    Inject {
        /// The step's index, for the answer.
        step: usize,
        /// What breaks.
        fault: Fault,
    },
    /// The scenario: what a step broke outside of the guest is whole again.
    Mend {
        /// The step's index.
        step: usize,
        /// What was broken.
        fault: Fault,
    },
    /// The VMI is gone: release all of it.
    Discard,
}

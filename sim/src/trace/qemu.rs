//! What QEMU reports, in QMP's words (`qapi/run-state.json`), and how its process ends.

use super::word::{texts, words};
use crate::manifest::WatchdogAction;

texts! {
    /// An event of QEMU, or the end of its process.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum DomainEvent {
        /// The vCPUs run for the first time.
        Started => "STARTED";
        /// `WATCHDOG`.
        Watchdog(action: WatchdogAction) => "WATCHDOG", action;
        /// `RESET`; several within a second are one (qemu-watchdog.md 6.4).
        Reset {
            /// `data.reason`.
            reason: ShutdownCause
        } => "RESET", reason;
        /// `SHUTDOWN`.
        Shutdown {
            /// `data.reason`.
            reason: ShutdownCause
        } => "SHUTDOWN", reason;
        /// `POWERDOWN`: the ACPI button was pressed.
        Powerdown => "POWERDOWN";
        /// `BLOCK_IO_ERROR` with the action `stop`; several before the guest goes on are one.
        IoError => "BLOCK_IO_ERROR";
        /// The same where `data.nospace` is true: what the disk lies on is full.
        NoSpace => "BLOCK_IO_ERROR nospace";
        /// `STOP`.
        Stop => "STOP";
        /// `RESUME`.
        Resume => "RESUME";
        /// `GUEST_PANICKED`.
        Panicked {
            /// `data.action`.
            action: PanicAction
        } => "GUEST_PANICKED", action;
        /// `VSERPORT_CHANGE` of the agent's port.
        AgentPort {
            /// Whether the guest has it open.
            open: bool
        } => "AGENT", if *open { "open" } else { "closed" };
        /// The process is gone.
        Exited(exit: Exit) => "EXIT", exit;
    }

    /// How a process ended.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Exit {
        /// With this status.
        Status(status: i32) => "status", status;
        /// By this signal.
        Signal(signal: i32) => "signal", signal;
    }
}

words! {
    /// QMP's `ShutdownCause`: why the machine was reset or shut down.
    pub enum ShutdownCause {
        /// No cause.
        None = "none",
        /// An error of the host.
        HostError = "host-error",
        /// QMP's `quit`.
        HostQmpQuit = "host-qmp-quit",
        /// QMP's `system_reset`.
        HostQmpSystemReset = "host-qmp-system-reset",
        /// A signal to the process.
        HostSignal = "host-signal",
        /// A user interface was closed.
        HostUi = "host-ui",
        /// The guest powered itself off.
        GuestShutdown = "guest-shutdown",
        /// The guest, or its watchdog, reset it.
        GuestReset = "guest-reset",
        /// The guest panicked.
        GuestPanic = "guest-panic",
        /// A part of the machine was reset.
        SubsystemReset = "subsystem-reset",
        /// A snapshot was loaded.
        SnapshotLoad = "snapshot-load",
        /// A word that vmhealth does not know.
        Other = "other",
    }

    /// QMP's `GuestPanicAction`: what QEMU does about a panic.
    pub enum PanicAction {
        /// Stops the vCPUs.
        Pause = "pause",
        /// Ends itself.
        Poweroff = "poweroff",
        /// Goes on.
        Run = "run",
        /// A word that vmhealth does not know.
        Other = "other",
    }
}

impl From<&str> for ShutdownCause {
    fn from(word: &str) -> Self {
        Self::ALL.iter().copied().find(|c| c.as_str() == word).unwrap_or(Self::Other)
    }
}

impl From<&str> for PanicAction {
    fn from(word: &str) -> Self {
        Self::ALL.iter().copied().find(|a| a.as_str() == word).unwrap_or(Self::Other)
    }
}

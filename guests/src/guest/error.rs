//! Why a guest could not be started.

use crate::host::HostError;
use crate::net::NetError;
use crate::wire::{AgentError, QmpError};
use std::io;
use std::time::Duration;

/// Why a guest could not be started: the host's doing, never the guest's.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file or a process.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried: a verb and its object.
        what: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// qemu-img.
    #[error("qemu-img cannot make the overlay: {0}")]
    Overlay(String),
    /// The manifest wants UEFI, whose firmware is not installed.
    #[error("the manifest asks for UEFI, and there is no OVMF here; type: apt-get install ovmf")]
    NoOvmf,
    /// A template's device state.
    #[error("the migration did not come to its end; QEMU's run state is {0}")]
    Migration(String),
    /// The guest's namespace, TAP or relay.
    #[error(transparent)]
    Net(#[from] NetError),
    /// QEMU ended before it was ready.
    #[error("QEMU ended at start with {status}; it said: {stderr}")]
    Died {
        /// Its exit status or signal.
        status: String,
        /// Its last words.
        stderr: String,
    },
    /// QEMU runs and its sockets do not answer.
    #[error("QEMU did not get ready within {}s; it said: {stderr}", limit.as_secs())]
    Late {
        /// How long it was waited for.
        limit: Duration,
        /// Its last words.
        stderr: String,
    },
    /// A command to QEMU failed.
    #[error(transparent)]
    Qmp(#[from] QmpError),
    /// The agent's socket.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// Where it was to run.
    #[error(transparent)]
    Host(#[from] HostError),
}

impl StartError {
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> StartError {
        move |source| StartError::Io { what, source }
    }
}

//! Why a guest could not be captured.

use crate::guest::StartError;
use crate::time::ThreadError;
use vmhealth_images::entries::EntryError;

/// Why there is no template: a reason to boot cold.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The store could not be read or written.
    #[error(transparent)]
    Cache(#[from] EntryError),
    /// QEMU could not be started, or refused a command.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The host could not run it.
    #[error(transparent)]
    Thread(#[from] ThreadError),
    /// The guest did not become what its profile says.
    #[error("the guest that was to be captured was not ready: {0}")]
    NotReady(String),
    /// The guest still had jobs, or its agent did not answer.
    #[error("the guest that was to be captured could not be quieted: {0}")]
    Quiesce(String),
    /// A fork of it does not live.
    #[error("the first fork of the guest that was captured is of no use, so it is not kept: {0}")]
    BadFork(String),
    /// It did something that cannot be replayed.
    #[error("the guest did more than boot: QEMU reported {0}")]
    Eventful(String),
    /// A file of the template.
    #[error("the template's {0}")]
    File(String),
}

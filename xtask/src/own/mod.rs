//! The user's own manifest: run on QEMU, or explored in virtual time.

mod explore;
mod fault;
mod image;
mod scenario;

use crate::run::HostError;
pub use explore::OwnExplore;
pub use fault::{NamedFault, TimedFault};
pub use image::ImageChoice;
pub use scenario::OwnRun;

/// Why the user's manifest cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum OwnError {
    /// The manifest or an option of the user's.
    #[error("{0}")]
    Invalid(String),
    /// The host.
    #[error(transparent)]
    Host(#[from] HostError),
}

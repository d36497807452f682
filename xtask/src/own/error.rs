//! Why a manifest of the user's own cannot be run.

use crate::run::HostError;

/// Why the user's manifest cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum OwnError {
    /// The manifest or an option is wrong; the text says what was expected.
    #[error("{0}")]
    Invalid(String),
    /// The host cannot run it.
    #[error(transparent)]
    Host(#[from] HostError),
}

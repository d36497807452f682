//! Exit statuses, and errors that know theirs.

use std::process::ExitCode;

/// The exit statuses of every command (README, "When something fails").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// All passed.
    Passed,
    /// A scenario or a manifest failed.
    Failed,
    /// Wrong usage or unreadable input.
    Usage,
    /// The host could not do it.
    Infra,
    /// Ctrl-C.
    Interrupted,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> ExitCode {
        ExitCode::from(match status {
            Status::Passed => 0,
            Status::Failed => 1,
            Status::Usage => 2,
            Status::Infra => 3,
            Status::Interrupted => 130,
        })
    }
}

/// An error with the status it ends in.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: anyhow::Error,
    pub(crate) status: Status,
}

/// Unreadable input.
pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Failure {
    Failure { error: error.into(), status: Status::Usage }
}

/// The host's doing.
pub(crate) fn infra(error: impl Into<anyhow::Error>) -> Failure {
    Failure { error: error.into(), status: Status::Infra }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        infra(error)
    }
}

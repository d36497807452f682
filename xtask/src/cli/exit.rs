//! Exit statuses, and errors that know theirs.

use crate::own::OwnError;
use crate::probe::ProbeError;
use crate::run::HostError;
use crate::workspace::NoSources;
use std::process::ExitCode;

/// The exit statuses; they are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
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

impl Status {
    /// Of two runs': a failure is never hidden, not by the host's doing either.
    pub(super) fn worse(self, other: Status) -> Status {
        [Status::Interrupted, Status::Usage, Status::Failed, Status::Infra]
            .into_iter()
            .find(|status| [self, other].contains(status))
            .unwrap_or(Status::Passed)
    }
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
pub(super) struct Failure {
    pub(super) error: anyhow::Error,
    pub(super) status: Status,
}

/// Unreadable input.
pub(super) fn usage(error: impl Into<anyhow::Error>) -> Failure {
    Failure { error: error.into(), status: Status::Usage }
}

/// The host's doing.
pub(super) fn infra(error: impl Into<anyhow::Error>) -> Failure {
    Failure { error: error.into(), status: Status::Infra }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        infra(error)
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Failure {
        infra(error)
    }
}

impl From<ProbeError> for Failure {
    fn from(error: ProbeError) -> Failure {
        match error {
            ProbeError::Host(error) => infra(error),
            connect @ ProbeError::Connect { .. } => usage(connect),
        }
    }
}

impl From<NoSources> for Failure {
    fn from(error: NoSources) -> Failure {
        usage(error)
    }
}

impl From<OwnError> for Failure {
    fn from(error: OwnError) -> Failure {
        match error {
            OwnError::Host(error) => infra(error),
            invalid @ OwnError::Invalid(_) => usage(invalid),
        }
    }
}

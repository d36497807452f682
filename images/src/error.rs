//! Why there is no image.

use crate::kernel;
use crate::lock::LockError;
use std::io;

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file could not be read or written, or a program not run.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried: a verb and its object.
        what: String,
        /// The system's error.
        source: io::Error,
    },
    /// A line of the lock cannot be read.
    #[error("{lock}: {source}")]
    Lock {
        /// Where it is.
        lock: &'static str,
        /// What is wrong with it.
        source: LockError,
    },
    /// The mirror has moved on.
    #[error("the mirror does not serve what {lock} says:\n{}\nmove the lock knowingly with `cargo xtask image build --arch {architecture} --update-lock`", difference.join("\n"))]
    LockStale {
        /// Where it is.
        lock: &'static str,
        /// The image's, as `--arch` takes it.
        architecture: &'static str,
        /// What differs.
        difference: Vec<String>,
    },
    /// The programs of another architecture.
    #[error("programs of {architecture} cannot be run here: {why}; {fix}")]
    Foreign {
        /// Debian's word for it.
        architecture: &'static str,
        /// What is missing.
        why: String,
        /// What to do about it.
        fix: &'static str,
    },
    /// mmdebstrap made no root.
    #[error("mmdebstrap failed ({status}):\n{log}{}", fix(.log))]
    Mmdebstrap {
        /// How it ended.
        status: String,
        /// Its last lines.
        log: String,
        /// What it says of packages that the mirror does not have.
        gone: Vec<String>,
    },
    /// The kernel cannot be unpacked.
    #[error(transparent)]
    Kernel(#[from] kernel::KernelError),
}

fn fix(log: &str) -> &'static str {
    if log.contains("unshare") || log.contains("subuid") || log.contains("newuidmap") {
        "\nan ordinary user needs user namespaces, newuidmap (package uidmap) and a line in /etc/subuid and /etc/subgid; or build once as root"
    } else {
        ""
    }
}

pub(crate) fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> BuildError {
    let what = what.into();
    move |source| BuildError::Io { what, source }
}

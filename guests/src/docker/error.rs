//! Why the engine did not do what it was asked.

use std::time::Duration;

/// What went wrong between us and the container engine; every message says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// No socket, and no engine installed.
    #[error(
        "there is no container engine; on Debian: sudo apt-get install -y --no-install-recommends docker.io, or with Podman: systemctl --user start podman.socket and export DOCKER_HOST=unix://$XDG_RUNTIME_DIR/podman/podman.sock"
    )]
    Missing,
    /// An engine is installed, or `DOCKER_HOST` names one, and nothing listens.
    #[error(
        "the container engine is installed and its daemon does not answer ({0}); start it: sudo systemctl start docker (without systemd: sudo dockerd &)"
    )]
    Stopped(String),
    /// The socket may not be opened by this user.
    #[error("the container engine does not let you in ({0}): sudo usermod -aG docker $USER and log in again")]
    Forbidden(String),
    /// `DOCKER_HOST` names something other than a unix socket.
    #[error(
        "DOCKER_HOST is {0:?}, and vmhealth speaks to an engine of this host only, through its unix socket: unset it, or export DOCKER_HOST=unix:///var/run/docker.sock"
    )]
    NotLocal(String),
    /// An answer with a status of 400 or more, or an error inside of a successful one.
    #[error("the container engine cannot {what} (status {status}): {message}")]
    Refused {
        /// What it was asked to do.
        what: &'static str,
        /// HTTP's.
        status: u16,
        /// Its own words.
        message: String,
    },
    /// No whole answer in time.
    #[error("the container engine did not {what} within {limit:?}; restart it if `docker info` does not answer either")]
    Late {
        /// What it was asked to do.
        what: &'static str,
        /// How long it was waited for.
        limit: Duration,
    },
    /// A broken connection, or an answer that is not what the API says.
    #[error("no answer of Docker's API came when the container engine was to {what}: {problem}")]
    Garbled {
        /// What it was asked to do.
        what: &'static str,
        /// What was wrong with the answer.
        problem: String,
    },
}

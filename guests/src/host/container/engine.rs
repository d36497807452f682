//! The container engine as a host of ours: found, and on this machine.

use crate::docker::{Docker, DockerError};
use crate::host::HostError;
use std::io;

/// Why containers cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The engine is not there, or did not do what it was asked.
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// Its processes are not this host's, or not in sight.
    #[error(
        "the container engine's processes cannot be seen from here: it must run on this host, and vmhealth outside of its containers"
    )]
    OutOfSight,
    /// A run without a lock.
    #[error("a container was asked for outside of a run")]
    NoRun,
    /// An image whose program does not say its version.
    #[error("the container's QEMU says of its version: {0:?}")]
    Version(String),
    /// The engine took an image and does not have it.
    #[error(
        "the container engine imported the image {0} and does not have it: its storage may be full (docker system df)"
    )]
    NotImported(String),
    /// An image could not be built.
    #[error(transparent)]
    Build(#[from] vmhealth_images::BuildError),
    /// The image's archive could not be read or removed.
    #[error("the container's image: {0}")]
    Io(#[from] io::Error),
}

/// Finds the engine, and sees that it runs on this host.
pub async fn connect() -> Result<Docker, EngineError> {
    let docker = Docker::find().await?;
    let name = docker.info().await?.name;
    if name.is_empty() || name == host_name() { Ok(docker) } else { Err(EngineError::OutOfSight) }
}

fn host_name() -> String {
    nix::sys::utsname::uname().map(|u| u.nodename().to_string_lossy().into_owned()).unwrap_or_default()
}

impl From<EngineError> for HostError {
    fn from(e: EngineError) -> HostError {
        HostError::Other(Box::new(e))
    }
}

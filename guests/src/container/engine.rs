//! The container engine as a host of ours, and what a killed run left in it.

use crate::docker::{Docker, DockerError};
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

/// On every container of ours: the lock of the run that made it ...
pub(super) const LOCK: &str = "dev.vmhealth.lock";
/// ... and where that lock is to be looked for: [`here`].
pub(super) const PLACE: &str = "dev.vmhealth.place";
/// For containers that are only beginning to be there when their run ends.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);

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
    /// A file.
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

/// The namespaces that paths and process ids of this process belong to: an engine may serve several such places, and none can
/// judge another one's locks.
pub fn here() -> String {
    let link = |kind| std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap_or_default().display().to_string();
    format!("{} {}", link("mnt"), link("pid"))
}

/// Removes the containers of runs that are no more; how many there were. Nothing without an engine.
pub async fn sweep() -> usize {
    remove(is_over).await
}

/// Removes the containers that the run with this lock still has, also those that are only beginning.
pub async fn remove_run(lock: &Path) -> usize {
    let settled = async {
        while super::run::launching() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // Whatever is not there by now, the next run sweeps.
    let _ = tokio::time::timeout(SETTLE_LIMIT, settled).await;
    remove(|of| of == lock).await
}

async fn remove(goes: impl Fn(&Path) -> bool) -> usize {
    let Ok(docker) = connect().await else { return 0 };
    let place = format!("{PLACE}={}", here());
    let mut removed = 0;
    for container in docker.list(&[LOCK, &place]).await.unwrap_or_default() {
        if container.label(LOCK).is_some_and(|lock| !lock.is_empty() && goes(Path::new(lock))) {
            removed += usize::from(docker.remove(&container.id).await.is_ok());
        }
    }
    removed
}

/// The kernel drops a lock with its process; another user's cannot be opened and is not ours to judge.
fn is_over(lock: &Path) -> bool {
    match File::open(lock) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(e) => e.kind() == io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_over_when_its_lock_is_free_or_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.lock");
        assert!(is_over(&path));
        let held = File::create(&path).unwrap();
        held.lock().unwrap();
        assert!(!is_over(&path));
        held.unlock().unwrap();
        assert!(is_over(&path));
    }
}

//! The container engine, and what a killed run left in it.

use bollard::Docker;
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;
use testcontainers::bollard;
use testcontainers::core::client::docker_client_instance;

/// On every container of ours: the lock of the run that made it ...
pub(super) const LOCK: &str = "dev.vmhealth.lock";
/// ... and where that lock is to be looked for: [`here`].
pub(super) const PLACE: &str = "dev.vmhealth.place";
/// For the engine to say who it is.
const LIMIT: Duration = Duration::from_secs(10);

/// Why containers cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No engine.
    #[error(
        "there is no container engine; on Debian: sudo apt-get install -y --no-install-recommends docker.io, or with Podman: systemctl --user start podman.socket and export DOCKER_HOST=unix://$XDG_RUNTIME_DIR/podman/podman.sock"
    )]
    Missing,
    /// An engine whose daemon does not answer.
    #[error(
        "the container engine is installed and its daemon does not answer ({0}); start it: sudo systemctl start docker (without systemd: sudo dockerd &)"
    )]
    Stopped(String),
    /// A daemon that is not for us.
    #[error("the container engine does not let you in ({0}): sudo usermod -aG docker $USER and log in again")]
    Forbidden(String),
    /// What the engine said.
    #[error("the container engine: {0}")]
    Engine(#[from] bollard::errors::Error),
    /// What testcontainers said.
    #[error("the container engine: {0}")]
    Container(#[from] testcontainers::TestcontainersError),
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
    /// An image could not be built.
    #[error(transparent)]
    Build(#[from] vmhealth_images::BuildError),
    /// A file.
    #[error("the container's image: {0}")]
    Io(#[from] io::Error),
}

/// Finds the engine: `DOCKER_HOST`, or Docker's own sockets.
pub async fn connect() -> Result<Docker, EngineError> {
    let stopped = |text: String| {
        let installed =
            ["/usr/sbin/dockerd", "/usr/bin/dockerd", "/usr/bin/podman"].iter().any(|p| Path::new(p).exists());
        match installed || std::env::var_os("DOCKER_HOST").is_some() {
            _ if text.contains("ermission denied") => EngineError::Forbidden(text),
            true => EngineError::Stopped(text),
            false => EngineError::Missing,
        }
    };
    let docker = docker_client_instance().await.map_err(|e| stopped(e.to_string()))?;
    match tokio::time::timeout(LIMIT, docker.info()).await {
        Ok(Ok(info)) if info.name.as_ref().is_some_and(|name| *name != host_name()) => Err(EngineError::OutOfSight),
        Ok(Ok(_)) => Ok(docker),
        Ok(Err(e)) => Err(stopped(e.to_string())),
        Err(_) => Err(stopped(format!("no answer within {} s", LIMIT.as_secs()))),
    }
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
    let _ = tokio::time::timeout(LIMIT, settled).await;
    remove(|of| of == lock).await
}

async fn remove(goes: impl Fn(&Path) -> bool) -> usize {
    let Ok(docker) = connect().await else { return 0 };
    let place = format!("{PLACE}={}", here());
    let filters = HashMap::from([("label", vec![LOCK, place.as_str()])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let mut removed = 0;
    for container in docker.list_containers(Some(options)).await.unwrap_or_default() {
        let lock = container.labels.as_ref().and_then(|l| l.get(LOCK)).cloned().unwrap_or_default();
        let Some(id) = container.id.filter(|_| !lock.is_empty() && goes(Path::new(&lock))) else { continue };
        let force = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        removed += usize::from(docker.remove_container(&id, Some(force)).await.is_ok());
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

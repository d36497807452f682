//! What runs leave in the engine, and whose it is: every container carries its run's lock.

use super::engine::connect;
use super::label::{LOCK, PLACE, here};
use super::run::launching;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

/// For containers that are only beginning to be there when their run ends.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);

/// Removes the containers of runs that are no more; how many there were. Nothing without an engine.
pub async fn sweep() -> usize {
    remove(is_over).await
}

/// Removes the containers that the run with this lock still has, also those that are only beginning.
pub async fn remove_run(lock: &Path) -> usize {
    let settled = async {
        while launching() > 0 {
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

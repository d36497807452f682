//! The thread of a run.

use super::wait::live_by;
use crate::guest_time::{SharedTime, Timekeeping, pace};
use std::future::Future;
use std::io;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

/// Why a job on a thread of its own has no result.
#[derive(Debug, thiserror::Error)]
pub enum ThreadError {
    /// The host could not make the thread or its runtime.
    #[error("a thread for the run: {0}")]
    Start(#[from] io::Error),
    /// Guest time does not go on any more.
    #[error("{0}")]
    Stands(String),
    /// It has written why to stderr.
    #[error("vmhealth crashed; its message is on stderr")]
    Panicked,
}

/// Runs `job` on a thread of its own, whose tasks live by the clock that is given. What it starts ends with that thread
/// (PDEATHSIG follows the thread that forks). Given up, or without a time that goes on, it is dropped there.
pub async fn on_own_thread<T, F>(
    keeping: &Timekeeping,
    job: impl FnOnce() -> F + Send + 'static,
) -> Result<T, ThreadError>
where
    T: Send + 'static,
    F: Future<Output = T> + 'static,
{
    let (mut answer, result) = oneshot::channel();
    let paced = match keeping {
        Timekeeping::Real => None,
        Timekeeping::Guest { pace, .. } => Some(*pace),
    };
    let body = move || {
        let runtime = match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(e) => return drop(answer.send(Err(ThreadError::Start(e)))),
        };
        let tasks = LocalSet::new();
        let time = paced.map(SharedTime::begin);
        let _lives = time.clone().map(live_by);
        let done = tasks.block_on(&runtime, async {
            // Tasks of their own: what is waited for here is looked at whenever any task has had its turn.
            let stands = async {
                match time {
                    Some(time) => tokio::task::spawn_local(pace(time)).await,
                    None => std::future::pending().await,
                }
            };
            let job = tokio::task::spawn_local(job());
            tokio::select! {
                done = job => done.map_err(|_| ThreadError::Panicked),
                why = stands => Err(why.map_or(ThreadError::Panicked, ThreadError::Stands)),
                // Nobody waits for what it comes to.
                () = answer.closed() => Err(ThreadError::Panicked),
            }
        });
        // Its tasks first, while they can still ask what time it is.
        drop(tasks);
        let _ = answer.send(done);
    };
    std::thread::Builder::new().name("run".into()).spawn(body)?;
    result.await.map_err(|_| ThreadError::Panicked)?
}

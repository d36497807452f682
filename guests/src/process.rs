//! Children that die with us, and the end of a QEMU wherever it runs.
//!
//! PR_SET_PDEATHSIG fires when the *thread* that forked ends, so every child is spawned from the thread that runs the
//! current-thread runtime. A child leads a process group of its own: Ctrl-C reaches only the runner.

use nix::sys::prctl;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getpid, getppid};
use std::ffi::OsStr;
use std::future::Future;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{ExitStatus, Stdio};
use tokio::process::{Child, Command};
use tokio::sync::{oneshot, watch};
use vmhealth_sim::cluster::Exit;

/// A command whose process is killed when this thread ends, and that inherits exactly the given descriptors.
pub fn guarded(program: impl AsRef<OsStr>, inherit: &[RawFd]) -> Command {
    let mut command = std::process::Command::new(program);
    guard(&mut command, inherit, Some(getpid()));
    let mut command = Command::from(command);
    command.kill_on_drop(true);
    command
}

/// The same of any command. `parent`: as it sees us; `None`: it cannot, and finds out otherwise whether we live.
pub(crate) fn guard(command: &mut std::process::Command, inherit: &[RawFd], parent: Option<Pid>) {
    let inherit = inherit.to_vec();
    command.stdin(Stdio::null()).process_group(0);
    // SAFETY: only async-signal-safe calls and no allocation between fork and exec.
    unsafe {
        command.pre_exec(move || {
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            // The parent may have died before prctl: then nobody would send the signal.
            if parent.is_some_and(|parent| getppid() != parent) {
                return Err(io::Error::from_raw_os_error(nix::libc::ESRCH));
            }
            for fd in &inherit {
                if nix::libc::fcntl(*fd, nix::libc::F_SETFD, 0) < 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
}

/// Signals the child's whole group; nothing if it is already reaped.
pub fn signal_group(child: &Child, signal: Signal) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        // ESRCH: it ended between the look and the signal, which is what we want.
        let _ = killpg(Pid::from_raw(pid), signal);
    }
}

/// How a QEMU ended, or why nobody can tell.
pub type End = Result<Exit, String>;

/// What a wait has told.
pub(crate) fn end_of(status: io::Result<ExitStatus>) -> End {
    let status = status.map_err(|e| format!("QEMU cannot be waited for: {e}"))?;
    Ok(status.signal().map_or(Exit::Status(status.code().unwrap_or(-1)), Exit::Signal))
}

/// A QEMU that was started: a child, or a container's only process. Dropped, it ends.
#[derive(Debug)]
pub struct Process {
    /// On this host; `None`: it has ended already, or the host cannot see it.
    pub pid: Option<u32>,
    end: watch::Receiver<Option<End>>,
    /// Dropped with it.
    _alive: oneshot::Sender<()>,
}

/// Comes when nobody wants the process any more.
pub(crate) type GivenUp = oneshot::Receiver<()>;

impl Process {
    /// `wait` ends with the process, and ends the process when it is given up.
    pub(crate) fn new<W>(pid: Option<u32>, wait: impl FnOnce(GivenUp) -> W) -> Process
    where
        W: Future<Output = End> + Send + 'static,
    {
        let (ended, end) = watch::channel(None);
        let (_alive, given_up) = oneshot::channel();
        let wait = wait(given_up);
        tokio::spawn(async move { ended.send_replace(Some(wait.await)) });
        Process { pid, end, _alive }
    }

    /// A child of ours.
    pub(crate) fn local(mut child: Child) -> Process {
        Process::new(child.id(), |given_up| async move {
            let status = tokio::select! {
                status = child.wait() => status,
                _ = given_up => {
                    // It may have ended this moment.
                    let _ = child.start_kill();
                    child.wait().await
                }
            };
            end_of(status)
        })
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> End {
        match self.end.wait_for(Option::is_some).await {
            Ok(end) => end.clone().unwrap_or_else(|| Err("QEMU's end was not told".into())),
            Err(_) => Err("nobody waits for QEMU any more".into()),
        }
    }

    /// Its end, if it has come.
    pub fn ended(&self) -> Option<End> {
        self.end.borrow().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_end_is_told_and_a_dropped_process_is_gone() {
        for (script, end) in [("exit 3", Exit::Status(3)), ("kill -9 $$", Exit::Signal(9))] {
            let mut process = Process::local(guarded("sh", &[]).args(["-c", script]).spawn().unwrap());
            assert_eq!(process.wait().await, Ok(end));
            assert_eq!(process.ended(), Some(Ok(end)));
        }
        let process = Process::local(guarded("sleep", &[]).arg("600").spawn().unwrap());
        let pid = Pid::from_raw(i32::try_from(process.pid.unwrap()).unwrap());
        drop(process);
        // The waiter kills and reaps it.
        let gone = async {
            while nix::sys::signal::kill(pid, None).is_ok() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), gone).await.unwrap();
    }
}

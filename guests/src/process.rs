//! Children that die with us.
//!
//! PR_SET_PDEATHSIG fires when the *thread* that forked ends, so every child is spawned from the thread that runs the
//! current-thread runtime. A child leads a process group of its own: Ctrl-C reaches only the runner.

use nix::sys::prctl;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getpid, getppid};
use std::ffi::OsStr;
use std::io;
use std::os::fd::RawFd;
use std::process::Stdio;
use tokio::process::{Child, Command};

/// A command whose process is killed when this thread ends, and that inherits exactly the given descriptors.
pub fn guarded(program: impl AsRef<OsStr>, inherit: &[RawFd]) -> Command {
    let parent = getpid();
    let inherit = inherit.to_vec();
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    // SAFETY: only async-signal-safe calls and no allocation between fork and exec.
    unsafe {
        command.pre_exec(move || {
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            // The parent may have died before prctl: then nobody would send the signal.
            if getppid() != parent {
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
    command
}

/// Signals the child's whole group; nothing if it is already reaped.
pub fn signal_group(child: &Child, signal: Signal) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        // ESRCH: it ended between the look and the signal, which is what we want.
        let _ = killpg(Pid::from_raw(pid), signal);
    }
}

//! An ordinary user's network: in a user namespace, in which the user is root. And whether there can be one, found out before what takes
//! minutes is done for guests that would have none.

use super::{NetError, Netns};
use nix::errno::Errno;
use nix::libc;
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork, getegid, geteuid};
use std::io::{Read as _, Write as _};

/// How the administrator allows user namespaces.
pub(crate) const ALLOW_USER_NAMESPACES: &str =
    "sudo sysctl user.max_user_namespaces=10000 (Ubuntu 24.04: also kernel.apparmor_restrict_unprivileged_userns=0)";
/// Of a message between two processes, bytes.
const LONGEST_MESSAGE: u64 = 4096;

/// Makes a user namespace, in which the user is root. Must be called before any thread exists.
pub fn enter_user_namespace() -> Result<(), NetError> {
    let (uid, gid) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|errno| NetError::namespace("user", errno))?;
    let write = |file: &str, text: &str| {
        let refused = |e| NetError::Namespace { kind: "user", why: format!("{file}: {e}") };
        std::fs::write(file, text).map_err(refused)
    };
    write("/proc/self/setgroups", "deny")?;
    write("/proc/self/uid_map", &format!("0 {uid} 1"))?;
    write("/proc/self/gid_map", &format!("0 {gid} 1"))
}

/// Makes an ordinary user's network, as for a guest, in a child process, because who has entered a user namespace cannot leave it. Must be
/// called before any thread exists. The error is the network's own; what could not be found out is none.
pub fn try_as_user() -> Result<(), String> {
    let Ok((said, mut says)) = std::io::pipe() else { return Ok(()) };
    // SAFETY: there is one thread, so the child is as whole a process as its parent.
    match unsafe { fork() } {
        Ok(ForkResult::Child) => {
            if let Err(e) = enter_user_namespace().and_then(|()| Netns::new()?.tap().map(drop)) {
                let _ = says.write_all(e.to_string().as_bytes());
            }
            // SAFETY: it ends at once; nothing of the parent's is closed or flushed.
            unsafe { libc::_exit(0) }
        }
        Ok(ForkResult::Parent { child }) => {
            drop(says);
            let mut why = String::new();
            let read = said.take(LONGEST_MESSAGE).read_to_string(&mut why);
            while waitpid(child, None) == Err(Errno::EINTR) {}
            if read.is_ok() && !why.is_empty() { Err(why) } else { Ok(()) }
        }
        Err(_) => Ok(()),
    }
}

impl NetError {
    /// `kind`: `user` or `network`.
    pub(super) fn namespace(kind: &'static str, errno: Errno) -> NetError {
        let why = match errno {
            // The kernel says of a limit that the device is full (unshare(2)).
            Errno::ENOSPC => {
                let limit = if kind == "network" { "net" } else { kind };
                format!("the system allows no more of them (user.max_{limit}_namespaces)")
            }
            errno => errno.to_string(),
        };
        NetError::Namespace { kind, why }
    }
}

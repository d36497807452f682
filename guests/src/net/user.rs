//! Whether an ordinary user can have a network at all, found out before what takes minutes is done for guests that would have none.
//!
//! In a child process, because who has entered a user namespace cannot leave it.

use super::{NetError, tap};
use nix::errno::Errno;
use nix::libc;
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

/// Opens the TAP's device, and makes a user namespace with a network namespace in it.
pub fn possible_for_user() -> Result<(), NetError> {
    tap::open()?;
    // SAFETY: the child makes two system calls, takes no lock and needs no memory, so it may be the child of many threads.
    match unsafe { fork() }.map_err(NetError::Namespace)? {
        ForkResult::Child => {
            let made = unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET);
            // SAFETY: nothing of the parent's is closed or flushed.
            unsafe { libc::_exit(made.map_or_else(|errno| errno as i32, |()| 0)) }
        }
        ForkResult::Parent { child } => match waitpid(child, None).map_err(NetError::Namespace)? {
            WaitStatus::Exited(_, code) if code != 0 => Err(NetError::Namespace(Errno::from_raw(code))),
            // One that was killed has found out nothing: whoever needs the network will see.
            _ => Ok(()),
        },
    }
}

/// Why there is none, in words: the kernel says of a limit that the device is full (`unshare(2)`).
pub fn no_namespace(errno: Errno) -> String {
    match errno {
        Errno::ENOSPC => "the system allows no more user namespaces".to_owned(),
        errno => errno.to_string(),
    }
}

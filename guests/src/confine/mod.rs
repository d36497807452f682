//! A QEMU of this host's own, shut in: what it does not need it cannot see, whatever a guest makes of it.
//!
//! It has its own user, mount, pid, network, IPC, UTS and cgroup namespaces; a root that holds the system's programs and
//! libraries and the guest's own files, read-only but for those that it writes; no capability, and none to be had; limits for
//! files and memory; Landlock's rules and a control group where the host has them. Its own seccomp filter (`-sandbox`) comes on top. No helper program and no right of root is needed.
//! Does not know guests: it is told what is to be seen.

mod cgroup;
mod enter;
mod found;
mod landlock;
mod needs;
mod plan;
mod spawn;
#[cfg(test)]
mod tests;

pub use found::{Part, parts};
pub(crate) use plan::Access;
pub use spawn::available;
pub(crate) use spawn::{Confined, spawn, spawn_in_the_open};

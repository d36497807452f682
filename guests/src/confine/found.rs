//! What of the confinement this host gives, found out once.

use super::{cgroup, landlock, spawn};
use crate::net::ALLOW_USER_NAMESPACES;

/// How the administrator turns Landlock on.
const ALLOW_LANDLOCK: &str = "a kernel from 5.13 on that is booted with `landlock` in lsm=";
/// How control groups are had.
const DELEGATE: &str = "systemd-run --user --scope -p Delegate=yes -- COMMAND, on a host with cgroup v2";

/// A part of the confinement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is, in a word or two.
    pub name: &'static str,
    /// What it does; or why it is missing, and what would bring it.
    pub found: Result<String, String>,
}

/// All parts, in the order of how much they do.
pub async fn parts() -> [Part; 3] {
    let namespaces = match spawn::available().await {
        Ok(()) => Ok("QEMU has namespaces, a root and limits of its own, and no capabilities".into()),
        Err(why) => Err(format!("{why}; allow it user namespaces: {ALLOW_USER_NAMESPACES}")),
    };
    let landlock = match landlock::version() {
        Some(version) => Ok(format!("QEMU opens its own files only, whatever it can see (ABI {version})")),
        None => Err(format!("this kernel has none, or was told not to; it takes {ALLOW_LANDLOCK}")),
    };
    let group = match cgroup::parent() {
        Ok(_) if namespaces.is_err() => Err("it goes with the namespaces".into()),
        Ok(_) => Ok("QEMU's memory and threads are limited".into()),
        Err(why) => Err(format!("{why}; to have one: {DELEGATE}")),
    };
    [("namespaces", namespaces), ("Landlock", landlock), ("a control group", group)]
        .map(|(name, found)| Part { name, found })
}

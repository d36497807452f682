//! Landlock: which files a process may open, and for what, whatever its namespaces and rights are (linux/landlock.h).
//!
//! The rules are made before the fork, of the files themselves: they hold wherever those are mounted. Between fork and exec the
//! process only takes them on, for good. Kernels know more of it with each version of the interface (ABI); what one does not
//! know is left out.

use nix::libc::{self, c_int, c_void};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::ptr::null;

const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const REMOVE_FILE: u64 = 1 << 5;
const MAKE_REG: u64 = 1 << 8;
const MAKE_SOCK: u64 = 1 << 9;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;
/// What a rule about anything but a folder may speak of.
const OF_A_FILE: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;

const BIND_AND_CONNECT_TCP: u64 = 0b11;
const ABSTRACT_SOCKETS_AND_SIGNALS: u64 = 0b11;

const ASK_VERSION: u32 = 1;
const PATH_BENEATH: c_int = 1;

#[repr(C)]
struct Handled {
    files: u64,
    /// Since version 4.
    network: u64,
    /// Since version 6.
    scoped: u64,
}

#[repr(C, packed)]
struct Beneath {
    allowed: u64,
    at: c_int,
}

/// The version of this kernel's interface; `None`: it has none, or is told not to use it.
pub(super) fn version() -> Option<u32> {
    // SAFETY: asked so, nothing is read or written.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, null::<c_void>(), 0_usize, ASK_VERSION) };
    u32::try_from(version).ok().filter(|version| *version > 0)
}

/// All that this version knows of files.
fn of_files(version: u32) -> u64 {
    let bits = match version {
        1 => 13,
        2 => 14,
        3 | 4 => 15,
        _ => 16,
    };
    (1 << bits) - 1
}

/// What may be done with a file, or with what is in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Programs and libraries.
    System,
    Read,
    Write,
    Device,
}

/// What may be done with files; everything else with files, and all TCP, is refused.
#[derive(Debug)]
pub(super) struct Rules(OwnedFd);

impl Rules {
    /// `None`: this kernel has no Landlock.
    pub(super) fn new<'a>(allowed: impl IntoIterator<Item = (&'a Path, Kind)>) -> io::Result<Option<Rules>> {
        let Some(version) = version() else { return Ok(None) };
        let files = of_files(version);
        let handled = Handled { files, network: BIND_AND_CONNECT_TCP, scoped: ABSTRACT_SOCKETS_AND_SIGNALS };
        let size = match version {
            ..4 => size_of::<u64>(),
            4..6 => 2 * size_of::<u64>(),
            _ => size_of::<Handled>(),
        };
        // SAFETY: the structure outlives the call; the descriptor is ours when it succeeds, and closes on exec.
        let rules = unsafe {
            let fd = libc::syscall(libc::SYS_landlock_create_ruleset, &raw const handled, size, 0_u32);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            Rules(OwnedFd::from_raw_fd(fd as c_int))
        };
        for (path, kind) in allowed {
            rules.allow(path, kind, files)?;
        }
        Ok(Some(rules))
    }

    fn allow(&self, path: &Path, kind: Kind, known: u64) -> io::Result<()> {
        let file = File::options().read(true).custom_flags(libc::O_PATH | libc::O_CLOEXEC).open(path)?;
        let allowed = match kind {
            Kind::System => EXECUTE | READ_FILE | READ_DIR,
            Kind::Read => READ_FILE | READ_DIR,
            Kind::Write => READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | REMOVE_FILE | MAKE_REG | MAKE_SOCK,
            Kind::Device => READ_FILE | WRITE_FILE | IOCTL_DEV,
        };
        let of_its_kind = if file.metadata()?.is_dir() { known } else { known & OF_A_FILE };
        let rule = Beneath { allowed: allowed & of_its_kind, at: file.as_raw_fd() };
        // SAFETY: the structure and both descriptors outlive the call.
        let done = unsafe {
            let rules = self.0.as_raw_fd();
            libc::syscall(libc::SYS_landlock_add_rule, rules, PATH_BENEATH, &raw const rule, 0_u32)
        };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// This process keeps to them from now on, and so does whatever it starts. It may gain no rights any more
    /// (`no_new_privs`). One system call.
    pub(super) fn take_on(&self) -> io::Result<()> {
        // SAFETY: the descriptor lives.
        let done = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, self.0.as_raw_fd(), 0_u32) };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

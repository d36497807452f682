//! Limits of a control group: memory that is really used, and processes and threads (Linux, `cgroup-v2.rst`).
//!
//! Only where somebody has delegated a group to us: version 2, with the controllers `memory` and `pids` handed on, and a folder
//! that we may write to (`systemd-run --user --scope -p Delegate=yes`, or root). Elsewhere there are none, which a run says.

use nix::libc::{self, c_int};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Names of ours begin so; our process's number follows, and a number.
const PREFIX: &str = "vmhealth-";
const CONTROLLERS: [&str; 2] = ["memory", "pids"];
/// Beside the guest's memory, MiB: QEMU itself, translated code, what it has read of its files.
const OVERHEAD_MIB: u64 = 2 << 10;
/// Threads: vCPUs, the disk's workers (64), and some.
const TASKS: u64 = 512;

/// A group of one process; dropped, it goes, once it is empty.
#[derive(Debug)]
pub(super) struct Group {
    folder: PathBuf,
    processes: File,
}

impl Group {
    /// Below `parent`, with its limits.
    pub(super) fn new(parent: &Path, memory_mib: u64) -> io::Result<Group> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!("{PREFIX}{}-{number}", std::process::id()));
        fs::create_dir(&folder)?;
        let made = Self::limited(&folder, memory_mib);
        if made.is_err() {
            // Nobody is in there.
            let _ = fs::remove_dir(&folder);
        }
        Ok(Group { processes: made?, folder })
    }

    fn limited(folder: &Path, memory_mib: u64) -> io::Result<File> {
        fs::write(folder.join("memory.max"), ((memory_mib + OVERHEAD_MIB) << 20).to_string())?;
        fs::write(folder.join("pids.max"), TASKS.to_string())?;
        // The whole of a QEMU, not a thread of it; kernels before 4.19 have no such file.
        let _ = fs::write(folder.join("memory.oom.group"), "1");
        File::options().write(true).open(folder.join("cgroup.procs"))
    }

    /// For [`join`].
    pub(super) fn door(&self) -> c_int {
        self.processes.as_raw_fd()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // One that cannot be removed now goes with the next run's start.
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Puts this process into the group of that door. One system call.
pub(super) fn join(door: c_int) -> io::Result<()> {
    // SAFETY: a descriptor that lives, and bytes that do; 0 is whoever writes.
    if unsafe { libc::write(door, c"0".as_ptr().cast(), 1) } < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The folder in which groups of ours can be made, found once; an error says what is missing.
pub(super) fn parent() -> Result<PathBuf, String> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    FOUND.get_or_init(find).clone()
}

fn find() -> Result<PathBuf, String> {
    let read = |path: &str| fs::read_to_string(path).map_err(|e| format!("{path}: {e}"));
    let mount = mount_of(&read("/proc/self/mountinfo")?).ok_or("no cgroup v2 is mounted")?;
    let groups = read("/proc/self/cgroup")?;
    let own = mount.join(own_of(&groups).ok_or("this process is in no group of cgroup v2")?);
    // Ours, if it is empty but for groups (or the root); or the one that it is in, whose groups are our siblings.
    let candidates = own.ancestors().take(2).filter(|folder| folder.starts_with(&mount));
    let mut why = String::new();
    for folder in candidates {
        sweep(folder);
        match hands_on(folder).and_then(|()| Group::new(folder, 0).map(drop).map_err(|e| e.to_string())) {
            Ok(()) => return Ok(folder.to_owned()),
            Err(reason) => why = format!("{}: {reason}", folder.display()),
        }
    }
    Err(why)
}

/// Whether groups in there get the controllers; a root may be told to hand them on.
fn hands_on(folder: &Path) -> Result<(), String> {
    let read = |name: &str| fs::read_to_string(folder.join(name)).map_err(|e| e.to_string());
    let has = |text: &str| CONTROLLERS.iter().all(|wanted| text.split_whitespace().any(|word| word == *wanted));
    if has(&read("cgroup.subtree_control")?) {
        return Ok(());
    }
    if !has(&read("cgroup.controllers")?) {
        return Err("it has no controllers `memory` and `pids` (cgroup v1, or not delegated)".into());
    }
    fs::write(folder.join("cgroup.subtree_control"), "+memory +pids")
        .map_err(|e| format!("it does not hand on `memory` and `pids`: {e}"))
}

/// Removes the groups of runs that were killed; before this process has made one, also of one that had its number.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse::<u32>().ok());
        let gone = |owner| owner == std::process::id() || !Path::new(&format!("/proc/{owner}")).exists();
        if owner.is_some_and(gone) {
            // Its QEMU may be ending yet.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Where version 2 is mounted (proc(5), `mountinfo`).
fn mount_of(mounts: &str) -> Option<PathBuf> {
    let line = mounts.lines().find(|line| line.split(" - ").nth(1).is_some_and(|rest| rest.starts_with("cgroup2 ")))?;
    Some(line.split(' ').nth(4)?.into())
}

/// Our group of version 2, relative to that.
fn own_of(groups: &str) -> Option<&str> {
    groups.lines().find_map(|line| line.strip_prefix("0::/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_we_are() {
        let hybrid = "30 29 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      41 29 0:37 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n";
        let own = "4:memory:/a\n0::/user.slice/user-1000.slice/x.scope\n";
        for (mounts, groups, expected) in [
            (hybrid, own, Some("/sys/fs/cgroup/unified/user.slice/user-1000.slice/x.scope")),
            (hybrid, "0::/\n", Some("/sys/fs/cgroup/unified/")),
            (hybrid, "4:memory:/a\n", None),
            ("30 29 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", own, None),
        ] {
            let found = mount_of(mounts).and_then(|mount| Some(mount.join(own_of(groups)?)));
            assert_eq!(found.as_deref(), expected.map(Path::new), "{mounts}{groups}");
        }
    }

    /// With a process in it, and without.
    #[test]
    fn a_group_has_limits_and_goes() {
        let parent = match parent() {
            Ok(parent) => parent,
            Err(why) => return eprintln!("SKIPPED, no control groups here: {why}"),
        };
        let group = Group::new(&parent, 512).unwrap();
        let folder = group.folder.clone();
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap().trim().to_owned();
        assert_eq!(read("memory.max"), ((512 + OVERHEAD_MIB) << 20).to_string());
        assert_eq!(read("pids.max"), TASKS.to_string());
        let door = group.door();
        let mut command = std::process::Command::new("cat");
        command.arg("/proc/self/cgroup");
        // SAFETY: one system call.
        unsafe { std::os::unix::process::CommandExt::pre_exec(&mut command, move || join(door)) };
        let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert!(said.lines().any(|line| line.starts_with("0::") && line.ends_with(name)), "{said}");
        drop(group);
        assert!(!folder.exists());
    }
}

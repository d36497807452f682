//! What a run leaves on the host while it lives: one short folder under the temporary directory, with a lock.
//!
//! No destructor runs on SIGKILL, so the lock is the ledger: the kernel drops it with its process, and the next run
//! removes every folder whose lock is free. Network namespaces and TAPs are held by descriptors only and need no sweep;
//! QEMU dies by PDEATHSIG.

use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::sys::statvfs::{Statvfs, statvfs};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Short, because a unix socket's path has at most 107 bytes.
const PREFIX: &str = "vmh-";
/// Beside the folder, not in it: taken before the folder exists, so a sweeper never meets an unlocked live one.
const LOCK_SUFFIX: &str = ".lock";

/// A run's folder for sockets, seeds and overlays; removed on drop.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    lock_path: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Makes and locks a folder under the temporary directory.
    pub fn new() -> io::Result<Scratch> {
        Scratch::under(&std::env::temp_dir())
    }

    fn under(parent: &Path) -> io::Result<Scratch> {
        let (lock, lock_path) =
            tempfile::Builder::new().prefix(PREFIX).suffix(LOCK_SUFFIX).tempfile_in(parent)?.keep()?;
        lock.lock()?;
        let path = lock_path.with_extension("");
        // Seeds and disks have the user data's passwords.
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Scratch { path, lock_path, _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A new folder in it.
    pub fn subdir(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is the next run's sweep.
        let _ = fs::remove_dir_all(&self.path);
        let _ = fs::remove_file(&self.lock_path);
    }
}

/// MiB of memory that files in a folder can take: of a file system that keeps them there, all of it; of others nothing.
pub fn memory_of_files_mib(folder: &Path) -> u64 {
    // One that cannot be asked is on a disk.
    let in_memory = statfs(folder).is_ok_and(|s| s.filesystem_type() == TMPFS_MAGIC);
    let size = |s: Statvfs| (s.blocks() * s.fragment_size()).div_ceil(1 << 20);
    if in_memory { statvfs(folder).map_or(0, size) } else { 0 }
}

/// The lock of the run whose folder this is in.
pub fn lock_of(folder: &Path) -> Option<PathBuf> {
    let of_run = |f: &&Path| f.file_name().is_some_and(|n| n.to_string_lossy().starts_with(PREFIX));
    folder.ancestors().find(of_run).map(|run| run.with_added_extension(&LOCK_SUFFIX[1..]))
}

/// Removes what killed runs left behind; says what it removed.
pub fn sweep() -> io::Result<Vec<PathBuf>> {
    sweep_under(&std::env::temp_dir())
}

fn sweep_under(parent: &Path) -> io::Result<Vec<PathBuf>> {
    let mut removed = Vec::new();
    for entry in fs::read_dir(parent)? {
        let lock_path = entry?.path();
        let name = lock_path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if !(name.starts_with(PREFIX) && name.ends_with(LOCK_SUFFIX)) {
            continue;
        }
        // Another user's lock cannot be opened: not ours to sweep.
        let Ok(lock) = File::open(&lock_path) else { continue };
        if lock.try_lock().is_err() {
            continue;
        }
        let path = lock_path.with_extension("");
        match fs::remove_dir_all(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => removed.push(path),
        }
        // Another sweeper may have been quicker.
        let _ = fs::remove_file(&lock_path);
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_take_memory_on_a_tmpfs_only() {
        let of = |folder: &str| memory_of_files_mib(Path::new(folder));
        assert_eq!((of("/proc"), of("/no/folder")), (0, 0));
        // Kept by the kernel or by udev, small or large, wherever Linux runs.
        assert!(of("/dev/shm") > 0 || statfs("/dev/shm").is_ok_and(|s| s.filesystem_type() != TMPFS_MAGIC));
    }

    #[test]
    fn a_live_folder_is_left_alone_and_a_dead_one_swept() {
        let parent = tempfile::tempdir().unwrap();
        let live = Scratch::under(parent.path()).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&live.path().metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o700, "nobody else looks into it");
        fs::write(live.path().join("overlay"), "x").unwrap();
        assert_eq!(sweep_under(parent.path()).unwrap(), Vec::<PathBuf>::new());
        // What SIGKILL leaves: folder and lock file, and nobody who holds the lock.
        let dead = parent.path().join("vmh-dead");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join("qmp.sock"), "").unwrap();
        fs::write(parent.path().join("vmh-dead.lock"), "").unwrap();
        assert_eq!(sweep_under(parent.path()).unwrap(), vec![dead]);
        assert!(live.path().exists());
        assert_eq!(lock_of(&live.subdir("1f").unwrap()), Some(live.lock_path.clone()));
        assert_eq!(lock_of(Path::new("/somewhere/else")), None);
        drop(live);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0, "nothing is left behind");
    }
}

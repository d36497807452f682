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

/// Where a folder's files are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilesAreIn {
    /// They take no memory that the kernel could not take back.
    Disk,
    /// As on a tmpfs.
    Memory {
        /// All of them together; `None`: mounted without a limit (`size=0`).
        limit_mib: Option<u64>,
    },
}

impl FilesAreIn {
    /// What a folder's file system says. One that cannot be asked is on a disk.
    pub fn of(folder: &Path) -> FilesAreIn {
        if !statfs(folder).is_ok_and(|s| s.filesystem_type() == TMPFS_MAGIC) {
            return FilesAreIn::Disk;
        }
        let blocks = statvfs(folder).map_or((0, 0), |s: Statvfs| (s.blocks(), s.fragment_size()));
        FilesAreIn::memory_of(blocks.0, blocks.1)
    }

    /// A tmpfs without a limit says that it has no blocks (Linux `shmem_statfs`).
    fn memory_of(blocks: u64, bytes_each: u64) -> FilesAreIn {
        let limit_mib = (blocks > 0).then(|| blocks.saturating_mul(bytes_each).div_ceil(1 << 20));
        FilesAreIn::Memory { limit_mib }
    }

    /// MiB of memory that files can take which grow to `files_mib`.
    pub fn memory_mib(self, files_mib: u64) -> u64 {
        match self {
            FilesAreIn::Disk => 0,
            FilesAreIn::Memory { limit_mib } => limit_mib.map_or(files_mib, |limit| limit.min(files_mib)),
        }
    }
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
        let of = |folder: &str| FilesAreIn::of(Path::new(folder));
        assert_eq!((of("/proc"), of("/no/folder")), (FilesAreIn::Disk, FilesAreIn::Disk));
        // Another program's word for it: one of them is kept by the kernel or by udev wherever Linux runs.
        let mut seen = [0; 2];
        for folder in ["/", "/proc", "/dev", "/dev/shm", "/run"] {
            let said = std::process::Command::new("stat").args(["-f", "-c", "%T", folder]).output().unwrap().stdout;
            let is_tmpfs = said == b"tmpfs\n";
            assert_eq!(of(folder) != FilesAreIn::Disk, is_tmpfs, "{folder}: {}", String::from_utf8_lossy(&said));
            seen[usize::from(is_tmpfs)] += 1;
        }
        assert!(!seen.contains(&0), "{seen:?}");
    }

    #[test]
    fn what_files_take_of_memory() {
        let (limited, unlimited) = (FilesAreIn::memory_of(1 << 16, 4096), FilesAreIn::memory_of(0, 4096));
        for (kept, files, memory) in [
            (FilesAreIn::Disk, 3072, 0),
            (limited, 3072, 256),
            (limited, 100, 100),
            (unlimited, 3072, 3072),
            (FilesAreIn::memory_of(1, 4096), 3072, 1),
        ] {
            assert_eq!(kept.memory_mib(files), memory, "{kept:?} {files}");
        }
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

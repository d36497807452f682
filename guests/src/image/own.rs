//! An image of the user's own: is it a disk that a guest can be booted from, and what would QEMU open for it?
//!
//! Nothing is opened before it is known to be a plain file in an allowed folder, and no other program is asked: a header can
//! name a pipe, a device, another user's file or a server, and whoever opens an image opens that as well. Whether it boots is
//! found out by booting it.

use super::boot::{DiskFormat, Image};
use super::chain::{Chain, Folders, Problem};
use crate::os::DEBIAN;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

/// For reading some headers; longer only where a file system hangs.
const LIMIT: Duration = Duration::from_millis(1500);

/// Why a file is no image to boot.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct ImageProblem {
    path: PathBuf,
    problem: Problem,
}

/// What the user says of an image beside its path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImageWord {
    /// How it is kept; `None`: qcow2 if it begins as one, else raw.
    pub format: Option<DiskFormat>,
    /// The folder that may hold what it is an overlay of, beside its own.
    pub backing_folder: Option<PathBuf>,
}

impl Image {
    /// A disk image of the user's own, qcow2 or raw.
    pub fn of_user(path: &Path, word: &ImageWord) -> Result<Image, ImageProblem> {
        let (told, looked) = mpsc::channel();
        let (file, word) = (path.to_owned(), word.clone());
        let look = move || {
            // Whoever asked may have given up.
            let _ = told.send(look(&file, &word));
        };
        let found = match std::thread::Builder::new().name("image".into()).spawn(look) {
            Ok(_) => looked.recv_timeout(LIMIT).unwrap_or(Err(Problem::Late(LIMIT))),
            Err(e) => Err(Problem::Unreadable(e)),
        };
        found.map_err(|problem| ImageProblem { path: path.to_owned(), problem })
    }
}

fn look(path: &Path, word: &ImageWord) -> Result<Image, Problem> {
    let disk = path.canonicalize().map_err(Problem::Unreadable)?;
    let folders = Folders::of(&disk, word.backing_folder.as_deref())?;
    let Chain { format, bytes, files } = Chain::follow(&disk, word.format, &folders)?;
    let metadata = disk.metadata().map_err(Problem::Unreadable)?;
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let modified = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    // It may have many gigabytes: a checksum would take longer than its boot.
    let digest = format!("{} ({} bytes, modified at {modified})", disk.display(), metadata.len());
    Ok(Image { kernel: None, disk, format, bytes: Some(bytes), files, os: &DEBIAN, digest })
}

//! An image of the user's own: is it a disk that a guest can be booted from?
//!
//! Looked at and never written to. Whether it boots is found out by booting it.

use super::boot::{DiskFormat, Image};
use crate::os::DEBIAN;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// Why a file is no image to boot.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct ImageProblem {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("cannot run qemu-img ({0}); type: apt-get install qemu-utils")]
    NoTool(io::Error),
    #[error("qemu-img cannot read it: {0}")]
    NotADisk(String),
    #[error("is kept as {0}; only qcow2 and raw are booted: qemu-img convert -O qcow2 FILE NEW.qcow2")]
    Format(String),
    #[error("is neither a file nor a block device")]
    NoFile,
    #[error("{} belongs to it, which is no file of this host", .0.display())]
    Elsewhere(PathBuf),
    #[error("is encrypted, and there is no key for it here")]
    Encrypted,
    #[error(
        "has no boot sector: a file system or a kernel alone is not what firmware boots; take a disk image with a bootloader"
    )]
    NoBootSector,
}

/// What `qemu-img info` says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Info {
    format: String,
    filename: PathBuf,
    #[serde(default)]
    encrypted: bool,
    #[serde(default)]
    format_specific: FormatSpecific,
}

#[derive(Debug, Default, Deserialize)]
struct FormatSpecific {
    #[serde(default)]
    data: QcowData,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct QcowData {
    data_file: Option<PathBuf>,
}

impl Info {
    fn format(&self) -> Result<DiskFormat, Problem> {
        match self.format.as_str() {
            "raw" => Ok(DiskFormat::Raw),
            "qcow2" => Ok(DiskFormat::Qcow2),
            other => Err(Problem::Format(other.to_owned())),
        }
    }

    /// Adds the files that it is made of: under the names that QEMU opens, which may be links.
    fn examine(&self, files: &mut BTreeSet<PathBuf>) -> Result<(), Problem> {
        self.format()?;
        if self.encrypted {
            return Err(Problem::Encrypted);
        }
        let folder = self.filename.parent().unwrap_or(Path::new("/"));
        let data = self.format_specific.data.data_file.iter().map(|name| folder.join(name));
        for file in std::iter::once(self.filename.clone()).chain(data) {
            if !file.is_absolute() || !file.exists() {
                return Err(Problem::Elsewhere(file));
            }
            files.insert(file);
        }
        Ok(())
    }
}

impl Image {
    /// A disk image of the user's own, qcow2 or raw.
    pub fn of_user(path: &Path) -> Result<Image, ImageProblem> {
        look(path).map_err(|problem| ImageProblem { path: path.to_owned(), problem })
    }
}

fn look(path: &Path) -> Result<Image, Problem> {
    let path = path.canonicalize().map_err(Problem::Unreadable)?;
    let metadata = path.metadata().map_err(Problem::Unreadable)?;
    if !metadata.is_file() && !metadata.file_type().is_block_device() {
        return Err(Problem::NoFile);
    }
    // Also whether it may be read at all.
    let mut file = File::open(&path).map_err(Problem::Unreadable)?;
    let (chain, mut files) = (chain(&path)?, BTreeSet::from([path.clone()]));
    for link in &chain {
        link.examine(&mut files)?;
    }
    let format = chain.first().map_or(Err(Problem::NotADisk("qemu-img says nothing of it".into())), Info::format)?;
    if format == DiskFormat::Raw {
        // Anything is a raw disk to qemu-img. An s390x disk begins with its own mark.
        let mut sector = [0; 512];
        file.read_exact(&mut sector).map_err(|_| Problem::NoBootSector)?;
        if sector[510..] != [0x55, 0xaa] && &sector[..4] != b"zIPL" {
            return Err(Problem::NoBootSector);
        }
    }
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let modified = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    // It may have many gigabytes: a checksum would take longer than its boot.
    let digest = format!("{} ({} bytes, modified at {modified})", path.display(), metadata.len());
    Ok(Image { kernel: None, disk: path, format, files: files.into_iter().collect(), os: &DEBIAN, digest })
}

/// The image and what it is an overlay of. qemu-img opens them all: one that a running guest has locked is refused.
fn chain(path: &Path) -> Result<Vec<Info>, Problem> {
    let output = Command::new("qemu-img").args(["info", "--backing-chain", "--output=json", "--"]).arg(path).output();
    let output = output.map_err(Problem::NoTool)?;
    if !output.status.success() {
        return Err(Problem::NotADisk(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| Problem::NotADisk(e.to_string()))
}

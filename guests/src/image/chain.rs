//! A disk image and everything below it, followed without QEMU: each link a plain file, in a folder that is allowed, of a
//! format that was said.

use super::boot::DiskFormat;
use super::qcow2::{self, Backing, HeaderError, LONGEST_HEADER, MAGIC};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// More than any chain of snapshots that somebody keeps; each link is open in QEMU for as long as the guest runs.
const LONGEST_CHAIN: usize = 64;
/// No disk of a cluster is larger.
const LARGEST: u64 = 64 << 40;
/// QEMU's file locks: the byte that whoever writes to an image has locked (block/file-posix.c: RAW_LOCK_PERM_BASE, and
/// BLK_PERM_WRITE is its bit 1).
const WRITERS_BYTE: nix::libc::off_t = 101;
/// Of a disk that firmware can boot.
const SECTOR: usize = 512;
/// Formats that QEMU knows and that are not booted: what a file begins with, from some byte on.
const OTHER_FORMATS: [(usize, &[u8], &str); 6] = [
    (0, b"KDMV", "vmdk"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"conectix", "vpc"),
    (0, b"QED\0", "qed"),
    (0, b"LUKS\xba\xbe", "luks"),
    (64, b"\x7f\x10\xda\xbe", "vdi"),
];

/// Why an image, or what it is an overlay of, is not to be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("could not be looked at within {}s: its file system does not answer", .0.as_secs_f64())]
    Late(Duration),
    #[error("is kept as {0}; only qcow2 and raw are booted: qemu-img convert -O qcow2 FILE NEW.qcow2")]
    Format(String),
    #[error("is no plain file: pipes, devices and folders are not opened; copy the disk into a file")]
    NoFile,
    #[error("is not a qcow2, as it was said to be")]
    NoQcow2,
    #[error("{0}")]
    Header(#[from] HeaderError),
    #[error("has {} TiB, more than any disk of a cluster (64 TiB)", .0 >> 40)]
    Large(u64),
    #[error("is encrypted, and there is no key for it here")]
    Encrypted,
    #[error("keeps its data in another file, which is not opened: qemu-img convert -O qcow2 FILE NEW.qcow2")]
    ExternalData,
    #[error("is being written to by another program (a running guest?), so what is in it may change: stop that first")]
    InUse,
    #[error(
        "has no boot sector: a file system or a kernel alone is not what firmware boots; take a disk image with a bootloader"
    )]
    NoBootSector,
    #[error(
        "is an overlay of {0:?}, which is no path of a file: only files are opened; qemu-img rebase -b FILE -F FORMAT"
    )]
    Protocol(PathBuf),
    #[error(
        "is an overlay of {name:?} and does not say which format that has, which is not guessed; type: qemu-img rebase -u -b {name:?} -F FORMAT"
    )]
    Unsaid { name: PathBuf },
    #[error("is an overlay of {name:?}, which is outside of {folder:?}; --backing-folder FOLDER allows another folder")]
    Outside { name: PathBuf, folder: PathBuf },
    #[error("is an overlay of itself, through {0:?}")]
    Loop(PathBuf),
    #[error("is an overlay of more than {LONGEST_CHAIN} files; type: qemu-img convert -O qcow2 FILE NEW.qcow2")]
    Deep,
    #[error("is an overlay of {name:?}, which {problem}")]
    Below { name: PathBuf, problem: Box<Problem> },
}

/// Where what an image is an overlay of may be.
#[derive(Debug)]
pub(super) struct Folders {
    own: PathBuf,
    named: Option<PathBuf>,
}

impl Folders {
    /// The folder of `disk`, an absolute path without links, and one that the user names.
    pub(super) fn of(disk: &Path, named: Option<&Path>) -> Result<Folders, Problem> {
        let own = disk.parent().unwrap_or(Path::new("/")).to_owned();
        let real = |folder: &Path| {
            let below = |e| Problem::Below { name: folder.to_owned(), problem: Box::new(Problem::Unreadable(e)) };
            folder.canonicalize().map_err(below)
        };
        Ok(Folders { own, named: named.map(real).transpose()? })
    }

    fn hold(&self, real: &Path) -> bool {
        std::iter::once(&self.own).chain(&self.named).any(|folder| real.starts_with(folder))
    }
}

/// What QEMU would open.
#[derive(Debug)]
pub(super) struct Chain {
    /// Of the first.
    pub(super) format: DiskFormat,
    /// Of the disk that the guest sees.
    pub(super) bytes: u64,
    /// Under the names that QEMU opens, which may be links; the first is the image itself.
    pub(super) files: Vec<PathBuf>,
}

impl Chain {
    /// Follows an image down to its last file.
    pub(super) fn follow(disk: &Path, said: Option<DiskFormat>, folders: &Folders) -> Result<Chain, Problem> {
        let mut seen = BTreeSet::new();
        let first = Link::open(disk, said, &mut seen)?;
        if first.format == DiskFormat::Raw && !first.boots {
            return Err(Problem::NoBootSector);
        }
        let mut chain = Chain { format: first.format, bytes: first.bytes, files: vec![disk.to_owned()] };
        let mut above = disk.to_owned();
        let mut next = first.backing;
        while let Some(Backing { name, format }) = next {
            if chain.files.len() >= LONGEST_CHAIN {
                return Err(Problem::Deep);
            }
            let path = folders.allow(&above, &name)?;
            let format = named_format(&name, format)?;
            let below = |problem| Problem::Below { name: name.clone(), problem: Box::new(problem) };
            let link = Link::open(&path, Some(format), &mut seen).map_err(below)?;
            chain.files.push(path.clone());
            (above, next) = (path, link.backing);
        }
        Ok(chain)
    }
}

impl Folders {
    /// The path that QEMU would open for a name that stands in the file `above`, if that is in an allowed folder.
    fn allow(&self, above: &Path, name: &Path) -> Result<PathBuf, Problem> {
        // QEMU's path_has_protocol: a colon before the first slash.
        let before_slash = name.as_os_str().as_bytes().iter().take_while(|b| **b != b'/');
        if before_slash.into_iter().any(|b| *b == b':') {
            return Err(Problem::Protocol(name.to_owned()));
        }
        let path = above.parent().unwrap_or(Path::new("/")).join(name);
        let below = |e| Problem::Below { name: name.to_owned(), problem: Box::new(Problem::Unreadable(e)) };
        let outside = || Problem::Outside { name: name.to_owned(), folder: self.own.clone() };
        // What is outside is not even asked whether it exists.
        let folder = path.parent().unwrap_or(Path::new("/")).canonicalize().map_err(|_| outside())?;
        if !self.hold(&folder) {
            return Err(outside());
        }
        match path.canonicalize().map_err(below)? {
            real if self.hold(&real) => Ok(path),
            _ => Err(outside()),
        }
    }
}

fn named_format(name: &Path, format: Option<String>) -> Result<DiskFormat, Problem> {
    let format = format.ok_or_else(|| Problem::Unsaid { name: name.to_owned() })?;
    let unknown = || Problem::Below { name: name.to_owned(), problem: Box::new(Problem::Format(format.clone())) };
    [DiskFormat::Raw, DiskFormat::Qcow2].into_iter().find(|f| f.as_str() == format).ok_or_else(unknown)
}

/// One file.
struct Link {
    format: DiskFormat,
    bytes: u64,
    backing: Option<Backing>,
    /// It begins as firmware wants it; an s390x disk has a mark of its own.
    boots: bool,
}

impl Link {
    /// Opens it, if it is a plain file that was not met before, and reads no more than its header.
    fn open(path: &Path, said: Option<DiskFormat>, seen: &mut BTreeSet<(u64, u64)>) -> Result<Link, Problem> {
        // Before it is opened: opening a device may do something.
        if !path.metadata().map_err(Problem::Unreadable)?.is_file() {
            return Err(Problem::NoFile);
        }
        // A pipe that came in between does not hold us up, and is seen.
        let open = File::options().read(true).custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY).open(path);
        let mut file = open.map_err(Problem::Unreadable)?;
        let metadata = file.metadata().map_err(Problem::Unreadable)?;
        if !metadata.is_file() {
            return Err(Problem::NoFile);
        }
        if !seen.insert((metadata.dev(), metadata.ino())) {
            return Err(Problem::Loop(path.to_owned()));
        }
        if is_written_to(&file) {
            return Err(Problem::InUse);
        }
        let mut start = Vec::new();
        (&mut file).take(SECTOR as u64).read_to_end(&mut start).map_err(Problem::Unreadable)?;
        let format = said.unwrap_or(if start.starts_with(MAGIC) { DiskFormat::Qcow2 } else { DiskFormat::Raw });
        let link = match format {
            DiskFormat::Raw => {
                if said.is_none()
                    && let Some(other) = other_format(&start)
                {
                    return Err(Problem::Format(other.to_owned()));
                }
                let boots = start.get(510..512) == Some(&[0x55, 0xaa]) || start.starts_with(b"zIPL");
                Link { format, bytes: metadata.len(), backing: None, boots }
            }
            DiskFormat::Qcow2 if !start.starts_with(MAGIC) => return Err(Problem::NoQcow2),
            DiskFormat::Qcow2 => {
                let mut header = Vec::new();
                file.seek(SeekFrom::Start(0)).map_err(Problem::Unreadable)?;
                file.take(LONGEST_HEADER).read_to_end(&mut header).map_err(Problem::Unreadable)?;
                let header = qcow2::parse(&header)?;
                if header.encrypted {
                    return Err(Problem::Encrypted);
                }
                if header.external_data {
                    return Err(Problem::ExternalData);
                }
                Link { format, bytes: header.bytes, backing: header.backing, boots: true }
            }
        };
        if link.bytes.max(metadata.len()) > LARGEST {
            return Err(Problem::Large(link.bytes.max(metadata.len())));
        }
        Ok(link)
    }
}

fn other_format(start: &[u8]) -> Option<&'static str> {
    let is = |(at, magic, _): &&(usize, &[u8], &str)| start.get(*at..).is_some_and(|rest| rest.starts_with(magic));
    OTHER_FORMATS.iter().find(is).map(|(_, _, name)| *name)
}

/// Whether a QEMU has it open for writing.
fn is_written_to(file: &File) -> bool {
    let mut lock = nix::libc::flock {
        l_type: nix::libc::F_WRLCK as i16,
        l_whence: nix::libc::SEEK_SET as i16,
        l_start: WRITERS_BYTE,
        l_len: 1,
        l_pid: 0,
    };
    // SAFETY: the kernel fills in the structure, which outlives the call.
    let asked = unsafe { nix::libc::fcntl(file.as_raw_fd(), nix::libc::F_OFD_GETLK, &raw mut lock) };
    // Where nobody can say, QEMU itself refuses.
    asked == 0 && i32::from(lock.l_type) != nix::libc::F_UNLCK
}

//! What every host can do, and what it is given for it.

use crate::confine::Access;
use crate::net::{NetError, Relay};
use crate::process::Process;
use crate::qemu::{Nic, QemuVersion};
use std::ffi::OsString;
use std::fmt::Debug;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use vmhealth_images::Progress;
use vmhealth_sim::manifest::Architecture;

/// What a host does that takes time.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A place where QEMU can run.
pub trait Host: Debug + Send + Sync {
    /// As on the command line and in results: `local`, `container:debian-13`.
    fn name(&self) -> String;

    /// QEMU is a program that must be installed on this machine.
    fn runs_installed_qemu(&self) -> bool;

    /// The name of QEMU's program for guests of an architecture; an error where this host never runs them.
    fn program(&self, architecture: Architecture) -> Result<&'static str, HostError>;

    /// The QEMU for guests of an architecture: found, or made once. `scratch` is a folder for files of the moment.
    fn emulator<'a>(
        &'static self,
        architecture: Architecture,
        scratch: &'a Path,
        progress: Progress<'a>,
    ) -> Pending<'a, Result<Emulator, HostError>>;

    /// Brings a guest's TAP to where QEMU will run. `scratch` is the guest's own folder.
    fn attach(&self, tap: OwnedFd, scratch: &Path) -> Result<Attachment, NetError>;

    /// Starts QEMU; its end comes out of the [`Process`], and dropping that ends it.
    fn start<'a>(&'a self, emulator: &'a Emulator, launch: Launch<'a>) -> Pending<'a, Result<Process, HostError>>;
}

/// A QEMU that a host can run.
#[derive(Debug, Clone)]
pub struct Emulator {
    /// Its name as a program.
    pub program: &'static str,
    /// Which one it is.
    pub version: QemuVersion,
    /// Who runs it.
    pub host: &'static dyn Host,
    /// What the host finds it by: a program's name, or an image's `repository:tag`.
    pub place: String,
}

/// A guest's network as its QEMU sees it.
#[derive(Debug)]
pub struct Attachment {
    /// For the command line.
    pub nic: Nic,
    /// The TAP, where QEMU inherits it.
    pub tap: Option<OwnedFd>,
    /// What carries frames between a TAP that stays here and QEMU; to be held as long as the guest.
    pub(crate) relay: Option<Relay>,
}

/// One start of QEMU.
#[derive(Debug)]
pub struct Launch<'a> {
    /// Its arguments, without the program.
    pub args: &'a [OsString],
    /// Variables of its environment beside the host's own.
    pub environment: &'a [(&'static str, OsString)],
    /// The descriptor that stands in them.
    pub tap: Option<&'a OwnedFd>,
    /// Files and folders that it only reads.
    pub reads: Vec<PathBuf>,
    /// Folders that it writes to.
    pub writes: Vec<PathBuf>,
    /// The same to the file, for a host that can let it see no more.
    pub(crate) accesses: &'a [Access],
    /// Of the guest.
    pub memory_mib: u64,
    /// Of its disk as the guest sees it: so much it can write.
    pub disk_mib: u64,
    /// Whether it needs `/dev/kvm`.
    pub kvm: bool,
    /// The guest's own folder, which stands in the arguments.
    pub scratch: &'a Path,
    /// Where its stderr goes.
    pub stderr: &'a Path,
}

/// Why a host cannot run QEMU.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// It never runs guests of this architecture.
    #[error("{0}")]
    Unsupported(String),
    /// Its QEMU is not there or does not say its version.
    #[error("{0}")]
    NoQemu(String),
    /// A file or a process.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried: a verb and its object.
        what: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
    /// What this kind of host alone can have.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
}

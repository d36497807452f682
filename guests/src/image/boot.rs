//! What a guest boots: a root disk, and a kernel where no firmware is to find one on it.

use crate::os::{self, GuestOs};
use std::path::PathBuf;
use vmhealth_images::Recipe;

/// What a guest boots.
#[derive(Debug, Clone)]
pub struct Image {
    /// What QEMU enters without firmware; `None`: an image of the user's own, which the manifest's firmware boots.
    pub kernel: Option<Kernel>,
    /// The root disk; never written to.
    pub disk: PathBuf,
    /// How it is kept.
    pub format: DiskFormat,
    /// Bytes of the disk that the guest sees; `None`: as many as its file has.
    pub bytes: Option<u64>,
    /// All files that it is made of, where it is the user's: the disk, and what that is an overlay of.
    pub files: Vec<PathBuf>,
    /// What runs in the guest; a user's image is taken for Debian.
    pub os: &'static dyn GuestOs,
    /// What tells it from others, for reports and templates.
    pub digest: String,
}

/// A kernel that is entered directly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// Its file.
    pub file: PathBuf,
    /// The initramfs.
    pub initrd: PathBuf,
    /// The command line.
    pub cmdline: String,
}

/// How a disk is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFormat {
    /// Its bytes.
    Raw,
    /// QEMU's own.
    Qcow2,
}

impl DiskFormat {
    /// QEMU's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            DiskFormat::Raw => "raw",
            DiskFormat::Qcow2 => "qcow2",
        }
    }
}

impl Kernel {
    /// A stored image's, with the command line of its recipe.
    pub fn new(stored: &vmhealth_images::Image, recipe: &Recipe) -> Kernel {
        Kernel { file: stored.kernel.clone(), initrd: stored.initrd.clone(), cmdline: recipe.cmdline.into() }
    }
}

impl Image {
    /// A stored image of a recipe.
    pub fn new(stored: vmhealth_images::Image, recipe: &Recipe) -> Image {
        Image {
            kernel: Some(Kernel::new(&stored, recipe)),
            disk: stored.disk,
            format: DiskFormat::Raw,
            bytes: None,
            files: Vec::new(),
            os: os::of(recipe.distribution),
            digest: stored.digest,
        }
    }

    /// Not one of ours.
    pub fn is_users(&self) -> bool {
        self.kernel.is_none()
    }
}

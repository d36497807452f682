//! What guests of one architecture run on here: an image, an emulator, an accelerator.

use crate::qemu::{Accel, Emulator};
use std::path::PathBuf;
use vmhealth_images::Recipe;
use vmhealth_sim::manifest::Architecture;

/// What a guest boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The kernel.
    pub kernel: PathBuf,
    /// The initramfs.
    pub initrd: PathBuf,
    /// The root disk, raw; never written to.
    pub disk: PathBuf,
    /// The kernel's command line.
    pub cmdline: String,
    /// Over kernel, initramfs and disk.
    pub digest: String,
}

impl Image {
    /// A stored image and the command line of its recipe.
    pub fn new(stored: vmhealth_images::Image, recipe: &Recipe) -> Image {
        Image {
            kernel: stored.kernel,
            initrd: stored.initrd,
            disk: stored.disk,
            cmdline: recipe.cmdline.into(),
            digest: stored.digest,
        }
    }
}

/// What guests of one architecture run on.
#[derive(Debug, Clone)]
pub struct Platform {
    /// Theirs.
    pub architecture: Architecture,
    /// What they boot.
    pub image: Image,
    /// What runs them.
    pub emulator: Emulator,
    /// How.
    pub accel: Accel,
}

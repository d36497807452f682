//! What guests of one architecture run on here: an image, an emulator, an accelerator.

use crate::host::Emulator;
use crate::image::Image;
use crate::qemu::Accel;
use vmhealth_sim::manifest::Architecture;

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

//! What guests of one architecture run on here: an image, an emulator, an accelerator.

use crate::guest_time::Timekeeping;
use crate::host::Emulator;
use crate::image::Image;
use crate::qemu::Accel;
use vmhealth_sim::manifest::Architecture;

/// What guests of one architecture run on.
#[derive(Debug, Clone)]
pub struct Platform {
    /// The guests' architecture.
    pub architecture: Architecture,
    /// The root disk and the kernel.
    pub image: Image,
    /// The QEMU, and the host that it runs on.
    pub emulator: Emulator,
    /// What executes the guests' instructions.
    pub accel: Accel,
    /// By which clock they live.
    pub time: Timekeeping,
}

impl Platform {
    /// How many times as long as under KVM what a guest does takes, on the clock that it is timed by.
    pub fn guest_scale(&self) -> f64 {
        match self.time {
            Timekeeping::Real => self.accel.guest_scale(),
            Timekeeping::Guest { .. } => 1.0,
        }
    }
}

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

    /// Told to, its QEMU opens a template's memory for reading only.
    pub(crate) fn opens_memory_read_only(&self) -> bool {
        self.emulator.version.is_from(8, 2)
    }

    /// Whether forks can have their template's memory itself: QEMU opens it for reading only, by itself or because the object that
    /// is loaded into it sees to that. Elsewhere each has a copy.
    pub fn forks_share_memory(&self) -> bool {
        self.opens_memory_read_only() || matches!(self.time, Timekeeping::Guest { .. })
    }
}

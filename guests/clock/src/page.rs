//! The memory that the runner and QEMU share, and the files beside it.
//!
//! Every field is written by one side only. All times are nanoseconds of guest time on the scenario's clock, so that the
//! guests of one scenario, started at different moments, share one time.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64};

/// Of the layout; the object refuses to steer by another.
pub const LAYOUT: u64 = 0x766d_6863_6c6b_0002;
/// The variable that tells QEMU's side which folder the files are in.
pub const FOLDER_VARIABLE: &str = "VMHEALTH_CLOCK";
/// The variable that tells a fork's QEMU which file is its template's memory.
pub const MEMORY_VARIABLE: &str = "VMHEALTH_MEMORY";
/// Of the guest's time-stamp counter, whatever the host's own is: a template's guest goes on counting on any host.
pub const TSC_KHZ: u32 = 2_000_000;

/// The shared page.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Page {
    /// [`LAYOUT`], once the runner has filled the page.
    pub layout: AtomicU64,
    /// Runner: what guest time 0 is on the wall clock: of all guests of a scenario the same.
    pub wall: AtomicI64,
    /// Runner: guest time never passes this.
    pub limit: AtomicI64,
    /// Runner: thousandths of guest time for the CPU time of a running vCPU. 250: the guest's CPU looks four times as fast.
    pub speed_milli: AtomicI64,
    /// QEMU: how it stands, a [`Stand`].
    pub stand: AtomicU32,
    /// QEMU: how many messages and frames it has sent so far.
    pub sent: AtomicU64,
    /// Runner: so many of those were dealt with.
    pub dealt_with: AtomicU64,
    /// QEMU: guest time.
    pub now: AtomicI64,
}

/// How QEMU's main loop stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Stand {
    /// It has not come to its main loop yet.
    Starting = 0,
    /// Guest time runs.
    Runs = 1,
    /// Guest time has reached the limit.
    AtLimit = 2,
    /// Nothing runs in the guest, and it would jump to its next timer; but it has sent something that the runner has not dealt
    /// with yet.
    Asks = 3,
}

impl Stand {
    /// From the page.
    pub fn of(word: u32) -> Stand {
        match word {
            1 => Stand::Runs,
            2 => Stand::AtLimit,
            3 => Stand::Asks,
            _ => Stand::Starting,
        }
    }
}

/// The files through which the two sides meet, in a folder that both can open (also from a container).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The page.
    pub page: PathBuf,
    /// A FIFO: a byte from QEMU when guest time stands still.
    pub stop: PathBuf,
    /// A FIFO: a byte from the runner when it has changed the page.
    pub wake: PathBuf,
}

impl Paths {
    /// Those in `folder`.
    pub fn in_folder(folder: &Path) -> Paths {
        Paths { page: folder.join("clock"), stop: folder.join("clock-stop"), wake: folder.join("clock-wake") }
    }
}

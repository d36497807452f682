//! The watchdog devices, register by register, and how Linux drives them.
//!
//! [`I6300esb`], [`Diag288`] and [`Itco`] are QEMU's devices (hw/watchdog/, hw/acpi/ich9_tco.c); [`LinuxWatchdog`] is the
//! kernel's watchdog core with its drivers. They know guest time and nothing of who else lives in the guest.
//! `tests/tests/registers.rs` holds the i6300esb against the real one.

mod diag288;
mod i6300esb;
mod itco;
mod linux;
mod model;
mod timer;

pub use diag288::{Diag288, Function, SpecificationException};
pub use i6300esb::{I6300esb, Region, Width};
pub use itco::Itco;
pub use linux::{Busy, InvalidArgument, LinuxWatchdog, fires_after};
pub use model::{WatchdogAction, WatchdogModel};
pub use timer::GuestTimer;

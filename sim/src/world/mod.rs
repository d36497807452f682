//! The virtual world: models of the guest and of QEMU's event sequences, driven in virtual time.
//!
//! Everything that happens is an entry of one queue ordered by (time, sequence): the same scenario gives the same
//! trace, byte for byte. Source of the transitions: qemu-watchdog.md 2, 5, 9 and 16.

mod boot_times;
mod driver;
mod guest;
mod location;
mod member;
mod model;
mod queue;
mod run;
mod skip;

pub use boot_times::BootTimes;
pub use driver::{Driver, Progress, Step, World};
pub use guest::Timings;
pub use member::Member;
pub use model::Model;
pub use queue::Queue;
pub use run::{run, run_skipping};

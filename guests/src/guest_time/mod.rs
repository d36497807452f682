//! Guest time: the clock of a QEMU under TCG, steered from here.
//!
//! `GuestClock` is the runner's half of what `vmhealth-clock` does inside QEMU (its documentation says how and why): one
//! guest's clock, which stands still until it is told how far it may go. `SharedTime` is one time for all guests of a run and
//! for the tasks that wait for them, and the pacer lets it go on. What uses it sees [`crate::time`] only.

mod object;
mod pacer;
mod shared;
mod steering;
mod timekeeping;

pub use object::install;
pub(crate) use pacer::pace;
pub(crate) use shared::{SharedTime, Wait};
pub(crate) use steering::GuestClock;
pub use timekeeping::{LIKE_KVM, Timekeeping};

//! Guest time: the clock of a QEMU under TCG, steered from here.
//!
//! [`GuestClock`] is the runner's half of what `vmhealth-clock` does inside QEMU (its documentation says how and why). A
//! QEMU that is started with [`GuestClock::environment`] stands still at guest time 0 until it is told how far it may go.

mod object;
mod steering;

pub use object::install;
pub use steering::{GuestClock, Still};

//! What runs in a guest, as far as vmhealth acts on it: units, packages, scripts and commands of its distribution.
//!
//! A new distribution is one file that implements [`GuestOs`] and a line in `registry`. Nothing else in this crate names a unit,
//! a package or a file of a guest.

mod debian;
mod interface;
mod registry;

pub use debian::{DEBIAN, Debian};
pub use interface::{Additions, Breakage, GuestOs, LACKS, OWN_CHANNEL, SAYS};
pub use registry::of;

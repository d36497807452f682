//! The user's own manifest: run on QEMU, or explored in virtual time; a fleet of them.

mod advise;
mod advise_fleet;
mod boots;
mod error;
mod explore;
mod fault;
mod fleet;
mod fleet_shard;
mod guest;
mod heartbeat;
mod image;
mod measured;
mod pace;
mod pin;
mod scenario;
mod standing_in;
mod verify;
mod why;

pub use advise::OwnAdvise;
pub use boots::BootWatch;
pub use error::OwnError;
pub use explore::OwnExplore;
pub use fault::{NamedFault, TimedFault, USUAL_MOMENT};
pub use fleet::OwnFleet;
pub use fleet_shard::{FleetShard, RESULTS};
pub use heartbeat::refuse_heartbeat;
pub use image::ImageChoice;
pub use measured::MeasuredBoots;
pub use pin::{Outcomes, Pin, side_by_side};
pub use scenario::{Expected, OwnRun};
pub use why::OwnWhy;

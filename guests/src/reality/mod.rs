//! The real loop: the engine driven by tokio, its commands carried out on QEMU.
//!
//! A thin shell: it decides nothing. Every entry of the trace is on disk before the next command runs.

mod backend;
mod clock;
mod control;
mod door;
mod guest;
mod held;
mod pressure;
mod qemu;
mod replay;
mod run;
mod setup;
mod shared;
#[cfg(test)]
mod tests;
mod timeline;
mod users_image;
mod world;

pub use control::{Control, Controls, Watch, controls};
pub use door::{Answer, Ask, DOOR, DoorPlace, Ran, ask};
pub use pressure::Pressure;
pub use run::{Outcome, run};
pub use setup::{Held, Setup};
pub use timeline::{Line, TIMELINE};

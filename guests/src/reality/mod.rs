//! The real loop: the engine driven by tokio, its commands carried out on QEMU.
//!
//! A thin shell: it decides nothing. Every entry of the trace is on disk before the next command runs.

mod clock;
mod events;
mod pressure;
mod replay;
mod run;
mod timeline;
mod users_image;
mod world;

pub use pressure::Pressure;
pub use run::{Outcome, Setup, run};

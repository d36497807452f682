//! QEMU in a container: an image of our own making (no registry), one container a guest.
//!
//! The container sees only what its QEMU opens, at the same paths as on this host, and has no network and no privileges.
//! QMP, agent and serial are files in shared folders, frames go through a relay. Thread ids are the host's, so that a guest is
//! scheduled and watched like a local one.

mod engine;
mod image;
mod label;
mod release;
mod run;
mod sweep;

pub use engine::{EngineError, connect};
pub use image::{ContainerImage, ImageRecipe};
pub use label::here;
pub use release::{ContainerHost, RELEASES};
pub use run::set_owner;
pub use sweep::{remove_run, sweep};

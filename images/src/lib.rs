//! What boots: a pinned Debian guest image, built reproducibly, kept in a content-addressed store.
//!
//! It must not know what a scenario is or how a guest is run.

mod build;
mod container;
pub mod digest;
pub mod entries;
mod error;
mod foreign;
mod full_disk;
mod initramfs;
mod kernel;
mod lock;
mod locked;
mod mirror;
mod mmdebstrap;
mod recipe;
mod store;

pub use container::container_root;
pub use error::BuildError;
pub use full_disk::full_disk;
pub use initramfs::{ACCELERATOR_MARK, ACCELERATOR_WORD};
pub use lock::{Lock, LockError, Package};
pub use mmdebstrap::Progress;
pub use recipe::{Distribution, Recipe};
pub use store::{Entry, Image, Store, StoreError};

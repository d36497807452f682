//! What boots: a pinned Debian guest image, built reproducibly, kept in a content-addressed store.
//!
//! It must not know what a scenario is or how a guest is run.

mod build;
pub mod digest;
pub mod entries;
mod foreign;
mod full_disk;
mod initramfs;
mod kernel;
mod lock;
mod mirror;
mod recipe;
mod store;

pub use build::{BuildError, Progress, container_root, update_lock};
pub use full_disk::full_disk;
pub use lock::{Lock, LockError, Package};
pub use recipe::Recipe;
pub use store::{Entry, Image, Store, StoreError};

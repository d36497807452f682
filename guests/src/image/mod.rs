//! What guests boot: an image of ours out of the store, or a disk image that the user brought.

mod boot;
mod chain;
#[cfg(test)]
mod chain_tests;
mod own;
mod qcow2;

pub use boot::{DiskFormat, Image, Kernel};
pub use own::{ImageProblem, ImageWord};

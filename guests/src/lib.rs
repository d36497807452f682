//! The real world: QEMU and what stands around it, driven by the engine of `vmhealth-sim`.
//!
//! Typestate for what we own: [`guest::VmSpec`] -> [`guest::Prepared`] -> [`guest::Live`]. What the guest
//! does is not ours to state: it arrives as events. Everything runs on one current-thread runtime, because
//! PDEATHSIG follows the thread that forks.

pub mod accel;
pub mod cloudinit;
pub mod confine;
mod console;
pub mod docker;
pub mod fault;
pub mod guest;
pub mod guest_time;
pub mod heard;
pub mod host;
pub mod image;
pub mod net;
pub mod os;
mod outside;
pub mod platform;
pub mod probe;
pub mod process;
pub mod qemu;
pub mod reality;
pub mod registers;
pub mod scratch;
pub mod template;
pub mod time;
pub mod traffic;
pub mod wire;

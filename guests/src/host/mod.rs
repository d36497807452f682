//! Where QEMU runs: a host finds or makes the emulator, brings it its network and files, starts it, and tells how it ended.
//!
//! A new host is one file that implements [`Host`] and a line in `registry`. Guests do not know which host they are on.

pub mod container;
mod interface;
mod local;
mod registry;

pub use interface::{Attachment, Emulator, Host, HostError, Launch, Pending};
pub use local::{LOCAL_HOST, LocalHost};
pub use registry::{all, named};

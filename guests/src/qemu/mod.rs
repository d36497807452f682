//! QEMU as libvirt runs it for KubeVirt: the typed command line and the binary's version.

mod command;
mod version;

pub use command::{AGENT_PORT, Accel, Disk, Machine, Memory, QemuCommand, Sockets};
pub use version::{QemuVersion, version};

/// The binary for x86 guests.
pub const QEMU_X86: &str = "qemu-system-x86_64";

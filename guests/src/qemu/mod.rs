//! QEMU as libvirt runs it for KubeVirt: the typed command line, and which QEMU that is.

mod command;
mod emulator;
mod firmware;
mod tsc;
mod version;

pub use command::{AGENT_PORT, Accel, Boot, Disk, Machine, Memory, Nic, QemuCommand, Sockets};
pub use emulator::{Emulator, QEMU_S390X, QEMU_X86};
pub use firmware::{Ovmf, ovmf};
pub(crate) use tsc::host_tsc_khz;
pub(crate) use version::parse as parse_version;
pub use version::{QemuVersion, version};

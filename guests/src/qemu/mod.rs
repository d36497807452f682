//! QEMU as libvirt runs it for KubeVirt: the machine as data, its command line, and which QEMU that is.

mod command;
mod firmware;
mod machine;
mod tsc;
mod version;

pub use command::{AGENT_PORT, QemuCommand};
pub(crate) use command::{AGENT_PORT_NAME, NETDEV, ON_IO_ERROR, ROOT_DRIVE};
pub use firmware::{Ovmf, ovmf};
pub use machine::{Accel, Boot, Disk, Machine, Memory, Nic, Sockets};
pub(crate) use tsc::host_tsc_khz;
pub(crate) use version::parse as parse_version;
pub use version::{QEMU_S390X, QEMU_X86, QemuVersion, version};

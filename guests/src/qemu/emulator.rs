//! The QEMU for an architecture.

use super::version::{QemuVersion, version};
use crate::container::ContainerHost;
use vmhealth_sim::manifest::Architecture;

/// The binary for x86 guests.
pub const QEMU_X86: &str = "qemu-system-x86_64";
/// The binary for s390x guests.
pub const QEMU_S390X: &str = "qemu-system-s390x";

/// A QEMU that can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emulator {
    /// The binary.
    pub program: &'static str,
    /// Which one it is.
    pub version: QemuVersion,
    /// Where it runs; `None`: on this host.
    pub container: Option<ContainerHost>,
}

impl Emulator {
    /// This host's own for guests of an architecture; an error says why there is none.
    pub fn local(architecture: Architecture) -> Result<Emulator, String> {
        let program = match architecture {
            Architecture::Amd64 => QEMU_X86,
            Architecture::S390x => QEMU_S390X,
            Architecture::Arm64 => return Err("vmhealth boots guests of amd64 and s390x only".into()),
        };
        Ok(Emulator { program, version: version(program)?, container: None })
    }

    /// A container's.
    pub fn contained(host: ContainerHost) -> Emulator {
        Emulator { program: QEMU_X86, version: host.version.clone(), container: Some(host) }
    }
}

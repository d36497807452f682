//! The virtual machine as data: what it is made of, and where its files are.

use crate::image::Kernel;
use std::os::fd::RawFd;
use std::path::PathBuf;
use vmhealth_sim::manifest::{Architecture, MachineType, RebootPolicy, WatchdogAction, WatchdogModel};

/// The accelerator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accel {
    /// Hardware virtualization.
    Kvm,
    /// QEMU's own translator.
    Tcg,
}

impl Accel {
    /// `kvm` or `tcg`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Accel::Kvm => "kvm",
            Accel::Tcg => "tcg",
        }
    }

    /// How much slower than under KVM a guest is taken to be; multiplies every deadline that the guest's speed decides.
    pub const fn guest_scale(self) -> f64 {
        match self {
            Accel::Kvm => 1.0,
            Accel::Tcg => 4.0,
        }
    }
}

/// Where the guest's memory is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Memory {
    /// QEMU's own.
    Anonymous,
    /// A file that the guest writes to: a template's.
    Shared(PathBuf),
    /// A file that is mapped and never written to: a fork's.
    Private(PathBuf),
}

/// What QEMU enters first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Boot {
    /// A kernel, without firmware.
    Kernel(Kernel),
    /// The machine's own firmware, which reads the root disk.
    Bios,
    /// OVMF, which reads the root disk.
    Uefi {
        /// Its code, read-only.
        code: PathBuf,
        /// The guest's own variables.
        vars: PathBuf,
        /// It starts only what is signed, and keeps its variables in system management mode.
        secure: bool,
    },
}

/// The root disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disk {
    /// A qcow2 overlay of the guest's own.
    Overlay(PathBuf),
    /// A qcow2 that is never written to: QEMU makes an unlinked overlay of its own.
    Snapshot(PathBuf),
}

/// What the virtual machine is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// The guest's architecture.
    pub architecture: Architecture,
    /// QEMU's board: KubeVirt's `machine.type`.
    pub machine_type: MachineType,
    /// What executes the guest's instructions.
    pub accel: Accel,
    /// Guest memory in MiB.
    pub memory_mib: u64,
    /// What backs it.
    pub memory: Memory,
    /// QEMU can be told to open a fork's memory for reading only (since 8.2).
    pub told_read_only: bool,
    /// The device state comes over `migrate-incoming`.
    pub incoming: bool,
    /// vCPUs.
    pub vcpus: u32,
    /// The watchdog device that is added.
    pub watchdog: Option<WatchdogModel>,
    /// What any watchdog does when it fires.
    pub watchdog_action: WatchdogAction,
    /// A pvpanic device.
    pub panic_device: bool,
    /// What a guest reboot does.
    pub reboot_policy: RebootPolicy,
    /// What is entered first.
    pub boot: Boot,
    /// The frequency of the time-stamp counter that the guest reads, where its kernel would measure it wrongly.
    pub tsc_khz: Option<u32>,
    /// The root disk.
    pub disk: Disk,
    /// The NoCloud seed, raw and read-only.
    pub seed: Option<PathBuf>,
    /// Its network.
    pub nic: Nic,
    /// The name of the port that the agent's channel ends at in the guest.
    pub agent_port: &'static str,
    /// Its threads say what they are, which a clock of ours needs.
    pub names_threads: bool,
}

impl Machine {
    /// One that is added, or the machine's own.
    pub fn has_watchdog(&self) -> bool {
        self.watchdog.is_some() || self.machine_type == MachineType::Q35
    }
}

/// Our end of the guest's network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nic {
    /// There is none.
    None,
    /// A TAP's descriptor, which QEMU inherits.
    Tap(RawFd),
    /// A pair of unix datagram sockets, for a QEMU that inherits nothing.
    Datagram {
        /// QEMU's own.
        local: PathBuf,
        /// Ours.
        remote: PathBuf,
    },
}

/// The files that QEMU makes: two sockets and the serial log.
#[derive(Debug, Clone, PartialEq)]
pub struct Sockets {
    /// The socket that QEMU serves QMP at.
    pub qmp: PathBuf,
    /// The socket of the guest agent's channel.
    pub agent: PathBuf,
    /// Raw bytes of the serial console.
    pub serial: PathBuf,
}

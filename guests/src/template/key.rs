//! The name of a template: everything that shapes it.
//!
//! QEMU's binary and version, machine type, CPU model, accelerator, vCPUs, memory and devices (all of them the command
//! line), kernel, initramfs and disk (the image's digest), cloud-init seed, watched ports, the clock that it lives by, and how
//! it is captured. What only steers QEMU and is not in the guest's state (`-action`, `werror`) is left out, so that a poweroff and a reset
//! share a template.

use crate::guest::VmSpec;
use crate::guest_time::Timekeeping;
use crate::image::Kernel;
use crate::qemu::{Accel, Boot, Disk, Machine, Memory, Nic, ON_IO_ERROR, QemuCommand, Sockets};
use std::collections::BTreeSet;
use vmhealth_images::digest;
use vmhealth_sim::manifest::{RebootPolicy, WatchdogAction};

const LENGTH: usize = 16;
/// Raise it when what is captured, or how, changes otherwise than by the scripts.
const PROCEDURE: &str = "2\n";

/// The key of the template that `spec` forks from.
pub fn key(spec: &VmSpec, watched: &BTreeSet<u16>) -> String {
    let (platform, qemu) = (&spec.platform, &spec.platform.emulator.version);
    // What it boots is in the image's digest, but for the command line. The user's own are never captured.
    let boot = match &platform.image.kernel {
        Some(kernel) => Boot::Kernel(Kernel { file: "kernel".into(), initrd: "initrd".into(), ..kernel.clone() }),
        None => Boot::Bios,
    };
    let seed_disk = Some("seed".into());
    let machine = spec.machine(boot, Memory::Shared("ram".into()), Disk::Overlay("disk".into()), seed_disk);
    let machine = Machine {
        watchdog_action: WatchdogAction::Reset,
        reboot_policy: RebootPolicy::Reboot,
        // The clock of a restored guest goes on at its rate. Measured, so not twice the same; makers round it to a hundred.
        tsc_khz: machine.tsc_khz.map(|khz| (khz + 25_000) / 50_000 * 50_000),
        // A relay's QEMU has the same devices, and another one's state cannot be restored: its version is in the key.
        nic: Nic::Tap(0),
        ..machine
    };
    let sockets = Sockets { qmp: "qmp".into(), agent: "agent".into(), serial: "serial".into() };
    // `-cpu host` is another CPU on another host.
    let cpu = match platform.accel {
        Accel::Kvm => std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default(),
        Accel::Tcg => String::new(),
    };
    let cpu = cpu.lines().filter(|l| l.starts_with("model name") || l.starts_with("flags")).take(2);
    let (seed, os) = (spec.seed(), platform.image.os);
    let parts = [
        [PROCEDURE, os.verify_script(), os.quiesce_script()].concat(),
        qemu.line.clone(),
        qemu.digest.clone(),
        QemuCommand::new(&machine, &sockets).to_string().replace(ON_IO_ERROR, ""),
        cpu.collect(),
        platform.image.digest.clone(),
        digest::of_bytes(&seed.user_data),
        digest::of_bytes(&seed.meta_data),
        digest::of_bytes(&seed.network_config.unwrap_or_default()),
        format!("{watched:?}"),
        match &platform.time {
            Timekeeping::Real => String::new(),
            Timekeeping::Guest { speed, .. } => format!("guest time, {speed}"),
        },
    ];
    let mut key = digest::of_bytes(parts.map(|p| digest::of_bytes(p.as_bytes())).concat().as_bytes());
    key.truncate(LENGTH);
    key
}

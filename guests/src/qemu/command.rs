//! The command line, built from types and snapshot-tested.
//!
//! Flags mirror libvirt's for KubeVirt where they decide what can be told apart (kubevirt-health.md 7, qemu-watchdog.md
//! 5): `-no-shutdown`, so that a guest's poweroff is SHUTDOWN + STOP while a watchdog's is a bare exit; reboots are real
//! unless `rebootPolicy: Terminate` turns them into SHUTDOWN; `-S`, so that no event is lost before QMP listens.
//! The x86 machine is `pc` unless the manifest says q35, which has an iTCO watchdog of its own (trap list there). An s390x
//! machine has its devices on the channel subsystem, its console on SCLP, and neither ACPI nor a vmgenid.

use super::machine::{Accel, Boot, Disk, Machine, Memory, Nic, Sockets};
use crate::image::Kernel;
use crate::net::GUEST_MAC;
use std::ffi::OsString;
use std::path::Path;
use vmhealth_sim::manifest::{Architecture, MachineType, RebootPolicy};

/// The id of the agent's port, named in VSERPORT_CHANGE.
pub const AGENT_PORT: &str = "agent0";
/// The same port as the guest knows it: by this name an agent finds it.
pub(crate) const AGENT_PORT_NAME: &str = "org.qemu.guest_agent.0";

/// The id of the guest's network, for what is put between it and its NIC.
pub(crate) const NETDEV: &str = "net";

/// The id of its disk.
pub(crate) const ROOT_DRIVE: &str = "root";
/// What QEMU does about a disk's error, as libvirt says it for KubeVirt's `error_policy='stop'`. No part of the guest's state.
pub(crate) const ON_IO_ERROR: &str = ",werror=stop,rerror=stop";

/// What the architectures' machines have in different ways.
struct Board {
    machine: &'static str,
    /// What virtio devices are on.
    bus: &'static str,
    /// The option that makes the console of the chardev `serial`.
    console: (&'static str, &'static str),
}

impl Board {
    const fn of(machine: &Machine) -> Board {
        match machine.architecture {
            Architecture::S390x => {
                Board { machine: "s390-ccw-virtio", bus: "ccw", console: ("-device", "sclpconsole,chardev=serial") }
            }
            // Nothing here boots arm64: no host has an emulator for it.
            Architecture::Amd64 | Architecture::Arm64 => {
                let name = match machine.machine_type {
                    MachineType::Pc => "pc,usb=off",
                    MachineType::Q35 => "q35,usb=off",
                };
                Board { machine: name, bus: "pci", console: ("-serial", "chardev:serial") }
            }
        }
    }

    fn virtio(&self, device: &str) -> String {
        format!("{device}-{}", self.bus)
    }
}

/// A command line.
#[derive(Debug, Clone, PartialEq)]
pub struct QemuCommand {
    args: Vec<OsString>,
}

impl QemuCommand {
    /// The command line of a machine.
    pub fn new(machine: &Machine, sockets: &Sockets) -> QemuCommand {
        let mut c = QemuCommand { args: Vec::new() };
        c.flag("-nodefaults").flag("-no-user-config").option("-display", "none").flag("-S").flag("-no-shutdown");
        c.option("-msg", "timestamp=on").option("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny");
        let board = Board::of(machine);
        match &machine.memory {
            Memory::Anonymous => c.option("-machine", board.machine),
            Memory::Shared(path) => c.memory_file(&board, machine.memory_mib, "on", path),
            Memory::Private(path) => {
                let share = if machine.told_read_only { "off,readonly=on,rom=off" } else { "off" };
                c.memory_file(&board, machine.memory_mib, share, path)
            }
        };
        if machine.names_threads {
            c.option("-name", "guest,debug-threads=on");
        }
        if machine.incoming {
            c.option("-incoming", "defer");
        }
        match machine.accel {
            Accel::Kvm => c.option("-accel", "kvm").option("-cpu", "host"),
            // With the default buffer of a gigabyte a guest's second boot takes three times as long as its first.
            Accel::Tcg => c.option("-accel", "tcg,thread=multi,tb-size=256").option("-cpu", "max"),
        };
        c.option("-m", format!("{}M", machine.memory_mib)).option("-smp", machine.vcpus.to_string());
        if machine.reboot_policy == RebootPolicy::Terminate {
            c.option("-action", "reboot=shutdown");
        }
        c.boot(&machine.boot, machine.tsc_khz);
        c.chardev("qmp", &sockets.qmp).option("-mon", "chardev=qmp,mode=control");
        c.keyed("-chardev", "file,id=serial,path=", &sockets.serial).option(board.console.0, board.console.1);
        c.option("-device", board.virtio("virtio-serial")).chardev("agent", &sockets.agent);
        c.option("-device", format!("virtserialport,chardev=agent,id={AGENT_PORT},name={}", machine.agent_port));
        if machine.architecture.has_acpi() {
            // A fork's kernel is told so and reseeds its random numbers.
            c.option("-device", "vmgenid,guid=auto");
        }
        c.option("-object", "rng-random,id=rng,filename=/dev/urandom");
        c.option("-device", format!("{},rng=rng", board.virtio("virtio-rng")));
        match &machine.disk {
            Disk::Overlay(path) => c.keyed("-drive", "if=none,id=root,format=qcow2,cache=unsafe,file=", path),
            Disk::Snapshot(path) => c.keyed("-drive", "if=none,id=root,format=qcow2,snapshot=on,file=", path),
        };
        let first = if matches!(machine.boot, Boot::Kernel(_)) { "" } else { ",bootindex=1" };
        c.option(
            "-device",
            format!("{},drive={ROOT_DRIVE},serial=root{first}{ON_IO_ERROR}", board.virtio("virtio-blk")),
        );
        if let Some(seed) = &machine.seed {
            c.keyed("-drive", "if=none,id=seed,format=raw,readonly=on,file=", seed);
            c.option("-device", format!("{},drive=seed,serial=seed", board.virtio("virtio-blk")));
        }
        match &machine.nic {
            Nic::None => &mut c,
            Nic::Tap(fd) => c.option("-netdev", format!("tap,id={NETDEV},fd={fd}")),
            Nic::Datagram { local, remote } => {
                let [local, remote] = [local, remote].map(|p| p.to_string_lossy().replace(',', ",,"));
                let ends = format!("local.type=unix,local.path={local},remote.type=unix,remote.path={remote}");
                c.option("-netdev", format!("dgram,id={NETDEV},{ends}"))
            }
        };
        if machine.nic != Nic::None {
            let rom = if board.bus == "pci" { ",romfile=" } else { "" };
            let mac = GUEST_MAC.map(|byte| format!("{byte:02x}")).join(":");
            c.option("-device", format!("{},netdev={NETDEV},mac={mac}{rom}", board.virtio("virtio-net")));
        }
        if let Some(model) = machine.watchdog {
            c.option("-device", format!("{},id=watchdog0", model.as_str()));
        }
        if machine.machine_type == MachineType::Q35 {
            // Its iTCO acts only so; libvirt says it for the one that it adds to every q35.
            c.option("-global", "ICH9-LPC.noreboot=off");
        }
        if machine.has_watchdog() {
            c.option("-action", format!("watchdog={}", machine.watchdog_action));
        }
        if machine.panic_device {
            c.option("-device", "pvpanic");
        }
        c
    }

    /// The arguments, without the program.
    pub fn args(&self) -> &[OsString] {
        &self.args
    }

    /// Another QMP socket, for one client.
    pub fn add_monitor(&mut self, socket: &Path) {
        self.chardev("monitor", socket).option("-mon", "chardev=monitor,mode=control");
    }

    /// As libvirt words it.
    fn boot(&mut self, boot: &Boot, tsc_khz: Option<u32>) -> &mut Self {
        match boot {
            Boot::Kernel(Kernel { file, initrd, cmdline }) => {
                let tsc = tsc_khz.map_or_else(String::new, |khz| format!(" tsc_early_khz={khz}"));
                self.path("-kernel", file).path("-initrd", initrd).option("-append", format!("{cmdline}{tsc}"))
            }
            Boot::Bios => self,
            Boot::Uefi { code, vars, secure } => {
                if *secure {
                    self.option("-global", "driver=cfi.pflash01,property=secure,value=on");
                    self.option("-global", "ICH9-LPC.disable_s3=1");
                }
                self.keyed("-drive", "if=pflash,unit=0,format=raw,readonly=on,file=", code);
                self.keyed("-drive", "if=pflash,unit=1,format=raw,file=", vars)
            }
        }
    }

    fn memory_file(&mut self, board: &Board, mib: u64, share: &str, path: &Path) -> &mut Self {
        self.option("-machine", format!("{},memory-backend=ram", board.machine));
        self.keyed("-object", &format!("memory-backend-file,id=ram,size={mib}M,share={share},mem-path="), path)
    }

    fn flag(&mut self, flag: &str) -> &mut Self {
        self.args.push(flag.into());
        self
    }

    fn option(&mut self, flag: &str, value: impl AsRef<std::ffi::OsStr>) -> &mut Self {
        self.args.push(flag.into());
        self.args.push(value.as_ref().to_owned());
        self
    }

    fn path(&mut self, flag: &str, path: &Path) -> &mut Self {
        self.option(flag, path)
    }

    fn chardev(&mut self, id: &str, path: &Path) -> &mut Self {
        self.keyed("-chardev", &format!("socket,id={id},server=on,wait=off,path="), path)
    }

    /// `prefix` and a path, in which QEMU wants commas doubled.
    fn keyed(&mut self, flag: &str, prefix: &str, path: &Path) -> &mut Self {
        let path = path.to_string_lossy().replace(',', ",,");
        self.option(flag, format!("{prefix}{path}"))
    }
}

impl std::fmt::Display for QemuCommand {
    /// As one would type it in a shell, an option a line.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for arg in &self.args {
            let text = arg.to_string_lossy();
            let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./=,:".contains(&b));
            f.write_str(if text.starts_with('-') { " \\\n  " } else { " " })?;
            if plain { f.write_str(&text)? } else { write!(f, "'{}'", text.replace('\'', r"'\''"))? }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmhealth_sim::manifest::{WatchdogAction, WatchdogModel};

    #[test]
    fn command_line() {
        let machine = Machine {
            architecture: Architecture::Amd64,
            machine_type: MachineType::Pc,
            accel: Accel::Tcg,
            memory_mib: 512,
            memory: Memory::Anonymous,
            told_read_only: false,
            incoming: false,
            vcpus: 1,
            watchdog: Some(WatchdogModel::I6300esb),
            watchdog_action: WatchdogAction::Poweroff,
            panic_device: false,
            reboot_policy: RebootPolicy::Reboot,
            boot: Boot::Kernel(Kernel {
                file: "/image/kernel".into(),
                initrd: "/image/initrd".into(),
                cmdline: "root=/dev/vda console=ttyS0".into(),
            }),
            tsc_khz: None,
            disk: Disk::Overlay("/run/a,b/disk.qcow2".into()),
            seed: Some("/run/seed.img".into()),
            nic: Nic::Tap(7),
            agent_port: AGENT_PORT_NAME,
            names_threads: false,
        };
        let sockets =
            Sockets { qmp: "/run/qmp".into(), agent: "/run/agent".into(), serial: "/evidence/serial.log".into() };
        insta::assert_snapshot!("pc_poweroff", QemuCommand::new(&machine, &sockets));
        let terminate = Machine {
            accel: Accel::Kvm,
            watchdog: None,
            panic_device: true,
            reboot_policy: RebootPolicy::Terminate,
            nic: Nic::None,
            ..machine.clone()
        };
        insta::assert_snapshot!("pc_terminate_panic", QemuCommand::new(&terminate, &sockets));
        let fork = Machine {
            memory: Memory::Private("/cache/ram".into()),
            disk: Disk::Snapshot("/cache/disk.qcow2".into()),
            incoming: true,
            ..machine.clone()
        };
        insta::assert_snapshot!("pc_fork", QemuCommand::new(&fork, &sockets));
        let told = QemuCommand::new(&Machine { told_read_only: true, ..fork.clone() }, &sockets).to_string();
        assert!(told.contains("share=off,readonly=on,rom=off,mem-path=/cache/ram"), "{told}");
        let s390x = Machine {
            architecture: Architecture::S390x,
            watchdog: Some(WatchdogModel::Diag288),
            watchdog_action: WatchdogAction::Reset,
            ..fork.clone()
        };
        let contained = Machine {
            nic: Nic::Datagram { local: "/run/net-qemu".into(), remote: "/run/net".into() },
            ..machine.clone()
        };
        let text = QemuCommand::new(&contained, &sockets).to_string();
        let ends = "local.type=unix,local.path=/run/net-qemu,remote.type=unix,remote.path=/run/net";
        assert!(text.contains(&format!("dgram,id=net,{ends}")) && text.contains("virtio-net-pci"), "{text}");
        insta::assert_snapshot!("s390x_fork", QemuCommand::new(&s390x, &sockets));
        let q35 = Machine { machine_type: MachineType::Q35, watchdog: None, ..machine.clone() };
        let text = QemuCommand::new(&q35, &sockets).to_string();
        let own = "-global ICH9-LPC.noreboot=off \\\n  -action watchdog=poweroff";
        assert!(text.contains("-machine q35,usb=off") && text.contains(own), "{text}");
        let secure = Boot::Uefi { code: "/OVMF/code".into(), vars: "/run/vars".into(), secure: true };
        insta::assert_snapshot!(
            "q35_secure_boot",
            QemuCommand::new(&Machine { boot: secure, seed: None, ..q35 }, &sockets)
        );
        let bios = QemuCommand::new(&Machine { boot: Boot::Bios, ..machine.clone() }, &sockets).to_string();
        assert!(bios.contains("serial=root,bootindex=1") && !bios.contains("-kernel"), "{bios}");
        let template = Machine {
            memory: Memory::Shared("/cache/ram".into()),
            tsc_khz: Some(2_596_000),
            names_threads: true,
            ..machine
        };
        let text = QemuCommand::new(&template, &sockets).to_string();
        assert!(text.contains("console=ttyS0 tsc_early_khz=2596000'"), "{text}");
        assert!(text.contains("share=on") && !text.contains("-incoming"), "{text}");
        assert!(text.contains("-name guest,debug-threads=on"), "{text}");
    }
}

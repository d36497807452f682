//! What a guest is to be: manifest, profile, image, accelerator.

use super::error::StartError;
use super::prepared::Prepared;
use super::verify::Expected;
use crate::cloudinit::{Seed, cloud_config, user_data, write_seed};
use crate::guest_time::Timekeeping;
use crate::image::Image;
use crate::net::{GUEST_ADDRESS, Netns, PREFIX_LENGTH};
use crate::os::OWN_CHANNEL;
use crate::platform::Platform;
use crate::qemu::{AGENT_PORT_NAME, Accel, Boot, Disk, Machine, Memory, Nic, host_tsc_khz, ovmf};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use vmhealth_clock::page::TSC_KHZ;
use vmhealth_sim::manifest::{Architecture, Firmware, VirtualMachine};
use vmhealth_sim::scenario::GuestProfile;

/// Guest memory where the manifest does not say.
const DEFAULT_MEMORY_MIB: u64 = 512;
/// Disks have whole sectors.
const SECTOR: u64 = 512;

/// How a guest comes to run.
#[derive(Debug, Clone)]
pub enum BootMode {
    /// It boots.
    Cold,
    /// It boots, and everything that a template keeps of it is in these files.
    Template {
        /// Its memory.
        ram: PathBuf,
        /// Its disk's overlay.
        disk: PathBuf,
        /// Its seed.
        seed: PathBuf,
    },
    /// It goes on from a template's capture.
    Fork(Captured),
}

/// What was captured of a guest that a fork goes on from. Whoever forks keeps the template from being evicted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Its memory, which is mapped privately.
    pub ram: PathBuf,
    /// Its device state, as a migration stream without memory.
    pub state: PathBuf,
    /// Its disk's overlay, which nobody writes to any more.
    pub disk: PathBuf,
    /// Its seed.
    pub seed: PathBuf,
    /// How long after its vCPUs first ran.
    pub after: Duration,
}

/// A guest as described.
#[derive(Debug, Clone)]
pub struct VmSpec {
    /// The user's manifest.
    pub manifest: Arc<VirtualMachine>,
    /// What the scenario adds to it.
    pub profile: GuestProfile,
    /// What it runs on.
    pub platform: Platform,
}

impl VmSpec {
    /// Guest memory in MiB.
    pub fn memory_mib(&self) -> u64 {
        memory_mib(&self.manifest)
    }

    /// Makes everything that a guest needs before its process: seed, overlay, network. `scratch` is short and ours
    /// alone, `evidence` outlives us.
    pub fn prepare(self, mode: BootMode, number: u32, scratch: &Path, evidence: &Path) -> Result<Prepared, StartError> {
        let (memory, disk, seed, state) = match mode {
            BootMode::Cold => (Memory::Anonymous, scratch.join("disk.qcow2"), scratch.join("seed.img"), None),
            BootMode::Template { ram, disk, seed } => (Memory::Shared(ram), disk, seed, None),
            BootMode::Fork(of) => {
                let ram = if self.platform.forks_share_memory() { of.ram } else { copied(&of.ram, scratch)? };
                (Memory::Private(ram), of.disk, of.seed, Some(of.state))
            }
        };
        // A fork's is its template's, by the template's name.
        let data = self.seed();
        std::fs::write(evidence.join(format!("user-data-{number}")), &data.user_data)
            .map_err(StartError::io("keep the user data"))?;
        let disk = match state {
            Some(_) => Disk::Snapshot(disk),
            None => {
                write_seed(&seed, &data).map_err(StartError::io("write the cloud-init seed"))?;
                overlay(&self.platform.image, &disk)?;
                Disk::Overlay(disk)
            }
        };
        let (boot, seed) = (self.boot(scratch)?, self.has_seed().then_some(seed));
        let machine = Machine { incoming: state.is_some(), ..self.machine(boot, memory, disk, seed) };
        let netns = Netns::new()?;
        let tap = netns.tap()?;
        Ok(Prepared {
            number,
            scratch: scratch.to_owned(),
            evidence: evidence.to_owned(),
            machine,
            users_files: self.platform.image.files.clone(),
            disk_mib: disk_bytes(&self.platform.image)?.div_ceil(1 << 20),
            state,
            netns,
            tap,
            // The user's own network data may ask for the address, and so does an image that is told nothing; ours does not.
            needs_dhcp: self.manifest.vmi.cloud_init.network_data.is_some() || self.platform.image.is_users(),
            counts_in_panic: self.profile.kernel_panic_seconds > 0 && !self.platform.architecture.reports_panics(),
            emulator: self.platform.emulator.clone(),
            os: self.platform.image.os,
            time: self.platform.time.clone(),
            second_monitor: None,
        })
    }

    /// An image of ours is entered directly; the manifest's firmware boots the user's.
    fn boot(&self, scratch: &Path) -> Result<Boot, StartError> {
        match (&self.platform.image.kernel, self.manifest.vmi.boot.firmware) {
            (Some(kernel), _) => Ok(Boot::Kernel(kernel.clone())),
            (None, Firmware::Bios) => Ok(Boot::Bios),
            (None, Firmware::Efi { secure_boot: secure }) => {
                let ovmf = ovmf(secure).ok_or(StartError::NoOvmf)?;
                let vars = scratch.join("vars.fd");
                let copied = std::fs::read(&ovmf.vars).and_then(|bytes| std::fs::write(&vars, bytes));
                copied.map_err(StartError::io("copy OVMF's variables"))?;
                Ok(Boot::Uefi { code: ovmf.code, vars, secure })
            }
        }
    }

    /// Ours tells every guest its address; a user's image has what the manifest has, and what the profile adds.
    fn has_seed(&self) -> bool {
        let cloud_init = &self.manifest.vmi.cloud_init;
        let users = cloud_init.user_data.is_some() || cloud_init.network_data.is_some();
        users
            || !self.platform.image.is_users()
            || cloud_config(&self.profile, &self.manifest.vmi, self.platform.image.os).is_some()
    }

    /// What the guest is to be once it has booted.
    pub(crate) fn expected(&self) -> Expected<'_> {
        Expected {
            os: self.platform.image.os,
            vmi: &self.manifest.vmi,
            profile: &self.profile,
            seeded: self.has_seed(),
        }
    }

    /// The machine without its network.
    pub(crate) fn machine(&self, boot: Boot, memory: Memory, disk: Disk, seed: Option<PathBuf>) -> Machine {
        let vmi = &self.manifest.vmi;
        Machine {
            architecture: self.platform.architecture,
            machine_type: vmi.machine,
            accel: self.platform.accel,
            memory_mib: self.memory_mib(),
            memory,
            told_read_only: self.platform.opens_memory_read_only(),
            incoming: false,
            vcpus: vmi.vcpus.unwrap_or(1),
            watchdog: vmi.watchdog.as_ref().map(|w| w.model),
            watchdog_action: vmi.watchdog_action(),
            panic_device: vmi.panic_device,
            reboot_policy: vmi.reboot_policy,
            boot,
            tsc_khz: match (self.platform.accel, self.platform.architecture) {
                (Accel::Tcg, Architecture::Amd64) => match self.platform.time {
                    Timekeeping::Real => host_tsc_khz(),
                    Timekeeping::Guest { .. } => Some(TSC_KHZ),
                },
                // A clock of KVM's own, or of another architecture.
                _ => None,
            },
            disk,
            seed,
            nic: Nic::None,
            agent_port: if self.profile.no_agent { OWN_CHANNEL } else { AGENT_PORT_NAME },
            names_threads: matches!(self.platform.time, Timekeeping::Guest { .. }),
        }
    }

    pub(crate) fn seed(&self) -> Seed {
        let ours = cloud_config(&self.profile, &self.manifest.vmi, self.platform.image.os);
        let cloud_init = &self.manifest.vmi.cloud_init;
        // As KubeVirt does: the instance is the VMI (cloud-init.go).
        let meta_data = format!(
            "{{\"instance-id\": \"{0}.{1}\", \"local-hostname\": \"{0}\"}}\n",
            self.manifest.name, self.manifest.namespace
        );
        Seed {
            user_data: user_data(cloud_init.user_data.as_deref(), ours.as_deref()),
            meta_data: meta_data.into_bytes(),
            network_config: match &cloud_init.network_data {
                Some(data) => Some(data.clone()),
                // Its cloud-init asks by DHCP then, as in KubeVirt.
                None if self.platform.image.is_users() => None,
                None => Some(default_network().into_bytes()),
            },
        }
    }
}

/// Guest memory of a manifest in MiB.
pub fn memory_mib(manifest: &VirtualMachine) -> u64 {
    manifest.vmi.memory.map_or(DEFAULT_MEMORY_MIB, |bytes| bytes.div_ceil(1 << 20))
}

/// The address that KubeVirt's DHCP server would hand out, without the time that DHCP takes.
fn default_network() -> String {
    format!(
        "version: 2\nethernets:\n  eth0:\n    match: {{name: 'e*'}}\n    addresses: [{GUEST_ADDRESS}/{PREFIX_LENGTH}]\n    optional: true\n"
    )
}

/// A template's overlay and its image are in the same cache, which may be moved: the one names the other by a relative path.
fn relative(base: &Path, overlay: &Path) -> PathBuf {
    let cache = overlay.parent().and_then(Path::parent).and_then(Path::parent);
    let below = cache.and_then(|cache| base.strip_prefix(cache).ok());
    below.map_or_else(|| base.to_owned(), |below| Path::new("../..").join(below))
}

/// A copy of a template's memory for one fork; where the file system can, it shares the blocks.
fn copied(ram: &Path, scratch: &Path) -> Result<PathBuf, StartError> {
    let copy = scratch.join("ram");
    let output = Command::new("cp")
        .args(["--reflink=auto", "--sparse=auto", "--no-preserve=mode", "--"])
        .args([ram, &copy])
        .output()
        .and_then(|output| match output.status.success() {
            true => Ok(()),
            false => Err(std::io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
        });
    output.map_err(StartError::io("copy the template's memory"))?;
    Ok(copy)
}

/// Of the disk that a guest of the image sees.
fn disk_bytes(base: &Image) -> Result<u64, StartError> {
    let of_file = || base.disk.metadata().map(|m| m.len()).map_err(StartError::io("look at the image's disk"));
    Ok(base.bytes.map_or_else(of_file, Ok)?.next_multiple_of(SECTOR))
}

/// The size is said (`-u`), so that qemu-img opens nothing of the image: only a confined QEMU does.
fn overlay(base: &Image, overlay: &Path) -> Result<(), StartError> {
    let bytes = disk_bytes(base)?;
    let output = Command::new("qemu-img")
        .args(["create", "-q", "-u", "-f", "qcow2", "-F", base.format.as_str(), "-b"])
        .arg(relative(&base.disk, overlay))
        .arg(overlay)
        .arg(bytes.to_string())
        .output()
        .map_err(StartError::io("run qemu-img (apt-get install qemu-utils)"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(StartError::Overlay(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}

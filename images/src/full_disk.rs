//! A disk image as other people have them: partitions, GRUB for SeaBIOS and for UEFI, a stock Debian that knows nothing of us.
//!
//! What `--image` is tested with, and an example for those who have none at hand. Its packages are the mirror's of the day: it
//! stands for images that we do not make.

use crate::digest;
use crate::entries::{Entries, EntryFile, Held, Slot};
use crate::error::io_error;
use crate::mirror;
use crate::mmdebstrap::{Progress, mmdebstrap, run};
use crate::store::StoreError;
use std::path::{Path, PathBuf};
use std::process::Command;

const SCRIPT: &str = include_str!("../assets/full-disk.sh");
const SUITE: &str = "trixie";
const PACKAGES: [&str; 21] = [
    "linux-image-amd64",
    "initramfs-tools",
    "zstd",
    "systemd-sysv",
    "udev",
    "dbus",
    "libpam-systemd",
    "cloud-init",
    "qemu-guest-agent",
    "watchdog",
    "iproute2",
    "procps",
    "kmod",
    "netbase",
    "e2fsprogs",
    "fdisk",
    "mtools",
    "dosfstools",
    "grub-pc-bin",
    "grub-efi-amd64-signed",
    "shim-signed",
];
const DISK: &str = "disk.qcow2";
const FILES: &[EntryFile] = &[(DISK, 0o444)];

/// The image: the cache's, or built now, on amd64.
pub fn full_disk(cache: &Path, progress: Progress<'_>) -> Result<PathBuf, StoreError> {
    if std::env::consts::ARCH != "x86_64" {
        let why = std::io::Error::other("its programs are amd64's; bring an image of your own");
        return Err(io_error("build a full-disk image on this host")(why).into());
    }
    let key = digest::of_bytes([SCRIPT, SUITE, &PACKAGES.join(" ")].join("\0").as_bytes())[..16].to_owned();
    let entries = Entries::new(cache.join("disks"), FILES, "full-disk image");
    let held = match entries.open(&key, progress)? {
        Slot::Held(held) => held,
        Slot::Vacant(vacant) => {
            entries.sweep()?;
            progress("building a full-disk image (about two minutes, once)");
            make(&vacant.folder(), progress)?;
            vacant.commit()?
        }
    };
    let Held { folder, .. } = &held;
    Ok(folder.join(DISK))
}

fn make(folder: &Path, progress: Progress<'_>) -> Result<(), StoreError> {
    let raw = folder.join("disk.raw");
    let packages = PACKAGES.map(str::to_owned);
    let mut command = mmdebstrap("minbase", &packages);
    command
        .args(["--format=null", "--skip=cleanup/apt,cleanup/reproducible"])
        .args(["man", "locale", "doc", "info"].map(|d| format!("--dpkgopt=path-exclude=/usr/share/{d}/*")))
        .arg(format!("--customize-hook={SCRIPT}"))
        .arg(format!("--customize-hook=download /mnt/disk.raw {}", raw.display()))
        .args([SUITE, "/dev/null"])
        .args(mirror::of_host());
    run(command, progress)?;
    progress("packing the disk");
    let mut convert = Command::new("qemu-img");
    convert.args(["convert", "-f", "raw", "-O", "qcow2"]).arg(&raw).arg(folder.join(DISK));
    let status = convert.status().map_err(io_error("run qemu-img (apt-get install qemu-utils)"))?;
    if !status.success() {
        return Err(io_error("convert the disk")(std::io::Error::other(status.to_string())).into());
    }
    std::fs::remove_file(&raw).map_err(io_error("remove the raw disk"))?;
    Ok(())
}

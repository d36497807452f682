//! One image from the recipe and the lock: mmdebstrap for the root, our own kernel image and initramfs.

use crate::lock::{Lock, LockError};
use crate::{digest, initramfs, kernel, mirror};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Chosen by measurement: cloud-init 25.1 runs its stages in one Python process (README.md of this crate).
const SUITE: &str = "trixie";
const PACKAGES: &str = include_str!("../assets/packages.list");
const MODULES: &str = include_str!("../assets/modules.list");
const CUSTOMIZE: &str = include_str!("../assets/customize.sh");
const INIT: &str = include_str!("../assets/init");
/// The lock in the repository.
pub(crate) const LOCK: &str = include_str!("../lock/debian-13-amd64.lock");
const LOCK_PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/lock/debian-13-amd64.lock");
/// Every time in the image is this or earlier.
const SOURCE_DATE_EPOCH: &str = "1767225600";
const DISK_MIB: &str = "512";
/// Of mmdebstrap's output, in an error.
const LOG_TAIL: usize = 15;

/// A line of progress.
pub type Progress<'a> = &'a dyn Fn(&str);

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        source: io::Error,
    },
    /// The lock file.
    #[error("{LOCK_PATH}: {0}")]
    Lock(#[from] LockError),
    /// The mirror has moved on.
    #[error("the mirror does not serve what {LOCK_PATH} says:\n{}\nmove the lock knowingly with `cargo xtask image build --update-lock`", .0.join("\n"))]
    LockStale(Vec<String>),
    /// mmdebstrap.
    #[error("mmdebstrap failed ({status}):\n{log}{}", mend(.log))]
    Mmdebstrap {
        /// How it ended.
        status: String,
        /// Its last lines.
        log: String,
    },
    /// The kernel.
    #[error(transparent)]
    Kernel(#[from] kernel::KernelError),
}

fn mend(log: &str) -> &'static str {
    if log.contains("unshare") || log.contains("subuid") || log.contains("newuidmap") {
        "\nan ordinary user needs user namespaces, newuidmap (package uidmap) and a line in /etc/subuid and /etc/subgid; or build once as root"
    } else {
        ""
    }
}

fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> BuildError {
    let what = what.into();
    move |source| BuildError::Io { what, source }
}

/// What identifies an image before it is built: everything that shapes it.
pub(crate) fn key() -> String {
    let parts = [SUITE, PACKAGES, MODULES, CUSTOMIZE, INIT, LOCK, SOURCE_DATE_EPOCH, DISK_MIB, crate::CMDLINE];
    digest::of_bytes(parts.join("\0").as_bytes())[..16].to_owned()
}

/// Builds the image's files into `folder`: `kernel`, `initrd`, `root.ext4`.
pub(crate) fn build(folder: &Path, progress: Progress<'_>) -> Result<(), BuildError> {
    let lock = Lock::parse(LOCK)?;
    let wanted: Vec<String> = lock.packages.iter().map(|p| format!("{}={}", p.name, p.version)).collect();
    let parts = mmdebstrap(folder, "custom", &wanted, progress)?;
    let found = read_lock(&parts.join("packages.lock"))?;
    let difference = lock.difference(&found);
    if !difference.is_empty() {
        return Err(BuildError::LockStale(difference));
    }
    progress("packing the initramfs and unpacking the kernel");
    let bz_image = fs::read(parts.join("vmlinuz")).map_err(io_error("read the kernel"))?;
    fs::write(folder.join("kernel"), kernel::elf(&bz_image)?).map_err(io_error("write the kernel"))?;
    let initrd = initramfs::pack(&parts).map_err(io_error("pack the initramfs"))?;
    fs::write(folder.join("initrd"), initrd).map_err(io_error("write the initramfs"))?;
    fs::rename(parts.join("root.ext4"), folder.join("root.ext4")).map_err(io_error("move the root disk"))?;
    fs::remove_dir_all(&parts).map_err(io_error("remove the build's parts"))
}

/// Resolves the packages anew and writes the lock; the lines that changed.
pub fn update_lock(progress: Progress<'_>) -> Result<Vec<String>, BuildError> {
    let folder = tempfile::tempdir().map_err(io_error("make a temporary folder"))?;
    let names: Vec<String> = PACKAGES.split_whitespace().map(str::to_owned).collect();
    let parts = mmdebstrap(folder.path(), "minbase", &names, progress)?;
    let found = read_lock(&parts.join("packages.lock"))?;
    let changed = Lock::parse(LOCK).map(|old| old.difference(&found)).unwrap_or_default();
    let head =
        "# Every package of the guest image: name version sha256. Moved by `cargo xtask image build --update-lock`.\n";
    fs::write(LOCK_PATH, format!("{head}{found}")).map_err(io_error(format!("write {LOCK_PATH}")))?;
    Ok(changed)
}

fn read_lock(path: &Path) -> Result<Lock, BuildError> {
    let text = fs::read_to_string(path).map_err(io_error(format!("read {}", path.display())))?;
    Ok(Lock::parse(&text)?)
}

/// Runs mmdebstrap with our hook and brings what the hook made into `folder`.
fn mmdebstrap(
    folder: &Path,
    variant: &str,
    packages: &[String],
    progress: Progress<'_>,
) -> Result<std::path::PathBuf, BuildError> {
    let modules: Vec<&str> = MODULES.lines().filter(|l| !l.starts_with('#')).flat_map(str::split_whitespace).collect();
    let hook = format!("set -eu\nDISK_MIB={DISK_MIB}\nKEEP_MODULES='{}'\n{CUSTOMIZE}", modules.join(" "));
    let root = nix::unistd::geteuid().is_root();
    let mut command = Command::new("mmdebstrap");
    command
        .arg(if root { "--mode=root" } else { "--mode=unshare" })
        .args([&format!("--variant={variant}"), "--format=null", "--skip=cleanup/apt,cleanup/reproducible"])
        .args(["--aptopt=Apt::Install-Recommends \"false\"", "--aptopt=Acquire::Languages \"none\""])
        .args(["--dpkgopt=force-unsafe-io", "--dpkgopt=force-confold"])
        .args(["man", "locale", "doc", "info"].map(|d| format!("--dpkgopt=path-exclude=/usr/share/{d}/*")))
        .arg(format!("--include={}", packages.join(",")))
        .arg(format!("--customize-hook={hook}"))
        .arg(format!("--customize-hook=copy-out /tmp/vmhealth-out {}", folder.display()))
        .args([SUITE, "/dev/null"])
        .args(mirror::of_host())
        .env("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH)
        // No initramfs of Debian's: ours is packed from the parts.
        .env("INITRD", "No")
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    // SAFETY: one async-signal-safe call. mmdebstrap cleans up after SIGTERM.
    unsafe { command.pre_exec(|| Ok(prctl::set_pdeathsig(Signal::SIGTERM)?)) };
    let mut child = command.spawn().map_err(io_error("run mmdebstrap (apt-get install mmdebstrap)"))?;
    let mut log = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).split(b'\n') {
            let line = String::from_utf8_lossy(&line.map_err(io_error("read mmdebstrap's output"))?).into_owned();
            if let Some(step) = line.strip_prefix("I: ") {
                progress(step.lines().next().unwrap_or_default().get(..100.min(step.len())).unwrap_or(step));
            }
            log.push(line);
        }
    }
    let status = child.wait().map_err(io_error("wait for mmdebstrap"))?;
    if !status.success() {
        let gone: Vec<String> =
            log.iter().filter(|l| l.contains("was not found") || l.contains("Unable to locate")).cloned().collect();
        if !gone.is_empty() {
            return Err(BuildError::LockStale(gone));
        }
        let log = log[log.len().saturating_sub(LOG_TAIL)..].join("\n");
        return Err(BuildError::Mmdebstrap { status: status.to_string(), log });
    }
    Ok(folder.join("vmhealth-out"))
}

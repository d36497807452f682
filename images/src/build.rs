//! One image from the recipe and the lock: mmdebstrap for the root, our own kernel image and initramfs.

use crate::foreign::{Emulation, Native};
use crate::lock::{Lock, LockError};
use crate::recipe::{CUSTOMIZE, DISK_MIB, KernelForm, Recipe, SOURCE_DATE_EPOCH};
use crate::{initramfs, kernel, mirror};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
    #[error("{lock}: {source}")]
    Lock {
        /// Where it is.
        lock: &'static str,
        /// What is wrong with it.
        source: LockError,
    },
    /// The mirror has moved on.
    #[error("the mirror does not serve what {lock} says:\n{}\nmove the lock knowingly with `cargo xtask image build --arch {architecture} --update-lock`", difference.join("\n"))]
    LockStale {
        /// Where it is.
        lock: &'static str,
        /// Of which image.
        architecture: &'static str,
        /// What differs.
        difference: Vec<String>,
    },
    /// The programs of another architecture.
    #[error("programs of {architecture} cannot be run here: {why}; {mend}")]
    Foreign {
        /// Which.
        architecture: &'static str,
        /// Why.
        why: String,
        /// What to do about it.
        mend: &'static str,
    },
    /// mmdebstrap.
    #[error("mmdebstrap failed ({status}):\n{log}{}", mend(.log))]
    Mmdebstrap {
        /// How it ended.
        status: String,
        /// Its last lines.
        log: String,
        /// What it says of packages that the mirror does not have.
        gone: Vec<String>,
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

pub(crate) fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> BuildError {
    let what = what.into();
    move |source| BuildError::Io { what, source }
}

impl Recipe {
    fn lock(&self) -> Result<Lock, BuildError> {
        Lock::parse(self.lock).map_err(|source| BuildError::Lock { lock: self.lock_path, source })
    }

    /// Packages that the mirror does not have are the lock's.
    pub(crate) fn run(&self, command: Command, progress: Progress<'_>) -> Result<(), BuildError> {
        run(command, progress).map_err(|e| match e {
            BuildError::Mmdebstrap { gone, .. } if !gone.is_empty() => self.stale(gone),
            e => e,
        })
    }

    fn stale(&self, difference: Vec<String>) -> BuildError {
        BuildError::LockStale { lock: self.lock_path, architecture: self.architecture, difference }
    }
}

/// Builds the image's files into `folder`: `kernel`, `initrd`, `root.ext4`.
pub(crate) fn build(recipe: &Recipe, folder: &Path, progress: Progress<'_>) -> Result<(), BuildError> {
    let lock = recipe.lock()?;
    let wanted: Vec<String> = lock.packages.iter().map(|p| format!("{}={}", p.name, p.version)).collect();
    let parts = debootstrap(recipe, folder, "custom", &wanted, progress)?;
    let difference = lock.difference(&read_lock(recipe, &parts.join("packages.lock"))?);
    if !difference.is_empty() {
        return Err(recipe.stale(difference));
    }
    progress("packing the initramfs and the kernel");
    let mut image = fs::read(parts.join("vmlinuz")).map_err(io_error("read the kernel"))?;
    if recipe.kernel == KernelForm::UnpackedElf {
        image = kernel::elf(&image)?;
    }
    fs::write(folder.join("kernel"), image).map_err(io_error("write the kernel"))?;
    let initrd = initramfs::pack(&parts).map_err(io_error("pack the initramfs"))?;
    fs::write(folder.join("initrd"), initrd).map_err(io_error("write the initramfs"))?;
    fs::rename(parts.join("root.ext4"), folder.join("root.ext4")).map_err(io_error("move the root disk"))?;
    fs::remove_dir_all(&parts).map_err(io_error("remove the build's parts"))
}

/// Resolves the packages anew and writes the lock; the lines that changed.
pub fn update_lock(recipe: &Recipe, sources: &Path, progress: Progress<'_>) -> Result<Vec<String>, BuildError> {
    let folder = tempfile::tempdir().map_err(io_error("make a temporary folder"))?;
    let parts = debootstrap(recipe, folder.path(), "minbase", &recipe.packages(), progress)?;
    let found = read_lock(recipe, &parts.join("packages.lock"))?;
    let changed = recipe.lock().map(|old| old.difference(&found)).unwrap_or_default();
    let head =
        "# Every package of the guest image: name version sha256. Moved by `cargo xtask image build --update-lock`.\n";
    let path = sources.join(recipe.lock_path);
    fs::write(&path, format!("{head}{found}")).map_err(io_error(format!("write {}", path.display())))?;
    Ok(changed)
}

fn read_lock(recipe: &Recipe, path: &Path) -> Result<Lock, BuildError> {
    let text = fs::read_to_string(path).map_err(io_error(format!("read {}", path.display())))?;
    Lock::parse(&text).map_err(|source| BuildError::Lock { lock: recipe.lock_path, source })
}

/// Makes the root and brings what our hook made of it into `folder`.
fn debootstrap(
    recipe: &Recipe,
    folder: &Path,
    variant: &str,
    packages: &[String],
    progress: Progress<'_>,
) -> Result<PathBuf, BuildError> {
    let settings = format!(
        "set -eu\nDISK_MIB={DISK_MIB}\nKEEP_MODULES='{}'\nPYTHON={}\n",
        recipe.modules().join(" "),
        recipe.python
    );
    let mut command = mmdebstrap(variant, packages);
    command
        .args(["--format=null", "--skip=cleanup/apt,cleanup/reproducible"])
        .args(["man", "locale", "doc", "info"].map(|d| format!("--dpkgopt=path-exclude=/usr/share/{d}/*")));
    let customize = |native: &str| format!("--customize-hook={settings}NATIVE='{native}'\n{CUSTOMIZE}");
    let copy = format!("--customize-hook=copy-out /tmp/vmhealth-out {}", folder.display());
    if recipe.is_native() {
        command.arg(customize("")).arg(copy).args([recipe.suite, "/dev/null"]).args(mirror::of_host());
        recipe.run(command, progress)?;
    } else {
        // Both are gone at the end of the build.
        let _emulation = Emulation::begin(recipe)?;
        progress("unpacking a Python that compiles natively");
        let native = Native::unpack(recipe, folder, progress)?;
        command.arg(format!("--architectures={}", recipe.architecture)).args(native.hooks());
        command.arg(customize(&native.path().display().to_string()));
        command.arg(copy).args([recipe.suite, "/dev/null"]).args(mirror::of_host());
        recipe.run(command, progress)?;
    }
    Ok(folder.join("vmhealth-out"))
}

/// A root with these packages as an archive at `archive`; the first line of what `version`, a command, says in it.
pub fn container_root(
    suite: &str,
    packages: &[&str],
    version: &str,
    archive: &Path,
    progress: Progress<'_>,
) -> Result<String, BuildError> {
    let packages: Vec<String> = packages.iter().map(|p| (*p).to_owned()).collect();
    let said = archive.with_extension("version");
    let mut command = mmdebstrap("minbase", &packages);
    command
        .args(["man", "locale", "doc", "info"].map(|d| format!("--dpkgopt=path-exclude=/usr/share/{d}/*")))
        .arg(format!("--customize-hook=chroot \"$1\" {version} >\"$1/version\" 2>&1"))
        .arg(format!("--customize-hook=download /version {}", said.display()))
        .arg("--customize-hook=rm \"$1/version\"")
        .arg("--format=tar")
        .arg(suite)
        .arg(archive)
        .args(mirror::of_host());
    run(command, progress)?;
    let text = fs::read_to_string(&said).map_err(io_error("read the container's version"))?;
    fs::remove_file(&said).map_err(io_error("remove the container's version"))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// mmdebstrap with what all of our uses of it have in common; suite, target and mirror are to follow.
pub(crate) fn mmdebstrap(variant: &str, packages: &[String]) -> Command {
    let root = nix::unistd::geteuid().is_root();
    let mut command = Command::new("mmdebstrap");
    command
        .arg(if root { "--mode=root" } else { "--mode=unshare" })
        .arg(format!("--variant={variant}"))
        .args(["--aptopt=Apt::Install-Recommends \"false\"", "--aptopt=Acquire::Languages \"none\""])
        .args(["--dpkgopt=force-unsafe-io", "--dpkgopt=force-confold"])
        .arg(format!("--include={}", packages.join(",")));
    command
}

/// Runs it to its end.
pub(crate) fn run(mut command: Command, progress: Progress<'_>) -> Result<(), BuildError> {
    command
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
    if status.success() {
        return Ok(());
    }
    let gone: Vec<String> =
        log.iter().filter(|l| l.contains("was not found") || l.contains("Unable to locate")).cloned().collect();
    let log = log[log.len().saturating_sub(LOG_TAIL)..].join("\n");
    Err(BuildError::Mmdebstrap { status: status.to_string(), log, gone })
}

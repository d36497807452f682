//! One image from the recipe and the lock: mmdebstrap for the root, our own kernel image and initramfs.

use crate::error::{BuildError, io_error};
use crate::foreign::{Emulation, Native};
use crate::lock::Lock;
use crate::mmdebstrap::{Progress, mmdebstrap};
use crate::recipe::{CUSTOMIZE, DISK_MIB, KernelForm, Recipe};
use crate::{initramfs, kernel, mirror};
use std::fs;
use std::path::{Path, PathBuf};

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
pub(crate) fn update_lock(
    recipe: &Recipe,
    folder: &Path,
    sources: &Path,
    progress: Progress<'_>,
) -> Result<Vec<String>, BuildError> {
    let parts = debootstrap(recipe, folder, "minbase", &recipe.packages(), progress)?;
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

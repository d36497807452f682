//! The root of a container: a minimal Debian with a few packages.

use crate::error::{BuildError, io_error};
use crate::mirror;
use crate::mmdebstrap::{Progress, mmdebstrap, run};
use std::fs;
use std::path::Path;

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

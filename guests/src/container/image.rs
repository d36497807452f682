//! The images that QEMU runs in: a minimal Debian with its QEMU, built from the distribution's packages and imported.

use super::engine::{EngineError, connect};
use crate::qemu::{QEMU_X86, QemuVersion, parse_version};
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt as _;
use std::collections::HashMap;
use std::path::Path;
use testcontainers::bollard;
use tokio_util::io::ReaderStream;
use vmhealth_images::{Progress, container_root, digest};

const REPOSITORY: &str = "vmhealth-qemu";
const VERSION_LABEL: &str = "dev.vmhealth.qemu";
/// Part of every tag: raise it when the recipe changes otherwise.
const PROCEDURE: &str = "1";

/// A Debian release whose QEMU can be had in a container.
#[derive(Debug, PartialEq, Eq)]
pub struct Release {
    /// As on the command line.
    pub name: &'static str,
    suite: &'static str,
}

/// All of them.
pub static RELEASES: [Release; 2] =
    [Release { name: "debian-12", suite: "bookworm" }, Release { name: "debian-13", suite: "trixie" }];

/// What is in the image.
const PACKAGES: [&str; 2] = ["qemu-system-x86", "qemu-utils"];

/// An image in the engine, and the QEMU in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerHost {
    /// As on the command line: `debian-13`.
    pub name: &'static str,
    /// The image's tag in our repository.
    pub(super) tag: String,
    /// What it runs.
    pub version: QemuVersion,
}

impl ContainerHost {
    /// The image of a release: the engine's, or built and imported now. `scratch` is for the archive.
    pub async fn ensure(
        release: &'static Release,
        scratch: &Path,
        progress: Progress<'_>,
    ) -> Result<ContainerHost, EngineError> {
        let docker = connect().await?;
        let recipe = [release.suite, &PACKAGES.join(" "), PROCEDURE].join("\0");
        let tag = format!("{}-{}", release.name, &digest::of_bytes(recipe.as_bytes())[..12]);
        let reference = format!("{REPOSITORY}:{tag}");
        if docker.inspect_image(&reference).await.is_err() {
            progress(&format!("building the container image {reference} from the distribution's packages (once)"));
            let archive = scratch.join(format!("{}.tar", release.name));
            let line = container_root(release.suite, &PACKAGES, QEMU_X86, &archive, progress)?;
            let options = CreateImageOptionsBuilder::new().from_src("-").repo(REPOSITORY).tag(&tag);
            let options = options.changes(vec![format!("LABEL {VERSION_LABEL}=\"{line}\"")]).build();
            let file = tokio::fs::File::open(&archive).await?;
            let body = bollard::body_try_stream(ReaderStream::with_capacity(file, 1 << 20));
            let mut imported = std::pin::pin!(docker.create_image(Some(options), Some(body), None));
            while let Some(step) = imported.next().await {
                step?;
            }
            tokio::fs::remove_file(&archive).await?;
        }
        let image = docker.inspect_image(&reference).await?;
        let labels: HashMap<String, String> = image.config.and_then(|c| c.labels).unwrap_or_default();
        let line = labels.get(VERSION_LABEL).cloned().unwrap_or_default();
        let number = parse_version(&line).unwrap_or_default();
        let version = QemuVersion { number, line, digest: image.id.unwrap_or_default() };
        Ok(ContainerHost { name: release.name, tag, version })
    }

    /// Repository and tag.
    pub(super) fn image(&self) -> (&'static str, &str) {
        (REPOSITORY, &self.tag)
    }
}

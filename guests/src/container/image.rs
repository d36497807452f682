//! Container images of our own: a minimal Debian with a few of its packages, built here and imported. No registry is asked.

use super::engine::{EngineError, connect};
use crate::qemu::{QEMU_X86, QemuVersion, parse_version};
use std::path::Path;
use vmhealth_images::{Progress, container_root, digest};
use vmhealth_sim::manifest::Architecture;

const VERSION_LABEL: &str = "dev.vmhealth.version";
/// Part of every tag: raise it when the recipe changes otherwise.
const PROCEDURE: &str = "1";

/// What an image is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageRecipe {
    /// In the engine.
    pub repository: &'static str,
    /// The tag begins with it.
    pub name: &'static str,
    /// Debian's.
    pub suite: &'static str,
    /// Debian's.
    pub packages: &'static [&'static str],
    /// What says in the image which version it is.
    pub version: &'static str,
}

/// An image in the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerImage {
    /// In the engine.
    pub repository: &'static str,
    /// After the recipe that made it.
    pub tag: String,
    /// The first line of what its program says of its version.
    pub version: String,
    /// The engine's own digest of it.
    pub id: String,
}

impl ImageRecipe {
    /// The image: the engine's, or built and imported now. `scratch` is for the archive.
    pub async fn ensure(&self, scratch: &Path, progress: Progress<'_>) -> Result<ContainerImage, EngineError> {
        let docker = connect().await?;
        let recipe = [self.suite, &self.packages.join(" "), self.version, PROCEDURE].join("\0");
        let tag = format!("{}-{}", self.name, &digest::of_bytes(recipe.as_bytes())[..12]);
        let reference = format!("{}:{tag}", self.repository);
        let image = match docker.image(&reference).await? {
            Some(image) => image,
            None => {
                progress(&format!("building the container image {reference} from the distribution's packages (once)"));
                let archive = scratch.join(format!("{tag}.tar"));
                let line = container_root(self.suite, self.packages, self.version, &archive, progress)?;
                docker.import(&archive, &reference, &[format!("LABEL {VERSION_LABEL}=\"{line}\"")]).await?;
                tokio::fs::remove_file(&archive).await?;
                docker.image(&reference).await?.ok_or(EngineError::NotImported(reference))?
            }
        };
        let version = image.labels.get(VERSION_LABEL).cloned().unwrap_or_default();
        Ok(ContainerImage { repository: self.repository, tag, version, id: image.id })
    }
}

/// A Debian release whose QEMU can be had in a container.
#[derive(Debug, PartialEq, Eq)]
pub struct Release {
    /// As on the command line.
    pub name: &'static str,
    suite: &'static str,
}

/// All of them, the newest last.
pub static RELEASES: [Release; 2] =
    [Release { name: "debian-12", suite: "bookworm" }, Release { name: "debian-13", suite: "trixie" }];

/// An image with a QEMU in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerHost {
    /// As on the command line: `debian-13`.
    pub name: &'static str,
    /// What runs.
    pub image: ContainerImage,
    /// The QEMU in it.
    pub version: QemuVersion,
}

impl ContainerHost {
    /// An error says why it has no QEMU for guests of an architecture.
    pub fn has_emulator(architecture: Architecture) -> Result<(), String> {
        match architecture {
            Architecture::Amd64 => Ok(()),
            other => Err(format!("the container images have no QEMU for {other}")),
        }
    }

    /// The image of a release.
    pub async fn ensure(
        release: &'static Release,
        scratch: &Path,
        progress: Progress<'_>,
    ) -> Result<ContainerHost, EngineError> {
        let recipe = ImageRecipe {
            repository: "vmhealth-qemu",
            name: release.name,
            suite: release.suite,
            packages: &["qemu-system-x86"],
            version: "qemu-system-x86_64 --version",
        };
        debug_assert!(recipe.version.starts_with(QEMU_X86));
        let image = recipe.ensure(scratch, progress).await?;
        let number = parse_version(&image.version).ok_or_else(|| EngineError::Version(image.version.clone()))?;
        let version = QemuVersion { number, line: image.version.clone(), digest: image.id.clone() };
        Ok(ContainerHost { name: release.name, image, version })
    }
}

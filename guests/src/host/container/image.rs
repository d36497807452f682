//! Container images of our own: a minimal Debian with a few of its packages, built here and imported. No registry is asked.

use super::engine::{EngineError, connect};
use std::path::Path;
use vmhealth_images::{Progress, container_root, digest};

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
    /// Code name of the Debian release: `trixie`.
    pub suite: &'static str,
    /// What is installed besides a minimal Debian.
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

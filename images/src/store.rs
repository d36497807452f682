//! The image store: what the recipe and the lock ask for, built where the cache has none that holds.

use crate::build;
use crate::entries::{Entries, EntryError, EntryFile, Found, Held, Slot};
use crate::error::BuildError;
use crate::mmdebstrap::Progress;
use crate::recipe::Recipe;
use std::path::{Path, PathBuf};

const FILES: &[EntryFile] = &[("kernel", 0o444), ("initrd", 0o444), ("root.ext4", 0o444)];

/// In front of a recipe's name: where its packages are resolved.
const LOCK_OF: &str = "lock-of-";

/// The store in a cache folder.
#[derive(Debug, Clone)]
pub struct Store {
    entries: Entries,
}

/// An image that was verified just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Over all its files: two builds of one lock agree in it.
    pub digest: String,
    /// An ELF that QEMU enters through PVH.
    pub kernel: PathBuf,
    /// The initramfs.
    pub initrd: PathBuf,
    /// The root disk, raw, read-only.
    pub disk: PathBuf,
}

impl Image {
    fn of(folder: &Path, digest: String) -> Image {
        let [kernel, initrd, disk] = ["kernel", "initrd", "root.ext4"].map(|name| folder.join(name));
        Image { digest, kernel, initrd, disk }
    }
}

/// An entry of the store, as found.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name.
    pub key: String,
    /// The recipe that asks for it, as it and its lock are now; `None`: one of the past.
    pub current: Option<&'static Recipe>,
    /// Bytes on disk.
    pub bytes: u64,
    /// The image, or what is wrong with it.
    pub image: Result<Image, String>,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The cache folder.
    #[error(transparent)]
    Cache(#[from] EntryError),
    /// The image could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl Store {
    /// The store below the user's cache folder.
    pub fn new(cache: &Path) -> Store {
        Store { entries: Entries::new(cache.join("images"), FILES, "guest image") }
    }

    /// The image of a recipe and its lock: verified, or built where there is none that holds.
    pub fn ensure(&self, recipe: &Recipe, progress: Progress<'_>) -> Result<Image, StoreError> {
        let held = match self.entries.open(&recipe.key(), progress)? {
            Slot::Held(held) => {
                // What cannot be removed now goes with a later run.
                let _ = self.entries.sweep();
                held
            }
            Slot::Vacant(vacant) => {
                self.entries.sweep()?;
                let minutes = if recipe.is_native() { "about two minutes" } else { "three to four minutes" };
                progress(&format!("building the {} guest image ({minutes}, once)", recipe.architecture));
                build::build(recipe, &vacant.folder(), progress)?;
                vacant.commit()?
            }
        };
        let Held { folder, digest, .. } = &held;
        Ok(Image::of(folder, digest.clone()))
    }

    /// Resolves a recipe's packages anew and writes its lock below `sources`; the lines that changed.
    pub fn update_lock(
        &self,
        recipe: &Recipe,
        sources: &Path,
        progress: Progress<'_>,
    ) -> Result<Vec<String>, StoreError> {
        // A folder like an entry's that is being made: what is left of it when it is killed goes as theirs do.
        match self.entries.open(&format!("{LOCK_OF}{}", recipe.name), progress)? {
            Slot::Vacant(vacant) => Ok(build::update_lock(recipe, &vacant.folder(), sources, progress)?),
            Slot::Held(held) => {
                let text = format!("{} is in the way", held.folder.display());
                Err(BuildError::Io { what: "make a folder".into(), source: std::io::Error::other(text) }.into())
            }
        }
    }

    /// Whether [`Store::ensure`] has nothing to build, as far as can be known without reading the image.
    pub fn seems_built(&self, recipe: &Recipe) -> bool {
        self.entries.has(&recipe.key())
    }

    /// Removes all images but those in use. Says which.
    pub fn prune(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.entries.evict(0)?)
    }

    /// Every entry, verified.
    pub fn list(&self) -> Result<Vec<Entry>, StoreError> {
        let entry = |Found { key, folder, bytes, digest }| Entry {
            current: Recipe::all().into_iter().find(|r| r.key() == key),
            key,
            bytes,
            image: digest.map(|digest| Image::of(&folder, digest)),
        };
        Ok(self.entries.list()?.into_iter().map(entry).collect())
    }
}

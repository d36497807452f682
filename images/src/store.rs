//! The image store: what the recipe and the lock ask for, built where the cache has none that holds.

use crate::build::{self, BuildError, Progress};
use crate::entries::{Entries, EntryError, EntryFile, Found, Held, Slot};
use std::path::{Path, PathBuf};

const FILES: &[EntryFile] = &[("kernel", 0o444), ("initrd", 0o444), ("root.ext4", 0o444)];

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub key: String,
    /// It is what the present recipe and lock ask for.
    pub current: bool,
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
    /// The build.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl Store {
    /// The store below the user's cache folder.
    pub fn new(cache: &Path) -> Store {
        Store { entries: Entries::new(cache.join("images"), FILES, "guest image") }
    }

    /// The image of the present recipe and lock: verified, or built where there is none that holds.
    pub fn ensure(&self, progress: Progress<'_>) -> Result<Image, StoreError> {
        let held = match self.entries.open(&build::key(), progress)? {
            Slot::Held(held) => held,
            Slot::Vacant(vacant) => {
                self.entries.sweep()?;
                progress("building the guest image (about two minutes, once)");
                build::build(&vacant.folder(), progress)?;
                vacant.commit()?
            }
        };
        let Held { folder, digest, .. } = &held;
        Ok(Image::of(folder, digest.clone()))
    }

    /// Every entry, verified.
    pub fn list(&self) -> Result<Vec<Entry>, StoreError> {
        let entry = |Found { key, folder, bytes, digest }| Entry {
            current: key == build::key(),
            key,
            bytes,
            image: digest.map(|digest| Image::of(&folder, digest)),
        };
        Ok(self.entries.list()?.into_iter().map(entry).collect())
    }
}

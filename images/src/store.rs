//! The store: one read-only folder per image in the user's cache, named by what shapes it, verified whenever it is used.
//!
//! An entry appears by one rename, so it is whole or not there; a lock keeps two builders apart; one that does not match
//! its own checksums is thrown away and built again.

use crate::build::{self, BuildError, Progress};
use crate::digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const FILES: [&str; 3] = ["kernel", "initrd", "root.ext4"];
const MANIFEST: &str = "entry.json";
/// Begins the name of a folder that is being built.
const UNFINISHED: &str = ".building-";

/// The store in a cache folder.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

/// An image's own list of contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    /// SHA-256 by file name.
    files: BTreeMap<String, String>,
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
    #[error("the image store {}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The build.
    #[error(transparent)]
    Build(#[from] BuildError),
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |source| StoreError::Io { path, source }
}

impl Store {
    /// The store below the user's cache folder.
    pub fn new(cache: &Path) -> Store {
        Store { folder: cache.join("images") }
    }

    /// The image of the present recipe and lock: verified, or built where there is none that holds.
    pub fn ensure(&self, progress: Progress<'_>) -> Result<Image, StoreError> {
        self.ensure_with(&build::key(), progress, |folder| build::build(folder, progress))
    }

    fn ensure_with(
        &self,
        key: &str,
        progress: Progress<'_>,
        build: impl FnOnce(&Path) -> Result<(), BuildError>,
    ) -> Result<Image, StoreError> {
        fs::create_dir_all(&self.folder).map_err(at(&self.folder))?;
        let lock_path = self.folder.join(format!("{key}.lock"));
        let lock = File::create(&lock_path).map_err(at(&lock_path))?;
        if lock.try_lock().is_err() {
            progress("another process builds the image; waiting for it");
            lock.lock().map_err(at(&lock_path))?;
        }
        let entry = self.folder.join(key);
        if entry.exists() {
            match verify(&entry) {
                Ok(image) => return Ok(image),
                Err(problem) => {
                    progress(&format!("the stored image does not hold ({problem}); building it again"));
                    remove(&entry)?;
                }
            }
        }
        self.sweep(key)?;
        let unfinished = self.folder.join(format!("{UNFINISHED}{key}"));
        fs::create_dir_all(&unfinished).map_err(at(&unfinished))?;
        progress("building the guest image (about two minutes, once)");
        let built = build(&unfinished).map_err(StoreError::from).and_then(|()| seal(&unfinished));
        if let Err(e) = built {
            remove(&unfinished)?;
            return Err(e);
        }
        fs::rename(&unfinished, &entry).map_err(at(&entry))?;
        verify(&entry).map_err(|problem| StoreError::Io { path: entry, source: io::Error::other(problem) })
    }

    /// What a killed builder of this key left; its lock is ours now.
    fn sweep(&self, key: &str) -> Result<(), StoreError> {
        let unfinished = self.folder.join(format!("{UNFINISHED}{key}"));
        if unfinished.exists() { remove(&unfinished) } else { Ok(()) }
    }

    /// Every entry, verified.
    pub fn list(&self) -> Result<Vec<Entry>, StoreError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(at(&self.folder)(e)),
        };
        let mut found = Vec::new();
        for path in entries.flatten().map(|e| e.path()).filter(|p| p.is_dir()) {
            let key = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            if key.starts_with(UNFINISHED) {
                continue;
            }
            let bytes = FILES.iter().filter_map(|f| fs::metadata(path.join(f)).ok()).map(|m| m.len()).sum();
            found.push(Entry { current: key == build::key(), key, bytes, image: verify(&path) });
        }
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }
}

/// Writes the list of contents and takes the write permission away.
fn seal(folder: &Path) -> Result<(), StoreError> {
    let mut files = BTreeMap::new();
    for name in FILES {
        let path = folder.join(name);
        files.insert(name.to_owned(), digest::of_file(&path).map_err(at(&path))?);
        fs::set_permissions(&path, Permissions::from_mode(0o444)).map_err(at(&path))?;
    }
    let path = folder.join(MANIFEST);
    let json = serde_json::to_vec_pretty(&Manifest { files }).map_err(|e| at(&path)(e.into()))?;
    fs::write(&path, json).map_err(at(&path))
}

/// Holds an entry against its own list.
fn verify(folder: &Path) -> Result<Image, String> {
    let text = fs::read(folder.join(MANIFEST)).map_err(|e| format!("{MANIFEST}: {e}"))?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|e| format!("{MANIFEST}: {e}"))?;
    for name in FILES {
        let expected = manifest.files.get(name).ok_or_else(|| format!("{MANIFEST} does not list {name}"))?;
        let found = digest::of_file(&folder.join(name)).map_err(|e| format!("{name}: {e}"))?;
        if *expected != found {
            return Err(format!("{name} has SHA-256 {found}, expected {expected}"));
        }
    }
    let listing: Vec<String> = manifest.files.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect();
    let [kernel, initrd, disk] = FILES.map(|name| folder.join(name));
    Ok(Image { digest: digest::of_bytes(listing.concat().as_bytes()), kernel, initrd, disk })
}

fn remove(folder: &Path) -> Result<(), StoreError> {
    fs::remove_dir_all(folder).map_err(at(folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn make(folder: &Path) -> Result<(), BuildError> {
        for name in FILES {
            fs::write(folder.join(name), name).unwrap();
        }
        Ok(())
    }

    #[test]
    fn an_entry_is_built_once_verified_on_use_and_rebuilt_when_damaged() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::new(cache.path());
        let builds = Cell::new(0);
        let ensure = || {
            store.ensure_with("key", &|_| {}, |folder| {
                builds.set(builds.get() + 1);
                assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "what a killed builder left is gone");
                make(folder)
            })
        };
        // Left by a builder that was killed.
        fs::create_dir_all(cache.path().join("images/.building-key")).unwrap();
        fs::write(cache.path().join("images/.building-key/kernel"), "half").unwrap();
        let first = ensure().unwrap();
        assert_eq!(ensure().unwrap(), first);
        assert_eq!(builds.get(), 1);
        assert!(fs::metadata(&first.disk).unwrap().permissions().readonly());
        // A flipped byte, a missing file, a missing list.
        let damage: [&dyn Fn(); 3] = [
            &|| {
                fs::remove_file(&first.disk).unwrap();
                fs::write(&first.disk, "root.ext5").unwrap();
            },
            &|| fs::remove_file(&first.kernel).unwrap(),
            &|| fs::remove_file(first.kernel.with_file_name(MANIFEST)).unwrap(),
        ];
        for (i, damage) in damage.iter().enumerate() {
            damage();
            assert!(store.list().unwrap()[0].image.is_err());
            assert_eq!(ensure().unwrap(), first, "two builds agree");
            assert_eq!(builds.get(), i + 2);
        }
    }

    #[test]
    fn a_failed_build_leaves_nothing() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::new(cache.path());
        let fail = |folder: &Path| {
            fs::write(folder.join("kernel"), "half").unwrap();
            Err(BuildError::LockStale(vec!["- a 1".into()]))
        };
        let error = store.ensure_with("key", &|_| {}, fail).unwrap_err();
        assert!(error.to_string().contains("--update-lock"), "{error}");
        assert_eq!(store.list().unwrap(), vec![]);
        assert!(!cache.path().join("images/.building-key").exists());
    }
}

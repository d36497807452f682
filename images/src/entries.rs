//! Content-addressed folders in the user's cache: one per key, whole or not there, verified whenever they are used.
//!
//! An entry appears by one rename. A lock per key keeps two builders apart and an entry in use from being evicted: builders
//! hold it exclusively, users shared. An entry that does not match its own checksums is thrown away and made again. What
//! is in an entry is its users' business.

use crate::digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const LISTING: &str = "entry.json";
/// Begins the name of a folder that is being built.
const UNFINISHED: &str = ".building-";
/// Someone else may build, damage or evict an entry between two looks, but not for ever.
const MAX_LOOKS: usize = 10;

/// A file of every entry, and the mode it is sealed with.
pub type EntryFile = (&'static str, u32);

/// A folder of entries that all have the same files.
#[derive(Debug, Clone)]
pub struct Entries {
    folder: PathBuf,
    files: &'static [EntryFile],
    /// What one is, for messages.
    noun: &'static str,
}

/// An entry's own list of contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Listing {
    /// Checksum by file name.
    files: BTreeMap<String, String>,
}

/// An entry that was verified just now; not evicted while this lives.
#[derive(Debug)]
pub struct Held {
    /// Where its files are.
    pub folder: PathBuf,
    /// Over all its files.
    pub digest: String,
    _lock: File,
}

/// Nobody has this entry: ours to make. Dropped without [`Vacant::commit`], it leaves nothing.
#[derive(Debug)]
pub struct Vacant {
    entries: Entries,
    key: String,
    lock: File,
}

/// What is under a key.
#[derive(Debug)]
pub enum Slot {
    /// An entry that holds.
    Held(Held),
    /// None, or none that held.
    Vacant(Vacant),
}

/// An entry as found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub key: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Bytes allocated on disk.
    pub bytes: u64,
    /// Its digest, or what is wrong with it.
    pub digest: Result<String, String>,
}

/// A file of the cache could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the cache {}: {source}", path.display())]
pub struct EntryError {
    /// The file or folder that could not be used.
    path: PathBuf,
    /// The system's error.
    source: io::Error,
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> EntryError + use<> {
    let path = path.to_owned();
    move |source| EntryError { path, source }
}

impl Entries {
    /// The entries in a folder, which need not exist yet.
    pub fn new(folder: PathBuf, files: &'static [EntryFile], noun: &'static str) -> Entries {
        Entries { folder, files, noun }
    }

    fn entry(&self, key: &str) -> PathBuf {
        self.folder.join(key)
    }

    fn unfinished(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{UNFINISHED}{key}"))
    }

    fn lock_file(&self, key: &str) -> Result<File, EntryError> {
        let path = self.folder.join(format!("{key}.lock"));
        File::create(&path).map_err(at(&path))
    }

    /// The entry under `key`, or the right to make it; waits for whoever makes it now.
    pub fn open(&self, key: &str, progress: &dyn Fn(&str)) -> Result<Slot, EntryError> {
        fs::create_dir_all(&self.folder).map_err(at(&self.folder))?;
        let entry = self.entry(key);
        for _ in 0..MAX_LOOKS {
            let lock = self.lock_file(key)?;
            if lock.try_lock_shared().is_err() {
                progress(&format!("another process makes the {}; waiting for it", self.noun));
                lock.lock_shared().map_err(at(&entry))?;
            }
            if entry.exists()
                && let Ok(digest) = self.verify(&entry)
            {
                // The time of use, for eviction; without it the entry only looks older.
                let _ = lock.set_modified(SystemTime::now());
                return Ok(Slot::Held(Held { folder: entry, digest, _lock: lock }));
            }
            lock.lock().map_err(at(&entry))?;
            if entry.exists() {
                match self.verify(&entry) {
                    // Made by another one meanwhile.
                    Ok(_) => continue,
                    Err(problem) => {
                        progress(&format!("the stored {} does not hold ({problem}); making it again", self.noun));
                        remove(&entry)?;
                    }
                }
            }
            // What a killed builder of this key left: its lock is ours now.
            let unfinished = self.unfinished(key);
            if unfinished.exists() {
                remove(&unfinished)?;
            }
            fs::create_dir_all(&unfinished).map_err(at(&unfinished))?;
            return Ok(Slot::Vacant(Vacant { entries: self.clone(), key: key.to_owned(), lock }));
        }
        Err(at(&entry)(io::Error::other("others make and remove it again and again")))
    }

    /// Whether there is one under `key`, verified or not.
    pub fn has(&self, key: &str) -> bool {
        self.entry(key).exists()
    }

    /// Every entry, verified.
    pub fn list(&self) -> Result<Vec<Found>, EntryError> {
        let mut found = Vec::new();
        for key in self.keys()? {
            let folder = self.entry(&key);
            found.push(Found { bytes: self.bytes(&folder), digest: self.verify(&folder), folder, key });
        }
        Ok(found)
    }

    fn keys(&self) -> Result<Vec<String>, EntryError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(at(&self.folder)(e)),
        };
        let folders = entries.flatten().map(|e| e.path()).filter(|p| p.is_dir());
        let mut keys: Vec<String> =
            folders.filter_map(|p| p.file_name().map(|n| n.to_string_lossy().into_owned())).collect();
        keys.retain(|k| !k.starts_with(UNFINISHED));
        keys.sort();
        Ok(keys)
    }

    fn bytes(&self, folder: &Path) -> u64 {
        self.files.iter().filter_map(|(f, _)| fs::metadata(folder.join(f)).ok()).map(|m| m.blocks() * 512).sum()
    }

    /// Removes entries, those longest out of use first, until at most `limit` bytes are allocated; those in use stay.
    /// Also what killed builders left under any key. Says what it removed.
    pub fn evict(&self, limit: u64) -> Result<Vec<String>, EntryError> {
        let mut entries = Vec::new();
        for key in self.keys()? {
            let used = self.lock_file_age(&key);
            entries.push((used, self.bytes(&self.entry(&key)), key));
        }
        entries.sort();
        let mut total: u64 = entries.iter().map(|(_, bytes, _)| bytes).sum();
        let mut removed = Vec::new();
        for (_, bytes, key) in entries {
            if total <= limit {
                break;
            }
            // Held until it is gone: whoever wants it now waits, and then makes it.
            let lock = self.lock_file(&key)?;
            if nobody_holds(&lock) && remove(&self.entry(&key)).is_ok() {
                total -= bytes;
                removed.push(key);
            }
        }
        self.sweep()?;
        Ok(removed)
    }

    fn lock_file_age(&self, key: &str) -> SystemTime {
        let modified = fs::metadata(self.folder.join(format!("{key}.lock"))).and_then(|m| m.modified());
        modified.unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// Removes what killed builders left, under any key.
    pub fn sweep(&self) -> Result<(), EntryError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(at(&self.folder)(e)),
        };
        for name in entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()) {
            let Some(key) = name.strip_prefix(UNFINISHED) else { continue };
            let lock = self.lock_file(key)?;
            if nobody_holds(&lock) && self.unfinished(key).exists() {
                remove(&self.unfinished(key))?;
            }
        }
        Ok(())
    }

    /// Holds an entry against its own list; its digest.
    fn verify(&self, folder: &Path) -> Result<String, String> {
        let text = fs::read(folder.join(LISTING)).map_err(|e| format!("{LISTING}: {e}"))?;
        let listing: Listing = serde_json::from_slice(&text).map_err(|e| format!("{LISTING}: {e}"))?;
        for (name, _) in self.files {
            let expected = listing.files.get(*name).ok_or_else(|| format!("{LISTING} does not list {name}"))?;
            let found = digest::of_file(&folder.join(name)).map_err(|e| format!("{name}: {e}"))?;
            if *expected != found {
                return Err(format!("{name} has checksum {found}, expected {expected}"));
            }
        }
        Ok(listing.digest())
    }
}

impl Listing {
    fn digest(&self) -> String {
        let lines: Vec<String> = self.files.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect();
        digest::of_bytes(lines.concat().as_bytes())
    }
}

impl Vacant {
    /// Where to make the files.
    pub fn folder(&self) -> PathBuf {
        self.entries.unfinished(&self.key)
    }

    /// Seals the files and puts the entry in its place, whole.
    pub fn commit(self) -> Result<Held, EntryError> {
        let (unfinished, entry) = (self.folder(), self.entries.entry(&self.key));
        let mut files = BTreeMap::new();
        for (name, mode) in self.entries.files {
            let path = unfinished.join(name);
            files.insert((*name).to_owned(), digest::of_file(&path).map_err(at(&path))?);
            fs::set_permissions(&path, Permissions::from_mode(*mode)).map_err(at(&path))?;
        }
        let path = unfinished.join(LISTING);
        let listing = Listing { files };
        let json = serde_json::to_vec_pretty(&listing).map_err(|e| at(&path)(e.into()))?;
        fs::write(&path, json).map_err(at(&path))?;
        fs::rename(&unfinished, &entry).map_err(at(&entry))?;
        let lock = self.lock.try_clone().map_err(at(&entry))?;
        // Between the two locks it could be evicted; then its first user says that it is gone.
        lock.lock_shared().map_err(at(&entry))?;
        Ok(Held { folder: entry, digest: listing.digest(), _lock: lock })
    }
}

impl Drop for Vacant {
    fn drop(&mut self) {
        // After a commit there is nothing; what cannot be removed now is the next builder's sweep.
        let _ = fs::remove_dir_all(self.folder());
    }
}

/// Takes the lock if nobody has it. A child of ours that is between fork and exec has copies of all our descriptors, locks
/// and all, for a moment: that is nobody.
fn nobody_holds(lock: &File) -> bool {
    const MOMENTS: usize = 10;
    (0..MOMENTS).any(|i| {
        if i > 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        lock.try_lock().is_ok()
    })
}

fn remove(folder: &Path) -> Result<(), EntryError> {
    fs::remove_dir_all(folder).map_err(at(folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    const FILES: &[EntryFile] = &[("a", 0o444), ("b", 0o600)];

    fn entries(cache: &Path) -> Entries {
        Entries::new(cache.to_owned(), FILES, "thing")
    }

    fn make(vacant: Vacant) -> Held {
        assert_eq!(fs::read_dir(vacant.folder()).unwrap().count(), 0, "what a killed builder left is gone");
        for (name, _) in FILES {
            let path = vacant.folder().join(name);
            fs::write(&path, name.repeat(100_000)).unwrap();
            // What is not on the disk yet may have no blocks yet.
            File::open(path).unwrap().sync_all().unwrap();
        }
        vacant.commit().unwrap()
    }

    fn open(entries: &Entries, key: &str, said: &RefCell<Vec<String>>) -> Slot {
        entries.open(key, &|line| said.borrow_mut().push(line.to_owned())).unwrap()
    }

    #[test]
    fn an_entry_is_made_once_verified_on_use_and_made_again_when_damaged() {
        let cache = tempfile::tempdir().unwrap();
        let (entries, said) = (entries(cache.path()), RefCell::default());
        // Left by a builder that was killed.
        fs::create_dir_all(cache.path().join(".building-key")).unwrap();
        fs::write(cache.path().join(".building-key/a"), "half").unwrap();
        let Slot::Vacant(vacant) = open(&entries, "key", &said) else { panic!("made from nothing") };
        let first = make(vacant);
        let Slot::Held(second) = open(&entries, "key", &said) else { panic!("not made twice") };
        assert_eq!(first.digest, second.digest);
        assert!(fs::metadata(first.folder.join("a")).unwrap().permissions().readonly());
        assert_eq!(said.take(), Vec::<String>::new());
        let folder = first.folder.clone();
        drop((first, second));
        // A flipped byte, a missing file, a missing list.
        let damage: [&dyn Fn(); 3] = [
            &|| {
                fs::remove_file(folder.join("a")).unwrap();
                fs::write(folder.join("a"), "c".repeat(100_000)).unwrap();
            },
            &|| fs::remove_file(folder.join("b")).unwrap(),
            &|| fs::remove_file(folder.join(LISTING)).unwrap(),
        ];
        for damage in damage {
            damage();
            assert!(entries.list().unwrap()[0].digest.is_err());
            let Slot::Vacant(vacant) = open(&entries, "key", &said) else { panic!("a damaged entry is not used") };
            assert!(said.take()[0].contains("does not hold"));
            make(vacant);
        }
    }

    #[test]
    fn a_failed_build_leaves_nothing() {
        let cache = tempfile::tempdir().unwrap();
        let (entries, said) = (entries(cache.path()), RefCell::default());
        let Slot::Vacant(vacant) = open(&entries, "key", &said) else { panic!("made from nothing") };
        fs::write(vacant.folder().join("a"), "half").unwrap();
        drop(vacant);
        assert_eq!(entries.list().unwrap(), vec![]);
        assert!(!cache.path().join(".building-key").exists());
    }

    #[test]
    fn the_least_recently_used_goes_first_and_what_is_in_use_stays() {
        let cache = tempfile::tempdir().unwrap();
        let (entries, said) = (entries(cache.path()), RefCell::default());
        let mut held = Vec::new();
        for (age, key) in ["oldest", "older", "newest"].into_iter().enumerate() {
            let Slot::Vacant(vacant) = open(&entries, key, &said) else { panic!("made from nothing") };
            held.push(make(vacant));
            let lock = File::options().append(true).open(cache.path().join(format!("{key}.lock"))).unwrap();
            lock.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(age as u64)).unwrap();
        }
        fs::create_dir(cache.path().join(".building-dead")).unwrap();
        // Roughly: how many blocks a file has is the file system's to say, and may change a little.
        let one = entries.list().unwrap().iter().map(|e| e.bytes).max().unwrap();
        assert_eq!(entries.evict(4 * one).unwrap(), Vec::<String>::new(), "within the bound");
        drop(held.remove(1));
        assert_eq!(entries.evict(0).unwrap(), ["older"], "the others are in use");
        assert!(!cache.path().join(".building-dead").exists());
        drop(held);
        assert_eq!(entries.evict(one * 3 / 2).unwrap(), ["oldest"]);
    }
}

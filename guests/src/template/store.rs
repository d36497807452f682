//! Where templates are kept, and one of them.

use super::history::History;
use crate::guest::Captured;
use std::path::Path;
use std::time::Duration;
use vmhealth_images::entries::{Entries, EntryError, EntryFile, Held};

const FILES: &[EntryFile] = &[(RAM, 0o444), (STATE, 0o444), (DISK, 0o444), (SEED, 0o444), (HISTORY, 0o444)];
pub(super) const RAM: &str = "ram";
pub(super) const STATE: &str = "state";
pub(super) const DISK: &str = "disk.qcow2";
pub(super) const SEED: &str = "seed.img";
pub(super) const HISTORY: &str = "history.json";

/// Of all templates together, on disk.
const LIMIT: u64 = 8 << 30;

/// The templates in a cache folder.
#[derive(Debug, Clone)]
pub struct Templates {
    pub(super) entries: Entries,
}

impl Templates {
    /// The templates below the user's cache folder.
    pub fn new(cache: &Path) -> Templates {
        Templates { entries: Entries::new(cache.join("templates"), FILES, "template") }
    }

    /// Whether one is there, as far as can be known without reading it.
    pub fn has(&self, key: &str) -> bool {
        self.entries.has(key)
    }

    /// Makes room; says how many went.
    pub fn evict(&self) -> usize {
        // What cannot be removed now is removed by a later run.
        self.entries.evict(LIMIT).map_or(0, |removed| removed.len())
    }

    /// Removes templates, those longest out of use first, until at most `keep` bytes are left; those in use stay. Says which.
    pub fn prune(&self, keep: u64) -> Result<Vec<String>, EntryError> {
        self.entries.evict(keep)
    }
}

/// A template that was verified when it was opened, and stays as long as this lives.
#[derive(Debug)]
pub struct Template {
    held: Held,
    /// What happened in it.
    pub history: History,
}

impl Template {
    pub(super) fn open(held: Held) -> Result<Template, String> {
        let path = held.folder.join(HISTORY);
        let text = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let history = serde_json::from_slice(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Template { held, history })
    }

    /// Its name in the store.
    pub fn key(&self) -> String {
        self.held.folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// What a fork goes on from, for as long as this lives.
    pub fn captured(&self) -> Captured {
        captured(&self.held.folder, self.history.captured)
    }
}

/// What stands in a template's folder.
pub(super) fn captured(folder: &Path, after: Duration) -> Captured {
    let file = |name| folder.join(name);
    Captured { ram: file(RAM), state: file(STATE), disk: file(DISK), seed: file(SEED), after }
}

//! How long things took last time: a small file in the cache, from which a run's estimates are made.
//!
//! Nothing is decided by it. One that cannot be read is ignored with a word and written anew; one that is too large keeps what
//! was timed last. Several runs may write it: each adds what it has timed itself.

use crate::host::cache_folder;
use crate::lines::tell;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::NamedTempFile;

const NAME: &str = "durations.json";
/// A larger file is not ours.
const LARGEST: u64 = 1 << 20;
/// Names that are kept; the catalogue in a few worlds is some hundreds.
const MOST: usize = 4000;
/// A longer name is cut: it may be that of a user's scenario.
const LONGEST_NAME: usize = 200;
/// Nothing that is timed takes a day.
const A_DAY: f64 = 86_400.0;

/// What is in the file: the name and the seconds, what was timed last at the end.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Table {
    last: Vec<(String, f64)>,
}

/// What is known, and what was timed since.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    file: PathBuf,
    known: Table,
    timed: Vec<(String, f64)>,
}

impl Durations {
    /// Those of this user's cache; where they cannot be read nothing is known, which is said.
    pub(crate) fn open() -> Durations {
        let (durations, complaint) = Durations::read(&cache_folder().join(NAME));
        if let Some(why) = complaint {
            tell(&format!("how long things took last time is not known: {why}; it is noted anew"));
        }
        durations
    }

    /// Those of a file, and what is wrong with it; none is no complaint.
    fn read(file: &Path) -> (Durations, Option<String>) {
        let (known, complaint) = match read(file) {
            Ok(known) => (known, None),
            Err(e) if e.kind() == io::ErrorKind::NotFound => (Table::default(), None),
            Err(e) => (Table::default(), Some(format!("{}: {e}", file.display()))),
        };
        (Durations { file: file.to_owned(), known, timed: Vec::new() }, complaint)
    }

    /// How long it took last time.
    pub(crate) fn last(&self, name: &str) -> Option<Duration> {
        let name = cut(name);
        let all = self.known.last.iter().chain(&self.timed);
        let seconds = all.rev().find(|(known, _)| known == name).map(|(_, seconds)| *seconds)?;
        Some(Duration::from_secs_f64(seconds))
    }

    /// It has taken so long now.
    pub(crate) fn note(&mut self, name: &str, took: Duration) {
        self.timed.push((cut(name).to_owned(), took.as_secs_f64().min(A_DAY)));
    }

    /// Adds what was timed to what is in the file now.
    pub(crate) fn save(&mut self) -> io::Result<()> {
        if self.timed.is_empty() {
            return Ok(());
        }
        let mut table = read(&self.file).unwrap_or_default();
        for (name, seconds) in self.timed.drain(..) {
            table.last.retain(|(known, _)| *known != name);
            table.last.push((name, seconds));
        }
        table.last.drain(..table.last.len().saturating_sub(MOST));
        let folder = self.file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        // Whole or not at all: another run may read it just now.
        let mut new = NamedTempFile::new_in(folder)?;
        new.write_all(&serde_json::to_vec(&table)?)?;
        new.persist(&self.file)?;
        self.known = table;
        Ok(())
    }
}

fn cut(name: &str) -> &str {
    name.char_indices().nth(LONGEST_NAME).map_or(name, |(end, _)| &name[..end])
}

fn read(file: &Path) -> io::Result<Table> {
    let mut text = Vec::new();
    File::open(file)?.take(LARGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("larger than {LARGEST} bytes")));
    }
    let table: Table = serde_json::from_slice(&text)?;
    let strange = table.last.iter().find(|(_, seconds)| !(0.0..=A_DAY).contains(seconds));
    match strange {
        Some((name, seconds)) => Err(io::Error::other(format!("{name:?} took {seconds} s, expected 0 to {A_DAY}"))),
        None => Ok(table),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_noted_is_there_next_time_beside_what_others_noted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cache").join(NAME);
        let (mut one, complaint) = Durations::read(&file);
        assert_eq!((one.last("a"), complaint), (None, None));
        let (mut other, _) = Durations::read(&file);
        one.note("a", 3 * S);
        assert_eq!(one.last("a"), Some(3 * S), "before it is saved, too");
        one.save().unwrap();
        other.note("b", 5 * S);
        other.note("b", 4 * S);
        other.save().unwrap();
        let (mut again, _) = Durations::read(&file);
        assert_eq!([again.last("a"), again.last("b")], [Some(3 * S), Some(4 * S)]);
        let many = MOST + 10;
        (0..many).for_each(|i| again.note(&format!("{i}{}", "x".repeat(LONGEST_NAME)), S));
        again.save().unwrap();
        let (bounded, complaint) = Durations::read(&file);
        assert_eq!((bounded.known.last.len(), complaint), (MOST, None));
        assert_eq!(bounded.last("a"), None, "the oldest go first");
    }

    #[test]
    fn a_damaged_file_is_named_ignored_and_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(NAME);
        let check = |text: &[u8], expected: &str| {
            std::fs::write(&file, text).unwrap();
            let (mut durations, complaint) = Durations::read(&file);
            let complaint = complaint.unwrap_or_default();
            assert!(complaint.contains(expected) && complaint.contains(NAME), "{expected}: {complaint}");
            assert_eq!(durations.last("a"), None);
            durations.note("a", S);
            durations.save().unwrap();
            assert_eq!(Durations::read(&file).0.last("a"), Some(S));
        };
        check(b"{\"last\": [[\"a\"", "EOF");
        check(b"\xff\xfe", "expected");
        check(b"{\"last\": [[\"a\", -1.0]]}", "took -1 s");
        check(b"{\"last\": [[\"a\", 1e300]]}", "expected 0 to 86400");
        check(&vec![b' '; 2 << 20], "larger than");
    }
}

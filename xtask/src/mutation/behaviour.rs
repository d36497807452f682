//! Faults described by what a user would suffer (`tests/mutants.yaml`), and how one is made in a crate's sources.
//!
//! A fault names its crate, not its file, and its text is searched without regard to whitespace: code may move to another file
//! and be wrapped in another way, and the fault stays. What it must do is occur exactly once in the crate's sources.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Mutant {
    /// A few words, as a name.
    pub name: String,
    /// What would be wrong for a user, in a sentence.
    pub behaviour: String,
    /// The crate's folder.
    #[serde(rename = "in")]
    pub krate: String,
    /// The text that is replaced; occurs once in the crate's sources.
    pub find: String,
    /// The text that replaces it.
    pub replace: String,
    /// The scenario or the test that notices it, where that needs QEMU; it is not tried here then.
    #[serde(default)]
    pub needs_qemu: Option<String>,
}

/// Where a fault is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The file.
    pub file: PathBuf,
    /// Its text with the fault in it.
    pub mutated: String,
}

/// Rust files and their texts.
pub type Sources = BTreeMap<PathBuf, String>;

/// Reads the faults of these sources.
pub fn read(root: &Path) -> Result<Vec<Mutant>, String> {
    let file = root.join("tests/mutants.yaml");
    let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    vmhealth_sim::yaml::read(&text).map_err(|e| format!("{}:{e}", file.display()))
}

/// The Rust files of a crate.
pub fn sources(root: &Path, krate: &str) -> Result<Sources, String> {
    let mut found = Sources::new();
    let mut folders = vec![root.join(krate).join("src")];
    while let Some(folder) = folders.pop() {
        let at = |e: std::io::Error| format!("{}: {e}", folder.display());
        for entry in fs::read_dir(&folder).map_err(at)? {
            let path = entry.map_err(at)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).map_err(at)?;
                found.insert(path, text);
            }
        }
    }
    Ok(found)
}

impl Mutant {
    /// Where the fault is made.
    pub fn site(&self, sources: &Sources) -> Result<Site, String> {
        let mut places = Vec::new();
        for (file, text) in sources {
            places.extend(occurrences(text, &self.find).into_iter().map(|range| (file, text, range)));
        }
        match places.as_slice() {
            [(file, text, range)] => {
                let mut mutated = (*text).clone();
                mutated.replace_range(range.clone(), &self.replace);
                Ok(Site { file: (*file).clone(), mutated })
            }
            [] => Err(format!("{}: its text is nowhere in {}", self.name, self.krate)),
            more => {
                let files: Vec<String> = more.iter().map(|(file, ..)| file.display().to_string()).collect();
                Err(format!("{}: its text occurs {} times: {}", self.name, files.len(), files.join(", ")))
            }
        }
    }
}

/// Where `wanted` occurs, whitespace apart.
fn occurrences(text: &str, wanted: &str) -> Vec<std::ops::Range<usize>> {
    let dense: Vec<(usize, char)> = text.char_indices().filter(|(_, c)| !c.is_whitespace()).collect();
    let wanted: Vec<char> = wanted.chars().filter(|c| !c.is_whitespace()).collect();
    let (Some(first), true) = (wanted.first(), wanted.len() <= dense.len()) else { return Vec::new() };
    let begins =
        |at: &usize| dense[*at].1 == *first && dense[*at..].iter().map(|(_, c)| c).take(wanted.len()).eq(&wanted);
    let range = |at: usize| {
        let (last, c) = dense[at + wanted.len() - 1];
        dense[at].0..last + c.len_utf8()
    };
    (0..=dense.len() - wanted.len()).filter(begins).map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    #[test]
    fn every_mutant_can_be_made() {
        let mutants = read(root()).unwrap();
        assert!(mutants.len() >= 25);
        let crates: BTreeSet<&str> = mutants.iter().map(|m| m.krate.as_str()).collect();
        let crates: BTreeMap<&str, Sources> = crates.into_iter().map(|k| (k, sources(root(), k).unwrap())).collect();
        for mutant in &mutants {
            let sources = &crates[mutant.krate.as_str()];
            let site = mutant.site(sources).unwrap();
            assert_ne!(site.mutated, sources[&site.file], "{}", mutant.name);
            assert!(mutant.behaviour.ends_with('.') && mutant.behaviour.len() > 40, "{}", mutant.name);
        }
        let names: BTreeSet<&str> = mutants.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names.len(), mutants.len(), "two mutants have one name");
    }

    /// A mutant that nobody tries here names a test that is there.
    #[test]
    fn what_notices_the_others_is_there() {
        for mutant in read(root()).unwrap() {
            let Some(by) = mutant.needs_qemu else { continue };
            let there = match by.split_once("::") {
                Some((file, test)) => {
                    fs::read_to_string(root().join(file)).is_ok_and(|t| t.contains(&format!("fn {test}(")))
                }
                None => root().join("tests/scenarios").join(format!("{}.yaml", by.replace('/', "."))).exists(),
            };
            assert!(there, "{}: {by}", mutant.name);
        }
    }

    #[test]
    fn a_fault_is_found_wherever_it_moved() {
        let mutant = Mutant {
            name: "m".into(),
            behaviour: String::new(),
            krate: "sim".into(),
            find: "if a < b { c(d) }".into(),
            replace: "{}".into(),
            needs_qemu: None,
        };
        for (texts, expected) in [
            (["fn f() { if a < b { c(d) } }", ""], Ok("fn f() { {} }")),
            (["", "fn f() {\n    if a\n        < b {\n        c(d)\n    }\n}"], Ok("fn f() {\n    {}\n}")),
            (["if a <= b { c(d) }", ""], Err("m: its text is nowhere in sim")),
            (["if a<b{c(d)}", "é if a < b { c(d) }"], Err("m: its text occurs 2 times: 0, 1")),
        ] {
            let files = texts.iter().enumerate().map(|(i, text)| (PathBuf::from(i.to_string()), (*text).to_owned()));
            let found = mutant.site(&files.collect()).map(|site| site.mutated);
            assert_eq!(found.as_deref().map_err(String::as_str), expected);
        }
    }
}

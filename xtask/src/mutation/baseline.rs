//! The mutants of `sim` that survive and why that is right (`tests/mutants-baseline.yaml`), held against what did survive.
//!
//! An entry names a mutant as cargo-mutants does, without line and column: code may move inside its file, and the file may be
//! renamed. A mutant that occurs twice in a function and survives twice is listed twice. Nothing is said of mutants that were not
//! tried, so that a part of them can be.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A mutant's name without its place in the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// From the root of the sources.
    pub file: String,
    /// Such as `replace < with <= in Worker::count`.
    pub mutation: String,
}

impl Name {
    /// Reads `sim/src/time.rs:12:5: replace + with - in Time::add`.
    pub fn of(full: &str) -> Option<Name> {
        let (place, mutation) = full.split_once(": ")?;
        let mut parts = place.rsplitn(3, ':');
        let (column, line, file) = (parts.next()?, parts.next()?, parts.next()?);
        let is_number = |text: &str| text.parse::<u32>().is_ok();
        (is_number(column) && is_number(line)).then(|| Name { file: file.to_owned(), mutation: mutation.to_owned() })
    }
}

/// How many mutants have a name.
pub type Counts = BTreeMap<Name, usize>;

/// Mutants by name.
pub fn count(names: impl IntoIterator<Item = Name>) -> Counts {
    let mut counts = Counts::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    counts
}

/// Survivors of one file with one reason.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explained {
    /// The file, from the root of the sources.
    pub file: String,
    /// Their names without the file.
    pub mutants: Vec<String>,
    /// Why nothing is missing.
    pub reason: String,
}

/// Reads the baseline of these sources.
pub fn read(root: &Path) -> Result<Vec<Explained>, String> {
    let file = root.join("tests/mutants-baseline.yaml");
    let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    vmhealth_sim::yaml::read(&text).map_err(|e| format!("{}:{e}", file.display()))
}

/// What came of a run of cargo-mutants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// All mutants that there are.
    pub all: Counts,
    /// Those that were tried, and could be built.
    pub tried: Counts,
    /// Those that no test noticed.
    pub survived: Counts,
}

/// Where baseline and survivors differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// More survive than are explained.
    Unexplained(Name),
    /// It is explained and does not survive any more.
    Gone(Name),
    /// It is explained and there is none of this name.
    Unknown(Name),
}

/// Compares them. An entry counts as gone only when all mutants of its name were tried; a part of the mutants proves nothing else.
pub fn compare(baseline: &[Explained], survey: &Survey) -> Vec<Difference> {
    let files: BTreeSet<&str> = survey.all.keys().map(|name| name.file.as_str()).collect();
    let names = baseline.iter().flat_map(|entry| {
        entry.mutants.iter().map(|mutation| Name { file: entry.file.clone(), mutation: mutation.clone() })
    });
    let explained =
        count(names.map(|name| if files.contains(name.file.as_str()) { name } else { moved(name, survey) }));
    let of = |counts: &Counts, name: &Name| counts.get(name).copied().unwrap_or(0);
    let mut differences = Vec::new();
    for (name, survived) in &survey.survived {
        let more = survived.saturating_sub(of(&explained, name));
        differences.extend((0..more).map(|_| Difference::Unexplained(name.clone())));
    }
    for (name, explained) in &explained {
        let all = of(&survey.all, name);
        if all == 0 {
            differences.push(Difference::Unknown(name.clone()));
        } else if of(&survey.tried, name) == all {
            let fewer = explained.saturating_sub(of(&survey.survived, name));
            differences.extend((0..fewer).map(|_| Difference::Gone(name.clone())));
        }
    }
    differences
}

/// The same mutant in another file, if there is just one such file.
fn moved(name: Name, survey: &Survey) -> Name {
    let mut same = survey.all.keys().filter(|other| other.mutation == name.mutation);
    match (same.next(), same.next()) {
        (Some(only), None) => only.clone(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(file: &str, mutation: &str) -> Name {
        Name { file: file.into(), mutation: mutation.into() }
    }

    #[test]
    fn names_lose_their_place() {
        let kept = name("sim/src/time.rs", "replace < with <= in Time::since: u64");
        assert_eq!(Name::of("sim/src/time.rs:12:5: replace < with <= in Time::since: u64"), Some(kept));
        for not_one in ["sim/src/time.rs: replace", "sim/src/time.rs:x:5: replace", "no colon", ""] {
            assert_eq!(Name::of(not_one), None, "{not_one}");
        }
    }

    /// `m` is there twice in `a.rs`, `n` once in `b.rs`.
    #[test]
    fn only_what_is_explained_may_survive_and_must() {
        use Difference::{Gone, Unexplained, Unknown};
        let (m, n) = (name("a.rs", "m"), name("b.rs", "n"));
        let all = || vec![m.clone(), m.clone(), n.clone()];
        /// The baseline, what was tried, what survived of it, and what is said of that.
        type Case = (&'static [(&'static str, &'static [&'static str])], Vec<Name>, Vec<Name>, Vec<Difference>);
        let cases: [Case; 11] = [
            (&[], all(), vec![], vec![]),
            (&[], all(), vec![n.clone()], vec![Unexplained(n.clone())]),
            (&[("a.rs", &["m"])], all(), vec![m.clone()], vec![]),
            (&[("a.rs", &["m"])], all(), vec![m.clone(), m.clone()], vec![Unexplained(m.clone())]),
            (&[("a.rs", &["m", "m"])], all(), vec![m.clone()], vec![Gone(m.clone())]),
            (&[("a.rs", &["m"])], all(), vec![], vec![Gone(m.clone())]),
            // A part of the mutants was tried: nothing is known of the others.
            (&[("a.rs", &["m"])], vec![m.clone(), n.clone()], vec![], vec![]),
            (&[("a.rs", &["m"])], vec![n.clone()], vec![n.clone()], vec![Unexplained(n.clone())]),
            // The file has another name now.
            (&[("old.rs", &["n"])], all(), vec![n.clone()], vec![]),
            (&[("old.rs", &["gone"])], all(), vec![], vec![Unknown(name("old.rs", "gone"))]),
            (&[("a.rs", &["n"])], all(), vec![n.clone()], vec![Unexplained(n.clone()), Unknown(name("a.rs", "n"))]),
        ];
        for (i, (baseline, tried, survived, expected)) in cases.into_iter().enumerate() {
            let explained = |(file, mutants): &(&str, &[&str])| Explained {
                file: (*file).to_owned(),
                mutants: mutants.iter().map(|m| (*m).to_owned()).collect(),
                reason: "a reason".into(),
            };
            let baseline: Vec<Explained> = baseline.iter().map(explained).collect();
            let survey = Survey { all: count(all()), tried: count(tried), survived: count(survived) };
            assert_eq!(compare(&baseline, &survey), expected, "case {i}");
        }
    }

    #[test]
    fn every_entry_has_its_reason_and_file() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for entry in read(root).unwrap() {
            let names = entry.mutants.join(", ");
            assert!(entry.reason.ends_with('.') && entry.reason.len() > 20, "{names}");
            assert!(root.join(&entry.file).is_file(), "{}: {names}", entry.file);
        }
    }
}

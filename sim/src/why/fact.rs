//! What was found in the evidence: facts, what says nothing about health, and what could not be read.

use super::clock::When;
use super::sign::{Sign, Source};
use std::collections::{BTreeMap, BTreeSet};

/// Of a text of the evidence so many characters are kept.
const KEPT: usize = 240;
/// So many facts are kept of one sign; more are counted.
const PLACES: usize = 3;
/// So many unread lines are kept; more are counted.
const SHOWN: usize = 20;

/// A sign that was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// What it shows.
    pub sign: Sign,
    /// When it was first seen.
    pub when: Option<When>,
    /// The evidence's file, as it was named.
    pub file: String,
    /// The line in it, from 1.
    pub line: u64,
    /// What stands there, shortened.
    pub text: String,
    /// How often it was seen.
    pub times: u64,
    /// Where else, as `file:line`: the first of them.
    pub also: Vec<String>,
    /// How many more places there are.
    pub also_more: usize,
}

/// What could not be read, or not be understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Unread {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// What stands there, shortened.
    pub text: String,
}

/// A VM among those of a cluster; what is empty is not known, and nothing is told apart by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Whose<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
}

impl Whose<'_> {
    /// Whether something of that namespace can be its own; empty: it says none.
    pub(super) fn is_in(self, namespace: &str) -> bool {
        self.namespace.is_empty() || namespace.is_empty() || self.namespace == namespace
    }
}

/// All that was found.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Each sign once, in the order in which they were found.
    pub facts: Vec<Fact>,
    /// What there is evidence of.
    pub covered: BTreeSet<Source>,
    /// Lines and objects that were understood and say nothing of what happened.
    pub idle: usize,
    /// Events and objects of other VMs.
    pub others: usize,
    /// How many lines and objects were not understood.
    pub unread: usize,
    /// The first of them.
    pub unread_shown: Vec<Unread>,
    /// The namespaces of what was taken for the VM's: more than one, and it is two VMs' of one name.
    pub namespaces: BTreeSet<String>,
    /// The VM's nodes.
    pub(super) nodes: BTreeSet<String>,
    pub(super) known: Known,
}

/// The events that were read, so that one that is in two files counts once.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// How often each was counted, by what it is known by: a UID, or what it says of which object at which time.
    named: BTreeMap<String, u64>,
    /// By what an event says: how often it is there in each file, those with names together as the file "".
    files: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Known {
    /// How many of its `times` are news. `says`: reason and message; `names`: none in a table, whose times are ages.
    pub(super) fn news(&mut self, says: &str, names: &[String], file: &str, times: u64) -> u64 {
        let before = names.iter().filter_map(|name| self.named.get(name)).max().copied();
        for name in names {
            let counted = self.named.entry(name.clone()).or_default();
            *counted = times.max(*counted);
        }
        if let Some(before) = before {
            return times.saturating_sub(before);
        }
        let files = self.files.entry(says.to_owned()).or_default();
        let most = files.values().max().copied().unwrap_or(0);
        let here = files.entry(if names.is_empty() { file.to_owned() } else { String::new() }).or_default();
        *here += 1;
        if *here > most { times } else { 0 }
    }
}

/// A place in the evidence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) line: u64,
}

impl Facts {
    /// Whether it was seen.
    pub fn find(&self, sign: Sign) -> Option<&Fact> {
        self.facts.iter().find(|f| f.sign == sign)
    }

    /// Adds a fact, or one more place to the one that is there; the earliest time counts.
    pub(super) fn add(&mut self, sign: Sign, when: Option<When>, place: Place<'_>, text: &str, times: u64) {
        let Some(known) = self.facts.iter_mut().find(|f| f.sign == sign) else {
            let (file, text) = (place.file.to_owned(), shorten(text));
            self.facts.push(Fact { sign, when, file, line: place.line, text, times, also: Vec::new(), also_more: 0 });
            return;
        };
        known.times = known.times.saturating_add(times);
        let earlier = known.when.zip(when).is_some_and(|(first, other)| other.since(first).is_some_and(|s| s < 0));
        let mut also = (place.file.to_owned(), place.line);
        if earlier || known.when.is_none() && when.is_some() {
            known.when = when;
            known.text = shorten(text);
            std::mem::swap(&mut known.file, &mut also.0);
            std::mem::swap(&mut known.line, &mut also.1);
        }
        if known.also.len() < PLACES {
            known.also.push(format!("{}:{}", also.0, also.1));
        } else {
            known.also_more += 1;
        }
    }

    /// Something of that namespace counts as the VM's.
    pub(super) fn is_from(&mut self, namespace: &str) {
        if !namespace.is_empty() && !self.namespaces.contains(namespace) {
            self.namespaces.insert(namespace.to_owned());
        }
    }

    /// Counts what was not understood, and keeps the first of it.
    pub(super) fn not_read(&mut self, place: Place<'_>, text: &str) {
        self.unread += 1;
        if self.unread_shown.len() < SHOWN {
            let unread = Unread { file: place.file.to_owned(), line: place.line, text: shorten(text) };
            self.unread_shown.push(unread);
        }
    }
}

fn shorten(text: &str) -> String {
    let text = text.trim();
    let mut kept: String = text.chars().take(KEPT).collect();
    if kept.len() < text.len() {
        kept.push_str(" ...");
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::why::{Sign, When};

    #[test]
    fn the_earliest_has_the_place() {
        let mut facts = Facts::default();
        for (line, when) in [(1, 30), (2, 10), (3, 20), (4, 20), (5, 20)] {
            facts.add(Sign::Killing, Some(When::Clock(when)), Place { file: "f", line }, &line.to_string(), 1);
        }
        let fact = &facts.facts[0];
        assert_eq!((fact.line, fact.text.as_str(), fact.when, fact.times), (2, "2", Some(When::Clock(10)), 5));
        assert_eq!((fact.also.join(" ").as_str(), fact.also_more), ("f:1 f:3 f:4", 1));
    }
}

//! What was found in the evidence: facts, what says nothing about health, and what could not be read.

use super::clock::When;
use super::sign::{Sign, Source};
use std::collections::BTreeSet;

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
    /// Where else, as `file:line`.
    pub also: Vec<String>,
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
            self.facts.push(Fact { sign, when, file, line: place.line, text, times, also: Vec::new() });
            return;
        };
        known.times = known.times.saturating_add(times);
        if known.also.len() < PLACES {
            known.also.push(format!("{}:{}", place.file, place.line));
        }
        known.when = match (known.when, when) {
            (Some(first), Some(other)) if other.since(first).is_some_and(|s| s < 0) => Some(other),
            (first, other) => first.or(other),
        };
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

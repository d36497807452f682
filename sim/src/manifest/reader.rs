//! A cursor over the YAML tree that knows its field path and remembers what was read.
//!
//! Nulls are dropped before anything looks (kubevirt-health.md 2.1). What no decoder asked for is the list of fields
//! that vmhealth does not act on.

use super::problem::{Problem, Severity};
use crate::yaml::{Node, Pos, Value};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// What a decoder leaves behind: problems, and the paths it used.
pub(super) struct Notes {
    file: String,
    problems: RefCell<Vec<Problem>>,
    used: RefCell<BTreeSet<String>>,
}

impl Notes {
    pub(super) fn new(file: &str) -> Self {
        Notes { file: file.to_owned(), problems: RefCell::default(), used: RefCell::default() }
    }

    pub(super) fn report(&self, severity: Severity, pos: Pos, path: &str, message: impl Into<String>) {
        let problem =
            Problem { severity, file: self.file.clone(), pos, path: path.to_owned(), message: message.into() };
        self.problems.borrow_mut().push(problem);
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// The highest paths below `node` of which nothing was used.
    pub(super) fn unused(&self, node: &Node) -> Vec<(String, Pos)> {
        let mut found = Vec::new();
        self.collect_unused(node, "", &mut found);
        found
    }

    fn collect_unused(&self, node: &Node, path: &str, found: &mut Vec<(String, Pos)>) {
        for (child_path, pos, child) in children(node, path) {
            if child.value == Value::Null {
                continue;
            }
            let used = self.used.borrow();
            let inside = |p: &String| {
                p.len() > child_path.len()
                    && p.starts_with(&child_path)
                    && !is_name_byte(p.as_bytes()[child_path.len()])
            };
            let any_inside = used.range(child_path.clone()..).take_while(|p| p.starts_with(&child_path)).any(inside);
            let itself = used.contains(&child_path);
            drop(used);
            match (itself, any_inside) {
                (true, _) if children(child, &child_path).is_empty() => {}
                (true, _) | (false, true) => self.collect_unused(child, &child_path, found),
                (false, false) => found.push((child_path, pos)),
            }
        }
    }
}

fn is_name_byte(b: u8) -> bool {
    b != b'.' && b != b'['
}

fn children<'a>(node: &'a Node, path: &str) -> Vec<(String, Pos, &'a Node)> {
    match &node.value {
        Value::Map(entries) => entries.iter().map(|(k, v)| (join(path, &k.name), k.pos, v)).collect(),
        Value::Seq(items) => items.iter().enumerate().map(|(i, v)| (format!("{path}[{i}]"), v.pos, v)).collect(),
        _ => Vec::new(),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A node, its path, and the notes.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    pub(super) node: &'a Node,
    pub(super) path: String,
    pub(super) notes: &'a Notes,
}

impl<'a> Cursor<'a> {
    pub(super) fn root(node: &'a Node, notes: &'a Notes) -> Self {
        Cursor { node, path: String::new(), notes }
    }

    pub(super) fn error(&self, message: impl Into<String>) {
        self.notes.report(Severity::Error, self.node.pos, &self.path, message);
    }

    pub(super) fn warn(&self, message: impl Into<String>) {
        self.notes.report(Severity::Warning, self.node.pos, &self.path, message);
    }

    fn used(&self) {
        self.notes.used.borrow_mut().insert(self.path.clone());
    }

    fn mismatch(&self, expected: &str) {
        self.error(format!("expected {expected}, found {}", self.node.value.kind()));
    }

    /// The member `key`, if it is there and not null.
    pub(super) fn get(&self, key: &str) -> Option<Cursor<'a>> {
        match &self.node.value {
            Value::Map(entries) => {
                let (_, node) = entries.iter().find(|(k, v)| k.name == key && v.value != Value::Null)?;
                Some(Cursor { node, path: join(&self.path, key), notes: self.notes })
            }
            _ => {
                self.mismatch("a mapping");
                None
            }
        }
    }

    /// The member reached by a dotted path of keys.
    pub(super) fn at(&self, dotted: &str) -> Option<Cursor<'a>> {
        dotted.split('.').try_fold(self.clone(), |c, key| c.get(key))
    }

    /// Marks an object that means something by being there (`guestAgentPing: {}`).
    pub(super) fn present(&self) {
        self.used();
        if !matches!(self.node.value, Value::Map(_)) {
            self.mismatch("a mapping, possibly empty: {}");
        }
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Vec<Cursor<'a>> {
        match &self.node.value {
            Value::Seq(items) => items
                .iter()
                .enumerate()
                .map(|(i, node)| Cursor { node, path: format!("{}[{i}]", self.path), notes: self.notes })
                .collect(),
            _ => {
                self.mismatch("a list");
                Vec::new()
            }
        }
    }

    /// A text. Unquoted numbers and booleans are not text to Kubernetes.
    pub(super) fn text(&self) -> Option<String> {
        self.used();
        match &self.node.value {
            Value::Str(s) => Some(s.clone()),
            _ => {
                self.mismatch("a text");
                None
            }
        }
    }

    /// A whole number of 32 bits.
    pub(super) fn int32(&self) -> Option<i32> {
        let n = self.int64()?;
        i32::try_from(n).map_err(|_| self.error(format!("{n} does not fit an int32"))).ok()
    }

    /// A whole number of 64 bits.
    pub(super) fn int64(&self) -> Option<i64> {
        self.used();
        match &self.node.value {
            Value::Int(n) => Some(*n),
            _ => {
                self.mismatch("a whole number");
                None
            }
        }
    }

    /// A boolean.
    pub(super) fn boolean(&self) -> Option<bool> {
        self.used();
        match &self.node.value {
            Value::Bool(b) => Some(*b),
            _ => {
                self.mismatch("true or false");
                None
            }
        }
    }

    /// A number or a text, as text: quantities and int-or-string ports.
    pub(super) fn scalar(&self) -> Option<Scalar> {
        self.used();
        match &self.node.value {
            Value::Int(n) => Some(Scalar::Int(*n)),
            Value::Str(s) => Some(Scalar::Text(s.clone())),
            Value::Float(x) => Some(Scalar::Text(x.to_string())),
            _ => {
                self.mismatch("a number or a text");
                None
            }
        }
    }

    /// One of the given words, case-sensitive.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = words.iter().find(|(w, _)| *w == text).map(|(_, t)| *t);
        if found.is_none() {
            let list: Vec<&str> = words.iter().map(|(w, _)| *w).collect();
            self.error(format!("{text:?} is not one of {}", list.join(", ")));
        }
        found
    }
}

/// A number or a text.
pub(super) enum Scalar {
    Int(i64),
    Text(String),
}

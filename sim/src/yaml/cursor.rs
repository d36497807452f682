//! A cursor over a YAML tree: one node, the way to it, and getters of the types a manifest can have.
//!
//! Two readers share it. A decoder reads with the cursor of a [`Record`]: what it reads counts as used, and a value of the wrong type
//! becomes a problem. Rules look around with a cursor that leaves no trace. Members that are null are not there, unless somebody
//! asks for them (sim/docs/kubevirt-health.md 2.1). It must not know what any field means.

use super::layout::{Document, Entry, Step};
use super::node::{ByteSpan, Key, Node, Pos, Value};
use super::problem::{Problem, Severity};
use super::record::{Record, Remark};

/// One node of a [`Document`], seen from the object that it belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    entries: &'a [Entry<'a>],
    /// Paths begin below it.
    root: usize,
    at: usize,
    /// Where a decoder leaves what it did; `None`: it leaves no trace.
    record: Option<&'a Record>,
}

impl<'a> Cursor<'a> {
    /// A whole document, for a reader that leaves no trace.
    pub fn new(document: &'a Document<'a>) -> Cursor<'a> {
        Cursor { entries: &document.entries, root: 0, at: 0, record: None }
    }

    /// The same node for a decoder.
    pub fn recording(self, record: &'a Record) -> Cursor<'a> {
        Cursor { record: Some(record), ..self }
    }

    fn entry(self) -> &'a Entry<'a> {
        &self.entries[self.at]
    }

    fn to(self, at: usize) -> Cursor<'a> {
        Cursor { at, ..self }
    }

    /// The same node for a reader that leaves no trace.
    pub fn quiet(self) -> Cursor<'a> {
        Cursor { record: None, ..self }
    }

    /// The same node as an object of its own: paths begin below it.
    pub fn object(self) -> Cursor<'a> {
        Cursor { root: self.at, ..self }
    }

    /// The node.
    pub fn node(self) -> &'a Node {
        self.entry().node
    }

    /// What it holds.
    pub fn value(self) -> &'a Value {
        &self.node().value
    }

    /// Its path, `spec.template.spec.volumes[0].name`; empty at the root.
    pub fn path(self) -> String {
        match self.entry().step {
            _ if self.at == self.root => String::new(),
            Step::Root => String::new(),
            Step::Member(key) | Step::Overridden(key) => join(self.to(self.entry().parent).path(), &key.name),
            Step::Item(i) => format!("{}[{i}]", self.to(self.entry().parent).path()),
        }
    }

    /// Where a reader should look for it: at a value, or at the key of what holds others or nothing.
    fn spot(self) -> (Pos, ByteSpan) {
        let node = self.node();
        match self.entry().step {
            Step::Overridden(key) => (key.pos, key.span),
            Step::Member(key) if self.at != self.root && !node.value.has_text() => (key.pos, key.span),
            _ => (node.pos, node.span),
        }
    }

    /// The place of a dotted path below, of which not all need be there.
    pub fn place(self, path: &str) -> Place<'a> {
        let (mut at, mut rest) = (self.quiet(), path);
        while !rest.is_empty() {
            let (key, behind) = rest.split_once('.').unwrap_or((rest, ""));
            let Some(next) = at.get(key) else { break };
            (at, rest) = (next, behind);
        }
        Place { at, missing: rest.to_owned() }
    }

    /// The entries directly below.
    fn below(self) -> impl Iterator<Item = Cursor<'a>> {
        let (end, mut next) = (self.entry().end, self.at + 1);
        std::iter::from_fn(move || {
            let at = next;
            (at < end).then(|| {
                next = self.entries[at].end;
                self.to(at)
            })
        })
    }

    /// The members of a mapping that are not null.
    pub fn members(self) -> impl Iterator<Item = (&'a Key, Cursor<'a>)> {
        self.all_members().filter(|(_, c)| *c.value() != Value::Null)
    }

    /// The members of a mapping, also those that are null.
    pub fn all_members(self) -> impl Iterator<Item = (&'a Key, Cursor<'a>)> {
        self.below().filter_map(|c| match c.entry().step {
            Step::Member(key) => Some((key, c)),
            Step::Root | Step::Item(_) | Step::Overridden(_) => None,
        })
    }

    /// What is anywhere below and does not count, because its key comes again.
    pub fn overridden(self) -> impl Iterator<Item = Cursor<'a>> {
        let all = (self.at..self.entry().end).map(move |at| self.to(at));
        all.filter(|c| matches!(c.entry().step, Step::Overridden(_)))
    }

    /// The member `key`, if it is there and not null.
    pub fn get(self, key: &str) -> Option<Cursor<'a>> {
        match self.value() {
            Value::Map(_) => self.members().find(|(k, _)| k.name == key).map(|(_, c)| c),
            _ => self.mismatch("a mapping"),
        }
    }

    /// The member reached by a dotted path of keys.
    pub fn at(self, path: &str) -> Option<Cursor<'a>> {
        path.split('.').try_fold(self, Cursor::get)
    }

    /// The items of a list; none of anything else.
    pub fn items(self) -> impl Iterator<Item = Cursor<'a>> {
        let is_list = matches!(self.value(), Value::Seq(_));
        if !is_list {
            self.mismatch::<()>("a list");
        }
        self.below().filter(move |_| is_list)
    }

    /// The items of the list at a dotted path; none if it is not there.
    pub fn items_at(self, path: &str) -> impl Iterator<Item = Cursor<'a>> {
        self.at(path).into_iter().flat_map(Cursor::items)
    }

    /// Marks an object that means something by being there (`guestAgentPing: {}`).
    pub fn present(self) {
        self.mark();
        if !matches!(self.value(), Value::Map(_)) {
            self.mismatch::<()>("a mapping, possibly empty: {}");
        }
    }

    /// A text. Unquoted numbers and booleans are not text to Kubernetes.
    pub fn text(self) -> Option<&'a str> {
        self.mark();
        match self.value() {
            Value::Str(s) => Some(s),
            _ => self.mismatch("a text"),
        }
    }

    /// The text at a dotted path.
    pub fn text_at(self, path: &str) -> Option<&'a str> {
        self.at(path)?.text()
    }

    /// A whole number of 32 bits.
    pub fn int32(self) -> Option<i32> {
        let n = self.int64()?;
        i32::try_from(n).map_err(|_| self.error(format!("{n} does not fit an int32"))).ok()
    }

    /// A whole number of 64 bits.
    pub fn int64(self) -> Option<i64> {
        self.mark();
        match self.value() {
            Value::Int(n) => Some(*n),
            _ => self.mismatch("a whole number"),
        }
    }

    /// A boolean.
    pub fn boolean(self) -> Option<bool> {
        self.mark();
        match self.value() {
            Value::Bool(b) => Some(*b),
            _ => self.mismatch("true or false"),
        }
    }

    /// A number or a text: quantities and int-or-string ports.
    pub fn scalar(self) -> Option<Scalar> {
        self.mark();
        match self.value() {
            Value::Int(n) => Some(Scalar::Int(*n)),
            Value::Str(s) => Some(Scalar::Text(s.clone())),
            Value::Float(x) => Some(Scalar::Text(x.to_string())),
            _ => self.mismatch("a number or a text"),
        }
    }

    /// One of the given words, case-sensitive.
    pub fn word<T: Copy>(self, words: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = words.iter().find(|(w, _)| *w == text).map(|(_, t)| *t);
        if found.is_none() {
            let list: Vec<&str> = words.iter().map(|(w, _)| *w).collect();
            self.error(format!("{text:?} is not one of {}", list.join(", ")));
        }
        found
    }

    /// Says what makes the document useless.
    pub fn error(self, message: impl Into<String>) {
        self.remark(Severity::Error, message);
    }

    /// Says what the reader should know.
    pub fn warn(self, message: impl Into<String>) {
        self.remark(Severity::Warning, message);
    }

    fn remark(self, severity: Severity, message: impl Into<String>) {
        if let Some(record) = self.record {
            record.remarks.borrow_mut().push(Remark { severity, at: self.at, message: message.into() });
        }
    }

    fn mark(self) {
        if let Some(record) = self.record {
            record.used.borrow_mut().push(self.at);
        }
    }

    fn mismatch<T>(self, expected: &str) -> Option<T> {
        if self.record.is_some() {
            self.error(format!("expected {expected}, found {}", self.value().kind()));
        }
        None
    }
}

/// What a decoder left behind of the object at its cursor.
impl<'a> Cursor<'a> {
    fn remarks<T>(self, of: impl Fn(Cursor<'a>, &Remark) -> Option<T>) -> Vec<T> {
        let remarks = self.record.map(|record| record.remarks.borrow());
        remarks.iter().flat_map(|list| list.iter()).filter_map(|r| of(self.quiet().to(r.at), r)).collect()
    }

    /// What was found wrong, in a file of that name.
    pub fn problems(self, file: &str) -> Vec<Problem> {
        self.remarks(|at, Remark { severity, message, .. }| {
            let (file, message) = (file.to_owned(), message.clone());
            Some(Problem { severity: *severity, file, pos: at.node().pos, path: at.path(), message })
        })
    }

    /// The errors among it, with their places.
    pub fn errors(self) -> Vec<(Place<'a>, String)> {
        self.remarks(|at, r| (r.severity == Severity::Error).then(|| (at.into(), r.message.clone())))
    }

    /// The highest nodes of which nothing was used: path and position.
    pub fn unused(self) -> Vec<(String, Pos)> {
        let Some(record) = self.record else { return Vec::new() };
        let mut touched = vec![false; self.entry().end - self.at];
        record.used.borrow().iter().for_each(|at| touched[at - self.at] = true);
        for i in (1..touched.len()).rev() {
            let parent = self.entries[self.at + i].parent - self.at;
            touched[parent] |= touched[i];
        }
        let (mut found, mut i) = (Vec::new(), 1);
        while i < touched.len() {
            let at = self.to(self.at + i);
            if touched[i] {
                i += 1;
            } else {
                match at.entry().step {
                    _ if *at.value() == Value::Null => {}
                    Step::Overridden(_) => {}
                    Step::Member(key) => found.push((at.path(), key.pos)),
                    Step::Root | Step::Item(_) => found.push((at.path(), at.node().pos)),
                }
                i = at.entry().end - self.at;
            }
        }
        found
    }
}

/// A number or a text.
pub enum Scalar {
    /// A whole number.
    Int(i64),
    /// A text, or a number with a fraction as text.
    Text(String),
}

/// A place in a document that something is said about: a node, or what is missing below it.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    at: Cursor<'a>,
    /// The rest of the dotted path.
    missing: String,
}

impl<'a> Place<'a> {
    /// The node, if it is there.
    pub fn there(&self) -> Option<Cursor<'a>> {
        self.missing.is_empty().then_some(self.at)
    }

    /// The whole path.
    pub fn path(&self) -> String {
        if self.missing.is_empty() { self.at.path() } else { join(self.at.path(), &self.missing) }
    }

    /// Where a reader should look: of what is missing, what should hold it.
    pub fn pos(&self) -> Pos {
        self.at.spot().0
    }

    /// The bytes that a reader should look at.
    pub fn span(&self) -> ByteSpan {
        self.at.spot().1
    }
}

impl<'a> From<Cursor<'a>> for Place<'a> {
    fn from(at: Cursor<'a>) -> Place<'a> {
        Place { at, missing: String::new() }
    }
}

fn join(path: String, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { path + "." + key }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::documents;

    #[test]
    fn paths_lead_to_values_and_places() {
        let text = "a:\n  b:\n  - c: 1\n  - d: x\n  n:\n";
        let nodes = documents(text).unwrap();
        let document = Document::new(&nodes[0]);
        let root = Cursor::new(&document);
        let item = root.items_at("a.b").nth(1).unwrap();
        assert_eq!((item.text_at("d"), item.path().as_str()), (Some("x"), "a.b[1]"));
        assert_eq!(item.get("d").unwrap().path(), "a.b[1].d");
        for (path, line, column, there, word) in
            [("a", 1, 1, true, "a"), ("a.b", 2, 3, true, "b"), ("a.n", 1, 1, false, "a"), ("a.x.y", 1, 1, false, "a")]
        {
            let place = root.place(path);
            assert_eq!((place.pos(), place.path().as_str()), (Pos { line, column }, path));
            assert_eq!(place.there().is_some(), there, "{path}");
            assert_eq!(&text[place.span().range()], word, "{path}");
        }
        let value = Place::from(root.items_at("a.b").next().unwrap().get("c").unwrap());
        assert_eq!((value.pos(), &text[value.span().range()]), (Pos { line: 3, column: 8 }, "1"));
    }

    #[test]
    fn a_decoder_leaves_behind_what_it_used_and_what_was_wrong() {
        let nodes = documents("items:\n- 1\n- {a: {b: 1, c: {d: x}}, e: [1, ~, {f: 2}], g: ~}\n").unwrap();
        let document = Document::new(&nodes[0]);
        let object = Cursor::new(&document).items_at("items").nth(1).unwrap().object();
        let record = Record::new();
        let cursor = object.recording(&record);
        assert_eq!(cursor.at("a.b").and_then(Cursor::int32), Some(1));
        assert_eq!(cursor.at("a.c").and_then(Cursor::text), None);
        cursor.at("e").unwrap().items().next().unwrap().int64();
        let paths = || cursor.unused().into_iter().map(|(path, _)| path).collect::<Vec<_>>();
        // A mapping that was taken for a text counts as read; what is in it does not.
        assert_eq!(paths(), ["a.c.d", "e[2]"]);
        let problems: Vec<String> = cursor.problems("f").iter().map(ToString::to_string).collect();
        assert_eq!(problems, ["f:3:17: a.c: expected a text, found a mapping"]);
        cursor.quiet().text_at("a.c");
        object.text_at("a.c.d");
        assert_eq!((paths().len(), cursor.problems("f").len()), (2, 1), "a quiet reader leaves no trace");
    }
}

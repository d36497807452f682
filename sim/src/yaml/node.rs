//! YAML as a tree in which every key and value knows its line, its column and its bytes.
//!
//! The only file that knows the YAML crate. Manifests mean what they mean to kubectl, whose YAML is 1.1: `yes` and `on`
//! are booleans, `0755` is octal, and a key may come twice. In files of our own those words are texts, and a key comes once.
//! Alias bombs are errors in both.

use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Location, Spanned};
use std::fmt;
use std::ops::Range;

/// Where something stands in a file; both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Pos {
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
}

impl Pos {
    /// A place of a piece of a text, as a place of the text in which the piece begins at `first`.
    pub(crate) fn after(self, first: Pos) -> Pos {
        let column = if self.line == 1 { self.column + first.column - 1 } else { self.column };
        Pos { line: self.line + first.line - 1, column }
    }
}

/// The bytes of a text that something takes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByteSpan {
    start: u32,
    end: u32,
}

impl ByteSpan {
    /// Of these bytes; of a text that is longer than is read, none.
    pub(crate) fn new(start: usize, end: usize) -> ByteSpan {
        let byte = |at: usize| u32::try_from(at).unwrap_or_default();
        ByteSpan { start: byte(start), end: byte(end) }
    }

    /// As a range of the text.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where the value begins.
    pub pos: Pos,
    /// Its bytes.
    pub span: ByteSpan,
    /// The value.
    pub value: Value,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Str(String),
    /// A list.
    Seq(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<(Key, Node)>),
}

/// A mapping's key and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Where the key begins.
    pub pos: Pos,
    /// Its bytes.
    pub span: ByteSpan,
    /// The key.
    pub name: String,
}

/// Why a text is not YAML that we read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}:{}: {message}", pos.line, pos.column)]
pub struct YamlError {
    /// Where.
    pub pos: Pos,
    /// What is wrong.
    pub message: String,
}

impl Node {
    /// The member `name` of a mapping, if it is there and not null. Of several of that name the last one counts, as for kubectl.
    pub fn get(&self, name: &str) -> Option<&Node> {
        let Value::Map(members) = &self.value else { return None };
        let (_, member) = members.iter().rfind(|(key, _)| key.name == name)?;
        Some(member).filter(|member| member.value != Value::Null)
    }

    /// What is at a dotted path of members.
    pub fn at(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(self, Node::get)
    }

    /// The text at a dotted path, empty if there is none.
    pub fn text_at(&self, path: &str) -> &str {
        self.at(path).and_then(|node| node.value.as_str()).unwrap_or_default()
    }
}

impl Value {
    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// A quantity as it is written: `512Mi`, also without quotes.
    pub fn quantity(&self) -> Option<String> {
        match self {
            Value::Str(text) => Some(text.clone()),
            Value::Int(n) => Some(n.to_string()),
            Value::Float(x) => Some(x.to_string()),
            Value::Null | Value::Bool(_) | Value::Seq(_) | Value::Map(_) => None,
        }
    }

    /// It is written in one piece.
    pub fn has_text(&self) -> bool {
        !matches!(self, Value::Null | Value::Seq(_) | Value::Map(_))
    }

    /// What the value is, for messages: `a list`.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::Str(_) => "a text",
            Value::Seq(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// Reads the only document of `text`, a file of our own, into `T`.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    serde_saphyr::from_str_with_options(text, options()).map_err(from_crate)
}

/// Reads the only document of `text`, a file of our own, as a tree in which a key may come twice.
pub(super) fn read_tree(text: &str) -> Result<Node, YamlError> {
    let mut options = options();
    options.duplicate_keys = serde_saphyr::options::DuplicateKeyPolicy::PassThrough;
    serde_saphyr::from_str_with_options(text, options).map_err(from_crate)
}

/// Reads every document of `text`, manifests as kubectl takes them; empty ones are skipped.
pub fn documents(text: &str) -> Result<Vec<Node>, YamlError> {
    no_directive(text)?;
    let mut documents: Vec<Node> = serde_saphyr::from_multiple_with_options(text, as_kubectl())
        .map_err(|e| with_mend(of_a_key(from_crate(e)), text))?;
    documents.iter_mut().try_for_each(|node| as_go_spells(node, text))?;
    Ok(documents)
}

/// kubectl cuts a text at `---` before it reads it, so that a directive stands alone, without the document that must follow it.
fn no_directive(text: &str) -> Result<(), YamlError> {
    let is_blank = |line: &str| line.trim().is_empty() || line.starts_with('#');
    let first = (1..).zip(text.trim_start_matches('\u{feff}').lines()).find(|(_, line)| !is_blank(line));
    match first.filter(|(_, line)| line.starts_with('%')) {
        Some((line, directive)) => {
            let message = format!("kubectl reads no directives: remove {directive}");
            Err(YamlError { pos: Pos { line, column: 1 }, message })
        }
        None => Ok(()),
    }
}

/// YAML 1.1's words as kubectl's reader knows them (go-yaml v2 resolve.go): in three spellings, not in any.
const GO_WORDS: [&str; 25] = [
    "y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "true", "True",
    "TRUE", "false", "False", "FALSE", "null", "Null", "NULL",
];

/// The crate takes these words in any spelling: `tRUE` is a text to kubectl, and so is `1e400`.
fn as_go_spells(node: &mut Node, text: &str) -> Result<(), YamlError> {
    match &mut node.value {
        Value::Map(members) => members.iter_mut().try_for_each(|(_, member)| as_go_spells(member, text))?,
        Value::Seq(items) => items.iter_mut().try_for_each(|item| as_go_spells(item, text))?,
        Value::Float(x) if !x.is_finite() => {
            let word = text.get(node.span.range()).unwrap_or_default();
            // Go takes a number that is too large for a float for a text.
            if !word.contains(|c: char| c.is_ascii_digit()) {
                let message = format!("{word} is no number for kubectl, which makes JSON of it: put it in quotes");
                return Err(YamlError { pos: node.pos, message });
            }
            node.value = Value::Str(word.to_owned());
        }
        Value::Bool(_) | Value::Null => {
            let word = text.get(node.span.range()).unwrap_or_default();
            let is_word = GO_WORDS.iter().any(|known| known.eq_ignore_ascii_case(word));
            if is_word && !GO_WORDS.contains(&word) {
                node.value = Value::Str(word.to_owned());
            }
        }
        _ => {}
    }
    Ok(())
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    }
}

fn as_kubectl() -> serde_saphyr::Options {
    serde_saphyr::options! {
        legacy_octal_numbers: true,
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

fn from_crate(error: serde_saphyr::Error) -> YamlError {
    let pos = error.location().map(|l| Pos { line: l.line(), column: l.column() }).unwrap_or_default();
    let message = error.without_snippet().to_string();
    // The crate ends its text with the position that we print in front, or with advice to its caller.
    let message =
        [" at line ", ", set "].iter().fold(message.as_str(), |m, end| m.split(end).next().unwrap_or(m)).to_owned();
    let message = match error.without_snippet() {
        serde_saphyr::Error::Budget { breach, .. } => beyond(breach),
        _ => message,
    };
    YamlError { pos, message }
}

/// What there is too much of, and what to do about it.
fn beyond(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Depth { depth } => {
            format!(
                "nested {depth} levels deep, one more than is read: no manifest needs that, so look for brackets that nobody closed"
            )
        }
        BudgetBreach::Aliases { .. }
        | BudgetBreach::Anchors { .. }
        | BudgetBreach::MergeKeys { .. }
        | BudgetBreach::AliasAnchorRatio { .. } => {
            "too many anchors and aliases (& and *): write the values out".to_owned()
        }
        BudgetBreach::Documents { .. } => "too many documents for one file: split it".to_owned(),
        _ => "too much for one document: split it".to_owned(),
    }
}

/// What is wrong with a key of a manifest; of the crate's errors only keys have these.
fn of_a_key(error: YamlError) -> YamlError {
    let what = match error.message.as_str() {
        "expected string scalar" => "a list or a mapping",
        message if message.starts_with("cannot deserialize null into string") => "nothing",
        _ => return error,
    };
    let message = format!(
        "this key is {what}, and kubectl wants a word: write `name: value`, and in quotes what begins with [ or {{"
    );
    YamlError { message, ..error }
}

/// The crate's words, and what to do.
fn with_mend(error: YamlError, text: &str) -> YamlError {
    let line = || text.lines().nth(usize::try_from(error.pos.line).ok()?.checked_sub(1)?);
    let message = match error.message.as_str() {
        message if message.ends_with("unknown anchor") => {
            let from = usize::try_from(error.pos.column).unwrap_or_default().saturating_sub(1);
            let alias = line().and_then(|line| line.get(line.char_indices().nth(from)?.0..)?.split_once('*'));
            let name = alias.and_then(|(_, rest)| rest.split(|c: char| c.is_whitespace() || ",]}".contains(c)).next());
            let name = name.unwrap_or_default();
            format!(
                "{message} {name:?}: write &{name} at the value, before this and in the same document (anchors end at ---)"
            )
        }
        message if message.starts_with("tabs disallowed") => format!("{message}: use blanks"),
        message if message.contains("expected <document start>") => {
            format!("{message}: put --- on a line of its own between two documents")
        }
        _ => return error,
    };
    YamlError { message, ..error }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(d)?;
        let (pos, span) = place(&spanned.referenced);
        Ok(Node { pos, span, value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<String>::deserialize(d)?;
        let (pos, span) = place(&spanned.referenced);
        Ok(Key { pos, span, name: spanned.value })
    }
}

fn place(at: &Location) -> (Pos, ByteSpan) {
    let bytes = |n: Option<u64>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or_default();
    let start = bytes(at.span().byte_offset());
    let end = start.saturating_add(bytes(at.span().byte_len()));
    (Pos { line: at.line(), column: at.column() }, ByteSpan { start, end })
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a YAML value")
            }
            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_none<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
                Value::deserialize(d)
            }
            fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
                Ok(Value::Bool(v))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
                Ok(Value::Int(v))
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Value, E> {
                Ok(i64::try_from(v).map(Value::Int).unwrap_or(Value::Float(v as f64)))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
                // kubectl makes JSON of it, in which 10.0 is 10.
                let whole = v.fract() == 0.0 && v.abs() < 1e15;
                Ok(if whole { Value::Int(v as i64) } else { Value::Float(v) })
            }
            fn visit_str<E>(self, v: &str) -> Result<Value, E> {
                Ok(Value::Str(v.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Value::Seq(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Value::Map(entries))
            }
        }
        d.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_and_key_knows_its_place() {
        let text = "a: 1\nb:\n  - x: ü\n    z: 'no'\n---\n---\nc: no\n";
        let docs = documents(text).expect("valid");
        assert_eq!(docs.len(), 2, "empty documents are skipped: {docs:?}");
        let Value::Map(top) = &docs[0].value else { panic!("{docs:?}") };
        assert_eq!((top[1].0.name.as_str(), top[1].0.pos.line), ("b", 2));
        let Value::Seq(items) = &top[1].1.value else { panic!("{docs:?}") };
        let Value::Map(item) = &items[0].value else { panic!("{docs:?}") };
        let (key, node) = &item[1];
        assert_eq!((node.pos, &node.value), (Pos { line: 4, column: 8 }, &Value::Str("no".into())));
        assert_eq!((&text[key.span.range()], &text[node.span.range()]), ("z", "'no'"));
        let Value::Map(second) = &docs[1].value else { panic!("{docs:?}") };
        assert_eq!(second[0].1.value, Value::Bool(false));
        assert_eq!(&text[second[0].1.span.range()], "no");
    }

    /// Manifests are read as kubectl reads them (sigs.k8s.io/yaml, which is YAML 1.1), scenario files without guessing.
    #[test]
    fn yaml_1_1_in_manifests_only() {
        for (text, value) in [
            ("yes", Value::Bool(true)),
            ("Off", Value::Bool(false)),
            ("y", Value::Bool(true)),
            ("'yes'", Value::Str("yes".into())),
            ("TRUE", Value::Bool(true)),
            ("tRUE", Value::Str("tRUE".into())),
            ("oN", Value::Str("oN".into())),
            ("Null", Value::Null),
            ("nULL", Value::Str("nULL".into())),
            ("0755", Value::Int(0o755)),
            ("0x1F", Value::Int(31)),
            ("1_000", Value::Int(1000)),
            ("10.0", Value::Int(10)),
            ("1e1", Value::Int(10)),
            ("0.5", Value::Float(0.5)),
            ("190:20", Value::Str("190:20".into())),
            ("-1e400", Value::Str("-1e400".into())),
        ] {
            let docs = documents(&format!("a: {text}\n")).expect(text);
            let Value::Map(top) = &docs[0].value else { panic!("{docs:?}") };
            assert_eq!(top[0].1.value, value, "{text}");
        }
        assert_eq!(read::<Vec<Value>>("[yes, 0755]").expect("valid"), ["yes", "0755"].map(|t| Value::Str(t.into())));
    }

    #[test]
    fn of_keys_that_come_twice_the_last_counts() {
        let node = &documents("a: {b: x, b: w, c: z, c: }\n").expect("valid")[0];
        assert_eq!((node.text_at("a.b"), node.at("a.c"), node.at("a.b.c")), ("w", None, None));
    }

    /// What `<<` brings is no second key, and gives way to one of the mapping's own, wherever that stands.
    #[test]
    fn keys_that_come_twice() {
        for (text, members) in [("{b: 1, b: 2}", 2), ("{b: 1, <<: *x}", 1), ("{<<: *x, b: 1}", 1), ("{<<: *x}", 1)] {
            let docs = documents(&format!("a: &x {{b: 3}}\nc: {text}\n")).expect(text);
            let Value::Map(top) = &docs[0].value else { panic!("{docs:?}") };
            let Value::Map(own) = &top[1].1.value else { panic!("{docs:?}") };
            assert_eq!(own.len(), members, "{text}");
        }
    }

    #[test]
    fn directives() {
        for (text, line) in [
            ("%YAML 1.2\n---\na: 1\n", Some(1)),
            ("# c\n\n%TAG ! x:\n---\na: 1\n", Some(3)),
            ("a: |\n  x\n", None),
            ("a:\n  '\n%YAML'\n", None),
        ] {
            assert_eq!(documents(text).err().map(|e| e.pos.line), line, "{text}");
        }
    }

    /// An error names what to do about it, not what the crate calls it.
    #[test]
    fn what_is_said_of_keys_and_of_too_much() {
        let deep = format!("a: {}{}", "[".repeat(70), "]".repeat(70));
        let aliases = format!("a: &x 1\nb: [{}]", "*x, ".repeat(100_000));
        for (text, part) in [
            ("a: {[b]: 1}\n", "this key is a list or a mapping, and kubectl wants a word"),
            ("a: {? {b: c} : 1}\n", "this key is a list or a mapping"),
            ("a: {~: 1}\n", "this key is nothing, and kubectl wants a word"),
            (deep.as_str(), "levels deep, one more than is read"),
            (aliases.as_str(), "too many anchors and aliases"),
            ("a: &x 1\n---\nb: [é, *x, 1]\n", "unknown anchor \"x\": write &x at the value, before this"),
            ("a:\n\tb: 1\n", "use blanks"),
            ("{\"a\": 1}\n{\"b\": 1}\n", "put --- on a line of its own"),
        ] {
            let error = documents(text).expect_err(part);
            assert!(error.message.contains(part), "{part}: {}", error.message);
        }
    }

    #[test]
    fn what_is_refused() {
        assert!(read::<Vec<Value>>("[{a: 1, a: 2}]").is_err(), "a key comes once in files of our own");
        for (text, line) in [("a: [1\n", 2), ("a: &x [1]\nb: *y\n", 2), ("a: [.inf]\n", 1), ("a: .NaN\n", 1)] {
            let error = documents(text).expect_err(text);
            assert!(error.pos.line >= 1 && error.pos.line <= line + 1, "{text:?}: {error:?}");
        }
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                    d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n\
                    g: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n";
        assert!(documents(bomb).is_err(), "an alias bomb is refused");
    }
}

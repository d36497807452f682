//! A manifest as a tree whose scalars are kept as they are spelled, and its way back to YAML.

use std::fmt::Write;
use vmhealth_sim::yaml::{Node, Value};

/// A value of a manifest.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    /// As it stands in the file: `60`, `"60"`, `yes`, `~`.
    Scalar(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

/// The members and items on the way to a value.
pub(crate) type Path = Vec<Step>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Member(String),
    Item(usize),
}

impl Tree {
    pub(crate) fn of(node: &Node) -> Tree {
        match &node.value {
            Value::Null => Tree::Scalar("null".to_owned()),
            Value::Bool(value) => Tree::Scalar(value.to_string()),
            Value::Int(value) => Tree::Scalar(value.to_string()),
            Value::Float(value) => Tree::Scalar(format!("{value:?}")),
            Value::Str(text) => Tree::text(text),
            Value::Seq(items) => Tree::List(items.iter().map(Tree::of).collect()),
            Value::Map(members) => Tree::Map(members.iter().map(|(k, v)| (k.name.clone(), Tree::of(v))).collect()),
        }
    }

    /// A text, which no reader takes for anything else.
    pub(crate) fn text(text: &str) -> Tree {
        Tree::Scalar(quoted(text))
    }

    pub(crate) fn members(&mut self) -> Option<&mut Vec<(String, Tree)>> {
        match self {
            Tree::Map(members) => Some(members),
            _ => None,
        }
    }

    pub(crate) fn at(&mut self, path: &[Step]) -> Option<&mut Tree> {
        let Some((step, rest)) = path.split_first() else { return Some(self) };
        let below = match (self, step) {
            (Tree::Map(members), Step::Member(name)) => &mut members.iter_mut().find(|(key, _)| key == name)?.1,
            (Tree::List(items), Step::Item(index)) => items.get_mut(*index)?,
            _ => return None,
        };
        below.at(rest)
    }

    /// The ways to every value in it, its own first.
    pub(crate) fn paths(&self) -> Vec<Path> {
        let mut found = vec![Path::new()];
        let mut below = |step: Step, tree: &Tree| {
            let paths = tree.paths().into_iter();
            found.extend(paths.map(|path| [vec![step.clone()], path].concat()));
        };
        match self {
            Tree::Scalar(_) => {}
            Tree::List(items) => items.iter().enumerate().for_each(|(i, item)| below(Step::Item(i), item)),
            Tree::Map(members) => members.iter().for_each(|(k, v)| below(Step::Member(k.clone()), v)),
        }
        found
    }

    /// As a YAML document.
    pub(crate) fn yaml(&self) -> String {
        let mut text = String::new();
        self.write(0, &mut text);
        text
    }

    fn write(&self, indent: usize, text: &mut String) {
        match self {
            Tree::Scalar(scalar) => drop(writeln!(text, "{:indent$}{scalar}", "")),
            Tree::Map(members) if members.is_empty() => drop(writeln!(text, "{:indent$}{{}}", "")),
            Tree::List(items) if items.is_empty() => drop(writeln!(text, "{:indent$}[]", "")),
            Tree::Map(members) => {
                for (key, value) in members {
                    let _ = write!(text, "{:indent$}{}:", "", plain(key));
                    value.write_below(indent, text);
                }
            }
            Tree::List(items) => {
                for item in items {
                    let _ = write!(text, "{:indent$}-", "");
                    item.write_below(indent, text);
                }
            }
        }
    }

    fn write_below(&self, indent: usize, text: &mut String) {
        match self {
            Tree::Scalar(scalar) => drop(writeln!(text, " {scalar}")),
            Tree::Map(members) if members.is_empty() => text.push_str(" {}\n"),
            Tree::List(items) if items.is_empty() => text.push_str(" []\n"),
            _ => {
                text.push('\n');
                self.write(indent + 2, text);
            }
        }
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => drop(write!(quoted, "\\u{:04x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// A key without quotes where every reader takes it for a text.
fn plain(key: &str) -> String {
    let is_plain = key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || "._/-".contains(c))
        && !["y", "n", "yes", "no", "on", "off", "true", "false", "null"].contains(&key.to_lowercase().as_str());
    if is_plain { key.to_owned() } else { quoted(key) }
}

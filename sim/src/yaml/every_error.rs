//! Everything that is wrong with a file of our own, not only the first thing.
//!
//! What is wrong is put right in a tree of the file, as far as one can guess, or else taken out, and the rest is read again: a misspelt
//! key or word becomes the one that was meant, so that what stands below it is looked at, too. What only comes of something being
//! taken out is not said. A file that is no YAML has one error: behind it nobody knows what is what.

use super::decode::{DecodeError, NodeReader, Wrong};
use super::node::{Key, Node, Pos, Value, YamlError, read_tree};
use crate::meant::meant;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;

/// More is not said of one file: each takes a reading of all of it.
const MOST: usize = 100;

/// What is wrong with a text.
pub struct EveryError<T> {
    /// In the order of the text.
    pub errors: Vec<YamlError>,
    /// What it is without what is wrong; `None`: too much is.
    pub mended: Option<T>,
    /// The tree of the file as `mended` was read from it, each node with its place in the text.
    pub tree: Option<Node>,
    /// What was taken out for that although it may mean something, as paths in `mended`: `spec.steps[0].plus`.
    pub without: Vec<String>,
}

/// Everything wrong with a text of which reading a `T` has failed with `first`.
pub fn every_error<T: DeserializeOwned>(text: &str, first: YamlError) -> EveryError<T> {
    let Ok(mut root) = read_tree(text) else {
        return EveryError { errors: vec![first], mended: None, tree: None, without: Vec::new() };
    };
    let (mut errors, mut mended, mut taken) = (Vec::new(), None, Taken::default());
    no_key_twice(&mut root, &mut errors);
    let mut is_all = false;
    for _ in 0..MOST {
        let error = match T::deserialize(NodeReader { node: &root, text }) {
            Ok(read) => {
                (mended, is_all) = (Some(read), true);
                break;
            }
            Err(error) => error,
        };
        let pos = error.pos.unwrap_or(root.pos);
        let (said, goes_on) = put_right(&mut root, error, &mut taken);
        errors.extend(said.map(|message| YamlError { pos, message }));
        if !goes_on {
            is_all = true;
            break;
        }
    }
    // What the crate's own reader says counts, should it be stricter.
    if errors.is_empty() {
        errors.push(first);
    }
    errors.sort_by(|a, b| (a.pos, &a.message).cmp(&(b.pos, &b.message)));
    // What an alias brings again is wrong once.
    errors.dedup();
    if let Some(pos) = errors.last().map(|last| last.pos).filter(|_| !is_all) {
        errors.push(YamlError { pos, message: "and perhaps more: these are the first that were found".into() });
    }
    EveryError { errors, mended, tree: Some(root), without: taken.paths }
}

/// What was taken out of a tree.
#[derive(Default)]
struct Taken {
    /// The mappings that it was taken out of, and its name.
    members: Vec<(Pos, String)>,
    /// The mappings that had a key which nothing reads: what they lack may have been meant by it.
    misnamed: Vec<Pos>,
    /// What may have meant something.
    paths: Vec<String>,
}

impl Taken {
    /// A mapping may lack it for no other reason.
    fn has(&self, map: Pos, name: &str) -> bool {
        self.misnamed.contains(&map) || self.members.iter().any(|(pos, taken)| *pos == map && taken == name)
    }
}

/// Of a key that comes again the first one stays.
fn no_key_twice(node: &mut Node, errors: &mut Vec<YamlError>) {
    match &mut node.value {
        Value::Seq(items) => items.iter_mut().for_each(|item| no_key_twice(item, errors)),
        Value::Map(members) => {
            let mut names = BTreeSet::new();
            members.retain(|(key, _)| {
                let is_new = names.insert(key.name.clone());
                if !is_new && errors.len() < MOST {
                    let message = format!("{:?} comes again in the same mapping: keep one", key.name);
                    errors.push(YamlError { pos: key.pos, message });
                }
                is_new
            });
            members.iter_mut().for_each(|(_, member)| no_key_twice(member, errors));
        }
        _ => {}
    }
}

/// Changes the tree so that the error is gone: what there is to say of it, and whether anything is left to read.
fn put_right(root: &mut Node, error: DecodeError, taken: &mut Taken) -> (Option<String>, bool) {
    let message = error.to_string();
    let DecodeError { wrong, mut way, .. } = error;
    way.reverse();
    match wrong {
        Wrong::Key(name, expected) => {
            let members = at(root, &way).map(|node| (node.pos, &mut node.value));
            let Some((pos, Value::Map(members))) = members else { return (Some(message), false) };
            let is_free = |word: &str| members.iter().all(|(key, _)| key.name != word);
            let word = meant(&name, expected.iter().copied()).filter(|word| is_free(word));
            let Some(index) = members.iter().position(|(key, _)| key.name == name) else {
                return (Some(message), false);
            };
            match word {
                Some(word) => {
                    members[index].0.name = word.to_owned();
                    (Some(with_meant(&message, word)), true)
                }
                // Nothing reads it: what else there is to say is so with it, too.
                None => {
                    members.remove(index);
                    taken.misnamed.push(pos);
                    (Some(message), true)
                }
            }
        }
        Wrong::Word(word, expected) => {
            let meant = meant(&word, expected.iter().copied()).filter(|meant| *meant != word);
            match meant.filter(|meant| at(root, &way).is_some_and(|node| rename(node, &word, meant))) {
                Some(meant) => (Some(with_meant(&message, meant)), true),
                None => (Some(message), take(root, &way, taken)),
            }
        }
        Wrong::Lacks(name) => {
            let comes_of_it = at(root, &way).is_some_and(|node| taken.has(node.pos, name));
            (Some(message).filter(|_| !comes_of_it), take(root, &way, taken))
        }
        // Empty it is only where something was taken out.
        Wrong::NoWord => {
            let node = at(root, &way);
            let comes_of_it = node.is_some_and(|node| {
                node.value == Value::Map(Vec::new()) && taken.members.iter().any(|(pos, _)| *pos == node.pos)
            });
            (Some(message).filter(|_| !comes_of_it), take(root, &way, taken))
        }
        Wrong::Value(_) => (Some(message), take(root, &way, taken)),
    }
}

fn at<'n>(root: &'n mut Node, way: &[usize]) -> Option<&'n mut Node> {
    way.iter().try_fold(root, |node, index| match &mut node.value {
        Value::Map(members) => members.get_mut(*index).map(|(_, member)| member),
        Value::Seq(items) => items.get_mut(*index),
        _ => None,
    })
}

/// The way as people write it.
fn path(root: &Node, way: &[usize]) -> String {
    let (mut node, mut path) = (root, String::new());
    for index in way {
        let below = match &node.value {
            Value::Map(members) => members.get(*index).map(|(key, below)| (format!(".{}", key.name), below)),
            Value::Seq(items) => items.get(*index).map(|below| (format!("[{index}]"), below)),
            _ => None,
        };
        let Some((step, below)) = below else { break };
        path.push_str(&step);
        node = below;
    }
    path.trim_start_matches('.').to_owned()
}

/// Takes a node out of what it is in; not the root.
fn take(root: &mut Node, way: &[usize], taken: &mut Taken) -> bool {
    taken.paths.push(path(root, way));
    let Some((index, way)) = way.split_last() else { return false };
    match at(root, way) {
        Some(Node { value: Value::Map(members), pos, .. }) if *index < members.len() => {
            let (Key { name, .. }, _) = members.remove(*index);
            taken.members.push((*pos, name));
            true
        }
        Some(Node { value: Value::Seq(items), .. }) if *index < items.len() => {
            items.remove(*index);
            true
        }
        _ => false,
    }
}

/// The word itself, or as the key of what belongs to it.
fn rename(node: &mut Node, word: &str, meant: &str) -> bool {
    let name = match &mut node.value {
        Value::Str(text) => text,
        Value::Map(members) if members.len() == 1 => &mut members[0].0.name,
        _ => return false,
    };
    let is_it = name == word;
    if is_it {
        *name = meant.to_owned();
    }
    is_it
}

/// In front of a list that may be long.
fn with_meant(message: &str, meant: &str) -> String {
    let (head, expected) = message.split_once(", expected").unwrap_or((message, ""));
    format!("{head}: did you mean `{meant}`? expected{expected}")
}

//! A YAML tree laid out flat: every node knows its parent, so that a path costs nothing until somebody asks for it.

use super::node::{Key, Node, Value};
use std::collections::BTreeMap;

/// Members that are compared one by one.
const FEW: usize = 16;

/// A YAML document laid out for looking things up.
#[derive(Debug)]
pub struct Document<'a> {
    /// In the order of the file, each node before what is in it.
    pub(super) entries: Vec<Entry<'a>>,
}

#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) node: &'a Node,
    pub(super) step: Step<'a>,
    pub(super) parent: usize,
    /// The first entry that is not below this one.
    pub(super) end: usize,
}

/// How a node is reached from its parent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<'a> {
    Root,
    Member(&'a Key),
    /// A member whose key comes again further down.
    Overridden(&'a Key),
    Item(usize),
}

impl<'a> Document<'a> {
    /// Lays a document out.
    pub fn new(root: &'a Node) -> Document<'a> {
        let mut document = Document { entries: Vec::new() };
        document.lay_out(root, Step::Root, 0);
        document
    }

    fn lay_out(&mut self, node: &'a Node, step: Step<'a>, parent: usize) {
        let own = self.entries.len();
        self.entries.push(Entry { node, step, parent, end: own });
        match &node.value {
            Value::Map(members) => {
                // kubectl takes the last one of a name. A set is worth its while for many.
                let many = members.iter().enumerate().filter(|_| members.len() > FEW);
                let last: BTreeMap<&str, usize> = many.map(|(i, (key, _))| (key.name.as_str(), i)).collect();
                for (i, (key, member)) in members.iter().enumerate() {
                    let comes_again = match last.get(key.name.as_str()) {
                        Some(last) => *last > i,
                        None => members[i + 1..].iter().any(|(later, _)| later.name == key.name),
                    };
                    self.lay_out(member, if comes_again { Step::Overridden(key) } else { Step::Member(key) }, own);
                }
            }
            Value::Seq(items) => {
                for (i, item) in items.iter().enumerate() {
                    self.lay_out(item, Step::Item(i), own);
                }
            }
            _ => {}
        }
        self.entries[own].end = self.entries.len();
    }
}

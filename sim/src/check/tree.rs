//! Looking things up in a manifest's tree by path: `spec.template.spec.domain.devices.disks[0].name`.

use crate::yaml::{Key, Node, Pos, Value};

/// A manifest's tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tree<'a>(pub(super) &'a Node);

/// The member of a mapping, with its key; nulls count as absent (kubevirt-health.md 2.1).
pub(super) fn member<'a>(node: &'a Node, name: &str) -> Option<(&'a Key, &'a Node)> {
    let Value::Map(entries) = &node.value else { return None };
    let (key, value) = entries.iter().find(|(k, v)| k.name == name && v.value != Value::Null)?;
    Some((key, value))
}

pub(super) fn get<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    member(node, name).map(|(_, value)| value)
}

pub(super) fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Str(s) => Some(s),
        _ => None,
    }
}

pub(super) fn items(node: &Node) -> &[Node] {
    match &node.value {
        Value::Seq(items) => items,
        _ => &[],
    }
}

impl<'a> Tree<'a> {
    /// What is at a path.
    pub(super) fn at(&self, path: &str) -> Option<&'a Node> {
        self.walk(path).0
    }

    /// The text at a path.
    pub(super) fn text(&self, path: &str) -> Option<&'a str> {
        text(self.at(path)?)
    }

    /// The items of the list at a path.
    pub(super) fn items(&self, path: &str) -> &'a [Node] {
        self.at(path).map_or(&[], items)
    }

    /// Where a reader should look for a path: a scalar's value, else the key; of what is absent, what should hold it.
    pub(super) fn place(&self, path: &str) -> Pos {
        self.walk(path).1
    }

    fn walk(&self, path: &str) -> (Option<&'a Node>, Pos) {
        let (mut node, mut pos) = (self.0, self.0.pos);
        for step in steps(path) {
            let next = match step {
                Step::Member(name) => member(node, name).map(|(key, value)| (value, key.pos)),
                Step::Index(n) => items(node).get(n).map(|item| (item, item.pos)),
            };
            let Some((value, key)) = next else { return (None, pos) };
            pos = if matches!(value.value, Value::Map(_) | Value::Seq(_)) { key } else { value.pos };
            node = value;
        }
        (Some(node), pos)
    }
}

enum Step<'p> {
    Member(&'p str),
    Index(usize),
}

fn steps(path: &str) -> impl Iterator<Item = Step<'_>> {
    path.split(['.', '[']).filter(|s| !s.is_empty()).map(|step| match step.strip_suffix(']') {
        Some(index) => Step::Index(index.parse().unwrap_or(usize::MAX)),
        None => Step::Member(step),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_values_and_places() {
        let docs = crate::yaml::documents("a:\n  b:\n  - c: 1\n  - d: x\n  n:\n").unwrap();
        let tree = Tree(&docs[0]);
        assert_eq!(tree.text("a.b[1].d"), Some("x"));
        for (path, line, column, there) in [
            ("a", 1, 1, true),
            ("a.b", 2, 3, true),
            ("a.b[0].c", 3, 8, true),
            ("a.b[2]", 2, 3, false),
            ("a.n", 1, 1, false),
            ("a.x.y", 1, 1, false),
            ("", 1, 1, true),
        ] {
            assert_eq!(tree.place(path), Pos { line, column }, "{path}");
            assert_eq!(tree.at(path).is_some(), there, "{path}");
        }
    }
}

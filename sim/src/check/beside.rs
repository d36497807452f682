//! Instance types and preferences that stand in the same text as the VMs that name them, also in other pieces of a long one.

use crate::yaml::{self, Cursor, Node, Piece, Value};
use std::collections::BTreeMap;

/// What a VM is told to take more from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Matcher {
    Instancetype,
    Preference,
}

impl Matcher {
    pub(super) const ALL: [Matcher; 2] = [Matcher::Instancetype, Matcher::Preference];

    /// The VM's field of `spec`.
    pub(super) fn field(self) -> &'static str {
        match self {
            Matcher::Instancetype => "instancetype",
            Matcher::Preference => "preference",
        }
    }

    /// How KubeVirt calls the type of the field.
    pub(super) fn type_name(self) -> &'static str {
        match self {
            Matcher::Instancetype => "InstancetypeMatcher",
            Matcher::Preference => "PreferenceMatcher",
        }
    }

    /// Whether the kind that a matcher names is the namespaced one; `None`: it is neither. Case does not count, and a plural
    /// is as good (KubeVirt pkg/instancetype/find/spec.go).
    pub(super) fn is_namespaced(self, kind: &str) -> Option<bool> {
        let kind = kind.to_lowercase();
        let kind = kind.strip_suffix('s').unwrap_or(&kind).strip_prefix("virtualmachine");
        match kind.unwrap_or_default() {
            kind if kind == self.field() => Some(true),
            kind if kind.strip_prefix("cluster") == Some(self.field()) => Some(false),
            _ => None,
        }
    }
}

/// So many bytes of instance types and preferences of other pieces are kept.
const REMEMBERED: usize = 4 << 20;

/// The instance types and preferences of a long text that is checked piece by piece, as far as it was read.
#[derive(Debug, Default)]
pub struct Remembered {
    nodes: Vec<Node>,
    bytes: usize,
}

impl Remembered {
    /// Takes those of a piece.
    pub fn take(&mut self, piece: &Piece<'_>) {
        // Most pieces have none: a word is found faster than YAML is read.
        let has = |word: &str| piece.text.contains(word);
        let has_any = has("VirtualMachine") && (has("nstancetype") || has("reference"));
        if !has_any || self.bytes + piece.text.len() > REMEMBERED {
            return;
        }
        let documents = yaml::salvage(&piece.text).map(|(documents, _)| documents).unwrap_or_default();
        let is_one = |node: &Node| Matcher::ALL.into_iter().any(|m| m.is_namespaced(node.text_at("kind")).is_some());
        let items = |node: Node| match node.get("items").map(|items| items.value.clone()) {
            Some(Value::Seq(items)) => items,
            _ => vec![node],
        };
        let before = self.nodes.len();
        self.nodes.extend(documents.into_iter().flat_map(items).filter(is_one));
        if self.nodes.len() > before {
            self.bytes += piece.text.len();
        }
    }
}

/// The specs by matcher, namespace (none if it is not namespaced) and name.
#[derive(Default)]
pub(super) struct Beside<'a> {
    given: BTreeMap<(Matcher, Option<&'a str>, &'a str), &'a Node>,
}

impl<'a> Beside<'a> {
    /// What stands in these documents, lists of at most some levels included.
    pub(super) fn of(documents: &'a [Node], remembered: &'a Remembered, depth: usize) -> Beside<'a> {
        let mut beside = Beside::default();
        remembered.nodes.iter().for_each(|node| beside.collect(node, depth));
        documents.iter().for_each(|node| beside.collect(node, depth));
        beside
    }

    fn collect(&mut self, node: &'a Node, depth: usize) {
        let kind = node.text_at("kind");
        if let Some(Node { value: Value::Seq(items), .. }) = node.get("items").filter(|_| depth > 0) {
            items.iter().for_each(|item| self.collect(item, depth - 1));
        }
        let Some(spec) = node.get("spec") else { return };
        for matcher in Matcher::ALL.into_iter().filter(|_| kind.starts_with("VirtualMachine")) {
            if let Some(is_namespaced) = matcher.is_namespaced(kind) {
                let namespace = is_namespaced.then(|| node.text_at("metadata.namespace"));
                self.given.insert((matcher, namespace, node.text_at("metadata.name")), spec);
            }
        }
    }

    /// The spec that a VM's matcher means, if it is here.
    pub(super) fn named_by(&self, vm: Cursor<'_>, matcher: Matcher) -> Option<&'a Node> {
        let at = vm.get("spec")?.get(matcher.field())?;
        let is_namespaced = match at.text_at("kind").unwrap_or_default() {
            "" => false,
            kind => matcher.is_namespaced(kind)?,
        };
        let namespace = is_namespaced.then(|| vm.text_at("metadata.namespace").unwrap_or_default());
        self.given.get(&(matcher, namespace, at.text_at("name")?)).copied()
    }
}

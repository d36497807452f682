//! Instance types and preferences that stand in the same text as the VMs that name them.

use crate::yaml::{Cursor, Node, Pos, Value};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

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

/// The specs by matcher, namespace (none if it is not namespaced) and name.
#[derive(Default)]
pub(super) struct Beside<'a> {
    given: BTreeMap<(Matcher, Option<&'a str>, &'a str), Given<'a>>,
    /// Where those objects stand that a VM has named.
    taken: RefCell<BTreeSet<Pos>>,
}

struct Given<'a> {
    object: Pos,
    spec: &'a Node,
}

impl<'a> Beside<'a> {
    /// What stands in these documents, lists of at most some levels included.
    pub(super) fn of(documents: &'a [Node], depth: usize) -> Beside<'a> {
        let mut beside = Beside::default();
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
                let given = Given { object: node.pos, spec };
                self.given.insert((matcher, namespace, node.text_at("metadata.name")), given);
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
        let given = self.given.get(&(matcher, namespace, at.text_at("name")?))?;
        self.taken.borrow_mut().insert(given.object);
        Some(given.spec)
    }

    /// Whether a VM has named the object that begins there.
    pub(super) fn is_taken(&self, object: Pos) -> bool {
        self.taken.borrow().contains(&object)
    }
}

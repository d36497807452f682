//! Errors that the text around a manifest excuses: an excerpt leaves things out and has placeholders, and the user of an OpenShift
//! Template gives values.

use super::layer::{Layer, Rank};
use super::rule::Rule;
use super::rules::limits::{LEFT_OUT, TEMPLATE_PARAMETER};
use super::rules::schema::MISSING_FIELD;
use crate::yaml::{Cursor, Place, Pos, Value};
use std::collections::BTreeSet;

/// What an excerpt may leave out.
const LEFT_OUT_OF_EXCERPTS: [&str; 5] =
    ["no-run-strategy", "no-memory", "network-without-interface", "interface-without-network", "disk-without-volume"];

/// What the text says of the manifests in it.
#[derive(Debug, Clone, Default)]
pub(super) struct TextAround {
    /// It leaves things out and says so.
    pub(super) excerpt: bool,
    /// Of the Template around it: what there is to say about its parameters.
    pub(super) notes: Vec<String>,
    /// What depends on a parameter without a value stands there.
    pub(super) open: BTreeSet<Pos>,
}

impl TextAround {
    pub(super) fn of(text: &str) -> TextAround {
        TextAround { excerpt: text.lines().any(is_elision), ..TextAround::default() }
    }

    /// A finding as it counts here: the rule's own error, or a note that there is an excuse for it.
    pub(super) fn excuse(
        &self,
        rule: &'static Rule,
        place: &Place<'_>,
        vm_field: &str,
        message: String,
    ) -> (&'static Rule, String) {
        if rule.rank != Rank::Error || rule.layer >= Layer::Runtime {
            (rule, message)
        } else if self.open.contains(&place.pos()) {
            (&TEMPLATE_PARAMETER, format!("depends on a parameter without a value: {message}"))
        } else if self.excerpt && is_left_out(rule, vm_field) {
            (&LEFT_OUT, format!("left out of this excerpt: {message}"))
        } else if self.excerpt && (is_placeholder(vm_field) || holds_placeholder(place.there())) {
            (&LEFT_OUT, format!("a placeholder of this excerpt: {message}"))
        } else {
            (rule, message)
        }
    }
}

/// `# ...`: how documentation marks what it leaves out.
fn is_elision(line: &str) -> bool {
    line.trim().strip_prefix('#').is_some_and(|rest| matches!(rest.trim(), "..." | "\u{2026}"))
}

/// A part that the whole must have somewhere; not the port of a probe that is there.
fn is_left_out(rule: &Rule, vm_field: &str) -> bool {
    let part = || ["name", "spec", "template", "domain", "devices"].iter().any(|p| vm_field.ends_with(p));
    LEFT_OUT_OF_EXCERPTS.contains(&rule.code) || (*rule == MISSING_FIELD && part())
}

/// `<vm-name>`: how documentation marks what is the reader's; of a path its last step.
fn is_placeholder(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or_default();
    last.len() > 2 && last.starts_with('<') && last.ends_with('>')
}

/// Itself, or as the value of one of its members.
fn holds_placeholder(at: Option<Cursor<'_>>) -> bool {
    let Some(at) = at else { return false };
    let stands_for_a_value = |c: Cursor<'_>| matches!(c.value(), Value::Str(text) if is_placeholder(text));
    stands_for_a_value(at) || at.members().any(|(_, member)| stands_for_a_value(member))
}

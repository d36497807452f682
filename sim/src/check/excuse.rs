//! Errors that the text around a manifest excuses: an excerpt leaves things out and has placeholders, and the user of an OpenShift
//! Template gives values.

use super::layer::Rank;
use super::rule::{Finding, Found};
use super::rules::limits::{LEFT_OUT, TEMPLATE_PARAMETER};
use super::rules::schema::{MISSING_FIELD, WRONG_TYPE};
use crate::yaml::{Cursor, Pos, Value};
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

    /// Turns an error that there is an excuse for into a note.
    pub(super) fn excuse(&self, found: &mut Found<'_>) {
        let (finding, at) = (&mut found.finding, found.at);
        if finding.rule.rank != Rank::Error {
            return;
        }
        let (rule, why) = if self.open.contains(&finding.pos) {
            (&TEMPLATE_PARAMETER, "depends on a parameter without a value")
        } else if self.excerpt && (is_left_out(finding) || (*finding.rule == WRONG_TYPE && is_null(at))) {
            (&LEFT_OUT, "left out of this excerpt")
        } else if self.excerpt && (is_placeholder(&finding.vm_field) || holds_placeholder(at)) {
            (&LEFT_OUT, "a placeholder of this excerpt")
        } else {
            return;
        };
        finding.message = format!("{why}: {}", finding.message);
        finding.rule = rule;
    }
}

/// `# ...`: how documentation marks what it leaves out.
fn is_elision(line: &str) -> bool {
    line.trim().strip_prefix('#').is_some_and(|rest| matches!(rest.trim(), "..." | "\u{2026}"))
}

/// A part that the whole must have somewhere; not the port of a probe that is there.
fn is_left_out(finding: &Finding) -> bool {
    let part = || ["name", "spec", "template", "domain", "devices"].iter().any(|p| finding.vm_field.ends_with(p));
    LEFT_OUT_OF_EXCERPTS.contains(&finding.rule.code) || (*finding.rule == MISSING_FIELD && part())
}

/// `labels:` with nothing in it.
fn is_null(at: Option<Cursor<'_>>) -> bool {
    at.is_some_and(|at| *at.value() == Value::Null)
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

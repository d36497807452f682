//! Errors that the text around a manifest excuses: an excerpt leaves things out and has placeholders, and the user of an OpenShift
//! Template gives values. And what there is to say of a text as a whole: a template that nobody has rendered, a patch.

use super::layer::Rank;
use super::rule::{Finding, Findings, Found};
use super::rules::kind_of_file::{CALLOUT, PATCH, UNRENDERED};
use super::rules::limits::{LEFT_OUT, TEMPLATE_PARAMETER};
use super::rules::schema::{MISSING_FIELD, WRONG_TYPE};
use super::unrendered::{ENVSUBST, braces, callout, placeholder, placeholder_at, texts};
use crate::yaml::{Cursor, Pos, Value};
use std::collections::BTreeSet;

/// What an excerpt may leave out.
const LEFT_OUT_OF_EXCERPTS: [&str; 5] =
    ["no-run-strategy", "no-memory", "network-without-interface", "interface-without-network", "disk-without-volume"];

/// Errors that compare one place with others, and what the others' paths have in them.
const COMPARED: [(&[&str], &[&str]); 4] = [
    (
        &[
            "network-without-interface",
            "interface-without-network",
            "disk-without-volume",
            "data-volume-template-unused",
        ],
        &["].name", "].metadata.name", ".dataVolume.name", ".claimName"],
    ),
    (&["undeclared-port", "port-not-forwarded"], &[".ports["]),
    (&["selector-does-not-match"], &["abels."]),
    (&["secure-boot-without-smm"], &[".secureBoot", ".smm."]),
];

/// What the text says of the manifests in it.
#[derive(Debug, Clone, Default)]
pub(super) struct TextAround {
    /// It leaves things out and says so.
    pub(super) excerpt: bool,
    /// An OpenShift Template is around it, which has placeholders of its own.
    pub(super) in_template: bool,
    /// Of the Template around it: what there is to say about its parameters.
    pub(super) notes: Vec<String>,
    /// What depends on a parameter without a value stands there.
    pub(super) open: BTreeSet<Pos>,
}

impl TextAround {
    pub(super) fn of(text: &str) -> TextAround {
        TextAround { excerpt: is_excerpt(text), ..TextAround::default() }
    }

    /// Turns an error that there is an excuse for into a note. The object is the one around it.
    pub(super) fn excuse(&self, found: &mut Found<'_>, object: Cursor<'_>) {
        let (finding, at) = (&mut found.finding, found.at);
        if finding.rule.rank != Rank::Error {
            return;
        }
        let (rule, why) = if self.open.contains(&finding.pos) {
            (&TEMPLATE_PARAMETER, "depends on a parameter without a value")
        } else if !self.in_template && depends_on_placeholder(finding, at, object) {
            (&UNRENDERED, "depends on a placeholder that nobody has rendered")
        } else if self.excerpt && (is_left_out(finding) || (*finding.rule == WRONG_TYPE && is_null(at))) {
            (&LEFT_OUT, "left out of this excerpt")
        } else if self.excerpt && (is_placeholder(&finding.vm_field) || holds_placeholder(at)) {
            (&LEFT_OUT, "a placeholder of this excerpt")
        } else {
            if let Some(mark) = at.and_then(|at| held(at, callout)) {
                finding.help = format!("remove {mark}: it is a callout of the document that this was copied from");
            }
            return;
        };
        finding.message = format!("{why}: {}", finding.message);
        finding.rule = rule;
        finding.layer = rule.layer;
    }
}

impl TextAround {
    /// Adds what there is to say of the text as a whole, and takes back what another finding says already.
    pub(super) fn remark<'a>(&self, object: Cursor<'a>, is_vm: bool, findings: &mut Findings<'a>) {
        let is_misplaced = |f: &Found<'_>| {
            let field = f.finding.vm_field.rsplit_once("spec.template.").map(|(_, field)| field);
            f.finding.rule.code == "unknown-field"
                && field.is_some_and(|f| f.ends_with("unStrategy") || f.ends_with("running"))
        };
        if findings.0.iter().any(is_misplaced) {
            findings.0.retain(|f| f.finding.rule.code != "no-run-strategy");
        }
        let is_absent = |path| object.at(path).is_none();
        let says_nothing = ["spec.running", "spec.runStrategy", "spec.template.spec.domain"].into_iter().all(is_absent);
        if is_vm && says_nothing && !is_absent("spec") && !self.excerpt {
            let help =
                "apply it, and check what comes out: `kubectl patch --dry-run=client -o yaml` or `kubectl kustomize`";
            findings.of(&PATCH).add(
                object.place("spec"),
                "this looks like a patch or a part of a VirtualMachine",
                help,
            );
        }
        let told = |at: Cursor<'_>, findings: &Findings<'_>| findings.0.iter().any(|f| f.finding.pos == at.node().pos);
        let texts = texts(object);
        for at in &texts {
            let text = at.value().as_str().unwrap_or_default();
            if let Some(mark) = callout(text).filter(|_| !told(*at, findings)) {
                let message = format!("{text:?} ends in a callout of the document that it was copied from");
                findings.of(&CALLOUT).add(*at, message, format!("remove {mark}"));
            }
        }
        let engine = texts.into_iter().find_map(placeholder_at).filter(|_| !self.in_template);
        if let Some(engine) = engine {
            let help = "values that come from placeholders are not checked";
            findings.of(&UNRENDERED).add(object, format!("this is {engine}"), help);
        }
    }
}

/// Whether the error may be gone as soon as somebody renders the text: what it is about is a placeholder, or it quotes one, or it
/// compares things of which one is.
fn depends_on_placeholder(finding: &Finding, at: Option<Cursor<'_>>, object: Cursor<'_>) -> bool {
    if finding.vm_field.contains("exec.command[") {
        // A shell has `${NAME}`, too.
        return at.is_some_and(|at| held(at, braces).is_some_and(|engine| engine != ENVSUBST));
    }
    let compares = COMPARED.iter().find(|(codes, _)| codes.contains(&finding.rule.code));
    let is_compared = |at: &Cursor<'_>| {
        let (path, fields) = (at.path(), compares.map_or(&[][..], |(_, fields)| *fields));
        path.starts_with("spec.") && fields.iter().any(|field| path.contains(field))
    };
    at.is_some_and(|at| placeholder_at(at).or_else(|| held(at, placeholder)).is_some())
        || braces(&finding.message).is_some()
        || texts(object).into_iter().filter(is_compared).any(|at| placeholder_at(at).is_some())
}

/// What a function finds in the text at a cursor.
fn held<'a, T>(at: Cursor<'a>, find: impl Fn(&'a str) -> Option<T>) -> Option<T> {
    at.value().as_str().and_then(find)
}

/// Whether a comment of it says that something is left out; what stands in a block scalar is no comment.
fn is_excerpt(text: &str) -> bool {
    let mut scalar_of = None;
    text.lines().any(|line| {
        let indent = line.len() - line.trim_start().len();
        if line.trim().is_empty() || scalar_of.is_some_and(|key| indent > key) {
            return false;
        }
        // Behind the sign of a block scalar there may be a comment.
        let code = line.split_once(" #").map_or(line, |(code, _)| code).trim();
        let head = code.split_whitespace().next_back().unwrap_or_default();
        let begins_scalar = head.starts_with(['|', '>']) && head.len() <= 3 && code != head && !code.starts_with('#');
        scalar_of = begins_scalar.then_some(indent);
        is_elision(line)
    })
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

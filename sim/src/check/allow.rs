//! Findings that a manifest's author allows, with a reason: a comment `# vmhealth: allow CODE because REASON`.
//!
//! It stands at the end of the finding's line, on a line of its own before it, or before everything else in a document: then it is for the
//! whole document. Which objects and rules there are it must not know, but that what a cluster refuses nobody can allow: the
//! cluster does not read the comment. JSON has no comments.

use super::layer::Layer;
use super::registry::{explain, rules};
use super::rule::{Finding, Rule};
use super::rules::limits::ALLOWS_NOTHING;
use crate::meant::meant;
use crate::yaml::{ByteSpan, Node, Pos, Value, YamlError, documents_of};
use std::ops::RangeInclusive;

/// How the comment begins, and how it may have been meant to.
const MARK: &str = "vmhealth:";
const ALMOST: [&str; 4] = ["vmhealth", "Vmhealth", "VMhealth", "VMHealth"];
/// How it is written.
const FORM: &str = "# vmhealth: allow CODE because REASON";

/// A finding that a comment allows.
#[derive(Debug, Clone, PartialEq)]
pub struct Allowed {
    /// What was found.
    pub finding: Finding,
    /// Why that is right, in the author's words.
    pub reason: String,
    /// Where the comment stands.
    pub comment: Pos,
}

/// A comment that allows a kind of finding in some lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Allowance {
    rule: &'static Rule,
    reason: String,
    at: Pos,
    span: ByteSpan,
    /// The lines whose findings it allows.
    lines: RangeInclusive<u64>,
    /// Those of its document, or of the object in it that the comment is about.
    around: RangeInclusive<u64>,
    is_of_all: bool,
    used: bool,
}

impl Allowance {
    /// Of a piece of a text, as one of the text in which the piece begins at `first`.
    pub(super) fn after(self, first: Pos) -> Allowance {
        let moved = |lines: RangeInclusive<u64>| lines.start() + first.line - 1..=lines.end() + first.line - 1;
        Allowance { at: self.at.after(first), lines: moved(self.lines), around: moved(self.around), ..self }
    }

    /// Why it allows nothing in front of a list that is read item by item.
    pub(super) fn of_a_long_list(self) -> YamlError {
        let code = self.rule.code;
        let message =
            format!("this list is too long for one comment to allow {code} in all of it: write it into the items");
        YamlError { pos: self.at, message }
    }

    fn allows(&self, finding: &Finding) -> bool {
        finding.rule == self.rule && self.lines.contains(&finding.pos.line)
    }

    /// Of a document with several objects, a comment for a line is about the one that has the line. `begins`: where they begin.
    pub(super) fn stay_in_its_object(&mut self, begins: &[Pos]) {
        let lines = || begins.iter().map(|pos| pos.line).filter(|line| self.around.contains(line));
        let line = *self.lines.start();
        let Some(first) = lines().filter(|begin| *begin <= line && !self.is_of_all).max() else { return };
        let next = lines().filter(|begin| *begin > line).min();
        self.around = first..=next.map_or(*self.around.end(), |next| next - 1);
    }

    /// It stands in the object that begins there, or in the document in which that stands.
    pub(super) fn is_beside(&self, object: Pos) -> bool {
        self.around.contains(&object.line)
    }

    /// What there is to say of one that allowed nothing.
    pub(super) fn unused(&self) -> Option<Finding> {
        let code = self.rule.code;
        let place =
            if self.is_of_all { "in this document".to_owned() } else { format!("in line {}", self.lines.start()) };
        (!self.used).then(|| Finding {
            rule: &ALLOWS_NOTHING,
            field: String::new(),
            vm_field: String::new(),
            layer: ALLOWS_NOTHING.layer,
            pos: self.at,
            span: self.span,
            message: format!("nothing is found {place} that this comment allows: {code}"),
            help: "remove it, or move it to the line of the finding; for the next document, behind its ---".into(),
        })
    }
}

/// Takes those out of the findings that a comment allows.
pub(super) fn take_allowed(findings: &mut Vec<Finding>, allowances: &mut [Allowance]) -> Vec<Allowed> {
    let (mut kept, mut allowed) = (Vec::new(), Vec::new());
    for finding in std::mem::take(findings) {
        let mut all: Vec<&mut Allowance> = allowances.iter_mut().filter(|a| a.allows(&finding)).collect();
        all.iter_mut().for_each(|by| by.used = true);
        // Of a line's comment and the document's, the line's has the reason.
        match all.iter().min_by_key(|by| by.lines.end() - by.lines.start()) {
            Some(by) => allowed.push(Allowed { finding, reason: by.reason.clone(), comment: by.at }),
            None => kept.push(finding),
        }
    }
    *findings = kept;
    allowed
}

/// The comments of a text of which these documents are YAML, and what is wrong with some. `is_item`: it is one of a list's, and nothing
/// stands at the top of a document.
pub(super) fn read(text: &str, documents: &[Node], is_item: bool) -> (Vec<Allowance>, Vec<YamlError>) {
    let (mut allowances, mut wrong) = (Vec::new(), Vec::new());
    // Most texts have none, and a word is found faster than lines are.
    if !ALMOST.iter().any(|word| text.contains(word)) {
        return (allowances, wrong);
    }
    let texts = Texts::of(documents);
    let mut first_line = 1;
    for (begin, document) in documents_of(text) {
        let lines: Vec<Line<'_>> = lines(document, begin).map(|(at, line)| Line::new(line, at, &texts)).collect();
        let last_line = first_line + (lines.len() as u64).max(1) - 1;
        let content = |(i, line): (usize, &Line<'_>)| line.has_content.then_some(first_line + i as u64);
        let content: Vec<u64> = lines.iter().enumerate().filter_map(content).collect();
        for (i, line) in lines.iter().enumerate() {
            let Some((column, comment)) = line.comment else { continue };
            let comment_words = comment.trim_start_matches('#').trim();
            let own = first_line + i as u64;
            let at = Pos { line: own, column: line.text[..column].chars().count() as u64 + 1 };
            let Some(words) = comment_words.strip_prefix(MARK) else {
                if is_almost(comment_words) {
                    wrong.push(YamlError { pos: at, message: format!("not understood: write {FORM}") });
                }
                continue;
            };
            let is_first = !is_item && content.first().is_none_or(|first| own < *first);
            // Its own line, if nothing follows: it allows nothing there.
            let next = content.get(content.partition_point(|line| *line < own)).copied().unwrap_or(own);
            let meant = if is_first { first_line..=last_line } else { next..=next };
            let span = ByteSpan::new(line.begin + column, line.begin + column + comment.len());
            match meaning(words) {
                Ok((rule, reason)) => allowances.push(Allowance {
                    rule,
                    reason,
                    at,
                    span,
                    lines: meant,
                    around: first_line..=last_line,
                    is_of_all: is_first,
                    used: false,
                }),
                Err(message) => wrong.push(YamlError { pos: at, message }),
            }
        }
        first_line = last_line + 1;
    }
    (allowances, wrong)
}

/// `VMHealth: allow ...`, `vmhealth allow ...`
fn is_almost(comment: &str) -> bool {
    let behind = ALMOST.iter().find_map(|word| comment.strip_prefix(word));
    behind.is_some_and(|rest| rest.trim_start_matches(':').trim_start().starts_with("allow "))
}

/// What it allows, and why.
fn meaning(words: &str) -> Result<(&'static Rule, String), String> {
    let form = || format!("not understood: write {FORM}");
    let rest = words.trim().strip_prefix("allow").filter(|rest| rest.starts_with([' ', '\t'])).ok_or_else(form)?;
    let (code, rest) = rest.trim().split_once([' ', '\t']).unwrap_or((rest.trim(), ""));
    if code.contains(',') {
        return Err(format!("{code:?}: a comment is for one code; write one for each"));
    }
    if code == ALLOWS_NOTHING.code {
        return Err(format!("{code} is about a comment: remove that one, and this"));
    }
    let rule = explain(code).ok_or_else(|| {
        let near = meant(code, rules().iter().map(|rule| rule.code));
        let near = near.map_or("check --explain lists all".to_owned(), |near| format!("did you mean {near}?"));
        format!("no finding has the code {code:?}: {near}")
    })?;
    if rule.layer.refuses() {
        let who = if rule.layer == Layer::ClientDecode { "kubectl" } else { "the cluster" };
        return Err(format!(
            "{code} cannot be allowed: {who} refuses it ({}), whatever a comment says; mend the manifest and remove the comment",
            rule.layer
        ));
    }
    let reason = rest.trim().strip_prefix("because").filter(|r| r.is_empty() || r.starts_with([' ', '\t']));
    match reason.map(str::trim) {
        Some("") | None => {
            Err(format!("{code} is allowed without a reason: write # vmhealth: allow {code} because REASON"))
        }
        Some(reason) => Ok((rule, reason.to_owned())),
    }
}

/// A line of a document.
struct Line<'t> {
    text: &'t str,
    /// Its first byte in the text.
    begin: usize,
    /// Its comment, and the byte of the line at which that begins.
    comment: Option<(usize, &'t str)>,
    /// More than a comment, a marker of three dashes or a directive.
    has_content: bool,
}

impl<'t> Line<'t> {
    fn new(text: &'t str, begin: usize, texts: &Texts) -> Line<'t> {
        let line = text.trim_end_matches(['\n', '\r']);
        let text = line.trim_start_matches('\u{feff}');
        let begin = begin + line.len() - text.len();
        let begins = |at: usize| at == 0 || text[..at].ends_with([' ', '\t']);
        let comment = text.match_indices('#').map(|(at, _)| at).find(|at| begins(*at) && !texts.have(begin + at));
        let before = text[..comment.unwrap_or(text.len())].trim();
        let has_content = !before.is_empty() && before != "---" && before != "..." && !before.starts_with('%');
        Line { text, begin, comment: comment.map(|at| (at, &text[at..])), has_content }
    }
}

/// Lines with their ends, and where in the text each begins.
fn lines(document: &str, begin: usize) -> impl Iterator<Item = (usize, &str)> {
    document.split_inclusive('\n').scan(begin, |at, line| {
        let begin = *at;
        *at += line.len();
        Some((begin, line))
    })
}

/// Where the texts of the documents stand that have `#` in them: that begins no comment there.
struct Texts(Vec<(usize, usize)>);

impl Texts {
    fn of(documents: &[Node]) -> Texts {
        let mut texts = Texts(Vec::new());
        documents.iter().for_each(|node| texts.collect(node));
        texts.0.sort_unstable();
        texts
    }

    fn collect(&mut self, node: &Node) {
        match &node.value {
            Value::Seq(items) => items.iter().for_each(|item| self.collect(item)),
            Value::Map(members) => {
                for (key, member) in members {
                    self.add(key.span, &key.name);
                    self.collect(member);
                }
            }
            Value::Str(value) => self.add(node.span, value),
            _ => {}
        }
    }

    fn add(&mut self, span: ByteSpan, value: &str) {
        if !value.contains('#') {
            return;
        }
        // A block scalar begins behind the line of its sign.
        let range = span.range();
        self.0.push((range.start, range.end));
    }

    fn have(&self, at: usize) -> bool {
        let next = self.0.partition_point(|(start, _)| *start <= at);
        self.0[..next].last().is_some_and(|(_, end)| at < *end)
    }
}

//! What `check` prints: a stable JSON (DESIGN.md) and text with source excerpts.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use schemars::JsonSchema;
use serde::Serialize;
use vmhealth_sim::check::{Checked, Finding, Layer, Rank, Verdict};
use vmhealth_sim::yaml::Pos;

/// The findings in files, as JSON.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CheckReport {
    /// Of this format: 1.
    schema: u32,
    /// Every VirtualMachine and VirtualMachineInstance in the order of files and documents.
    manifests: Vec<ManifestReport>,
    /// Objects of other kinds, which are not looked at.
    skipped: Vec<SkippedReport>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct SkippedReport {
    file: String,
    kind: String,
    line: u64,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct ManifestReport {
    /// As it was named on the command line; `-` is standard input.
    file: String,
    /// `metadata.name`, empty if absent.
    name: String,
    /// `accepted`, `refused` or `accepted-but-broken`.
    verdict: String,
    /// Whether `kubectl create` goes through.
    created: bool,
    findings: Vec<FindingReport>,
    /// Paths of fields that vmhealth does not act on.
    not_acted_on: Vec<String>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct FindingReport {
    /// `error`, `warning` or `note`.
    severity: String,
    /// Stable; `check --explain CODE` tells more.
    code: String,
    /// `client-decode`, `schema`, `vm-webhook`, `vmi-webhook`, `pod-validation`, `libvirt`, `runtime` or `hazard`.
    layer: String,
    /// What the user sees, and when.
    outcome: String,
    /// The field as that layer reports it.
    field: String,
    /// The field in the manifest.
    vm_field: String,
    /// From 1.
    line: u64,
    /// In characters, from 1.
    column: u64,
    message: String,
    /// How to mend it.
    help: String,
}

impl CheckReport {
    /// A report of nothing yet.
    pub fn new() -> CheckReport {
        CheckReport { schema: 1, manifests: Vec::new(), skipped: Vec::new() }
    }

    /// Adds what was found in a file.
    pub fn add(&mut self, file: &str, checks: &vmhealth_sim::check::Checks) {
        self.manifests.extend(checks.manifests.iter().map(|m| manifest_report(file, m)));
        let skipped = |s: &vmhealth_sim::check::Skipped| SkippedReport {
            file: file.to_owned(),
            kind: s.kind.clone(),
            line: s.pos.line,
        };
        self.skipped.extend(checks.skipped.iter().map(skipped));
    }
}

impl Default for CheckReport {
    fn default() -> Self {
        CheckReport::new()
    }
}

fn manifest_report(file: &str, checked: &Checked) -> ManifestReport {
    let finding = |f: &Finding| FindingReport {
        severity: f.code.rank.as_str().into(),
        code: f.code.word.into(),
        layer: f.code.layer.to_string(),
        outcome: f.code.layer.outcome(checked.is_vm).into(),
        field: f.field.clone(),
        vm_field: f.vm_field.clone(),
        line: f.pos.line,
        column: f.pos.column,
        message: f.message.clone(),
        help: f.help.clone(),
    };
    ManifestReport {
        file: file.to_owned(),
        name: checked.name.clone(),
        verdict: checked.verdict.as_str().into(),
        created: checked.created,
        findings: checked.findings.iter().map(finding).collect(),
        not_acted_on: checked.not_acted_on.iter().map(|(path, _)| path.clone()).collect(),
    }
}

/// The JSON Schema of a [`CheckReport`].
pub fn report_schema() -> schemars::Schema {
    schemars::schema_for!(CheckReport)
}

/// A manifest's findings as text, its verdict last.
pub fn render(file: &str, text: &str, checked: &Checked, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for finding in &checked.findings {
        out += &renderer.render(&groups(file, text, finding, checked.is_vm));
        out += "\n\n";
    }
    for (path, pos) in &checked.not_acted_on {
        out += &format!("{file}:{}:{}: not acted on: {path}\n", pos.line, pos.column);
    }
    let name = if checked.name.is_empty() { "(without a name)" } else { &checked.name };
    out + &format!("{file}: {name}: {}\n", summary(checked))
}

fn groups<'a>(file: &'a str, text: &'a str, finding: &'a Finding, is_vm: bool) -> Vec<Group<'a>> {
    let level = match finding.code.rank {
        Rank::Error => Level::ERROR,
        Rank::Warning => Level::WARNING,
        Rank::Note => Level::NOTE,
    };
    let title = level.primary_title(&finding.message).id(finding.code.word);
    let label = if finding.field == finding.vm_field { "" } else { finding.field.as_str() };
    let annotation = AnnotationKind::Primary.span(span(text, finding.pos));
    let annotation = if label.is_empty() { annotation } else { annotation.label(label) };
    let mut group = title.element(Snippet::source(text).path(file).fold(true).annotation(annotation));
    let layer = finding.code.layer;
    if layer != Layer::Hazard {
        group = group.element(Level::NOTE.message(format!("{layer}: {}", layer.outcome(is_vm))));
    }
    vec![group.element(Level::HELP.message(&finding.help))]
}

/// The bytes of the word at a position.
fn span(text: &str, pos: Pos) -> std::ops::Range<usize> {
    let skip = usize::try_from(pos.line.saturating_sub(1)).unwrap_or(usize::MAX);
    let start: usize = text.split_inclusive('\n').take(skip).map(str::len).sum();
    let line = text[start..].lines().next().unwrap_or_default();
    let column = usize::try_from(pos.column.saturating_sub(1)).unwrap_or(usize::MAX);
    let from = line.char_indices().nth(column).map_or(line.len(), |(i, _)| i);
    let word = line[from..].find([' ', ':', ',', '}', ']', '\t']).unwrap_or(line.len() - from).max(1);
    start + from..(start + from + word).min(text.len())
}

fn summary(checked: &Checked) -> String {
    let count = |rank| checked.findings.iter().filter(|f| f.code.rank == rank).count();
    let found = [(Rank::Error, "error"), (Rank::Warning, "warning"), (Rank::Note, "note")]
        .into_iter()
        .filter(|(rank, _)| count(*rank) > 0)
        .map(|(rank, word)| format!("{} {word}{}", count(rank), if count(rank) == 1 { "" } else { "s" }));
    let found = found.collect::<Vec<_>>().join(", ");
    let what = match (checked.verdict, checked.created) {
        (Verdict::Refused, false) => "refused: it cannot be created",
        (Verdict::Refused, true) => "refused: it is created and never runs",
        (Verdict::AcceptedButBroken, _) => "accepted, but broken: it cannot do what it says",
        (Verdict::Accepted, _) => "accepted",
    };
    if found.is_empty() { what.to_owned() } else { format!("{what} ({found})") }
}

//! Findings as a compiler would show them.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::ops::Range;
use vmhealth_sim::check::{Allowed, Checked, Finding, Layer, Rank, Verdict};
use vmhealth_sim::yaml::{ByteSpan, Pos};

/// Findings and paths that are shown of each manifest.
const MAX_SHOWN: usize = 100;

/// A manifest's findings as text, its verdict last.
pub fn render(file: &str, text: &str, checked: &Checked, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for finding in checked.findings.iter().take(MAX_SHOWN) {
        out += &renderer.render(&groups(file, text, finding, checked));
        out += "\n\n";
    }
    let hidden = checked.findings.len().saturating_sub(MAX_SHOWN);
    if hidden > 0 {
        out += &format!("... and {hidden} more; --format json shows all\n\n");
    }
    // A name can hold what a terminal obeys.
    let name =
        if checked.name.is_empty() { "(without a name)".into() } else { checked.name.escape_debug().to_string() };
    out + &format!("{file}: {name}: {}\n", summary(checked))
}

/// Fields that only a cluster acts on, a line each: they say nothing about what it does, and some manifests have dozens.
pub(super) fn render_ignored(file: &str, checked: &Checked) -> String {
    let line = |(path, pos): &(String, Pos)| {
        format!("{file}:{}: `run` and `explore` take no notice of {}\n", pos.line, path.escape_debug())
    };
    checked.ignored.iter().map(line).collect()
}

/// What comments allow, a line each.
pub(super) fn render_allowed(file: &str, checked: &Checked) -> String {
    let line = |allowed: &Allowed| {
        let (line, code) = (allowed.finding.pos.line, allowed.finding.rule.code);
        format!("{file}:{line}: {code} is allowed (line {}): {}\n", allowed.comment.line, allowed.reason.escape_debug())
    };
    checked.allowed.iter().map(line).collect()
}

fn groups<'a>(file: &'a str, text: &'a str, finding: &'a Finding, checked: &Checked) -> Vec<Group<'a>> {
    let (kind, strategy) = (checked.kind, checked.vm.as_ref().map(|vm| vm.run_strategy));
    let level = match finding.rule.rank {
        Rank::Error => Level::ERROR,
        Rank::Warning => Level::WARNING,
        Rank::Note => Level::NOTE,
    };
    let title = level.primary_title(&finding.message).id(finding.rule.code);
    let label = if finding.field == finding.vm_field { "" } else { finding.field.as_str() };
    // One line: the whole text would be looked through again for each finding.
    let (line, word) = line_around(text, finding.span);
    let line_number = usize::try_from(finding.pos.line).unwrap_or(usize::MAX);
    let annotation = AnnotationKind::Primary.span(word);
    let annotation = if label.is_empty() { annotation } else { annotation.label(label) };
    let mut group = title.element(Snippet::source(line).line_start(line_number).path(file).annotation(annotation));
    let layer = finding.layer;
    if layer != Layer::Hazard {
        group = group.element(Level::NOTE.message(format!("{layer}: {}", finding.outcome(kind, strategy))));
    }
    vec![group.element(Level::HELP.message(&finding.help))]
}

/// The first line of what a span covers, and its bytes in that line.
fn line_around(text: &str, span: ByteSpan) -> (&str, Range<usize>) {
    let Range { start, end } = span.range();
    let (before, after) = (text.get(..start).unwrap_or_default(), text.get(start..).unwrap_or_default());
    let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
    let length = after.find('\n').unwrap_or(after.len());
    let line = text.get(begin..before.len() + length).unwrap_or_default();
    (line, before.len() - begin..end.clamp(before.len(), before.len() + length) - begin)
}

fn summary(checked: &Checked) -> String {
    let count = |rank| checked.findings.iter().filter(|f| f.rule.rank == rank).count();
    let found = [(Rank::Error, "error"), (Rank::Warning, "warning"), (Rank::Note, "note")]
        .into_iter()
        .filter(|(rank, _)| count(*rank) > 0)
        .map(|(rank, word)| format!("{} {word}{}", count(rank), if count(rank) == 1 { "" } else { "s" }));
    let allowed = (!checked.allowed.is_empty()).then(|| format!("{} allowed by comments", checked.allowed.len()));
    let found = found.chain(allowed).collect::<Vec<_>>().join(", ");
    // Without a VM beside it that is all that can be said: say what was looked at.
    let brought =
        format!("accepted: a {}, its fields and what KubeVirt's webhook for it refuses", checked.kind.as_str());
    let what = match (checked.verdict, checked.created) {
        (Verdict::Refused, false) => "refused: it cannot be created",
        (Verdict::Refused, true) => "refused: it is created and never runs",
        (Verdict::AcceptedButBroken, _) => "accepted, but broken: it cannot work as written",
        (Verdict::Accepted, _) if checked.kind.is_brought() => brought.as_str(),
        (Verdict::Accepted, _) => "accepted",
    };
    if found.is_empty() { what.to_owned() } else { format!("{what} ({found})") }
}

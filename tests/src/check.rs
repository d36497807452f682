//! What `check` prints: a stable JSON (DESIGN.md) and text with source excerpts.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use schemars::JsonSchema;
use serde::Serialize;
use std::ops::Range;
use vmhealth_sim::budget::{Assumptions, RaceRow, Row, Span, Tipping, contenders, first, rows, tipping, who_wins};
use vmhealth_sim::check::{Checked, Checks, Finding, Layer, Rank, Skipped, Verdict, heartbeat};
use vmhealth_sim::manifest::VirtualMachine;

/// The matrix's columns: `kernel.panic`, seconds.
const TIMERS: [u32; 6] = [0, 5, 10, 20, 30, 60];
/// The matrix's rows: the watchdog daemon's timeout, seconds.
const HEARTBEATS: [u32; 8] = [5, 10, 15, 20, 30, 45, 60, 120];
/// More than anybody reads.
const MAX_SHOWN: usize = 100;

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
    /// How long things take, if asked for and if it can run.
    #[serde(skip_serializing_if = "Option::is_none")]
    budgets: Option<Vec<BudgetReport>>,
    /// Who is first on a kernel panic, if asked for and if it can run.
    #[serde(skip_serializing_if = "Option::is_none")]
    who_wins: Option<WhoWinsReport>,
}

/// Who acts first on a kernel panic, for each `kernel.panic` timer and heartbeat of a grid.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct WhoWinsReport {
    /// The columns: `kernel.panic`, seconds; 0: never.
    panic_timers_s: Vec<u32>,
    rows: Vec<RaceReport>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct RaceReport {
    /// The watchdog daemon's timeout; null: the VM has no watchdog.
    heartbeat_s: Option<u32>,
    /// For each timer those who may be first: `kernel.panic`, `panic-device`, `watchdog`, `liveness`; several: by chance.
    first: Vec<Vec<&'static str>>,
    /// Up to this timer the guest's own reboot is always first; null: nobody else acts.
    timer_wins_up_to_s: Option<u64>,
    /// From this timer on it is never first.
    timer_loses_from_s: Option<u64>,
}

/// Spans are `[best, worst]` in seconds from the fault; null: never.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct BudgetReport {
    /// `service-stopped`, `service-hangs`, `agent-stopped`, `daemon-stopped` or `kernel-panic`.
    fault: String,
    /// `readiness`, `liveness`, `watchdog` or `panic-device`.
    detector: String,
    detected_s: Option<[f64; 2]>,
    acted_s: Option<[f64; 2]>,
    action: String,
    back_s: Option<[f64; 2]>,
    /// Liveness interferes with what the watchdog does: when the guest is back nobody can say.
    contested: bool,
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

    /// Adds what was found in a file, and how long things take if that is asked for.
    pub fn add(&mut self, file: &str, checks: &Checks, budgets: Option<&Assumptions>) {
        self.manifests.extend(checks.manifests.iter().map(|m| manifest_report(file, m, budgets)));
        let skipped = |s: &Skipped| SkippedReport { file: file.to_owned(), kind: s.kind.clone(), line: s.pos.line };
        self.skipped.extend(checks.skipped.iter().map(skipped));
    }
}

impl Default for CheckReport {
    fn default() -> Self {
        CheckReport::new()
    }
}

fn manifest_report(file: &str, checked: &Checked, budgets: Option<&Assumptions>) -> ManifestReport {
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
        budgets: checked
            .vm
            .as_ref()
            .zip(budgets)
            .map(|(vm, a)| rows(vm, &of_vm(a, vm)).iter().map(budget_report).collect()),
        who_wins: checked.vm.as_ref().zip(budgets).map(|(vm, a)| WhoWinsReport {
            panic_timers_s: TIMERS.to_vec(),
            rows: who_wins(vm, &of_vm(a, vm), &TIMERS, &HEARTBEATS).into_iter().map(race_report).collect(),
        }),
    }
}

/// The heartbeat is the manifest's, where it sets one.
fn of_vm(assumptions: &Assumptions, vm: &VirtualMachine) -> Assumptions {
    let set = heartbeat(&vm.vmi.cloud_init).and_then(|h| u32::try_from(h.as_secs()).ok());
    Assumptions { heartbeat: set.unwrap_or(assumptions.heartbeat), ..*assumptions }
}

fn race_report(row: RaceRow) -> RaceReport {
    RaceReport {
        heartbeat_s: row.heartbeat,
        first: row.first,
        timer_wins_up_to_s: row.tipping.map(|t| t.timer_up_to),
        timer_loses_from_s: row.tipping.map(|t| t.never_from),
    }
}

fn budget_report(row: &Row) -> BudgetReport {
    let span = |s: Option<Span>| s.map(|s| [s.best.as_secs_f64(), s.worst.as_secs_f64()]);
    BudgetReport {
        fault: row.fault.as_str().into(),
        detector: row.detector.as_str().into(),
        detected_s: span(row.detected),
        acted_s: span(row.acted),
        action: row.action.into(),
        back_s: span(row.back),
        contested: row.contested(),
    }
}

/// A manifest's budgets as a table; nothing if it cannot run or nothing in it detects anything. `panic_timer`:
/// `kernel.panic`, seconds; 0: never.
pub fn render_budgets(checked: &Checked, assumptions: &Assumptions, panic_timer: u32) -> String {
    let Some(vm) = &checked.vm else { return String::new() };
    let assumptions = of_vm(assumptions, vm);
    let table = rows(vm, &assumptions);
    if table.is_empty() {
        return "nothing in it detects a fault: no probe, no watchdog, no panic device\n".to_owned();
    }
    let span = |s: Option<Span>| match s {
        None => "never".to_owned(),
        Some(s) if s.best == s.worst => format!("{:.0}", s.best.as_secs_f64()),
        Some(s) => format!("{:.0}-{:.0}", s.best.as_secs_f64(), s.worst.as_secs_f64()),
    };
    let mut out = format!(
        "seconds from the fault (boot {} s, shutdown {} s, heartbeat {} s):\n{:<16} {:<13} {:>9} {:>9} {:>9}  {}\n",
        assumptions.boot.as_secs(),
        assumptions.shutdown.as_secs(),
        assumptions.heartbeat,
        "fault",
        "detector",
        "detected",
        "done",
        "back",
        "what is done"
    );
    for row in &table {
        let (fault, detector) = (row.fault.as_str(), row.detector.as_str());
        let [detected, acted, back] = [row.detected, row.acted, row.back].map(span);
        let line = format!("{fault:<16} {detector:<13} {detected:>9} {acted:>9} {back:>9}  {}", row.action);
        out += line.trim_end();
        out.push('\n');
    }
    let all = contenders(vm, &assumptions, panic_timer);
    if let Some(soonest) = all.first() {
        let who = first(&all).join(" or ");
        out += &format!("first on a kernel panic: {who} after {} s", span(Some(soonest.at)));
        if let Some(Tipping { watchdog_up_to, liveness_from }) = tipping(vm, &assumptions) {
            out += &format!(
                "; the watchdog always wins up to a heartbeat of {watchdog_up_to} s, liveness from {liveness_from} s on"
            );
        }
        out.push('\n');
        out += &render_who_wins(&who_wins(vm, &assumptions, &TIMERS, &HEARTBEATS));
    }
    out
}

/// The matrix; a cell with two names is a race that chance decides.
fn render_who_wins(rows: &[RaceRow]) -> String {
    let short = |names: &Vec<&'static str>| if names.is_empty() { "nobody".to_owned() } else { names.join("/") };
    let cells: Vec<Vec<String>> = rows.iter().map(|r| r.first.iter().map(short).collect()).collect();
    let heads: Vec<String> = TIMERS.iter().map(|t| if *t == 0 { "never".into() } else { format!("{t} s") }).collect();
    let width = |i: usize| cells.iter().map(|row| row[i].len()).chain([heads[i].len()]).max().unwrap_or(0);
    let line = |first: &str, cells: &[String], last: &str| {
        let cells: Vec<String> = cells.iter().enumerate().map(|(i, c)| format!("{c:<w$}", w = width(i))).collect();
        format!("{first:<10} {}  {last}", cells.join("  ")).trim_end().to_owned() + "\n"
    };
    let mut out =
        "who wins on a kernel panic, by the daemon's heartbeat and the guest's kernel.panic (two names: by chance):\n"
            .to_owned();
    out += &line("heartbeat", &heads, "kernel.panic wins surely, never");
    for (row, cells) in rows.iter().zip(&cells) {
        let heartbeat = row.heartbeat.map_or("none".into(), |h| format!("{h} s"));
        let tips = row.tipping.map(|t| format!("up to {} s, from {} s on", t.timer_up_to, t.never_from));
        out += &line(&heartbeat, cells, &tips.unwrap_or_default());
    }
    out
}

/// The JSON Schema of a [`CheckReport`].
pub fn report_schema() -> schemars::Schema {
    schemars::schema_for!(CheckReport)
}

/// A manifest's findings as text, its verdict last.
pub fn render(file: &str, text: &str, checked: &Checked, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for finding in checked.findings.iter().take(MAX_SHOWN) {
        out += &renderer.render(&groups(file, text, finding, checked.is_vm));
        out += "\n\n";
    }
    let hidden = checked.findings.len().saturating_sub(MAX_SHOWN);
    if hidden > 0 {
        out += &format!("... and {hidden} more; --format json has them all\n\n");
    }
    for (path, pos) in checked.not_acted_on.iter().take(MAX_SHOWN) {
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
    // One line: the whole text would be looked through again for each finding.
    let line_number = usize::try_from(finding.pos.line).unwrap_or(usize::MAX);
    let line = text.lines().nth(line_number.saturating_sub(1)).unwrap_or_default();
    let annotation = AnnotationKind::Primary.span(word(line, finding.pos.column));
    let annotation = if label.is_empty() { annotation } else { annotation.label(label) };
    let mut group = title.element(Snippet::source(line).line_start(line_number).path(file).annotation(annotation));
    let layer = finding.code.layer;
    if layer != Layer::Hazard {
        group = group.element(Level::NOTE.message(format!("{layer}: {}", layer.outcome(is_vm))));
    }
    vec![group.element(Level::HELP.message(&finding.help))]
}

/// The bytes of the word, or of the quoted text, at a column of a line.
fn word(line: &str, column: u64) -> Range<usize> {
    let column = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
    let from = line.char_indices().nth(column).map_or(line.len(), |(i, _)| i);
    let rest = &line[from..];
    let quoted = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
    let length = match quoted.and_then(|quote| rest[1..].find(quote)) {
        Some(inner) => inner + 2,
        None => rest.find([' ', ':', ',', '}', ']', '\t']).unwrap_or(rest.len()),
    };
    from..from + length
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

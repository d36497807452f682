//! `check --format json`, and its schema.

use super::budgets::{BasisReport, HEARTBEATS, THRESHOLDS, TIMERS};
use schemars::JsonSchema;
use serde::Serialize;
use vmhealth_sim::budget::{Basis, Given, RaceRow, RaceVariant, Row, Span, ready, rows, who_wins, who_wins_grid};
use vmhealth_sim::check::{Allowed, Checked, Checks, Finding, Skipped};
use vmhealth_sim::yaml::YamlError;

/// Characters of a line that are shown.
const EXCERPT: usize = 200;

/// The findings in files, as JSON.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CheckReport {
    /// The version of this format: 1.
    pub(super) schema: u32,
    /// Every VirtualMachine and VirtualMachineInstance, what makes some, and the instance types and preferences that they name, in the
    /// order of files and documents.
    pub(super) manifests: Vec<ManifestReport>,
    /// Objects of other kinds, which are not checked.
    pub(super) skipped: Vec<SkippedReport>,
    /// What could not be checked: files and directories that cannot be read, parts that are not YAML, manifests that an option does not fit.
    pub(super) errors: Vec<ErrorReport>,
}

/// A file or a directory that could not be checked, or a part of a file.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct ErrorReport {
    file: String,
    /// Counted from 1.
    line: u64,
    /// In characters, counted from 1.
    column: u64,
    message: String,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct SkippedReport {
    file: String,
    kind: String,
    line: u64,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct ManifestReport {
    /// As it was named on the command line; `-` is standard input.
    file: String,
    /// `VirtualMachine`, `VirtualMachineClusterInstancetype`, ...
    kind: &'static str,
    /// `metadata.name`, empty if absent.
    name: String,
    /// `accepted`, `refused` or `accepted-but-broken`.
    verdict: String,
    /// Whether `kubectl create` goes through.
    created: bool,
    findings: Vec<FindingReport>,
    /// What was found, too, and a comment of the manifest allows.
    allowed: Vec<AllowedReport>,
    /// Paths of fields that vmhealth ignores.
    not_acted_on: Vec<String>,
    /// How long things take, if asked for and if it can run.
    #[serde(skip_serializing_if = "Option::is_none")]
    budgets: Option<Vec<BudgetReport>>,
    /// What the budgets rest on, if asked for and if it can run.
    #[serde(skip_serializing_if = "Option::is_none")]
    basis: Option<BasisReport>,
    /// Who is first on a kernel panic, if asked for and if it can run.
    #[serde(skip_serializing_if = "Option::is_none")]
    who_wins: Option<WhoWinsReport>,
}

/// Who acts first on a kernel panic, for each `kernel.panic` timer and heartbeat of a grid.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct WhoWinsReport {
    /// The columns: `kernel.panic`, seconds; 0: never.
    panic_timers_s: Vec<i32>,
    /// For the VM as it is.
    rows: Vec<RaceReport>,
    /// For VMs that differ from it in a panic device and in `livenessProbe.failureThreshold`.
    variants: Vec<VariantReport>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct VariantReport {
    panic_device: bool,
    /// `livenessProbe.failureThreshold`; null: without liveness.
    failure_threshold: Option<u32>,
    rows: Vec<RaceReport>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct RaceReport {
    /// The watchdog daemon's timeout; null: the VM has no watchdog.
    heartbeat_s: Option<u32>,
    /// For each timer those who may be first: `kernel.panic`, `panic-device`, `disabled-wait`, `watchdog`,
    /// `liveness`; several: either may win.
    first: Vec<Vec<&'static str>>,
    /// Up to this timer the guest's own reboot is always first; null: nobody else acts.
    timer_wins_up_to_s: Option<u64>,
    /// From this timer on it is never first.
    timer_loses_from_s: Option<u64>,
}

/// Spans are `[best, worst]` in seconds from the fault; null: never.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct BudgetReport {
    /// `service-stopped`, `service-hangs`, `agent-stopped`, `daemon-stopped`, `kernel-panic` or
    /// `network-lost`.
    fault: String,
    /// `readiness`, `liveness`, `watchdog`, `panic-device`, `disabled-wait` or `kernel.panic`.
    detector: String,
    detected_s: Option<[f64; 2]>,
    /// For a fault at a random moment.
    detected_typical_s: Option<f64>,
    acted_s: Option<[f64; 2]>,
    action: String,
    back_s: Option<[f64; 2]>,
    /// For a fault at a random moment.
    back_typical_s: Option<f64>,
    /// Liveness interferes with what the watchdog or the guest itself does: when it is back cannot be said.
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
    /// Counted from 1.
    line: u64,
    /// In characters, counted from 1.
    column: u64,
    message: String,
    /// How to fix it.
    help: String,
    /// The line of the file.
    excerpt: String,
}

/// A finding that a comment allows: it counts for no verdict and no exit status.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct AllowedReport {
    #[serde(flatten)]
    finding: FindingReport,
    /// Why, as the comment says.
    reason: String,
    /// The line of the comment.
    comment_line: u64,
}

impl CheckReport {
    /// A report of nothing yet.
    pub fn new() -> CheckReport {
        CheckReport { schema: 1, manifests: Vec::new(), skipped: Vec::new(), errors: Vec::new() }
    }

    /// Adds what was found in a piece of a file with this text, which begins in line `first`, and how long things take if that is asked for.
    pub fn add(&mut self, file: &str, (first, text): (u64, &str), checks: &Checks, budgets: Option<&Given>) {
        let lines = Lines { first, lines: text.lines().collect() };
        self.manifests.extend(checks.manifests.iter().map(|m| manifest_report(file, &lines, m, budgets)));
        let skipped = |s: &Skipped| SkippedReport { file: file.to_owned(), kind: s.kind.clone(), line: s.pos.line };
        self.skipped.extend(checks.skipped.iter().map(skipped));
    }

    /// Adds what could not be checked.
    pub fn add_error(&mut self, file: &str, error: &YamlError) {
        let (file, message) = (file.to_owned(), error.message.clone());
        self.errors.push(ErrorReport { file, line: error.pos.line, column: error.pos.column, message });
    }
}

impl Default for CheckReport {
    fn default() -> Self {
        CheckReport::new()
    }
}

/// The lines of a piece of a file.
struct Lines<'t> {
    /// The number of the first one.
    first: u64,
    lines: Vec<&'t str>,
}

fn manifest_report(file: &str, lines: &Lines<'_>, checked: &Checked, budgets: Option<&Given>) -> ManifestReport {
    let finding = |f: &Finding| FindingReport {
        severity: f.rule.rank.as_str().into(),
        code: f.rule.code.into(),
        layer: f.layer.to_string(),
        outcome: f.outcome(checked.kind, checked.vm.as_ref().map(|vm| vm.run_strategy)).into(),
        field: f.field.clone(),
        vm_field: f.vm_field.clone(),
        line: f.pos.line,
        column: f.pos.column,
        message: f.message.clone(),
        help: f.help.clone(),
        excerpt: excerpt(lines, f.pos.line),
    };
    let allowed = |a: &Allowed| AllowedReport {
        finding: finding(&a.finding),
        reason: a.reason.clone(),
        comment_line: a.comment.line,
    };
    let running = checked.vm.as_ref().zip(budgets).map(|(vm, given)| (vm, Basis::of(vm, given)));
    ManifestReport {
        file: file.to_owned(),
        kind: checked.kind.as_str(),
        name: checked.name.clone(),
        verdict: checked.verdict.as_str().into(),
        created: checked.created,
        findings: checked.findings.iter().map(finding).collect(),
        allowed: checked.allowed.iter().map(allowed).collect(),
        not_acted_on: checked.ignored.iter().map(|(path, _)| path.clone()).collect(),
        budgets: running.as_ref().map(|(vm, b)| rows(vm, &b.assumptions).iter().map(budget_report).collect()),
        basis: running.as_ref().map(|(vm, b)| BasisReport::of(b, ready(vm, &b.assumptions))),
        who_wins: running.as_ref().map(|(vm, Basis { assumptions: a, .. })| WhoWinsReport {
            panic_timers_s: TIMERS.to_vec(),
            rows: who_wins(vm, a, &TIMERS, &HEARTBEATS).into_iter().map(race_report).collect(),
            variants: who_wins_grid(vm, a, &TIMERS, &HEARTBEATS, &THRESHOLDS).into_iter().map(variant_report).collect(),
        }),
    }
}

/// A line as it stands in the file, at most so much of it.
fn excerpt(lines: &Lines<'_>, number: u64) -> String {
    let index = number.checked_sub(lines.first).and_then(|n| usize::try_from(n).ok());
    let line = index.and_then(|n| lines.lines.get(n)).copied().unwrap_or_default();
    line.chars().take(EXCERPT).collect()
}

fn variant_report(variant: RaceVariant) -> VariantReport {
    VariantReport {
        panic_device: variant.panic_device,
        failure_threshold: variant.failure_threshold,
        rows: variant.rows.into_iter().map(race_report).collect(),
    }
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
    let typical = |s: Option<Span>| s.map(|s| s.typical().as_secs_f64());
    let span = |s: Option<Span>| s.map(|s| [s.best.as_secs_f64(), s.worst.as_secs_f64()]);
    BudgetReport {
        fault: row.fault.as_str().into(),
        detector: row.detector.as_str().into(),
        detected_s: span(row.detected),
        detected_typical_s: typical(row.detected),
        acted_s: span(row.acted),
        action: row.action.into(),
        back_s: span(row.back),
        back_typical_s: typical(row.back),
        contested: row.contested(),
    }
}

/// The JSON Schema of a [`CheckReport`].
pub fn report_schema() -> schemars::Schema {
    schemars::schema_for!(CheckReport)
}

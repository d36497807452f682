//! How long things take, and who acts first on a panic, as tables for people.

use schemars::JsonSchema;
use serde::Serialize;
use vmhealth_sim::budget::{
    Assumptions, Basis, FaultRow, Given, RaceRow, RaceVariant, Span, Tipping, by_fault, contenders, first, ready, rows,
    tipping, who_wins, who_wins_grid,
};
use vmhealth_sim::check::Checked;
use vmhealth_sim::devices::fires_after;
use vmhealth_sim::manifest::WatchdogModel;

/// The matrix's columns: `kernel.panic`, seconds.
pub(super) const TIMERS: [i32; 6] = [0, 5, 10, 20, 30, 60];
/// The matrix's rows: the watchdog daemon's timeout, seconds.
pub(super) const HEARTBEATS: [u32; 8] = [5, 10, 15, 20, 30, 45, 60, 120];
/// Liveness's patience in the matrix of all four: `failureThreshold`.
pub(super) const THRESHOLDS: [u32; 5] = [1, 2, 3, 6, 12];

/// What a manifest's budgets rest on, for machines.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct BasisReport {
    /// From a guest's start until it answers.
    boot_s: f64,
    /// From a request to shut down until a healthy guest is off.
    shutdown_s: f64,
    /// The timeout of whoever pets the watchdog.
    heartbeat_s: u32,
    /// `kernel.panic`; 0: never, negative: at once.
    panic_timer_s: i32,
    /// What was read in the user data and in kernelArgs.
    read: Vec<String>,
    /// What nobody said.
    assumed: Vec<String>,
    /// `[best, worst]` from the VMI's creation to its condition Ready; null: never.
    ready_s: Option<[f64; 2]>,
}

impl BasisReport {
    pub(super) fn of(basis: &Basis, ready: Option<Span>) -> BasisReport {
        let Assumptions { boot, shutdown, heartbeat, panic_timer, .. } = basis.assumptions;
        BasisReport {
            boot_s: boot.as_secs_f64(),
            shutdown_s: shutdown.as_secs_f64(),
            heartbeat_s: heartbeat,
            panic_timer_s: panic_timer,
            read: basis.read.clone(),
            assumed: basis.assumed.clone(),
            ready_s: ready.map(|s| [s.best, s.worst].map(|d| d.as_secs_f64())),
        }
    }
}

/// What the numbers rest on, and how long it takes to Ready: a line each.
fn render_basis(basis: &Basis, ready: Option<Span>, has_probe: bool) -> String {
    let list = |what: &str, words: &[String]| match words {
        [] => String::new(),
        _ => format!("{what}: {}\n", words.join("; ")),
    };
    let ready = match (ready, has_probe) {
        (None, _) => "never: its readiness probe cannot succeed".to_owned(),
        (Some(_), false) => "as soon as the VMI runs, while the guest boots: it has no readiness probe".to_owned(),
        (Some(s), true) => format!("{:.0}-{:.0} s", s.best.as_secs_f64(), s.worst.as_secs_f64()),
    };
    list("read in user data and kernelArgs", &basis.read)
        + &list("assumed, since nothing says otherwise", &basis.assumed)
        + &format!("from the VMI's start to Ready: {ready}\n")
}

/// A line for each fault: who is first to do something about it, and when the VM is back.
fn by_fault_table(rows: &[FaultRow], span: impl Fn(Option<Span>) -> String) -> String {
    let mut out =
        format!("{:<16} {:>15}  {:<23} {:>15}  back\n", "if this breaks", "out of service", "first to act", "after");
    for row in rows {
        let first = match row.first.as_slice() {
            [] => "nobody".to_owned(),
            first => first.iter().map(|d| d.as_str()).collect::<Vec<_>>().join(" or "),
        };
        let back = match (row.back, row.back_is_open) {
            (None, _) => "not by itself".to_owned(),
            (back, false) => span(back),
            (back, true) => format!("{}, or not by itself", span(back)),
        };
        let [out_of_service, acted] = [row.out_of_service, row.acted].map(&span);
        out += &format!("{:<16} {out_of_service:>15}  {first:<23} {acted:>15}  {back}\n", row.fault.as_str());
    }
    out
}

/// A manifest's budgets as a table, and what they rest on; nothing if it cannot run.
pub fn render_budgets(checked: &Checked, given: &Given) -> String {
    let Some(vm) = &checked.vm else { return String::new() };
    let basis = Basis::of(vm, given);
    let assumptions = basis.assumptions;
    let panic_timer = assumptions.panic_timer;
    let head = render_basis(&basis, ready(vm, &assumptions), vm.vmi.readiness.is_some());
    let table = rows(vm, &assumptions);
    if table.is_empty() {
        return "nothing in this VM detects a fault: it has no probe, no watchdog and no panic device\n".to_owned()
            + &head;
    }
    let span = |s: Option<Span>| match s {
        None => "never".to_owned(),
        Some(s) if s.best == s.worst => format!("{:.0}", s.best.as_secs_f64()),
        Some(s) => {
            let [best, typical, worst] = [s.best, s.typical(), s.worst].map(|d| d.as_secs_f64());
            format!("{best:.0}-{worst:.0} ({typical:.0})")
        }
    };
    let mut out = head;
    out += &format!(
        "seconds from the fault, best-worst (typical), with boot {} s, shutdown {} s, heartbeat {} s:\n{}{:<16} {:<13} {:>13} {:>13} {:>13}  {}\n",
        assumptions.boot.as_secs(),
        assumptions.shutdown.as_secs(),
        assumptions.heartbeat,
        by_fault_table(&by_fault(&table), span),
        "fault",
        "detector",
        "detected",
        "done",
        "back",
        "action"
    );
    for row in &table {
        let (fault, detector) = (row.fault.as_str(), row.detector.as_str());
        let [detected, acted, back] = [row.detected, row.acted, row.back].map(span);
        let line = format!("{fault:<16} {detector:<13} {detected:>13} {acted:>13} {back:>13}  {}", row.action);
        out += line.trim_end();
        out.push('\n');
    }
    if vm.vmi.has_itco() && vm.vmi.watchdog.is_some() {
        let fires = fires_after(WatchdogModel::Itco, assumptions.heartbeat).as_secs_f64();
        out += &format!("if the daemon opens q35's own iTCO instead: the watchdog fires after {fires:.0} s\n");
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
        out += &by_timer(&who_wins(vm, &assumptions, &TIMERS, &HEARTBEATS));
        out += &by_threshold(&who_wins_grid(vm, &assumptions, &[panic_timer], &HEARTBEATS, &THRESHOLDS), panic_timer);
    }
    out
}

/// The matrix of heartbeat and timer; in a cell with two names either may win.
fn by_timer(rows: &[RaceRow]) -> String {
    let heads: Vec<String> = TIMERS.iter().map(|t| if *t == 0 { "never".into() } else { format!("{t} s") }).collect();
    let lines: Vec<Line> = rows
        .iter()
        .map(|row| {
            let tips = row.tipping.map(|t| format!("up to {} s, from {} s on", t.timer_up_to, t.never_from));
            (heartbeat_of(row), row.first.iter().map(|f| names(f)).collect(), tips.unwrap_or_default())
        })
        .collect();
    let title = "who wins on a kernel panic, by the daemon's heartbeat and the guest's kernel.panic (two names: either may win):";
    matrix(title, &heads, "kernel.panic always wins, never wins", &lines)
}

/// The matrix of heartbeat and liveness's patience, without a panic device and, in a line, with one.
fn by_threshold(variants: &[RaceVariant], panic_timer: i32) -> String {
    let of = |device: bool| variants.iter().filter(move |v| v.panic_device == device);
    let thresholds: Vec<&RaceVariant> = of(false).filter(|v| v.failure_threshold.is_some()).collect();
    let mut out = String::new();
    if let Some(first) = thresholds.first() {
        let heads: Vec<String> = thresholds.iter().filter_map(|v| v.failure_threshold).map(|t| t.to_string()).collect();
        let cell = |v: &RaceVariant, i: usize| v.rows.get(i).and_then(|r| r.first.first()).map(|f| names(f));
        let lines: Vec<Line> = first
            .rows
            .iter()
            .enumerate()
            .map(|(i, row)| {
                let cells = thresholds.iter().map(|v| cell(v, i).unwrap_or_default()).collect();
                (heartbeat_of(row), cells, String::new())
            })
            .collect();
        let title = format!(
            "who wins by the heartbeat and livenessProbe.failureThreshold, with kernel.panic {panic_timer} (0: never):"
        );
        out += &matrix(&title, &heads, "", &lines);
    }
    let alone = |v: &RaceVariant| v.rows.iter().all(|r| r.first.iter().all(|f| *f == ["panic-device"]));
    if of(true).next().is_some() && of(true).all(alone) {
        out += "a panic device, if there is one, always wins\n";
    }
    out
}

/// What a line begins with, its cells, and what stands behind them.
type Line = (String, Vec<String>, String);

fn names(names: &[&'static str]) -> String {
    if names.is_empty() { "nobody".to_owned() } else { names.join("/") }
}

fn heartbeat_of(row: &RaceRow) -> String {
    row.heartbeat.map_or("none".into(), |h| format!("{h} s"))
}

fn matrix(title: &str, heads: &[String], last: &str, lines: &[Line]) -> String {
    let width = |i: usize| lines.iter().map(|(_, cells, _)| cells[i].len()).chain([heads[i].len()]).max().unwrap_or(0);
    let line = |first: &str, cells: &[String], last: &str| {
        let cells: Vec<String> = cells.iter().enumerate().map(|(i, c)| format!("{c:<w$}", w = width(i))).collect();
        format!("{first:<10} {}  {last}", cells.join("  ")).trim_end().to_owned() + "\n"
    };
    let body: String = lines.iter().map(|(first, cells, last)| line(first, cells, last)).collect();
    format!("{title}\n{}{body}", line("heartbeat", heads, last))
}

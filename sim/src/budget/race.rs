//! Who acts first on a guest whose kernel has panicked: its own `kernel.panic` timer, the panic device, the watchdog, liveness.

use super::assumptions::Assumptions;
use super::detection::Span;
use super::plan::{Break, Detector, rows};
use crate::devices::fires_after;
use crate::manifest::VirtualMachine;
use std::time::Duration;

/// One of those who could act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contender {
    /// Who.
    pub name: &'static str,
    /// When it begins to act, from the panic.
    pub at: Span,
}

/// All that could act on a panic, the one whose worst case comes first in front. `panic_timer`: `kernel.panic`, seconds; 0:
/// never, negative: at once.
pub fn contenders(vm: &VirtualMachine, assumptions: &Assumptions, panic_timer: i32) -> Vec<Contender> {
    let of_row = |row: &super::Row| {
        let acts = row.fault == Break::KernelPanic && row.detector != Detector::Readiness && row.acted.is_some();
        row.detected.filter(|_| acts).map(|at| Contender { name: row.detector.as_str(), at })
    };
    let assumptions = Assumptions { panic_timer, ..*assumptions };
    let mut all: Vec<Contender> = rows(vm, &assumptions).iter().filter_map(of_row).collect();
    all.sort_by_key(|c| (c.at.worst, c.at.best));
    all
}

/// Those who may be first: one if it is sure, none if nobody acts at all.
pub fn first(contenders: &[Contender]) -> Vec<&'static str> {
    let sure = contenders.iter().map(|c| c.at.worst).min();
    contenders.iter().filter(|c| sure.is_some_and(|t| c.at.best <= t)).map(|c| c.name).collect()
}

/// The `kernel.panic` timers at which the outcome tips, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimerTipping {
    /// Up to this one the guest's own reboot is always first; 0: never surely.
    pub timer_up_to: u64,
    /// From this one on it is never first.
    pub never_from: u64,
}

/// One row of the matrix: a heartbeat, and who is first for each timer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaceRow {
    /// The watchdog daemon's timeout, seconds; `None`: the VM has no watchdog.
    pub heartbeat: Option<u32>,
    /// For each timer of the grid, those who may be first.
    pub first: Vec<Vec<&'static str>>,
    /// Where the timer's outcome tips; `None`: nobody but the timer acts.
    pub tipping: Option<TimerTipping>,
}

/// Who wins, over a grid of `kernel.panic` timers (0: none) and heartbeats; the panic device and liveness are the VM's own.
pub fn who_wins(vm: &VirtualMachine, assumptions: &Assumptions, timers: &[i32], grid: &[u32]) -> Vec<RaceRow> {
    let row = |heartbeat: Option<u32>| {
        let assumptions = heartbeat.map_or(*assumptions, |heartbeat| Assumptions { heartbeat, ..*assumptions });
        let others = contenders(vm, &assumptions, 0);
        let best = others.iter().map(|c| c.at.best).min();
        let worst = others.iter().map(|c| c.at.worst).min();
        RaceRow {
            heartbeat,
            first: timers.iter().map(|t| first(&contenders(vm, &assumptions, *t))).collect(),
            tipping: best.zip(worst).map(|(best, worst)| TimerTipping {
                timer_up_to: best.saturating_sub(Duration::from_nanos(1)).as_secs(),
                never_from: worst.as_secs() + 1,
            }),
        }
    };
    match vm.vmi.watchdog_in_guest(None) {
        Some(model) => grid.iter().filter(|h| model.heartbeats().contains(h)).map(|h| row(Some(*h))).collect(),
        None => vec![row(None)],
    }
}

/// The matrix of a VM that differs from the given one in a panic device and in liveness's patience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaceVariant {
    /// It has a panic device; on s390x QEMU reports a panic without one.
    pub panic_device: bool,
    /// `livenessProbe.failureThreshold`; `None`: without liveness.
    pub failure_threshold: Option<u32>,
    /// By heartbeat.
    pub rows: Vec<RaceRow>,
}

/// [`who_wins`] over all four: panic device, `failureThreshold` (of the VM's own probe, if it has one), heartbeat, timer.
pub fn who_wins_grid(
    vm: &VirtualMachine,
    assumptions: &Assumptions,
    timers: &[i32],
    heartbeats: &[u32],
    thresholds: &[u32],
) -> Vec<RaceVariant> {
    let devices = [false, true].into_iter().filter(|with| !with || !vm.vmi.architecture.reports_panics());
    let thresholds = thresholds.iter().filter(|_| vm.vmi.liveness.is_some()).map(|t| Some(*t));
    let thresholds: Vec<Option<u32>> = std::iter::once(None).chain(thresholds).collect();
    let variant = |panic_device: bool, failure_threshold: Option<u32>| {
        let mut vm = vm.clone();
        vm.vmi.panic_device = panic_device;
        vm.vmi.liveness = vm.vmi.liveness.zip(failure_threshold).map(|(mut probe, threshold)| {
            probe.timings.failure_threshold = threshold;
            probe
        });
        RaceVariant { panic_device, failure_threshold, rows: who_wins(&vm, assumptions, timers, heartbeats) }
    };
    devices.flat_map(|device| thresholds.iter().map(move |t| (device, *t))).map(|(d, t)| variant(d, t)).collect()
}

/// The heartbeats at which the outcome tips between the watchdog and liveness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tipping {
    /// Up to this heartbeat, seconds, the watchdog always fires first; 0: never surely.
    pub watchdog_up_to: u32,
    /// From this heartbeat on liveness is always first.
    pub liveness_from: u32,
}

/// Where it tips; `None` unless both could act on a panic.
pub fn tipping(vm: &VirtualMachine, assumptions: &Assumptions) -> Option<Tipping> {
    let all = contenders(vm, assumptions, 0);
    let liveness = all.iter().find(|c| c.name == Detector::Liveness.as_str())?.at;
    all.iter().find(|c| c.name == Detector::Watchdog.as_str())?;
    let model = vm.vmi.watchdog_in_guest(None)?;
    let heartbeats = || model.heartbeats();
    let earliest = |h| fires_after(model, h).saturating_sub(assumptions.pets.interval(h));
    let surely = heartbeats().take_while(|h| fires_after(model, *h) < liveness.best).last();
    let never = heartbeats().find(|h| earliest(*h) > liveness.worst);
    Some(Tipping { watchdog_up_to: surely.unwrap_or(0), liveness_from: never.unwrap_or(heartbeats().end() + 1) })
}

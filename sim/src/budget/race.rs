//! Who acts first on a guest whose kernel has panicked: its own `kernel.panic` timer, the panic device, the watchdog, liveness.

use super::detection::Span;
use super::plan::{Assumptions, Break, Detector, rows};
use crate::devices::{fires_after, heartbeats};
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

/// All that could act on a panic, the one whose worst case comes first in front. `panic_timer`: `kernel.panic`, seconds.
pub fn contenders(vm: &VirtualMachine, assumptions: &Assumptions, panic_timer: Option<u32>) -> Vec<Contender> {
    let of_row = |row: &super::Row| {
        let acts = row.fault == Break::KernelPanic && row.detector != Detector::Readiness && row.acted.is_some();
        row.detected.filter(|_| acts).map(|at| Contender { name: row.detector.as_str(), at })
    };
    let mut all: Vec<Contender> = rows(vm, assumptions).iter().filter_map(of_row).collect();
    if let Some(seconds) = panic_timer.filter(|s| *s > 0) {
        all.push(Contender { name: "kernel.panic", at: Span::exactly(Duration::from_secs(seconds.into())) });
    }
    all.sort_by_key(|c| (c.at.worst, c.at.best));
    all
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
    let all = contenders(vm, assumptions, None);
    let liveness = all.iter().find(|c| c.name == Detector::Liveness.as_str())?.at;
    all.iter().find(|c| c.name == Detector::Watchdog.as_str())?;
    let model = vm.vmi.watchdog.as_ref()?.model;
    let heartbeats = || heartbeats(model);
    let earliest = |h| fires_after(model, h).saturating_sub(assumptions.pet_interval);
    let surely = heartbeats().take_while(|h| fires_after(model, *h) < liveness.best).last();
    let never = heartbeats().find(|h| earliest(*h) > liveness.worst);
    Some(Tipping { watchdog_up_to: surely.unwrap_or(0), liveness_from: never.unwrap_or(heartbeats().end() + 1) })
}

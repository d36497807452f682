//! Who did not notice a fault, and why not.

use super::episode::{Episode, Notice};
use super::words::{at, counted, field, probe};
use crate::fault::{Fault, NodeLoss};
use crate::kubelet::{ProbeKind, Verdict};
use crate::manifest::VirtualMachine;
use crate::scenario::Spec;
use crate::time::Time;
use crate::trace::{Answer, DomainEvent, Event, Pause, PauseReason, Request};

/// A line for each detector that did not notice, and one for those that are not there.
pub(super) fn unnoticed(vm: &VirtualMachine, spec: &Spec, episode: &Episode<'_>) -> Vec<String> {
    let noticed = episode.noticed();
    let end = episode.vmi_ended();
    // Nobody had anything to notice in a guest that was gone at once.
    let gone = matches!(noticed, Some((_, Notice::QemuGone | Notice::PowerOff)))
        || matches!(episode.fault, Fault::NodeLost { by: NodeLoss::PowerLoss, .. });
    let all = noticed.iter().cloned().chain(episode.noticed_later());
    let flipped = all.filter_map(|(_, notice)| match notice {
        Notice::Probe(kind, _) => Some(kind),
        _ => None,
    });
    let flipped: Vec<ProbeKind> = flipped.collect();
    let mut lines = Vec::new();
    let mut absent = Vec::new();
    for kind in [ProbeKind::Readiness, ProbeKind::Liveness] {
        match probe(vm, kind) {
            None => absent.push(field(kind)),
            Some(_) if gone || flipped.contains(&kind) => {}
            Some(probe) => lines.push(format!(
                "{}{}: {}",
                field(kind),
                at(vm, field(kind)),
                of_probe(episode, kind, probe.timings.failure_threshold, end)
            )),
        }
    }
    let fired = episode.of_vmi().any(|e| matches!(e.event, Event::Qemu(DomainEvent::Watchdog(_))));
    match vm.vmi.watchdog_in_guest(None) {
        None => absent.push("watchdog"),
        Some(_) if gone || fired => {}
        Some(_) => lines.push(format!(
            "the watchdog{}: {}",
            at(vm, "domain.devices.watchdog"),
            why_no_watchdog(spec, episode, noticed.is_some())
        )),
    }
    if episode.fault.panics() && !vm.vmi.reports_panics() {
        absent.push("panic device");
    }
    if !absent.is_empty() {
        lines.push(format!("there is no {}", absent.join(", no ")));
    }
    lines
}

fn of_probe(episode: &Episode<'_>, kind: ProbeKind, threshold: u32, end: Option<Time>) -> String {
    let (mut row, mut failed, mut all) = (0_u32, 0_u32, 0_u32);
    for entry in episode.of_vmi().filter(|e| end.is_none_or(|end| e.at <= end)) {
        match entry.event {
            Event::Answered(of, Verdict::Failure) if of == kind => (row, failed, all) = (row + 1, failed + 1, all + 1),
            Event::Answered(of, Verdict::Success | Verdict::Warning) if of == kind => (row, all) = (0, all + 1),
            Event::User(Request::RestartKubelet, Answer::Accepted) => row = 0,
            _ => {}
        }
    }
    let until = match end {
        Some(_) => "before the guest was stopped or reset",
        None if episode.cut_short => "until the next fault",
        None => "until the end",
    };
    match (all, failed) {
        (0, _) => format!("no attempt was answered {until}"),
        (_, 0) => format!("{} {until}, and none failed: what it asks was not broken", counted(all, "attempt")),
        (_, _) if row > 0 => format!("{row} failed {until}; failureThreshold is {threshold}"),
        _ => format!(
            "{failed} of {} failed, never {threshold} in a row, which is failureThreshold",
            counted(all, "attempt")
        ),
    }
}

fn why_no_watchdog(spec: &Spec, episode: &Episode<'_>, noticed: bool) -> String {
    let holder = episode.of_vmi().filter_map(|e| match &e.event {
        Event::WatchdogHolder(name) => Some(name.as_str()),
        _ => None,
    });
    let is_stopped = episode.of_vmi().any(|e| {
        matches!(
            e.event,
            Event::Qemu(DomainEvent::IoError | DomainEvent::NoSpace)
                | Event::Paused(Pause::There(PauseReason::PausedByUser))
        )
    });
    let is_over = noticed || episode.cut_short || episode.vmi_ended().is_some();
    match (holder.last().filter(|name| *name != "nobody"), episode.fault.stops_pets()) {
        _ if !spec.guest.is_petted() => "nothing in the guest has armed it".to_owned(),
        (Some(name), _) => format!("{name} took over and pets it"),
        _ if is_stopped => "its time stands still while the guest is stopped".to_owned(),
        (None, false) => "it went on being petted".to_owned(),
        (None, true) if is_over => "its timeout was not over yet".to_owned(),
        (None, true) => "it did not fire while the run lasted".to_owned(),
    }
}

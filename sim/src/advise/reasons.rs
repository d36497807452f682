//! Why a goal cannot be had.

use super::goal::Goal;
use super::proof::{Bench, PETTED_TOO_SELDOM, Proof};

/// A line each, never none; `now`: what the numbers as they are come to.
pub(super) fn reasons(bench: &Bench<'_>, goal: &Goal, now: &Proof) -> Vec<String> {
    let vmi = &bench.vm.vmi;
    let (within, boot) = (goal.within.as_secs_f64(), goal.boots.slowest.as_secs_f64());
    let mut lines = Vec::new();
    if goal.within <= goal.boots.slowest {
        lines.push(format!(
            "every recovery has a boot in it, and the slowest takes {boot} s: no number makes {within} s of that"
        ));
    }
    let never = |noticed: bool| {
        let faults = now.faults.iter().filter(|w| w.back.is_none() && w.noticed.is_some() == noticed);
        faults.map(|w| w.fault.as_str()).collect::<Vec<_>>().join(", ")
    };
    let probe = match (&vmi.liveness, &vmi.readiness) {
        (Some(_), _) => "",
        (None, Some(_)) => ": a readinessProbe only takes the VM out of the endpoints, and there is no livenessProbe",
        (None, None) => ": there is no livenessProbe",
    };
    let watchdog = if vmi.watchdog_in_guest(None).is_none() { ", and no watchdog" } else { "" };
    for (noticed, what) in [(false, "nobody notices"), (true, "nobody restarts the guest after")] {
        let faults = never(noticed);
        if !faults.is_empty() {
            lines.push(format!("as it is, {what} {faults}{probe}{watchdog}"));
        }
    }
    if now.false_restarts.iter().any(|why| why.ends_with(PETTED_TOO_SELDOM)) {
        lines.push("as it is, the watchdog fires although nothing is wrong: its daemon must pet it sooner".to_owned());
    }
    let grace = vmi.grace.handler().as_secs_f64();
    if lines.is_empty() && vmi.liveness.is_some() && grace > 0.0 {
        lines.push(format!(
            "boot, detection and the grace period together take longer: a guest that does not obey is waited for \
             terminationGracePeriodSeconds ({grace} s) before it is destroyed"
        ));
    }
    if lines.is_empty() {
        lines.push("no numbers that were looked at hold it".to_owned());
    }
    lines
}

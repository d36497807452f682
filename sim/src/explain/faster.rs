//! What would have been faster: the same scenario in virtual time with one number of the manifest changed, and only what really
//! was.

use super::episode::Returned;
use super::outcome::{WATCHED, try_out};
use super::words::{at, seconds};
use crate::fault::Fault;
use crate::manifest::{Grace, Probe, RunStrategy, VirtualMachine, WatchdogAction};
use crate::scenario::Spec;
use crate::trace::Event;
use crate::world::Timings;
use std::time::Duration;

/// Less is not worth a change.
const WORTH_IT: Duration = Duration::from_secs(2);
/// So many are said.
const MOST: usize = 2;
/// A grace period that is still enough for a small guest, seconds.
const SHORT_GRACE: i64 = 5;

/// What to change, in the manifest's own words, and the VM with it.
struct Variant {
    change: String,
    vm: VirtualMachine,
}

/// The best changes, a line each: what to write, and what it brings.
pub(super) fn faster(vm: &VirtualMachine, spec: &Spec) -> Vec<String> {
    // Nobody has told the model which daemon that is.
    if spec.guest.own_watchdog_daemon {
        return Vec::new();
    }
    let Some(Last { earlier, fault, took }) = last_fault(vm, spec) else { return Vec::new() };
    let better = variants(vm, &fault).into_iter().filter_map(|variant| {
        let with_it = last_fault(&variant.vm, spec)?;
        // Where another fault is the last one that comes, there is nothing to compare.
        let after = with_it.took.filter(|_| with_it.earlier == earlier)?;
        let saved = took.map_or(Duration::MAX, |took| took.saturating_sub(after));
        (saved > WORTH_IT).then(|| {
            let instead = match took {
                Some(took) => format!("in place of {}", seconds(took)),
                None => "in place of never".to_owned(),
            };
            (after, format!("{}: back after {} {instead}, in the model", variant.change, seconds(after)))
        })
    });
    let mut better: Vec<(Duration, String)> = better.collect();
    better.sort();
    better.into_iter().take(MOST).map(|(_, line)| line).collect()
}

/// The last fault that came.
struct Last {
    /// How many came before it.
    earlier: usize,
    fault: Fault,
    /// How long after it the VM was back; `None`: it never was.
    took: Option<Duration>,
}

/// The last fault of the scenario in virtual time; `None`: the VM was never away, or no fault came.
fn last_fault(vm: &VirtualMachine, spec: &Spec) -> Option<Last> {
    try_out(vm, spec, Timings::default(), WATCHED, |last| {
        let took = match last.returned {
            Returned::StayedReady => return None,
            Returned::At(at) => Some(at.since(last.at)),
            Returned::No => None,
        };
        let earlier = last.before.iter().filter(|e| matches!(e.event, Event::FaultBegun(_)));
        Some(Last { earlier: earlier.count(), fault: last.fault.clone(), took })
    })?
}

fn variants(vm: &VirtualMachine, fault: &Fault) -> Vec<Variant> {
    let mut all = Vec::new();
    let mut add = |change: String, edit: &dyn Fn(&mut VirtualMachine)| {
        let mut vm = vm.clone();
        edit(&mut vm);
        all.push(Variant { change, vm });
    };
    if let Some(Probe { timings, .. }) = &vm.vmi.liveness {
        let (threshold, period) = (timings.failure_threshold, timings.period);
        let of_liveness = |vm: &mut VirtualMachine, edit: &dyn Fn(&mut Probe)| {
            vm.vmi.liveness.iter_mut().for_each(edit);
        };
        if threshold > 1 {
            let place = at(vm, "livenessProbe.failureThreshold");
            let fewer = threshold.div_ceil(2);
            add(format!("livenessProbe.failureThreshold: {fewer} in place of {threshold}{place}"), &|vm| {
                of_liveness(vm, &|p| p.timings.failure_threshold = fewer);
            });
        }
        if period > 1 {
            let place = at(vm, "livenessProbe.periodSeconds");
            let shorter = period.div_ceil(2);
            add(format!("livenessProbe.periodSeconds: {shorter} in place of {period}{place}"), &|vm| {
                of_liveness(vm, &|p| p.timings.period = shorter);
            });
        }
    } else if let Some(readiness) = &vm.vmi.readiness {
        add("a livenessProbe like the readinessProbe".to_owned(), &|vm| vm.vmi.liveness = Some(readiness.clone()));
    }
    if vm.vmi.grace.seconds > SHORT_GRACE {
        let place = at(vm, "terminationGracePeriodSeconds");
        let seconds = vm.vmi.grace.seconds;
        add(format!("terminationGracePeriodSeconds: {SHORT_GRACE} in place of {seconds}{place}"), &|vm| {
            vm.vmi.grace = Grace { seconds: SHORT_GRACE };
        });
    }
    for action in [WatchdogAction::Reset, WatchdogAction::Poweroff] {
        if let Some(watchdog) = vm.vmi.watchdog.as_ref().filter(|w| w.action != action) {
            let place = at(vm, "domain.devices.watchdog");
            let model = watchdog.model.as_str();
            add(format!("watchdog.{model}.action: {action} in place of {}{place}", watchdog.action), &|vm| {
                vm.vmi.watchdog.iter_mut().for_each(|w| w.action = action);
            });
        }
    }
    if fault.panics() && !vm.vmi.reports_panics() {
        let change =
            "domain.devices.panicDevices: [{model: hyperv}] (behind the gate PanicDevices before KubeVirt 1.9)";
        add(change.to_owned(), &|vm| vm.vmi.panic_device = true);
    }
    if vm.run_strategy != RunStrategy::Always {
        add(format!("runStrategy: Always in place of {}", vm.run_strategy), &|vm| {
            vm.run_strategy = RunStrategy::Always
        });
    }
    all
}

//! Numbers that may hold a goal, by the budgets' formulas alone: what is then tried, and in which order.

use super::goal::{Broken, Goal};
use super::numbers::Numbers;
use super::proof::Bench;
use crate::budget::{Assumptions, Break, Detector, rows};
use crate::cluster::{Phase, is_replaced};
use crate::devices::fires_after;
use crate::fault::Fault;
use crate::manifest::{PodProbe, RunStrategy, Timings, VirtualMachine, WatchdogAction};
use crate::scenario::Health;
use std::time::Duration;

/// The periods that are looked at, seconds, the longest first; their common periods are at most a minute.
const PERIODS: [u32; 12] = [60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1];
/// No probe is given more failures.
const MOST_FAILURES: u32 = 60;
const TIMEOUTS: [u32; 5] = [10, 5, 3, 2, 1];
const HEARTBEATS: [u32; 6] = [60, 45, 30, 20, 15, 10];
/// A panicked guest that reboots after so long has written its last words.
const PANIC_TIMERS: [u32; 2] = [10, 1];
/// The formulas may be off by this; what is tried decides.
const SLACK: Duration = Duration::from_secs(2);

/// Numbers, and what the formulas say of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub(super) numbers: Numbers,
    /// The longest recovery.
    pub(super) recovery: Duration,
    /// Whole seconds that a guest may not answer without its being restarted; `None`: any.
    pub(super) survives: Option<Duration>,
}

/// What may be set beside the probes: the VM's own first, then what changes least.
pub(super) fn settings(bench: &Bench<'_>, faults: &[Broken]) -> Vec<Numbers> {
    let own = bench.own();
    let model = bench.vm.vmi.watchdog_in_guest(None);
    let taken = |h: &u32| model.is_some_and(|m| m.heartbeats().contains(h));
    let heartbeats = own.heartbeat.map_or(vec![None], |own| {
        let others = HEARTBEATS.into_iter().filter(|h| *h != own && taken(h));
        std::iter::once(own).chain(others).map(Some).collect()
    });
    let panics = faults.iter().any(|b| b.fault.panics());
    let timers: Vec<u32> =
        std::iter::once(own.panic_timer).chain(PANIC_TIMERS.into_iter().filter(|_| panics)).collect();
    let actions = own
        .action
        .map_or(vec![None], |own| vec![Some(own), Some(WatchdogAction::Poweroff), Some(WatchdogAction::Reset)]);
    let strategies = [own.strategy, RunStrategy::RerunOnFailure, RunStrategy::Always];
    let mut all = Vec::new();
    for strategy in strategies {
        for action in &actions {
            for panic_timer in &timers {
                for heartbeat in &heartbeats {
                    let (action, panic_timer, heartbeat) = (*action, *panic_timer, *heartbeat);
                    let numbers = Numbers { strategy, action, panic_timer, heartbeat, ..own };
                    // The VM's own stand in each list, and perhaps once more.
                    if !all.contains(&numbers) {
                        all.push(numbers);
                    }
                }
            }
        }
    }
    // The guest is nearer than the VM's own way of life; stable, so gentler values stay in front.
    let distance = |n: &Numbers| {
        let strategy = 3 * usize::from(n.strategy != own.strategy);
        strategy
            + usize::from(n.action != own.action)
            + usize::from(n.panic_timer != own.panic_timer)
            + usize::from(n.heartbeat != own.heartbeat)
    };
    all.sort_by_key(distance);
    all
}

/// Every pair of probes that may do beside these settings, with how many were looked at.
pub(super) fn beside(bench: &Bench<'_>, setting: &Numbers, goal: &Goal, faults: &[Broken]) -> (Vec<Candidate>, usize) {
    let (mut found, mut seen) = (Vec::new(), 0);
    for liveness in livenesses(bench, setting, goal) {
        // The longest timeout that does.
        for timeout in timeouts(liveness) {
            let liveness = liveness.map(|t| Timings { timeout: timeout.unwrap_or(t.timeout), ..t });
            seen += 1;
            let numbers = Numbers { liveness, ..*setting };
            let Some(survives) = survives(bench, &numbers) else { continue };
            if survives.is_some_and(|s| s < goal.hiccup) {
                continue;
            }
            let Some(back) = recovery(bench, &numbers, goal, faults) else { continue };
            let Some((readiness, wait)) = rarest_readiness(bench, setting, goal, back) else { continue };
            let numbers = Numbers { readiness, ..numbers };
            found.push(Candidate { numbers, recovery: back + wait, survives });
            break;
        }
    }
    (found, seen)
}

fn timeouts(liveness: Option<Timings>) -> Vec<Option<u32>> {
    let Some(own) = liveness.map(|t| t.timeout) else { return vec![None] };
    std::iter::once(own).chain(TIMEOUTS.into_iter().filter(|t| *t < own)).map(Some).collect()
}

/// Every period with every threshold that outlives the hiccup and is over in time.
fn livenesses(bench: &Bench<'_>, setting: &Numbers, goal: &Goal) -> Vec<Option<Timings>> {
    let Some((own, probe)) = setting.liveness.zip(bench.vm.vmi.liveness.as_ref()) else { return vec![None] };
    let adds_ten = PodProbe::from(probe).timings.initial_delay != own.initial_delay;
    let mut all = Vec::new();
    for period in periods(own.period) {
        let latest = u32::try_from(goal.within.as_secs()).unwrap_or(u32::MAX) / period;
        let hiccup = u32::try_from(goal.hiccup.as_secs()).unwrap_or(u32::MAX);
        let fewest = hiccup.saturating_add(1).div_ceil(period).saturating_add(1);
        for failure_threshold in fewest..=latest.min(MOST_FAILURES) {
            let timings = Timings { period, failure_threshold, ..own };
            let initial_delay = Numbers::least_delay(timings, goal.boots, adds_ten);
            all.push(Some(Timings { initial_delay, ..timings }));
        }
    }
    all
}

fn periods(own: u32) -> Vec<u32> {
    let mut all: Vec<u32> = PERIODS.into_iter().chain([own]).collect();
    all.sort_unstable_by(|a, b| b.cmp(a));
    all.dedup();
    all
}

/// The readiness probe that asks least often and still lets the VM be Ready in time, and what it adds to the recovery.
fn rarest_readiness(
    bench: &Bench<'_>,
    setting: &Numbers,
    goal: &Goal,
    back: Duration,
) -> Option<(Option<Timings>, Duration)> {
    let Some((own, probe)) = setting.readiness.zip(bench.vm.vmi.readiness.as_ref()) else {
        return (back <= goal.within + SLACK).then_some((None, Duration::ZERO));
    };
    let fastest = i32::try_from(goal.boots.fastest.as_secs()).unwrap_or(i32::MAX);
    periods(own.period)
        .into_iter()
        .filter(|p| *p >= own.period)
        .rev()
        .chain(periods(own.period).into_iter().filter(|p| *p < own.period))
        .find_map(|period| {
            let timings = Timings { period, initial_delay: own.initial_delay.min(fastest), ..own };
            let mut probe = probe.clone();
            probe.timings = timings;
            let pod = PodProbe::from(&probe).timings;
            let delay = Duration::from_secs(u64::try_from(pod.initial_delay).unwrap_or(0));
            let wait = delay.saturating_sub(goal.boots.slowest) + pod.period() * pod.success_threshold;
            (back + wait <= goal.within + SLACK).then_some((Some(timings), wait))
        })
}

/// How long a guest may not answer, whole seconds; `Some(None)`: for ever; `None`: not even a healthy one lives.
pub(super) fn survives(bench: &Bench<'_>, numbers: &Numbers) -> Option<Option<Duration>> {
    let second = Duration::from_secs(1);
    let liveness = numbers.liveness.map(|t| t.period() * t.failure_threshold.saturating_sub(1));
    let watchdog = match (bench.vm.vmi.watchdog_in_guest(None), numbers.heartbeat) {
        (Some(model), Some(heartbeat)) => Some(fires_after(model, heartbeat).checked_sub(bench.pets(heartbeat))?),
        _ => None,
    };
    let least = liveness.into_iter().chain(watchdog).min();
    Some(least.map(|l| Duration::from_secs(l.saturating_sub(second).as_secs())))
}

/// From the fault to the guest answering again; `None`: one of the faults is never healed.
fn recovery(bench: &Bench<'_>, numbers: &Numbers, goal: &Goal, faults: &[Broken]) -> Option<Duration> {
    let mut vm = numbers.put_into(bench.vm);
    // Starting it makes it one that always runs (kubevirt-health.md 6).
    if vm.run_strategy == RunStrategy::Halted {
        vm.run_strategy = RunStrategy::Always;
    }
    let assumptions = Assumptions {
        boot: goal.boots.slowest,
        heartbeat: numbers.heartbeat.unwrap_or(bench.assumptions.heartbeat),
        panic_timer: i32::try_from(numbers.panic_timer).unwrap_or(i32::MAX),
        ..bench.assumptions
    };
    let all = rows(&vm, &assumptions);
    let gap = gap(&vm, goal);
    let churn = assumptions.churn.cleanup + assumptions.churn.schedule + assumptions.churn.container_start;
    faults.iter().try_fold(Duration::ZERO, |longest, broken| {
        let what = match &broken.fault {
            Fault::KernelPanic => Break::KernelPanic,
            Fault::KillWatchdog | Fault::StopWatchdog => Break::DaemonStopped,
            Fault::Health(Health::Hang) => Break::ServiceHangs,
            Fault::Health(_) => Break::ServiceStopped,
            Fault::NetworkLoss { .. } => Break::NetworkLost,
            Fault::StopAgent { .. } | Fault::HangAgent { .. } => Break::AgentStopped,
            // No formula: what is tried decides.
            _ => {
                let replaced = is_replaced(vm.run_strategy, Phase::Failed);
                return replaced.then(|| longest.max(churn + goal.boots.slowest));
            }
        };
        let of_row = |row: &crate::budget::Row| {
            let late = if row.detector == Detector::Liveness { gap } else { Duration::ZERO };
            row.back.map(|back| back.worst + late)
        };
        let back = all.iter().filter(|r| r.fault == what).filter_map(of_row).min();
        back.map(|b| longest.max(b))
    })
}

/// How much later than otherwise liveness begins to look at a guest that breaks just after its quickest boot.
fn gap(vm: &VirtualMachine, goal: &Goal) -> Duration {
    let Some(timings) = vm.vmi.liveness.as_ref().map(|p| PodProbe::from(p).timings) else { return Duration::ZERO };
    let delay = Duration::from_secs(u64::try_from(timings.initial_delay).unwrap_or(0));
    delay.saturating_sub(goal.boots.fastest).saturating_sub(timings.period())
}

//! From the start of a VMI to its condition Ready (kubevirt-health.md 3.1, 3.5 and 4).

use super::assumptions::Assumptions;
use super::detection::Span;
use super::plan::never_succeeds;
use crate::manifest::{Handler, PodProbe, VirtualMachine};
use std::time::Duration;

/// Counted from the VMI's creation; `None`: its readiness probe can never succeed. Without one it is Ready as soon as it runs.
pub fn ready(vm: &VirtualMachine, assumptions: &Assumptions) -> Option<Span> {
    let container = assumptions.churn.schedule + assumptions.churn.container_start;
    let Some(probe) = &vm.vmi.readiness else { return Some(Span::exactly(container)) };
    if never_succeeds(&vm.vmi, probe) {
        return None;
    }
    let timings = PodProbe::from(probe).timings;
    let delay = Duration::from_secs(u64::try_from(timings.initial_delay).unwrap_or(0));
    let is_paused = vm.vmi.agent_probes_paused && probe.handler == Handler::GuestAgentPing;
    let boot = if is_paused { Duration::ZERO } else { assumptions.boot };
    // The delay is counted in whole seconds since the whole second of the start; an attempt that began in vain may last.
    let soonest = delay.saturating_sub(Duration::from_secs(1)).max(boot);
    let latest = delay.max(boot) + timings.period().max(timings.timeout());
    let more = timings.period() * (timings.success_threshold - 1);
    Some(Span { best: container + soonest + more, worst: container + latest + more })
}

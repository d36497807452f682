//! Numbers that everybody accepts and that are seldom meant: too patient, not patient at all, or below 1.

use super::exec_slips::command;
use crate::budget::{Answer, detection, notices_silence};
use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Rule};
use crate::manifest::{Handler, PodProbe, Probe, VirtualMachine};
use std::time::Duration;

/// Longer is hardly meant of a detector that restarts the VM.
const LATE: Duration = Duration::from_secs(5 * 60);
/// A grace period beyond this holds a guest that hangs for longer than most services may be away.
const LONG: Duration = Duration::from_secs(10 * 60);

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "probe-number-below-one",
        layer: Layer::Hazard,
        rank: Rank::Note,
        story: "Below 1 means unset to KubeVirt, negative numbers too: periodSeconds becomes 10, timeoutSeconds and \
            successThreshold 1, failureThreshold 3.",
        source: "sim/docs/kubevirt-health.md 1.2",
        shown_by: &[],
        check: Check::RunningProbe(|running, report| {
            let timings = running.probe.timings;
            for (field, counts_as) in [
                ("periodSeconds", timings.period),
                ("timeoutSeconds", timings.timeout),
                ("failureThreshold", timings.failure_threshold),
                ("successThreshold", timings.success_threshold),
            ] {
                let written = running.field.cursor.get(field).and_then(|at| Some((at, at.int32()?)));
                if let Some((at, number)) = written.filter(|(_, number)| *number < 1) {
                    let message = format!("{field} {number} counts as {counts_as}");
                    report.add(at, message, format!("write {counts_as}, or remove {field}"));
                }
            }
        }),
    },
    &Rule {
        code: "agent-has-one-second",
        layer: Layer::Hazard,
        rank: Rank::Note,
        story: "An exec probe and a guestAgentPing go through virt-probe, virt-launcher, libvirt and the agent. For these ways \
            KubeVirt gives the pod's probe one second more than timeoutSeconds, which is 1 if absent: an agent in a guest that \
            is busy, or on a node that is, answers later than that, and the attempt counts as failed. Only a 1 that is written is noted: \
            the default is in nearly every manifest. To a command whose program is virt-probe itself KubeVirt adds nothing.",
        source: "sim/docs/kubevirt-health.md 3.1, 3.3, 3.4",
        shown_by: &[],
        check: Check::RunningProbe(|running, report| {
            let Some(at) = running.field.cursor.get("timeoutSeconds").filter(|at| at.int32() == Some(1)) else {
                return;
            };
            if command(running).first().is_some_and(|(_, program)| *program == "virt-probe") {
                return;
            }
            let message = match running.probe.handler {
                Handler::GuestAgentPing => {
                    "a ping that the agent answers after 2 s has failed: KubeVirt adds 1 s to these timeoutSeconds"
                }
                Handler::Exec { .. } => {
                    "a command that ends after 1 s, or whose answer is here after 2 s, has failed: KubeVirt adds 1 s for its own steps"
                }
                _ => return,
            };
            report.add(at, message, "write 5: libvirt waits no longer for an agent that does not answer");
        }),
    },
    &Rule {
        code: "liveness-without-patience",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "With a failureThreshold of 1 the first attempt that fails stops the guest: one late answer, of a busy \
            service or a busy node, costs a restart.",
        source: "sim/docs/kubevirt-health.md 3.5, 5",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            let is_hasty = |liveness: &&Probe| liveness.timings.failure_threshold == 1;
            if liveness(vm).filter(is_hasty).is_some() {
                report.add(
                    context.place("livenessProbe.failureThreshold"),
                    "a single attempt that fails stops the guest, also when it was only late",
                    "write 3 or more; a smaller periodSeconds keeps detection fast",
                );
            }
        }),
    },
    &Rule {
        code: "liveness-notices-late",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "From a fault to the moment at which liveness acts it takes up to failureThreshold times the period (or the \
            timeout, where that is longer). Then the guest has been away for minutes, and its shutdown and its boot \
            are still to come.",
        source: "sim/docs/kubevirt-health.md 3.5",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            let Some(probe) = liveness(vm) else { return };
            let worst = detection(&PodProbe::from(probe), Answer::Silence).worst;
            if worst > LATE {
                let message = format!("a guest that hangs is noticed after up to {} s", worst.as_secs());
                let help = "lower periodSeconds, timeoutSeconds or failureThreshold";
                report.add(context.place("livenessProbe"), message, help);
            }
        }),
    },
    &Rule {
        code: "grace-holds-a-hung-guest",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "Liveness does not kill a guest, it asks it to shut down. One that hangs does not obey, and stays until \
            terminationGracePeriodSeconds are over: a long grace period for clean shutdowns is also how long the VM \
            is away when it hangs.",
        source: "sim/docs/kubevirt-health.md 5",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            let grace = vm.vmi.grace.handler();
            if grace > LONG && liveness(vm).is_some() {
                let message =
                    format!("a guest that hangs stays for {} s after liveness has stopped it", grace.as_secs());
                let help = "a watchdog with action poweroff or reset does not wait; or shorten the grace period";
                report.add(context.place("terminationGracePeriodSeconds"), message, help);
            }
        }),
    },
];

/// A liveness probe that notices when the guest falls silent.
fn liveness(vm: &VirtualMachine) -> Option<&Probe> {
    vm.vmi.liveness.as_ref().filter(|liveness| notices_silence(&vm.vmi, liveness))
}

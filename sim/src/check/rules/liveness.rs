//! A liveness probe with the rest of the VM: the boot, the run strategy, readiness.

use crate::budget::{before_boot, notices_silence};
use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Rule};
use crate::manifest::{PodProbe, Probe, RunStrategy, VirtualMachine};

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "liveness-before-boot",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "The initial delay counts from the start of the compute container, not from the guest's. If the first \
            failures reach the threshold before the guest answers, the kubelet stops it in the middle of its boot, \
            the next one too, and there is no backoff, because each of them had reached Running.",
        source: "sim/docs/kubevirt-health.md 3.1, 6.1; 11.2 row 23",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            let Some(liveness) = liveness_that_can_fail(vm) else { return };
            let boot = context.options.boot;
            let earliest = before_boot(&PodProbe::from(liveness));
            if earliest < boot {
                let short = (boot - earliest).as_secs();
                report.add(
                    context.place("livenessProbe"),
                    format!(
                        "liveness can stop the guest {} s after its container's start, {short} s before a boot of {} s is over",
                        earliest.as_secs(),
                        boot.as_secs()
                    ),
                    format!(
                        "raise initialDelaySeconds by {short} or more; --boot says how long this guest really needs"
                    ),
                );
            }
        }),
    },
    &Rule {
        code: "rerun-on-failure-with-liveness",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "A failed liveness probe stops the guest gracefully. A guest whose operating system is healthy obeys, \
            its VMI ends Succeeded, and RerunOnFailure replaces only Failed ones: the VM stays down.",
        source: "sim/docs/kubevirt-health.md 5.2, 6; 11.2 row 4",
        shown_by: &["service-stopped/liveness-http/rerun-on-failure"],
        check: Check::Running(|context, vm, report| {
            if liveness_that_can_fail(vm).is_none() || vm.run_strategy != RunStrategy::RerunOnFailure {
                return;
            }
            let message = match vm.vmi.grace.is_zero() || !vm.vmi.architecture.has_acpi() {
                true => "whatever liveness stops ends Succeeded here, and RerunOnFailure never starts it again",
                false => {
                    "a guest that still shuts down cleanly ends Succeeded, and RerunOnFailure does not start it again"
                }
            };
            report.add(context.place("livenessProbe"), message, "use runStrategy: Always");
        }),
    },
    &Rule {
        code: "liveness-without-readiness",
        layer: Layer::Hazard,
        rank: Rank::Note,
        story: "Without a readiness probe the VM is Ready as soon as it runs: a Service sends it traffic while it \
            boots, and until the moment that liveness stops it.",
        source: "sim/docs/kubevirt-health.md 4",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            if vm.vmi.liveness.is_some() && vm.vmi.readiness.is_none() {
                report.add(
                    context.place("livenessProbe"),
                    "without a readiness probe a Service sends traffic to the guest while it boots",
                    "add a readinessProbe",
                );
            }
        }),
    },
    &Rule {
        code: "same-question-same-threshold",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "Both probes make the same check with the same numbers. They fail together: the VM is not taken out \
            of service before it is stopped, so nothing is gained by the readiness probe when the service breaks.",
        source: "sim/docs/kubevirt-health.md 3.5, 4",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            let pace = |p: &Probe| (p.timings.period, p.timings.timeout, p.timings.failure_threshold);
            let Some((readiness, liveness)) = vm.vmi.readiness.as_ref().zip(vm.vmi.liveness.as_ref()) else { return };
            if readiness.handler == liveness.handler && pace(readiness) == pace(liveness) {
                report.add(
                    context.place("livenessProbe"),
                    "readiness and liveness make the same check with the same numbers: the guest is stopped at the moment it is taken out of service",
                    "give liveness a higher failureThreshold, or another check",
                );
            }
        }),
    },
];

/// A probe that notices when the guest falls silent.
fn liveness_that_can_fail(vm: &VirtualMachine) -> Option<&Probe> {
    vm.vmi.liveness.as_ref().filter(|liveness| notices_silence(&vm.vmi, liveness))
}

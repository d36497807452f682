//! How a VMI begins and ends: paused starts, eviction, reboots, the grace period.

use crate::check::gate::needs;
use crate::check::layer::{Layer, Rank};
use crate::check::predicates::one_of;
use crate::check::rule::{Check, Rule};
use crate::manifest::{RebootPolicy, RunStrategy};

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "bad-start-strategy",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "`startStrategy` takes one word: Paused.",
        source: "sim/docs/kubevirt-health.md 2.2",
        shown_by: &[],
        check: Check::Manifest(|context, report| one_of(context.at("startStrategy"), &["Paused"], report)),
    },
    &Rule {
        code: "paused-start-with-liveness",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A VMI that starts paused would fail its liveness probe at once. KubeVirt refuses the pair for every \
            handler, guestAgentPing too.",
        source: "sim/docs/kubevirt-health.md 2.2",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            if context.text_at("startStrategy") == Some("Paused") && context.at("livenessProbe").is_some() {
                report.add(
                    context.place("startStrategy"),
                    "a VMI that starts paused must not have a liveness probe",
                    "remove startStrategy or the livenessProbe",
                );
            }
        }),
    },
    &Rule {
        code: "bad-eviction-strategy",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "The words are None, LiveMigrate, LiveMigrateIfPossible and External, case-sensitive.",
        source: "sim/docs/kubevirt-health.md 1.1",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let words = ["None", "LiveMigrate", "LiveMigrateIfPossible", "External"];
            one_of(context.at("evictionStrategy"), &words, report);
        }),
    },
    &Rule {
        code: "reboot-policy-without-its-gate",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "rebootPolicy is behind the feature gate RebootPolicy, which is on by default since v1.9 \
            (`--kubevirt-version`, `--with-gate`, `--without-gate`).",
        source: "sim/docs/kubevirt-health.md 1.4, 2.2",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            if let Some(at) = context.at("domain.rebootPolicy").filter(|_| context.is_off("RebootPolicy")) {
                let (message, help) = needs("rebootPolicy", "RebootPolicy");
                report.add(at, message, help);
            }
        }),
    },
    &Rule {
        code: "grace-period-zero",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "terminationGracePeriodSeconds: 0 destroys the guest at once, whatever it is writing. The VMI then \
            counts as Succeeded, also when it had hung, so RerunOnFailure does not replace it.",
        source: "sim/docs/kubevirt-health.md 5.1, 5.2; 11.2 rows 8 and 9",
        shown_by: &["kernel-panic/liveness-http/grace-0-rerun"],
        check: Check::Running(|context, vm, report| {
            if vm.vmi.grace.is_zero() {
                report.add(
                    context.place("terminationGracePeriodSeconds"),
                    "a grace period of 0 destroys the guest at once, and a guest that had hung counts as Succeeded",
                    "give it the time that its shutdown needs, like 30",
                );
            }
        }),
    },
    &Rule {
        code: "grace-period-negative",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "Nobody refuses a negative terminationGracePeriodSeconds. The guest is asked to shut down, and destroyed \
            at virt-handler's next look, before it can; the VMI counts as Failed, also when the guest was well.",
        source: "sim/docs/kubevirt-health.md 5, 5.2",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            if vm.vmi.grace.seconds < 0 {
                let message = "a grace period below 0 destroys the guest right after it was asked to shut down";
                let place = context.place("terminationGracePeriodSeconds");
                report.add(place, message, "give it the time that its shutdown needs, like 30");
            }
        }),
    },
    &Rule {
        code: "rerun-on-failure-with-terminate",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "With rebootPolicy Terminate every reboot ends the VMI, the watchdog's reset too, and such an end \
            counts as Succeeded. RerunOnFailure starts only what Failed: the VM stays stopped.",
        source: "sim/docs/kubevirt-health.md 7.2; 11.2 row 28",
        shown_by: &["killed-daemon/watchdog/reset-terminate-rerun", "guest-reboot/terminate/rerun-on-failure"],
        check: Check::Running(|context, vm, report| {
            if vm.vmi.reboot_policy == RebootPolicy::Terminate && vm.run_strategy == RunStrategy::RerunOnFailure {
                report.add(
                    context.place("domain.rebootPolicy"),
                    "a reboot, also the watchdog's reset, ends the VMI Succeeded, and RerunOnFailure does not start it again",
                    "use runStrategy: Always",
                );
            }
        }),
    },
];

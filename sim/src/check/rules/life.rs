//! What becomes of a VM in the course of its life: reboots, drains, migrations, long shutdowns.

use crate::budget::{Answer, before_boot, detection, notices_silence};
use crate::check::guest_os::windows;
use crate::check::image::Family;
use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Rule};
use crate::manifest::{Handler, PodProbe, RebootPolicy, RunStrategy, WatchdogAction};
use std::time::Duration;

/// systemd's own limit of a shutdown: `JobTimeoutSec` of poweroff.target (qemu-watchdog.md 8.4).
const SYSTEMD_LIMIT: Duration = Duration::from_secs(30 * 60);

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "reboot-outlasts-liveness",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "A reboot from inside the guest, as updates make it, stays in the same pod: the probe's initial delay is \
            long over. If the guest is away for longer than the probe's budget, liveness stops it in the middle of its \
            reboot, or of the update that it is installing.",
        source: "sim/docs/kubevirt-health.md 3.5, 7.4; 11.2 row 27",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            let Some(liveness) = vm.vmi.liveness.as_ref().filter(|l| notices_silence(&vm.vmi, l)) else { return };
            // reset-outlasts-liveness says so of the watchdog's.
            let is_told = vm.vmi.watchdog.as_ref().is_some_and(|w| w.action == WatchdogAction::Reset);
            let (boot, patience) = (context.options.boot, detection(&PodProbe::from(liveness), Answer::Refusal).best);
            if vm.vmi.reboot_policy == RebootPolicy::Reboot && !is_told && patience < boot {
                let message = format!(
                    "a reboot of the guest takes about {} s, and liveness stops it after {} s of silence",
                    boot.as_secs(),
                    patience.as_secs()
                );
                let help = "raise failureThreshold or periodSeconds; --boot says how long this guest really needs";
                report.add(context.place("livenessProbe"), message, help);
            }
        }),
    },
    &Rule {
        code: "rerun-on-failure-after-a-drain",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "A node that is drained deletes the pod of a VM that does not migrate. The guest shuts down cleanly, its \
            VMI ends Succeeded, and RerunOnFailure replaces only Failed ones: the VM stays stopped when the node is \
            back.",
        source: "sim/docs/kubevirt-health.md 7.4; 11.2 row 38",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            let strategy = context.text_at("evictionStrategy").unwrap_or("None");
            if vm.run_strategy == RunStrategy::RerunOnFailure && strategy == "None" {
                report.add(
                    context.place("evictionStrategy"),
                    "when its node is drained the guest shuts down cleanly, and RerunOnFailure does not start it again",
                    "use runStrategy: Always, or evictionStrategy: LiveMigrate",
                );
            }
        }),
    },
    &Rule {
        code: "nobody-brings-a-bare-vmi-back",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "A VirtualMachineInstance without a VirtualMachine is made once. Whatever ends it (liveness, the \
            watchdog, a drain, a poweroff in the guest), nobody makes a new one.",
        source: "sim/docs/kubevirt-health.md 0, 6",
        shown_by: &[],
        check: Check::Running(|context, _, report| {
            if context.root.text_at("kind") == Some("VirtualMachineInstance") {
                report.add(
                    context.root.place("kind"),
                    "nobody brings a bare VirtualMachineInstance back, whatever ends it",
                    "make it a VirtualMachine with runStrategy: Always",
                );
            }
        }),
    },
    &Rule {
        code: "liveness-stops-the-migration-target",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "The target pod of a live migration has the same probes, and no guest until the migration ends. Pings are \
            suppressed there; http, tcp and exec probes fail, and after their delay liveness stops the target: a \
            migration that takes longer fails, is tried again, and never ends.",
        source: "sim/docs/kubevirt-health.md 3.4, 3.5; 11.2 row 37",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            let migrates = matches!(context.text_at("evictionStrategy"), Some("LiveMigrate" | "LiveMigrateIfPossible"));
            let Some(liveness) = vm.vmi.liveness.as_ref().filter(|l| notices_silence(&vm.vmi, l)) else { return };
            if migrates && liveness.handler != Handler::GuestAgentPing {
                let limit = before_boot(&PodProbe::from(liveness)).as_secs();
                let message = format!(
                    "liveness stops the target of a live migration about {limit} s after its start: a longer migration never ends"
                );
                report.add(
                    context.place("livenessProbe"),
                    message,
                    "use guestAgentPing, or a longer initialDelaySeconds",
                );
            }
        }),
    },
    &Rule {
        code: "grace-beyond-systemds-limit",
        layer: Layer::Hazard,
        rank: Rank::Note,
        story: "In a guest with systemd that still runs, every service has DefaultTimeoutStopSec (90 s) to stop, and after 30 \
            minutes systemd powers off by force: no more of the grace period is used, unless JobTimeoutSec is raised, too. \
            A guest that hangs ends nothing by itself: it is there until the whole grace period is over.",
        source: "sim/docs/qemu-watchdog.md 8.4",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            let grace = vm.vmi.grace.handler();
            let has_systemd = Family::of(context, vm).is_none_or(|(_, family)| family.has_systemd());
            if grace > SYSTEMD_LIMIT && windows(context).is_none() && has_systemd {
                let message = format!(
                    "a guest whose systemd still runs has shut down after 30 min, if need be by force; one that hangs is there \
                     for the whole {} s",
                    grace.as_secs()
                );
                let help = "write 1800 or less; for a guest that needs longer to shut down, raise JobTimeoutSec of its poweroff.target, too";
                report.add(context.place("terminationGracePeriodSeconds"), message, help);
            }
        }),
    },
];

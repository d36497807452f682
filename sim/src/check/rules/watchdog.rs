//! The watchdog device: which there is, what it does when it fires, and whether anything in the guest arms it.

use crate::budget::{Answer, Span, detection, notices_silence};
use crate::check::guest_os::windows;
use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Rule};
use crate::manifest::{
    Architecture, PodProbe, RebootPolicy, VirtualMachine, WatchdogAction, WatchdogHolder, WatchdogModel,
};
use std::time::Duration;

/// Of the watchdog daemon where nothing is configured (watchdog.conf: `watchdog-timeout = 60`).
const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(60);
/// Its field in the manifest.
const FIELD: &str = "domain.devices.watchdog";

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "watchdog-of-another-architecture",
        layer: Layer::VmiWebhook,
        rank: Rank::Error,
        story: "i6300esb is a PCI device of x86, diag288 an instruction of s390x, and arm64 has no watchdog. \
            KubeVirt adds the architecture's own device when it is missing, so diag288 on amd64 becomes both, which \
            is refused. Only the VMI is checked for this: the VM itself is created.",
        source: "sim/docs/kubevirt-health.md 1.3, 2.3; 11.2 row 33",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let Ok(architecture) = context.architecture.parse::<Architecture>() else { return };
            let Some(at) = context.at(FIELD) else { return };
            let mut add = |message, help| report.add_as(format!("spec.{FIELD}"), at, message, help);
            let Some(wanted) = architecture.watchdog().map(WatchdogModel::as_str) else {
                return add("arm64 has no watchdog".to_owned(), "remove the watchdog".to_owned());
            };
            let devices = ["i6300esb", "diag288"];
            if let Some(other) = devices.into_iter().find(|d| *d != wanted && at.get(d).is_some()) {
                let message = format!("{other} on {architecture}: KubeVirt adds {wanted} to it, and both are refused");
                add(message, format!("write {wanted} in place of {other}"));
            }
        }),
    },
    &Rule {
        code: "unknown-watchdog-action",
        layer: Layer::Libvirt,
        rank: Rank::Error,
        story: "The action is plain text to KubeVirt and goes to libvirt verbatim. libvirt knows poweroff, reset, \
            shutdown, pause, none (and dump and inject-nmi); with any other word it cannot define the domain. The \
            VMI stays Scheduled until virt-launcher gives up after 240 to 360 s, then it is Failed without ever \
            having run, and the VM backs off.",
        source: "sim/docs/kubevirt-health.md 2.6; 11.2 rows 31 and 32",
        shown_by: &["none/unknown-watchdog-action/crash-loop"],
        check: Check::Manifest(|context, report| {
            for device in ["i6300esb", "diag288"] {
                let Some(at) = context.at(&format!("{FIELD}.{device}.action")) else { continue };
                // KubeVirt replaces an empty one by reset.
                let Some(action) = at.text().filter(|a| !a.is_empty()) else { continue };
                if WatchdogAction::of(action).is_none() && !WatchdogAction::NOT_SIMULATED.contains(&action) {
                    let help = "write poweroff, reset or shutdown, in lower case";
                    report.add(at, format!("libvirt knows no action {action:?}"), help);
                }
            }
        }),
    },
    &Rule {
        code: "shutdown-needs-a-guest-that-lives",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "`shutdown` presses the ACPI power button. A hung or panicked guest does not see it and stays Running \
            for ever, and the watchdog does not fire again: it cannot repair the very fault that it is there for. \
            Use reset or poweroff.",
        source: "OpenShift documentation, Virtual machine health checks; sim/docs/kubevirt-health.md 7.2; 11.2 row 21",
        shown_by: &["kernel-panic/watchdog/shutdown"],
        check: Check::Running(|context, vm, report| {
            if action(vm) == Some(WatchdogAction::Shutdown) {
                report.add(
                    context.place(FIELD),
                    "action shutdown does nothing to a guest that hangs, which is when the watchdog fires",
                    "use action: reset or poweroff",
                );
            }
        }),
    },
    &Rule {
        code: "action-mends-nothing",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "libvirt takes `none` and `pause`, KubeVirt does not list them, and neither brings a broken guest \
            back: of `none` only QEMU's own event tells, and a guest that `pause` has stopped is resumed by \
            virt-handler's next sync, because no user paused it.",
        source: "sim/docs/kubevirt-health.md 7.2",
        shown_by: &["killed-daemon/watchdog/none", "killed-daemon/watchdog/pause"],
        check: Check::Running(|context, vm, report| {
            let message = match action(vm) {
                Some(WatchdogAction::None) => {
                    "action none repairs nothing: QEMU reports it, and nothing in a cluster acts on that"
                }
                Some(WatchdogAction::Pause) => {
                    "action pause repairs nothing: virt-handler resumes a guest that no user paused"
                }
                _ => return,
            };
            report.add(context.place(FIELD), message, "use action: reset or poweroff");
        }),
    },
    &Rule {
        code: "watchdog-on-windows",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "Watchdog is not available for Windows VMs: there is no driver that arms the device, so it never fires.",
        source: "OpenShift documentation, Virtual machine health checks",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            if let Some(sign) = windows(context).filter(|_| vm.vmi.watchdog.is_some()) {
                let message = format!("this is a Windows guest ({sign}): watchdog is not available there");
                let help = "remove the watchdog; use guestAgentPing as a liveness probe";
                report.add(context.place(FIELD), message, help);
            }
        }),
    },
    &Rule {
        code: "q35-second-watchdog",
        layer: Layer::Hazard,
        rank: Rank::Note,
        story: "KubeVirt runs amd64 guests on q35, which has an iTCO watchdog of its own; libvirt (9.1 and later) \
            gives it the manifest's action. Which of the two is /dev/watchdog is a race of their drivers in the \
            guest. A daemon that got the iTCO is protected as well, but it fires after about twice the heartbeat.",
        source: "sim/docs/kubevirt-health.md 7.1; sim/docs/qemu-watchdog.md 4",
        shown_by: &["killed-daemon/q35-i6300esb/poweroff", "killed-daemon/q35-itco/poweroff"],
        check: Check::Running(|context, vm, report| {
            let user_data = &vm.vmi.user_data;
            let machine = context.text_at("domain.machine.type").unwrap_or_default();
            if vm.vmi.watchdog.is_some()
                && vm.vmi.architecture == Architecture::Amd64
                && (machine.is_empty() || machine.contains("q35"))
                && !user_data.hidden
                && !user_data.tells_watchdogs_apart
                && windows(context).is_none()
            {
                report.add(
                    context.place(FIELD),
                    "q35 has a watchdog of its own, and either may become /dev/watchdog; the other one takes about twice the heartbeat",
                    "let the daemon open the one whose /sys/class/watchdog/*/identity is \"i6300ESB timer\": a udev rule can name it",
                );
            }
        }),
    },
    &Rule {
        code: "watchdog-daemon-not-in-user-data",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "The device does nothing until something in the guest opens /dev/watchdog and keeps pinging it. No \
            user data of this manifest sets up the watchdog daemon or systemd's RuntimeWatchdogSec; unless the image \
            does, the watchdog never fires.",
        source: "OpenShift documentation, Virtual machine health checks; sim/docs/kubevirt-health.md 7.3",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            let user_data = &vm.vmi.user_data;
            if vm.vmi.watchdog.is_none() || !user_data.leaves_watchdog_alone() {
                return;
            }
            let (message, help) = match user_data.watchdog {
                WatchdogHolder::Absent => (
                    "nothing in the user data opens /dev/watchdog: the device is never armed",
                    "install the watchdog daemon, or set RuntimeWatchdogSec in systemd's system.conf, unless the image has it",
                ),
                WatchdogHolder::Installed => (
                    "the user data installs the watchdog daemon and sets no watchdog-device: it runs and never opens the device",
                    "put `watchdog-device = /dev/watchdog` into /etc/watchdog.conf",
                ),
                WatchdogHolder::Configured => return,
            };
            report.add(context.place(FIELD), message, help);
        }),
    },
    &Rule {
        code: "image-must-arm-the-watchdog",
        layer: Layer::Hazard,
        rank: Rank::Note,
        story: "The device does nothing until something in the guest opens /dev/watchdog and keeps pinging it. This \
            manifest has no user data that could set that up, so it has to be in the image already.",
        source: "OpenShift documentation, Virtual machine health checks; sim/docs/kubevirt-health.md 7.3",
        shown_by: &["kernel-panic/unarmed-watchdog/running"],
        check: Check::Running(|context, vm, report| {
            if vm.vmi.watchdog.is_some() && vm.vmi.user_data.absent {
                let message =
                    "no user data is here that opens /dev/watchdog: unless the image does, the device is never armed";
                let help = "nothing needs to be done if the image has the watchdog daemon or RuntimeWatchdogSec";
                report.add(context.place(FIELD), message, help);
            }
        }),
    },
    &Rule {
        code: "reset-outlasts-liveness",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "A watchdog reset reboots the guest inside the same pod, so the liveness probe's initial delay is \
            long over while the guest boots. If the probe's budget is shorter than the boot, liveness stops the VM \
            that the watchdog has just repaired.",
        source: "OpenShift documentation, Virtual machine health checks; sim/docs/kubevirt-health.md 11.2 row 20",
        shown_by: &["killed-daemon/watchdog-and-liveness/reset"],
        check: Check::Running(|context, vm, report| {
            let (Some(WatchdogAction::Reset), Some(liveness)) = (action(vm), silent_liveness(vm)) else { return };
            let (boot, refused) = (context.options.boot, detection(&liveness, Answer::Refusal).best);
            if vm.vmi.reboot_policy == RebootPolicy::Reboot && refused < boot {
                let message = format!(
                    "after a reset the guest is away for about {} s, and liveness stops it after {} to {} s",
                    boot.as_secs(),
                    refused.as_secs(),
                    detection(&liveness, Answer::Silence).worst.as_secs()
                );
                let help = "raise the livenessProbe's failureThreshold or periodSeconds";
                report.add(context.place(FIELD), message, help);
            }
        }),
    },
    &Rule {
        code: "liveness-before-watchdog",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "When the guest hangs, liveness and the watchdog both count. The liveness budget is shorter than the \
            watchdog's heartbeat, so the graceful stop begins first, waits for the whole grace period for a guest \
            that cannot react, and the watchdog fires into it.",
        source: "sim/docs/kubevirt-health.md 5, 7",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            let Some(liveness) = silent_liveness(vm) else { return };
            let Some(WatchdogAction::Reset | WatchdogAction::Poweroff) = action(vm) else { return };
            let user_data = &vm.vmi.user_data;
            // What is never armed comes too late anyway, and a rule of its own says so.
            if user_data.leaves_watchdog_alone() {
                return;
            }
            let (heartbeat, whence) = match user_data.heartbeat.filter(|_| !user_data.hidden) {
                Some(heartbeat) => (heartbeat, "in the user data"),
                None => (DEFAULT_HEARTBEAT, "the daemon's default"),
            };
            let Span { best, worst } = detection(&liveness, Answer::Silence);
            if best < heartbeat {
                let message = format!(
                    "when the guest hangs, liveness acts after {} to {} s, the watchdog after {} s ({whence})",
                    best.as_secs(),
                    worst.as_secs(),
                    heartbeat.as_secs()
                );
                let help = "give the daemon a shorter timeout, or liveness a higher failureThreshold";
                report.add(context.place(FIELD), message, help);
            }
        }),
    },
];

fn action(vm: &VirtualMachine) -> Option<WatchdogAction> {
    vm.vmi.watchdog.as_ref().map(|watchdog| watchdog.action)
}

/// The liveness probe as the kubelet has it, if it notices a guest that has fallen silent.
fn silent_liveness(vm: &VirtualMachine) -> Option<PodProbe> {
    vm.vmi.liveness.as_ref().filter(|l| notices_silence(&vm.vmi, l)).map(PodProbe::from)
}

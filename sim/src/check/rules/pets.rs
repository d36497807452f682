//! Who pets the watchdog, and from when on what the user data says is so (qemu-watchdog.md 8.4 and 8.5).

use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Rule};
use crate::manifest::{Petter, UserData, WatchdogAction};
use std::time::Duration;

/// The watchdog's field in the VMI's spec.
const WATCHDOG: &str = "domain.devices.watchdog";

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "armed-from-the-next-boot",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "systemd reads RuntimeWatchdogSec when it starts, long before cloud-init writes the file. Until the \
            guest boots again, or systemd is told to read its configuration again, nothing arms the watchdog: the \
            first boot of every VM of this kind is without it.",
        source: "sim/docs/qemu-watchdog.md 8.5",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            let data = &vm.vmi.user_data;
            if vm.vmi.watchdog.is_some() && data.petter == Some(Petter::Systemd) && !data.systemd_reads_again {
                report.add(
                    context.place(WATCHDOG),
                    "RuntimeWatchdogSec in the user data arms nothing in the first boot: systemd has read its configuration before",
                    "add `systemctl daemon-reexec` to runcmd",
                );
            }
        }),
    },
    &Rule {
        code: "two-to-pet-one-watchdog",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "A watchdog device is open once. systemd opens it first, and whoever comes later finds it busy: the \
            watchdog daemon then runs without it, and what it checks is of no consequence.",
        source: "sim/docs/qemu-watchdog.md 8.4",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            let data = &vm.vmi.user_data;
            if vm.vmi.watchdog.is_some() && data.rival.is_some() {
                report.add(
                    context.place(WATCHDOG),
                    "two programs are told to open /dev/watchdog: the second one finds it busy and pets nothing",
                    "keep one of RuntimeWatchdogSec and the watchdog daemon",
                );
            }
        }),
    },
    &Rule {
        code: "petted-too-seldom",
        layer: Layer::Runtime,
        rank: Rank::Error,
        story: "Between two pets the watchdog's whole timeout passes (what a device adds to it is less than a second), so it fires on a guest that is well, and again after \
            every boot. busybox's watchdog does as it is told. The watchdog daemon refuses to start with an interval that \
            is not 2 s shorter than its timeout, so nothing that it checks is of any consequence; one that is forced (-f) starts, and is not \
            judged. Of busybox's, calls where a command stands are judged, and only if all say the same.",
        source: "sim/docs/qemu-watchdog.md 2.2, 8.1, 8.4; busybox miscutils/watchdog.c",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            let data = &vm.vmi.user_data;
            let Some(model) = vm.vmi.watchdog_in_guest(None) else { return };
            let Some((petter, interval, heartbeat)) = pets(data) else { return };
            let [every, timeout] = [interval, heartbeat].map(|d| d.as_secs_f64());
            let seconds = u32::try_from(heartbeat.as_secs()).unwrap_or(u32::MAX);
            let place = context.place(WATCHDOG);
            if petter == Petter::Daemon && !data.daemon_forced && interval + LEAST_APART > heartbeat {
                let message = format!(
                    "the watchdog daemon does not start: interval {every} s is not 2 s shorter than watchdog-timeout {timeout} s"
                );
                report.add(place, message, "lower interval in watchdog.conf, or raise watchdog-timeout");
            } else if petter == Petter::Busybox && model.heartbeats().contains(&seconds) && interval >= heartbeat {
                let what = match vm.vmi.watchdog_action() {
                    WatchdogAction::Reset => "is reset again and again",
                    WatchdogAction::Poweroff | WatchdogAction::Shutdown => "is stopped although it is well",
                    WatchdogAction::Pause | WatchdogAction::None => "is taken for a hung one",
                };
                let message = format!(
                    "busybox's watchdog pets every {every} s a device that fires after {timeout} s: the VM {what}"
                );
                report.add(place, message, "give -t less than half of -T");
            }
        }),
    },
    &Rule {
        code: "panic-timer-from-the-next-boot",
        layer: Layer::Hazard,
        rank: Rank::Note,
        story: "Files of sysctl.d are read early in the boot, before cloud-init writes them: kernel.panic is 0 until \
            the guest boots again, unless `sysctl --system` runs.",
        source: "sim/docs/qemu-watchdog.md 8.5",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            let data = &vm.vmi.user_data;
            if data.panic_timer_in_a_file && !data.sysctl_reads_again {
                report.add(
                    context.place("volumes"),
                    "kernel.panic in a file of sysctl.d does nothing in the first boot: those files have been read before",
                    "add `sysctl --system` to runcmd",
                );
            }
        }),
    },
];

/// What the daemon wants between its interval and its timeout (qemu-watchdog.md 8.1).
const LEAST_APART: Duration = Duration::from_secs(2);
/// Its timeout, and busybox's, where none is given.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Who pets, how often, and the timeout that it sets; `None` if it is not said.
fn pets(data: &UserData) -> Option<(Petter, Duration, Duration)> {
    let interval = data.pet_interval?;
    Some((data.petter?, interval, data.heartbeat.unwrap_or(DEFAULT_TIMEOUT)))
}

//! Who pets the watchdog, and from when on what the user data says is so (qemu-watchdog.md 8.4 and 8.5).

use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Rule};
use crate::manifest::Petter;

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

//! Whether the guest's image is able to do what the manifest asks of it, where its name tells (sim/docs/guest-images.md).

use crate::check::image::Family;
use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Rule};
use crate::manifest::Architecture;

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "driver-does-not-load",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "The guest needs the driver of its watchdog, or there is no /dev/watchdog to open. Ubuntu's kernel \
            packages blacklist it, also for modules-load.d; Debian's kernel for clouds has none.",
        source: "sim/docs/guest-images.md 1",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            let data = &vm.vmi.user_data;
            if vm.vmi.watchdog.is_none()
                || vm.vmi.architecture != Architecture::Amd64
                || data.hidden
                || data.loads_driver
            {
                return;
            }
            let Some((name, family)) = Family::of(context, vm) else { return };
            let (message, help) = match family {
                Family::Ubuntu => (
                    format!(
                        "{name}: Ubuntu keeps the driver i6300esb from loading by itself: there is no /dev/watchdog"
                    ),
                    "add `modprobe i6300esb` to bootcmd; files of modules-load.d are overruled by the blacklist",
                ),
                Family::DebianCloud => (
                    format!("{name}: Debian's kernel for clouds has no driver i6300esb: there is no /dev/watchdog"),
                    "use the image `generic`, or install linux-image-amd64",
                ),
                _ => return,
            };
            report.add(context.place("domain.devices.watchdog"), message, help);
        }),
    },
    &Rule {
        code: "what-the-image-brings",
        layer: Layer::Hazard,
        rank: Rank::Note,
        story: "The image's name tells its family, and so what it is likely to bring: the watchdog's driver, the guest \
            agent, whether that runs commands.",
        source: "sim/docs/guest-images.md 1",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            let asks_agent = context.running_probes(vm).iter().any(|running| running.asks_the_agent());
            if !asks_agent && vm.vmi.watchdog.is_none() {
                return;
            }
            if let Some((name, family)) = Family::of(context, vm) {
                let message = format!("by its name {name}: {}", family.brings());
                report.add(context.place("volumes"), message, "this is a guess by the name: another image may differ");
            }
        }),
    },
];

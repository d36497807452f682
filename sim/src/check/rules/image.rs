//! Whether the guest's image is able to do what the manifest asks of it, where its name tells (sim/docs/guest-images.md).

use crate::check::context::{CheckContext, RunningProbe};
use crate::check::image::Family;
use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Rule};
use crate::manifest::{Architecture, Handler, VirtualMachine};

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "agent-not-in-user-data",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "exec and guestAgentPing go through the QEMU guest agent, and nothing checks that there is one. No \
            user data of this manifest installs or mentions it; unless the image brings it, every attempt fails.",
        source: "sim/docs/kubevirt-health.md 2.5; 11.2 row 14",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            for running in without_agent(context, vm).into_iter().filter(|_| !vm.vmi.user_data.absent) {
                let message =
                    format!("{} needs the guest agent, and no user data mentions qemu-guest-agent", running.field.name);
                let help = "install and start qemu-guest-agent in the user data (Windows: qemu-ga of the virtio-win disk), unless the image has it";
                report.add(running.handler(), message, help);
            }
        }),
    },
    &Rule {
        code: "image-must-bring-the-agent",
        layer: Layer::Hazard,
        rank: Rank::Note,
        story: "exec and guestAgentPing go through the QEMU guest agent, and nothing checks that there is one. This \
            manifest has no user data that could install it, so it has to be in the image already.",
        source: "sim/docs/kubevirt-health.md 2.5; sim/docs/guest-images.md 1",
        shown_by: &["agent-stopped/liveness-ping/always"],
        check: Check::Running(|context, vm, report| {
            for running in without_agent(context, vm).into_iter().filter(|_| vm.vmi.user_data.absent) {
                let message = format!(
                    "{} needs the guest agent, and no user data is here that installs it: the image has to have it",
                    running.field.name
                );
                report.add(running.handler(), message, "nothing needs to be done if the image has qemu-guest-agent");
            }
        }),
    },
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
                let runs = context.running_probes(vm).iter().any(|r| matches!(r.probe.handler, Handler::Exec { .. }));
                let selinux = family.confines().filter(|_| runs).map(|words| format!(", {words}"));
                let message = format!("by its name {name}: {}{}", family.brings(), selinux.unwrap_or_default());
                report.add(context.place("volumes"), message, "this is a guess by the name: another image may differ");
            }
        }),
    },
];

/// The probes that go through the guest agent, where neither user data nor the image's name tells of one.
fn without_agent<'v, 'a>(context: &CheckContext<'a>, vm: &'v VirtualMachine) -> Vec<RunningProbe<'v, 'a>> {
    let data = &vm.vmi.user_data;
    if data.hidden || data.agent || Family::of(context, vm).is_some_and(|(_, family)| family.has_agent()) {
        return Vec::new();
    }
    let mut probes = context.running_probes(vm);
    probes.retain(RunningProbe::asks_the_agent);
    probes
}

//! The machine: its architecture, memory, firmware and panic devices.

use crate::check::beside::Matcher;
use crate::check::layer::{Layer, Rank};
use crate::check::predicates::one_of;
use crate::check::rule::{Check, Rule};
use crate::manifest::Quantity;
use crate::yaml::Cursor;

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "bad-panic-model",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "The models are hyperv, isa and pvpanic; absent lets the hypervisor choose.",
        source: "sim/docs/kubevirt-health.md 1.4",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for device in context.items_at("domain.devices.panicDevices") {
                one_of(device.get("model"), &["hyperv", "isa", "pvpanic"], report);
            }
        }),
    },
    &Rule {
        code: "panic-device-on-s390x",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "s390x reports a disabled wait by itself; a panic device is refused there.",
        source: "sim/docs/kubevirt-health.md 2.2",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let path = "domain.devices.panicDevices";
            if context.architecture == "s390x" && context.items_at(path).next().is_some() {
                report.add(context.place(path), "panic devices are not supported on s390x", "remove panicDevices");
            }
        }),
    },
    &Rule {
        code: "machine-type-not-supported",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "KubeVirt takes the machine types that its configuration lists; on amd64 that is q35, with a version \
            or without, unless the cluster's administrator has listed others.",
        source: "KubeVirt vmi-create-admitter.go; its default emulatedMachines",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            // The default `emulatedMachines` of each architecture (virt-config.go GetEmulatedMachines).
            let of = |architecture: &str| -> &[&str] {
                match architecture {
                    "arm64" => &["virt*"],
                    "s390x" => &["s390-ccw-virtio*"],
                    _ => &["q35*", "pc-q35*"],
                }
            };
            // Without an architecture the webhook asks for amd64's machine.
            let asked = if context.has_open_architecture() { "amd64" } else { context.architecture };
            // Go's filepath.Match: a star stands for no slash.
            let fits = |name: &str, pattern: &str| {
                name.strip_prefix(pattern.trim_end_matches('*')).is_some_and(|rest| !rest.contains('/'))
            };
            let Some(at) = context.at("domain.machine.type") else { return };
            let Some(name) = at.text().filter(|n| !n.is_empty()) else { return };
            let takes = |allowed: &&[&str]| allowed.iter().any(|pattern| fits(name, pattern));
            let message = |path: &str, allowed: &[&str]| {
                format!("{path} is not supported: {name} (allowed values: [{}])", allowed.join(" "))
            };
            let (path, help) = (at.path(), "remove machine.type: KubeVirt fills in its default");
            if !takes(&of(asked)) {
                report.add(at, message(&path, of(asked)), help);
            } else if !takes(&of(context.architecture)) {
                let field = "spec.domain.machine.type";
                report.add_of_each(context, field, at, message(field, of(context.architecture)), help);
            }
        }),
    },
    &Rule {
        code: "secure-boot-without-smm",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "`bootloader: {efi: {}}` means secure boot, unless secureBoot is false, and the firmware that \
            enforces it keeps its variables in system management mode: features.smm must be there and not disabled. \
            TDX brings firmware without variables. A bare VMI of arm64 gets secureBoot false before anybody looks.",
        source: "KubeVirt vmi-create-admitter.go validateDomainSpec; pkg/defaults/arm64.go",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            // On unless it is said to be off; SMM is on once it is named.
            let on = |at: Cursor<'_>, key| at.get(key).and_then(Cursor::boolean) != Some(false);
            let Some(efi) = context.at("domain.firmware.bootloader.efi") else { return };
            let has_smm = match context.at("domain.features.smm") {
                Some(smm) => on(smm, "enabled"),
                // A preference may bring SMM before the webhook looks.
                None => context.root.at("spec.preference").is_some(),
            };
            let defaults_to_off = !context.is_vm && context.architecture == "arm64" && efi.get("secureBoot").is_none();
            let is_tdx = context.at("domain.launchSecurity.tdx").is_some();
            if on(efi, "secureBoot") && !has_smm && !defaults_to_off && !is_tdx {
                let domain = context.place("domain");
                report.add_as(
                    domain.path(),
                    efi,
                    "secure boot, which is on unless it is turned off, requires SMM",
                    "add `features: {smm: {enabled: true}}`, or write `efi: {secureBoot: false}`",
                );
            }
        }),
    },
    &Rule {
        code: "unknown-architecture",
        layer: Layer::VmiWebhook,
        rank: Rank::Error,
        story: "KubeVirt runs amd64, arm64 and s390x.",
        source: "sim/docs/kubevirt-health.md 2.3",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            if !["amd64", "arm64", "s390x"].contains(&context.architecture) {
                let message = format!("unsupported architecture: {}", context.architecture);
                let place = context.place("architecture");
                report.add_as("spec.architecture", place, message, "write amd64, arm64 or s390x");
            }
        }),
    },
    &Rule {
        code: "no-memory",
        layer: Layer::VmiWebhook,
        rank: Rank::Error,
        story: "No guest memory, no huge pages, no memory request or limit but 0, and no instance type that would \
            bring it. The VM is created, its VMI is refused, with an empty field in the message.",
        source: "sim/docs/kubevirt-health.md 2.3",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            // A guest of 0 is one all the same, which libvirt refuses: no-size-for-the-guest.
            let set = ["domain.memory.hugepages", "domain.memory.guest"].iter().any(|path| context.at(path).is_some());
            let asked = ["domain.resources.requests.memory", "domain.resources.limits.memory"]
                .iter()
                .any(|path| context.at(path).and_then(Quantity::of).is_some_and(|asked| asked != Quantity::ZERO));
            if !set && !asked && !context.has_unseen(Matcher::Instancetype) {
                let help = "add domain.memory.guest, like 2Gi";
                report.add_as("", context.place("domain"), "no memory requested", help);
            }
        }),
    },
];

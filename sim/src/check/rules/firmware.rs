//! Firmware: the boot loader, a kernel booted without one, ACPI tables (kubevirt-health.md 2.9).

use crate::check::context::CheckContext;
use crate::check::layer::{Layer, Rank};
use crate::check::predicates::{bad_path, name_of};
use crate::check::rule::{Check, Rule};

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "efi-and-bios",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A machine boots with EFI or with BIOS, not both.",
        source: "KubeVirt vmi-create-admitter.go validateBootloader",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let path = "domain.firmware.bootloader";
            if ["efi", "bios"].iter().all(|kind| context.at(&format!("{path}.{kind}")).is_some()) {
                report.add(context.place(path), "EFI and BIOS are mutually exclusive", "keep one of them");
            }
        }),
    },
    &Rule {
        code: "bad-kernel-boot",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "kernelBoot takes a kernel, an initial RAM disk or both out of a container image: the image is named, \
            at least one path is, and paths are absolute. Arguments without a kernel have nobody to read them.",
        source: "KubeVirt vmi-create-admitter.go validateKernelBoot",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let Some(boot) = context.at("domain.firmware.kernelBoot") else { return };
            let Some(container) = boot.get("container") else {
                if boot.text_at("kernelArgs").is_some_and(|arguments| !arguments.is_empty()) {
                    let help = "add kernelBoot.container with its image and kernelPath";
                    report.add(boot.place("kernelArgs"), "kernel arguments without a kernel", help);
                }
                return;
            };
            let text = |key| container.text_at(key).unwrap_or_default();
            if text("image").is_empty() {
                report.add(container.place("image"), "the image is not named", "add the image with the kernel");
            }
            if text("kernelPath").is_empty() && text("initrdPath").is_empty() {
                report.add(
                    container,
                    "neither kernelPath nor initrdPath is given",
                    "add kernelPath, like /boot/vmlinuz",
                );
            }
            for key in ["kernelPath", "initrdPath"] {
                if let Some(why) = Some(text(key)).filter(|path| !path.is_empty()).and_then(bad_path) {
                    report.add(container.place(key), why, "write the whole path of the file in the image");
                }
            }
        }),
    },
    &Rule {
        code: "bad-acpi-table",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "firmware.acpi names at least one volume with a table, slicNameRef or msdmNameRef, and each is a \
            volume of kind secret.",
        source: "KubeVirt vmi-create-admitter.go validateFirmwareACPI",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let Some(acpi) = context.at("domain.firmware.acpi") else { return };
            let field = context.place("acpi").path();
            let names = ["slicNameRef", "msdmNameRef"].map(|key| (key, acpi.text_at(key).unwrap_or_default()));
            if names.iter().all(|(_, name)| name.is_empty()) {
                let help = "add slicNameRef with the name of a volume of kind secret";
                return report.add_as(field, acpi, "neither SLIC nor MSDM is named", help);
            }
            for (key, name) in names.into_iter().filter(|(_, name)| !name.is_empty()) {
                if let Some(message) = no_secret(context, name) {
                    let help = format!("add {{name: {name}, secret: {{secretName: ...}}}} to volumes");
                    report.add_as(format!("{field}.{key}"), acpi.place(key), message, help);
                }
            }
        }),
    },
    &Rule {
        code: "bad-firmware-uuid",
        layer: Layer::Libvirt,
        rank: Rank::Error,
        story: "The uuid is plain text to KubeVirt and goes to libvirt as it is, which wants 32 hexadecimal digits, with dashes or \
            blanks before pairs of them and none behind the last, and defines no domain otherwise. (The serial can be any text.)",
        source: "sim/docs/kubevirt-health.md 2.6",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let Some(at) = context.at("domain.firmware.uuid") else { return };
            let Some(uuid) = at.text().filter(|text| !text.is_empty() && !is_uuid(text)) else { return };
            let help = "write one like 5d307ca9-b3ef-428c-8861-06e72d69f223, or none: KubeVirt makes one";
            report.add(at, format!("{uuid:?} is no UUID: libvirt cannot define the domain"), help);
        }),
    },
];

/// libvirt's virUUIDParse: pairs of hexadecimal digits, with dashes and blanks between them.
fn is_uuid(text: &str) -> bool {
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
    let (mut bytes, mut pairs) = (text.bytes(), 0);
    while let Some(byte) = bytes.next() {
        match byte {
            // Behind the last pair it takes only blanks, which are gone.
            b'-' | b' ' if pairs < 16 => {}
            _ if byte.is_ascii_hexdigit() && bytes.next().is_some_and(|b| b.is_ascii_hexdigit()) => pairs += 1,
            _ => return false,
        }
    }
    pairs == 16
}

/// Why the first volume of that name is no secret.
fn no_secret(context: &CheckContext<'_>, name: &str) -> Option<String> {
    match context.items_at("volumes").find(|volume| name_of(*volume) == name) {
        Some(volume) if volume.get("secret").is_some() => None,
        Some(_) => Some(format!("the volume {name:?} is no secret")),
        None => Some(format!("no volume is called {name:?}")),
    }
}

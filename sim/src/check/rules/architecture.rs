//! What one architecture has and another has not. Only the VMI is checked for it (kubevirt-health.md 2.9).

use crate::check::layer::{Layer, Rank};
use crate::check::machine::disks;
use crate::check::rule::{Check, Rule};

/// The video models of each.
const VIDEO: [(&str, &[&str]); 3] = [
    ("amd64", &["vga", "cirrus", "virtio", "ramfb", "bochs"]),
    ("arm64", &["virtio", "ramfb"]),
    ("s390x", &["virtio"]),
];

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "not-on-arm64",
        layer: Layer::VmiWebhook,
        rank: Rank::Error,
        story: "arm64 boots with EFI, its only CPU model is host-passthrough, its disks are on virtio or scsi, and it \
            has no sound. The VM is created; its VMI is refused.",
        source: "KubeVirt pkg/virt-api/webhooks/arm64.go",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            if context.architecture != "arm64" {
                return;
            }
            let model = context.text_at("domain.cpu.model").is_some_and(|m| !["", "host-passthrough"].contains(&m));
            for (is_wrong, path, message, help) in [
                (
                    true,
                    "domain.firmware.bootloader.bios",
                    "arm64 does not boot with BIOS",
                    "write efi: {} in its place",
                ),
                (model, "domain.cpu.model", "host-passthrough is arm64's only CPU model", "remove cpu.model"),
                (true, "domain.devices.sound", "arm64 has no sound device", "remove the sound device"),
            ] {
                if let Some(at) = context.at(path).filter(|_| is_wrong) {
                    report.add_as(format!("spec.{path}"), at, message, help);
                }
            }
            for disk in disks(context) {
                // Whichever devices there are: KubeVirt looks at all three.
                for device in ["disk", "cdrom", "lun"] {
                    let bus = disk.get(device).and_then(|device| device.text_at("bus")).unwrap_or_default();
                    if !["", "virtio", "scsi"].contains(&bus) {
                        report.add_as(
                            format!("spec.domain.devices.disks[{}].{device}.bus", disk.index),
                            disk.below(&format!("{device}.bus")),
                            format!("arm64 has no disks on {bus}"),
                            "write virtio or scsi",
                        );
                    }
                }
            }
        }),
    },
    &Rule {
        code: "video-model-not-supported",
        layer: Layer::VmiWebhook,
        rank: Rank::Error,
        story: "The video models are vga, cirrus, virtio, ramfb and bochs on amd64, virtio and ramfb on arm64, virtio \
            on s390x, and one must be named. The VM is created; its VMI is refused.",
        source: "KubeVirt pkg/virt-api/webhooks/amd64.go, arm64.go, s390x.go",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let Some(video) = context.at("domain.devices.video") else { return };
            let models = VIDEO.iter().find(|(architecture, _)| *architecture == context.architecture);
            let Some((architecture, models)) = models else { return };
            let model = video.text_at("type").unwrap_or_default();
            if !models.contains(&model) {
                report.add_as(
                    "spec.domain.devices.video.type",
                    video.place("type"),
                    format!("the video model {model:?} is not supported on {architecture}"),
                    format!("write one of {}", models.join(", ")),
                );
            }
        }),
    },
];

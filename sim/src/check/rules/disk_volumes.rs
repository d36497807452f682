//! Disks and file systems together with the volumes behind them (kubevirt-health.md 2.9).

use crate::check::layer::{Layer, Rank};
use crate::check::machine::{DISKS, disks};
use crate::check::predicates::{is_dns_label, name_of};
use crate::check::rule::{Check, Rule};
use std::collections::BTreeSet;

/// Paths of virt-launcher that no guest gets.
const RESERVED: [&str; 2] = ["/var/run/kubevirt", "/var/run/libvirt"];

/// Sources that are disks and never folders.
const MADE: [&str; 5] = ["emptyDisk", "cloudInitNoCloud", "cloudInitConfigDrive", "memoryDump", "downwardMetrics"];

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "lun-without-block-device",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A lun passes SCSI commands on to a real device, so its volume is a persistentVolumeClaim or a \
            dataVolume.",
        source: "KubeVirt vmi-create-admitter.go validateBootOrder",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for disk in disks(context) {
                let Some((lun, volume)) = disk.get("lun").zip(disk.volume) else { continue };
                if ["persistentVolumeClaim", "dataVolume"].iter().all(|source| volume.get(source).is_none()) {
                    let message = "a lun needs a persistentVolumeClaim or a dataVolume";
                    report.add(lun, message, "write disk in place of lun");
                }
            }
        }),
    },
    &Rule {
        code: "bad-downward-metrics-disk",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A downwardMetrics volume is read through a disk on virtio.",
        source: "KubeVirt vmi-create-admitter.go validateBootOrder",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for disk in disks(context) {
                if disk.volume.is_none_or(|volume| volume.get("downwardMetrics").is_none()) {
                    continue;
                }
                let field = format!("{}[{}].disk", context.place(DISKS).path(), disk.index);
                let help = "write disk: {bus: virtio}";
                match disk.device() {
                    Some("disk") if ["virtio", ""].contains(&disk.bus()) => {}
                    Some("disk") => {
                        let message = "downward metrics need a disk on virtio";
                        report.add_as(format!("{field}.bus"), disk.below("disk.bus"), message, help);
                    }
                    _ => report.add_as(field, disk.below("disk"), "downward metrics need a disk on virtio", help),
                }
            }
        }),
    },
    &Rule {
        code: "container-path-not-shown",
        layer: Layer::VmiWebhook,
        rank: Rank::Error,
        story: "A containerPath volume shows the guest a folder of the virt-launcher container; what KubeVirt and \
            libvirt keep there is not shown, and it is no disk.",
        source: "KubeVirt vmi-create-admitter.go validateVirtualMachineInstanceSpecVolumeDisks",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let named: Vec<&str> = context.items_at(DISKS).map(name_of).collect();
            for (i, volume) in context.items_at("volumes").enumerate() {
                let Some(source) = volume.get("containerPath") else { continue };
                let field = format!("spec.domain.volumes[{i}]");
                if named.contains(&name_of(volume)) {
                    let help = "remove the disk; the volume needs a file system of its name";
                    report.add_as(field.as_str(), volume.place("name"), "a containerPath is no disk", help);
                }
                let path = source.text_at("path").unwrap_or_default();
                if let Some(reserved) = RESERVED.iter().find(|prefix| path.starts_with(**prefix)) {
                    let message = format!("{reserved} is reserved");
                    let place = source.place("path");
                    report.add_as(format!("{field}.containerPath.path"), place, message, "name another folder");
                }
            }
        }),
    },
    &Rule {
        code: "filesystem-cannot-be-shown",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "A file system of the guest is a folder that a container of the pod serves. That container is called \
            virtiofs-NAME, so the volume's name has at most 54 lowercase letters, digits and dashes; and a disk that \
            KubeVirt makes itself (emptyDisk, cloud-init, memoryDump, downwardMetrics) is no folder. VM and VMI are \
            created.",
        source: "KubeVirt pkg/virt-controller/services/virtiofs.go generateContainerFromVolume",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let named: BTreeSet<&str> = context.items_at("domain.devices.filesystems").map(name_of).collect();
            let shown = context.items_at("volumes").filter(|volume| named.contains(name_of(*volume)));
            // Those containers come after `compute`.
            for (i, volume) in (1..).zip(shown.filter(|volume| volume.get("containerPath").is_none())) {
                let name = format!("virtiofs-{}", name_of(volume));
                if !is_dns_label(&name) {
                    let message = format!("{name:?} is no name of a container");
                    let place = volume.place("name");
                    report.add_as(
                        format!("spec.containers[{i}].name"),
                        place,
                        message,
                        "choose a shorter, plainer name",
                    );
                }
                if let Some(source) = MADE.iter().find(|source| volume.get(source).is_some()) {
                    let field = format!("spec.containers[{i}].volumeMounts[1].name");
                    let help = "attach it as a disk, or use a configMap, secret or persistentVolumeClaim";
                    report.add_as(field, volume.place(source), format!("{source} is no folder"), help);
                }
            }
        }),
    },
];

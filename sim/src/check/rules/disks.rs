//! Disks: names, devices, buses, boot order (kubevirt-health.md 2.9). What stands in a disk alone; `disk_volumes.rs` has what it
//! says together with its volume.

use crate::check::address::is_pci_address;
use crate::check::beside::Matcher;
use crate::check::context::CheckContext;
use crate::check::layer::{Layer, Rank};
use crate::check::machine::{DISKS, Disk, disks};
use crate::check::nic::nics;
use crate::check::predicates::{boot_order, is_dns_label, name_of, repeated};
use crate::check::rule::{Check, Report, Rule};
use crate::yaml::Cursor;
use std::collections::BTreeMap;

/// Characters of a serial number.
const SERIAL_LIMIT: usize = 256;
/// Bytes of a block.
const BLOCKS: std::ops::RangeInclusive<i64> = 512..=2_097_152;

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "duplicate-name",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "Disks differ by their names, volumes too: the name ties both together.",
        source: "KubeVirt pkg/storage/admitters/disks.go validateDiskName; vmi-create-admitter.go validateVolumes",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for list in [DISKS, "volumes"] {
                for (item, name) in repeated(context.items_at(list)) {
                    let message = match name {
                        "" => "this is the second one without a name".to_owned(),
                        name => format!("{name:?} is the name of two"),
                    };
                    report.add(item.place("name"), message, "give each a name of its own");
                }
            }
        }),
    },
    &Rule {
        code: "bad-disk-name",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A disk's name can become the name of a container: lowercase letters, digits and dashes, at most 63. \
            That goes for a volume without a disk, too, for KubeVirt adds one.",
        source: "KubeVirt pkg/storage/admitters/disks.go validateDiskNameAsContainerName",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for disk in disks(context).iter().filter(|disk| !is_dns_label(disk.name)) {
                let (message, help) = match disk.name {
                    "" => {
                        let message = "there is no name, which ties a disk and its volume together";
                        (message.to_owned(), "add a name like root-disk, the same in disks and in volumes")
                    }
                    name => {
                        let message =
                            format!("{name:?} is not a name: lowercase letters, digits and dashes, at most 63");
                        (message, "write a name like root-disk")
                    }
                };
                report.add_as(odd(context, disk, "name"), disk.place.place("name"), message, help);
            }
        }),
    },
    &Rule {
        code: "several-disk-devices",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A disk is one of disk, lun and cdrom.",
        source: "KubeVirt pkg/storage/admitters/disks.go validateDeviceTarget",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for disk in context.items_at(DISKS) {
                if ["disk", "lun", "cdrom"].iter().filter(|device| disk.get(device).is_some()).count() > 1 {
                    report.add(disk, "a disk is one of disk, lun and cdrom", "keep one of them");
                }
            }
        }),
    },
    &Rule {
        code: "bad-boot-order",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A boot order is 1 or more, and no two devices (disks or interfaces) have the same.",
        source: "KubeVirt vmi-create-admitter.go validateBootOrder, validateInterfaceBootOrder; pkg/storage/admitters/disks.go \
            validateBootOrderValue",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let mut orders = BTreeMap::new();
            let disks = context.items_at(DISKS).map(|disk| (disk, None));
            // Of an interface KubeVirt names the VMI's spec, with the interface's number.
            let nics = nics(context).into_iter().enumerate();
            let nics = nics.map(|(i, nic)| (nic.at, Some(format!("{}[{i}].bootOrder", context.spec_path()))));
            for (device, field_of_zero) in disks.chain(nics) {
                let Some((at, order)) = boot_order(device) else { continue };
                if order < 1 {
                    let field = field_of_zero.unwrap_or_else(|| at.path());
                    report.add_as(field, at, "a boot order is 1 or more", "write 1 for the first, or none");
                } else if let Some(other) = orders.insert(order, name_of(device)) {
                    let message = format!("boot order {order} is {other:?}'s already");
                    report.add(at, message, "number the devices 1, 2, 3, ...");
                }
            }
        }),
    },
    &Rule {
        code: "bus-does-not-fit",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A CD-ROM is not on virtio, a hard disk on sata is not read-only, a PCI address is for virtio, and so \
            is a dedicated I/O thread. (A thread on a disk without a bus is refused with the VMI: there the bus is \
            sata.)",
        source: "KubeVirt pkg/storage/admitters/disks.go validateBusSupport, validatePciAddress",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for disk in &disks(context) {
                bus(context, disk, disk.bus(), report);
            }
        }),
    },
    &Rule {
        code: "bad-serial",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A disk's serial number is made of letters, digits and _ . + -, at most 256 of them.",
        source: "KubeVirt pkg/storage/admitters/disks.go validateSerialNumValue, validateSerialNumLength",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for disk in context.items_at(DISKS) {
                let Some(serial) = disk.text_at("serial") else { continue };
                let plain = serial.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.+-".contains(&b));
                if !plain || serial.len() > SERIAL_LIMIT {
                    let message = "a serial number has at most 256 letters, digits, _, ., + and -";
                    report.add(disk.place("serial"), message, "leave the other characters out");
                }
            }
        }),
    },
    &Rule {
        code: "bad-block-size",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "Block sizes are powers of 2 from 512 to 2097152, the logical one not above the physical one, on sata \
            512; a discard granularity is a multiple of the logical size; and a size of one's own excludes \
            matchVolume.",
        source: "KubeVirt pkg/storage/admitters/disks.go validateBlockSize",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for disk in &disks(context) {
                block_size(disk, disk.bus(), report);
            }
        }),
    },
    &Rule {
        code: "default-bus-does-not-fit",
        layer: Layer::VmiWebhook,
        rank: Rank::Error,
        story: "A disk without a bus is on sata on amd64, and on virtio on arm64 and s390x, where a CD-ROM cannot be. \
            That is filled in when the VMI is created, so a VM whose disk cannot be there is created, and its VMI is \
            refused.",
        source: "KubeVirt pkg/defaults/amd64.go, arm64.go, s390x.go; pkg/storage/admitters/disks.go",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            // A preference may name another bus.
            let is_sure = !context.has_unseen(Matcher::Preference);
            let default = if ["arm64", "s390x"].contains(&context.architecture) { "virtio" } else { "sata" };
            for disk in disks(context).iter().filter(|disk| is_sure && disk.bus().is_empty()) {
                bus(context, disk, default, report);
                block_size(disk, default, report);
                let is_disk = default == "sata" && disk.device() == Some("disk");
                if is_disk && disk.volume.is_some_and(|volume| volume.get("downwardMetrics").is_some()) {
                    report.add_as(
                        format!("spec.{DISKS}[{}].disk.bus", disk.index),
                        disk.below("disk.bus"),
                        "downward metrics need a disk on virtio, and without a bus it is on sata",
                        "write disk: {bus: virtio}",
                    );
                }
            }
        }),
    },
];

/// How KubeVirt reports some fields of disks: the list's path twice.
fn odd(context: &CheckContext<'_>, disk: &Disk<'_>, field: &str) -> String {
    let list = context.place(DISKS).path();
    let dot = if field.is_empty() { "" } else { "." };
    format!("{list}.{DISKS}[{}]{dot}{field}", disk.index)
}

/// What is wrong with a disk on this bus; where it is not the disk's own, what that adds.
fn bus<'a>(context: &CheckContext<'a>, disk: &Disk<'a>, bus: &str, report: &mut Report<'_, 'a>) {
    let is_default = disk.bus() != bus;
    let field = |path: String| if is_default { path.replacen("spec.template.", "", 1) } else { path };
    let here = context.place(&format!("{DISKS}[{}]", disk.index)).path();
    let is_true = |path| disk.get(path).and_then(Cursor::boolean) == Some(true);
    if disk.device() == Some("cdrom") && bus == "virtio" {
        let field = field(format!("{here}.cdrom.bus"));
        report.add_as(
            field,
            disk.below("cdrom.bus"),
            "a CD-ROM cannot be on virtio",
            "write bus: scsi, or sata on amd64",
        );
    }
    if bus == "sata" && is_true("disk.readonly") {
        let help = "write bus: virtio, or make it a cdrom";
        report.add_as(
            field(format!("{here}.disk.bus")),
            disk.below("disk.readonly"),
            "a hard disk on sata cannot be read-only",
            help,
        );
    }
    if is_true("dedicatedIOThread") && !["virtio", ""].contains(&bus) {
        let message = format!("no I/O threads for disks on {bus}");
        let at = disk.below("dedicatedIOThread");
        report.add_as(field(odd(context, disk, "")), at, message, "write bus: virtio, or remove dedicatedIOThread");
    }
    let Some(address) = disk.get("disk.pciAddress").filter(|_| !is_default) else { return };
    let Some(text) = address.text().filter(|text| !text.is_empty()) else { return };
    let list = context.place(DISKS).path();
    let odd = format!("{list}.{DISKS}.disk[{}].pciAddress", disk.index);
    if bus != "virtio" {
        report.add_as(odd.as_str(), address, "a PCI address is for disks on virtio", "write bus: virtio");
    }
    if !is_pci_address(text) {
        report.add_as(odd, address, format!("{text:?} is not a PCI address"), "write one like 0000:81:00.1");
    }
}

/// What is wrong with the blocks of a disk on this bus; where it is not the disk's own, what that adds.
fn block_size<'a>(disk: &Disk<'a>, bus: &str, report: &mut Report<'_, 'a>) {
    let is_default = disk.bus() != bus;
    let Some(custom) = disk.get("blockSize.custom") else { return };
    let size = |key| custom.get(key).and_then(Cursor::int64).unwrap_or_default();
    let (logical, physical) = (size("logical"), size("physical"));
    let matches = disk.get("blockSize.matchVolume");
    let matches = matches.is_some_and(|m| m.get("enabled").and_then(Cursor::boolean) != Some(false));
    let discard = custom.get("discardGranularity").and_then(Cursor::int64);
    let mut add = |key: &str, message: String, help: &str| {
        let place = disk.below(&format!("blockSize{key}"));
        let path = place.path();
        let field = if is_default { path.replacen("spec.template.", "", 1) } else { path };
        report.add_as(field, place, message, help);
    };
    if bus == "sata" && !matches && logical <= physical && logical != 512 {
        let message = format!("the logical size on sata is 512, found {logical}");
        add(".custom.logical", message, "write bus: virtio, or logical: 512");
    } else if is_default {
    } else if matches {
        let message = "a size of its own and matchVolume exclude each other".to_owned();
        add("", message, "keep one of them");
    } else if logical > physical {
        let message = format!("the logical size {logical} is greater than the physical size {physical}");
        add(".custom.logical", message, "write the same number in both");
    } else if discard.is_some_and(|discard| logical != 0 && discard % logical != 0) {
        let message = format!("the discard granularity is not a multiple of the logical size {logical}");
        add(".custom.discardGranularity", message, "write a multiple of it");
    } else {
        for (key, size) in [("logical", logical), ("physical", physical)] {
            if !BLOCKS.contains(&size) || size.count_ones() != 1 {
                let message = format!("{size} is not a power of 2 from 512 to 2097152");
                add(&format!(".custom.{key}"), message, "write 512 or 4096");
            }
        }
    }
}

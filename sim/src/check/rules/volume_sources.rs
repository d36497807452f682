//! What stands in a volume (kubevirt-health.md 2.9). `volume.rs` has how many sources it has, and cloud-init.

use crate::check::layer::{Layer, Rank};
use crate::check::predicates::bad_path;
use crate::check::rule::{Check, Rule};
use crate::manifest::Quantity;
use crate::yaml::Cursor;

/// A source, its field that must not be empty, and the field that KubeVirt reports.
const NAMES: [(&str, &str, &str); 5] = [
    ("dataVolume", "name", "name"),
    ("configMap", "name", "configMap.name"),
    ("secret", "secretName", "secret.secretName"),
    ("serviceAccount", "serviceAccountName", "serviceAccount.serviceAccountName"),
    ("hostDisk", "path", "hostDisk.path"),
];

/// What only the pod's volume must name: where it is named, and the key.
const NAMED_IN_THE_POD: [(&str, &str); 6] = [
    ("persistentVolumeClaim", "claimName"),
    ("ephemeral.persistentVolumeClaim", "claimName"),
    ("cloudInitNoCloud.secretRef", "name"),
    ("cloudInitNoCloud.networkDataSecretRef", "name"),
    ("cloudInitConfigDrive.secretRef", "name"),
    ("cloudInitConfigDrive.networkDataSecretRef", "name"),
];

/// In whole ones of these KubeVirt makes an emptyDisk, rounded down.
const IMAGE_ALIGNMENT: Quantity = Quantity::whole(1 << 20);

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "empty-disk-too-small",
        layer: Layer::Libvirt,
        rank: Rank::Error,
        story: "No webhook looks at an emptyDisk's capacity. virt-launcher rounds it down to whole MiB and makes no disk of 0, nor \
            qemu-img one of less: the domain is never defined.",
        source: "KubeVirt pkg/emptydisk/emptydisk.go CreateTemporaryDisks",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for volume in context.items_at("volumes") {
                let Some(capacity) = volume.at("emptyDisk.capacity") else { continue };
                if Quantity::of(capacity).is_some_and(|size| size < IMAGE_ALIGNMENT) {
                    let name = volume.text_at("name").unwrap_or_default();
                    let message = format!("the size for volume {name} is too low");
                    report.add(capacity, message, "write 1Mi or more, like 2Gi");
                }
            }
        }),
    },
    &Rule {
        code: "volume-names-nothing",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A volume from another object names it: dataVolume.name, configMap.name, secret.secretName (a secret \
            as a volume has secretName, not name), serviceAccount.serviceAccountName; a hostDisk has a path.",
        source: "KubeVirt vmi-create-admitter.go validateVolumes",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for volume in context.items_at("volumes") {
                for (source, key, field) in NAMES {
                    let Some(at) = volume.get(source) else { continue };
                    if at.text_at(key).unwrap_or_default().is_empty() {
                        let message = format!("{source}.{key} is required");
                        report.add_as(
                            format!("{}.{field}", volume.path()),
                            at.place(key),
                            message,
                            format!("add {key}"),
                        );
                    }
                }
            }
        }),
    },
    &Rule {
        code: "pod-volume-names-nothing",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "The pod has the same claim or Secret as a volume, and Kubernetes wants its name; KubeVirt does not look. An \
            ephemeral volume without a claim and a sysprep volume without a configMap and a secret make no pod either.",
        source: "Kubernetes pkg/apis/core/validation validateVolumeSource; KubeVirt pkg/virt-controller/services/rendervolumes.go",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for volume in context.items_at("volumes") {
                for (source, key) in NAMED_IN_THE_POD {
                    let unnamed = |at: &Cursor<'_>| at.text_at(key).unwrap_or_default().is_empty();
                    // It is plugged in later, and not by this pod.
                    let later = |at: &Cursor<'_>| at.get("hotpluggable").and_then(Cursor::boolean) == Some(true);
                    if let Some(at) = volume.at(source).filter(unnamed).filter(|at| !later(at)) {
                        report.add_as(
                            "spec.volumes",
                            at.place(key),
                            format!("{source}.{key} is required"),
                            format!("add {key}"),
                        );
                    }
                }
                let ephemeral = volume.get("ephemeral").filter(|at| at.get("persistentVolumeClaim").is_none());
                if let Some(at) = ephemeral {
                    let message = "ephemeral.persistentVolumeClaim is required: virt-controller panics without it";
                    report.add_as("", at, message, "add persistentVolumeClaim: {claimName: ...}");
                }
                if let Some(at) = volume.get("sysprep")
                    && ["configMap", "secret"].iter().all(|source| at.get(source).is_none())
                {
                    let message = "sysprep must have a Secret or ConfigMap reference";
                    report.add_as("spec.volumes", at, message, "add configMap: {name: ...}");
                }
            }
        }),
    },
    &Rule {
        code: "host-disk-with-capacity",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A hostDisk of type Disk is there already, with its size; only DiskOrCreate takes a capacity.",
        source: "KubeVirt vmi-create-admitter.go validateVolumes",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for disk in context.items_at("volumes").filter_map(|volume| volume.get("hostDisk")) {
                let capacity = disk.get("capacity").and_then(Quantity::of);
                if disk.text_at("type") == Some("Disk") && capacity.is_some_and(|q| q != Quantity::ZERO) {
                    let message = "a hostDisk of type Disk has its size already";
                    report.add(disk.place("capacity"), message, "remove capacity, or write type: DiskOrCreate");
                }
            }
        }),
    },
    &Rule {
        code: "bad-container-disk-path",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "containerDisk.path is the absolute path of the disk's file in the image.",
        source: "KubeVirt pkg/storage/admitters/disks.go ValidateContainerDisks",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for disk in context.items_at("volumes").filter_map(|volume| volume.get("containerDisk")) {
                let Some(path) = disk.text_at("path").filter(|path| !path.is_empty()) else { continue };
                if let Some(why) = bad_path(path) {
                    report.add_as(disk.path(), disk.place("path"), why, "write a path like /disk/image.qcow2");
                }
            }
        }),
    },
    &Rule {
        code: "too-many-of-a-volume",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A machine has at most one volume of each of serviceAccount, downwardMetrics and memoryDump.",
        source: "KubeVirt vmi-create-admitter.go validateVolumes",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for source in ["serviceAccount", "downwardMetrics", "memoryDump"] {
                if let Some(second) = context.items_at("volumes").filter(|v| v.get(source).is_some()).nth(1) {
                    let message = format!("more than one {source} volume");
                    report.add_as(context.place("volumes").path(), second, message, "keep one of them");
                }
            }
        }),
    },
    &Rule {
        code: "utility-volumes",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "utilityVolumes are plugged into a VMI that is there; nothing is created with them.",
        source: "KubeVirt pkg/storage/admitters/storagehotplug.go ValidateUtilityVolumesNotPresentOnCreation",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            // An empty list is dropped before anybody looks.
            if context.items_at("utilityVolumes").next().is_some() {
                let message = "utility volumes cannot be there from the start";
                report.add(context.place("utilityVolumes"), message, "remove utilityVolumes");
            }
        }),
    },
];

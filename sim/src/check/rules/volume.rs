//! Volumes, the disks that they are attached as, and cloud-init.

use crate::check::layer::{Layer, Rank};
use crate::check::predicates::{have_counterparts, name_of};
use crate::check::rule::{Check, Report, Rule};
use crate::manifest::go_base64;
use crate::yaml::{Cursor, Value};
use std::collections::BTreeSet;

/// Bytes of user data or network data that KubeVirt takes inline (vmi-create-admitter.go).
const CLOUD_INIT_LIMIT: usize = 2048;

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "disk-without-volume",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "Every disk needs a volume of the same name, but for a CD-ROM: an empty one is a drive to put a volume \
            into later (unless the cluster has the feature gate DeclarativeHotplugVolumes off).",
        source: "sim/docs/kubevirt-health.md 2.2",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let hotplug = !context.is_off("DeclarativeHotplugVolumes");
            let disks = context.items_at("domain.devices.disks");
            let disks = disks.filter(|disk| !hotplug || disk.get("cdrom").is_none());
            have_counterparts(context, disks, "volumes", "volume", report);
        }),
    },
    &Rule {
        code: "not-one-volume-source",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "Every volume has exactly one source.",
        source: "KubeVirt vmi-create-admitter.go",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for volume in context.items_at("volumes").filter(|v| matches!(v.value(), Value::Map(_))) {
                let sources = volume.members().filter(|(key, _)| key.name != "name").count();
                if sources != 1 {
                    let message = format!("a volume has exactly one source, found {sources}");
                    report.add(volume, message, "keep one of them");
                }
            }
        }),
    },
    &Rule {
        code: "bad-cloud-init",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A cloud-init volume brings its user data in exactly one way, its network data in at most one, base64 \
            must be base64, and what is inline must not be larger than 2048 bytes; larger data goes into a Secret.",
        source: "KubeVirt vmi-create-admitter.go",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for volume in context.items_at("volumes") {
                let sources = ["cloudInitNoCloud", "cloudInitConfigDrive"];
                if let Some(source) = sources.into_iter().find_map(|s| volume.get(s)) {
                    cloud_init(source, report);
                }
            }
        }),
    },
    &Rule {
        code: "bad-container-path",
        layer: Layer::Schema,
        rank: Rank::Error,
        story: "The CRD has rules for a containerPath volume: its path is absolute and has no `..` in it, and it is \
            read-only.",
        source: "KubeVirt components/validations_generated.go",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for volume in context.items_at("volumes").filter_map(|v| v.get("containerPath")) {
                let path = volume.text_at("path").unwrap_or_default();
                if !path.starts_with('/') {
                    let message = "path must be absolute (start with '/')";
                    report.add(volume.place("path"), message, "write it from / on");
                }
                if path.contains("..") {
                    report.add(volume.place("path"), "path must not contain '..'", "write the path without ..");
                }
                if let Some(at) = volume.get("readOnly").filter(|at| at.boolean() == Some(false)) {
                    report.add(at, "readOnly must be true, write access is not supported", "remove readOnly");
                }
            }
        }),
    },
    &Rule {
        code: "container-path-without-filesystem",
        layer: Layer::VmiWebhook,
        rank: Rank::Error,
        story: "A containerPath volume needs a file system of its name; a disk, also the one that KubeVirt adds for \
            a volume without one, is refused.",
        source: "KubeVirt vmi-create-admitter.go",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let filesystems: BTreeSet<&str> = context.items_at("domain.devices.filesystems").map(name_of).collect();
            for (i, volume) in context.items_at("volumes").enumerate() {
                let name = name_of(volume);
                if volume.get("containerPath").is_some() && !filesystems.contains(name) {
                    report.add_as(
                        format!("spec.domain.volumes[{i}]"),
                        volume.place("name"),
                        format!("the containerPath volume {name:?} needs a file system of its name"),
                        format!("add {{name: {name}, virtiofs: {{}}}} to domain.devices.filesystems"),
                    );
                }
            }
        }),
    },
    &Rule {
        code: "container-disk-without-image",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "A containerDisk's image becomes an image volume of the pod. KubeVirt does not mind an empty one; \
            Kubernetes does.",
        source: "sim/docs/kubevirt-health.md 2.4",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for disk in context.items_at("volumes").filter_map(|v| v.get("containerDisk")) {
                if disk.text_at("image").unwrap_or_default().is_empty() {
                    let message = "image.reference is required, and the containerDisk names no image";
                    report.add_as("spec.volumes", disk.place("image"), message, "add the image");
                }
            }
        }),
    },
    &Rule {
        code: "image-between-blanks",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "The image of a containerDisk or a kernelBoot becomes a container's, whose name has no blanks around it. KubeVirt does \
            not mind them.",
        source: "Kubernetes pkg/apis/core/validation/validation.go validateContainerOnlyForPod",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let disks = context.items_at("volumes").filter_map(|v| v.get("containerDisk"));
            let kernel = context.at("domain.firmware.kernelBoot.container");
            // The first one brings the program that serves them.
            for (i, at) in (1..).zip(disks.chain(kernel)) {
                if let Some(at) = at.get("image").filter(|at| at.text().is_some_and(|text| text.trim() != text)) {
                    let message = "must not have leading or trailing whitespace";
                    report.add_as(format!("spec.initContainers[{i}].image"), at, message, "remove the blanks");
                }
            }
        }),
    },
    &Rule {
        code: "volume-without-disk",
        layer: Layer::Hazard,
        rank: Rank::Note,
        story: "KubeVirt adds a disk for every volume that no disk and no file system names.",
        source: "KubeVirt pkg/util/util.go SetDefaultVolumeDisk",
        shown_by: &[],
        check: Check::Running(|context, _, report| {
            let lists = ["domain.devices.disks", "domain.devices.filesystems"];
            let used: BTreeSet<&str> = lists.into_iter().flat_map(|list| context.items_at(list)).map(name_of).collect();
            // Who lists none leaves them all to KubeVirt, as `virtctl create vm` does.
            if used.is_empty() {
                return;
            }
            for volume in context.items_at("volumes").filter(|v| !used.contains(name_of(*v))) {
                let message = format!("no disk names {:?}; KubeVirt adds one", name_of(volume));
                let help = "add a disk if you want another one than the default";
                report.add(volume.place("name"), message, help);
            }
        }),
    },
];

fn cloud_init<'a>(source: Cursor<'a>, report: &mut Report<'_, 'a>) {
    let given = |key: &str| source.get(key).and_then(|at| Some((at, at.text()?))).filter(|(_, text)| !text.is_empty());
    let mut total = 0;
    for (plain, encoded, secret) in
        [("userData", "userDataBase64", "secretRef"), ("networkData", "networkDataBase64", "networkDataSecretRef")]
    {
        let named = source.get(secret).and_then(|s| s.text_at("name")).is_some_and(|name| !name.is_empty());
        let (mut sources, mut bytes) = (if named { vec![secret] } else { Vec::new() }, 0);
        if let Some((at, data)) = given(encoded) {
            sources.push(encoded);
            match go_base64(data) {
                Some(decoded) => bytes = decoded.len(),
                None => report.add(at, "not valid base64", "encode it with `base64`"),
            }
        }
        if let Some((_, data)) = given(plain) {
            sources.push(plain);
            bytes = data.len();
        }
        if sources.len() > 1 {
            sources.sort_unstable();
            let message = format!("{} are given, and there can be one source", sources.join(" and "));
            let help = format!(
                "keep one of them: what {plain} says goes into the Secret that {secret} names, or it is all here"
            );
            report.add(source, message, help);
        }
        if bytes > CLOUD_INIT_LIMIT {
            let message = format!("{plain} has {bytes} bytes; KubeVirt takes {CLOUD_INIT_LIMIT}");
            report.add(source, message, format!("put it into a Secret and name it in {secret}"));
        }
        total += sources.len();
    }
    if total == 0 {
        report.add(source, "there is neither user data nor network data", "add userData");
    }
}

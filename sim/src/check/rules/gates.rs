//! What is behind a feature gate (kubevirt-health.md 2.9): one table. `rebootPolicy` is in `lifecycle.rs`, launch security in
//! `launch_security.rs`.

use crate::check::context::CheckContext;
use crate::check::gate::needs;
use crate::check::layer::{Layer, Rank};
use crate::check::predicates::name_of;
use crate::check::rule::{Check, Report, Rule};
use crate::yaml::{Cursor, Place};

/// What uses a gate: where, and what KubeVirt reports of the path.
type Uses = for<'a> fn(&CheckContext<'a>) -> Vec<(Place<'a>, String)>;

const GATES: &[(&str, Uses)] = &[
    ("HostDevices", |context| listed(context, "domain.devices.hostDevices", |_| true, "HostDevices")),
    ("GPUsWithDRA", |context| listed(context, "domain.devices.gpus", is_claimed, "domain.devices.gpus")),
    ("HostDevicesWithDRA", |context| {
        listed(context, "domain.devices.hostDevices", is_claimed, "domain.devices.hostDevices")
    }),
    ("HostDisk", |context| volumes(context, "hostDisk")),
    ("DownwardMetrics", |context| {
        [volumes(context, "downwardMetrics"), field(context, "domain.devices.downwardMetrics")].concat()
    }),
    ("PersistentReservation", |context| {
        let path = "domain.devices.disks";
        let reserves = |disk: &Cursor<'_>| disk.at("lun.reservation").and_then(Cursor::boolean) == Some(true);
        let first = context.items_at(path).find(reserves).and_then(|disk| disk.at("lun.reservation"));
        // KubeVirt names no disk.
        let field = context.place(&format!("{path}.luns.reservation")).path();
        first.map(|at| (at.into(), field)).into_iter().collect()
    }),
    ("VSOCK", |context| field(context, "domain.devices.autoattachVSOCK")),
    ("ReservedOverheadMemlock", |context| field(context, "domain.memory.reservedOverhead")),
    ("EnableVirtioFsStorageVolumes", |context| {
        let path = "domain.devices.filesystems";
        let of = |name| context.items_at("volumes").filter(move |volume| name_of(*volume) == name).last();
        let is_claim =
            |volume: Cursor<'_>| ["persistentVolumeClaim", "dataVolume"].iter().any(|s| volume.get(s).is_some());
        let shown = context.items_at(path).filter(|fs| of(name_of(*fs)).is_some_and(is_claim));
        shown.map(|fs| (fs.into(), context.place(path).path())).collect()
    }),
];

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "feature-gate-is-off",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "KubeVirt has this behind a feature gate. Of alpha gates check takes it that they are off in your \
            cluster, of beta gates that they are on, as they are by default; `--with-gate` and `--without-gate` say \
            what is different there. The KubeVirt object lists gates in \
            spec.configuration.developerConfiguration.featureGates.",
        source: "KubeVirt pkg/virt-config/featuregate/active.go; vmi-create-admitter.go",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for (gate, uses) in GATES.iter().filter(|(gate, _)| context.is_off(gate)) {
                for (place, field) in uses(context) {
                    off(gate, place, field, report);
                }
            }
        }),
    },
    &Rule {
        code: "container-path-without-its-gate",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "containerPath volumes are behind the alpha gate ContainerPathVolumes. No webhook looks: VM and VMI are \
            created, and no pod is (reason ContainerPathVolumesDisabled).",
        source: "KubeVirt pkg/virt-controller/watch/vmi/lifecycle.go sync",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let gate = "ContainerPathVolumes";
            let shown: Vec<&str> = context.items_at("domain.devices.filesystems").map(name_of).collect();
            for volume in context.items_at("volumes").filter(|_| context.is_off(gate)) {
                if volume.get("containerPath").is_some() && shown.contains(&name_of(volume)) {
                    off(gate, volume.place("containerPath"), String::new(), report);
                }
            }
        }),
    },
];

fn off<'a>(gate: &str, place: Place<'a>, field: String, report: &mut Report<'_, 'a>) {
    let (message, help) = needs("this", gate);
    report.add_as(field, place, message, help);
}

/// A setting that is reported where it is.
fn field<'a>(context: &CheckContext<'a>, path: &str) -> Vec<(Place<'a>, String)> {
    let at = context.at(path).filter(|_| context.is_set(path));
    at.map(|at| (at.into(), at.path())).into_iter().collect()
}

/// Volumes of a source, reported as the volume.
fn volumes<'a>(context: &CheckContext<'a>, source: &str) -> Vec<(Place<'a>, String)> {
    let found = context.items_at("volumes").filter_map(|volume| Some((volume.get(source)?.into(), volume.path())));
    found.collect()
}

/// The first item of a list that matters, reported as another path.
fn listed<'a>(
    context: &CheckContext<'a>,
    list: &str,
    matters: fn(Cursor<'_>) -> bool,
    reported: &str,
) -> Vec<(Place<'a>, String)> {
    let first = context.items_at(list).find(|item| matters(*item));
    first.map(|item| (item.into(), context.place(reported).path())).into_iter().collect()
}

/// A device that a resource claim brings.
fn is_claimed(device: Cursor<'_>) -> bool {
    let given = |key| device.text_at(key).is_some_and(|text| !text.is_empty());
    !given("deviceName") && (device.get("claimName").is_some() || device.get("requestName").is_some())
}

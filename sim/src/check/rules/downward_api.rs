//! Files of a downwardAPI volume: they go into the pod as they are, and only Kubernetes' pod validation looks at them.

use crate::check::layer::{Layer, Rank};
use crate::check::predicates::is_qualified;
use crate::check::rule::{Check, Rule};
use crate::manifest::Quantity;
use crate::yaml::{Cursor, Place};

/// What a file may show of the pod.
const FIELDS: [&str; 5] =
    ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
/// What it may show of a container.
const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const HUGE_PAGES: [&str; 2] = ["limits.hugepages-", "requests.hugepages-"];
/// The last power of 1000 and of 1024 that has a unit: E and Ei.
const UNITS: u32 = 6;

pub(super) static RULES: &[&Rule] = &[&Rule {
    code: "bad-downward-api",
    layer: Layer::PodValidation,
    rank: Rank::Error,
    story: "A file of a downwardAPI volume has a path below the volume and shows one thing: of the pod its name, namespace, uid, labels \
        or annotations (fieldRef), of a container its requests and limits (resourceFieldRef). KubeVirt does not look at it, so VM and \
        VMI are created and no pod ever is.",
    source: "Kubernetes pkg/apis/core/validation/validation.go validateDownwardAPIVolumeFile",
    shown_by: &[],
    check: Check::Manifest(|context, report| {
        for file in context.items_at("volumes").flat_map(|volume| volume.items_at("downwardAPI.fields")) {
            for Fault { field, place, message, help } in faults(file) {
                report.add_as(format!("spec.volumes[*].downwardAPI{field}"), place, message, help);
            }
        }
    }),
}];

struct Fault<'a> {
    /// Below the pod's volume.
    field: &'static str,
    place: Place<'a>,
    message: String,
    help: &'static str,
}

fn text<'a>(at: Cursor<'a>, key: &str) -> &'a str {
    at.text_at(key).unwrap_or_default()
}

fn faults(file: Cursor<'_>) -> Vec<Fault<'_>> {
    let path = bad_path(text(file, "path")).map(|why| Fault {
        field: ".path",
        place: file.place("path"),
        message: why.into(),
        help: "write the name of a file, like labels",
    });
    let mode = file.get("mode").filter(|at| at.int64().is_some_and(|n| !(0..=0o777).contains(&n)));
    let mode = mode.map(|at| Fault {
        field: ".mode",
        place: at.into(),
        message: "must be a number between 0 and 0777 (octal), both inclusive".into(),
        help: "write it in octal, like 0644",
    });
    let shows = match (file.get("fieldRef"), file.get("resourceFieldRef")) {
        (Some(at), None) => field_ref(at),
        (None, Some(at)) => resource_ref(at),
        (Some(_), Some(second)) => Some(Fault {
            field: "",
            place: second.into(),
            message: "fieldRef and resourceFieldRef can not be specified simultaneously".into(),
            help: "keep one of them",
        }),
        (None, None) => Some(Fault {
            field: "",
            place: file.into(),
            message: "one of fieldRef and resourceFieldRef is required".into(),
            help: "add fieldRef: {fieldPath: metadata.labels}",
        }),
    };
    [path, mode, shows].into_iter().flatten().collect()
}

/// Why a path is no file below the volume.
fn bad_path(path: &str) -> Option<&'static str> {
    match path {
        "" => Some("the path is required"),
        _ if path.starts_with('/') => Some("must be a relative path"),
        _ if path.split('/').any(|part| part == "..") => Some("must not contain '..'"),
        _ if path.starts_with("..") => Some("must not start with '..'"),
        _ => None,
    }
}

fn field_ref(at: Cursor<'_>) -> Option<Fault<'_>> {
    let (version, path) = (text(at, "apiVersion"), text(at, "fieldPath"));
    let key = path.strip_suffix("']").and_then(|path| path.split_once("['")).filter(|(list, _)| !list.is_empty());
    let message = match key {
        _ if path.is_empty() => "the fieldPath is required".to_owned(),
        _ if !["", "v1"].contains(&version) => {
            format!("error converting fieldPath: unsupported pod version: {version}")
        }
        Some(("metadata.annotations", key)) if is_qualified(&key.to_lowercase()) => return None,
        Some(("metadata.labels", key)) if is_qualified(key) => return None,
        Some(("metadata.annotations" | "metadata.labels", key)) => format!("{key:?} is not a key"),
        None if FIELDS.contains(&path) => return None,
        _ => format!("{path:?} is not one of {}", FIELDS.join(", ")),
    };
    let help = "write fieldPath: metadata.labels, or another one that a volume can show";
    Some(Fault { field: ".fieldRef.fieldPath", place: at.place("fieldPath"), message, help })
}

fn resource_ref(at: Cursor<'_>) -> Option<Fault<'_>> {
    let resource = text(at, "resource");
    let is_known = RESOURCES.contains(&resource) || HUGE_PAGES.iter().any(|prefix| resource.starts_with(prefix));
    let (field, key, message, help) = match () {
        () if text(at, "containerName").is_empty() => (
            ".resourceFieldRef.containerName",
            "containerName",
            "the containerName is required".to_owned(),
            "write compute: the guest's container",
        ),
        () if !is_known => {
            let message = format!("{resource:?} is not one of {}", RESOURCES.join(", "));
            (".resourceFieldRef.resource", "resource", message, "write requests.memory, or another one of them")
        }
        () if at.get("divisor").is_some_and(|divisor| !divides(resource, divisor)) => (
            ".resourceFieldRef.divisor",
            "divisor",
            "it is not one of the units that this resource is counted in".to_owned(),
            "write 1, or a unit like 1Mi (of cpu: 1m), or remove it",
        ),
        () => return None,
    };
    Some(Fault { field, place: at.place(key), message, help })
}

/// A resource is shown in whole units of its divisor, which is one of those that have a name; 0 is none.
fn divides(resource: &str, divisor: Cursor<'_>) -> bool {
    let (Some(written), Some(quantity)) = (divisor.value().quantity(), Quantity::of(divisor)) else { return true };
    let is_one_of = |base: i128, powers: std::ops::RangeInclusive<u32>| {
        powers.map(|n| base.pow(n)).any(|unit| quantity.milli() == unit.saturating_mul(1000))
    };
    match () {
        () if quantity == Quantity::ZERO => true,
        () if resource.ends_with(".cpu") => [1, 1000].contains(&quantity.milli()),
        () if written.ends_with('i') => is_one_of(1024, 1..=UNITS),
        () => is_one_of(1000, 0..=UNITS),
    }
}

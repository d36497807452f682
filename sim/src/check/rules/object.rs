//! The object itself: its version, its name and its labels, and those that its VMI gets (Kubernetes apimachinery
//! validation/objectmeta.go, util/validation).

use crate::check::kind::Kind;
use crate::check::layer::{Layer, Rank};
use crate::check::predicates::is_dns_label;
use crate::check::rule::{Check, Report, Rule};
use crate::yaml::{Cursor, Value};

/// Labels that only KubeVirt's own accounts may give to a VMI (vmi-create-admitter.go restrictedVmiLabels).
const RESERVED_LABELS: [&str; 6] = [
    "kubevirt.io/created-by",
    "kubevirt.io/install-strategy",
    "kubevirt.io/migrationJobUID",
    "kubevirt.io/migrationTargetNodeName",
    "kubevirt.io/nodeName",
    "kubevirt.io/schedulable",
];
/// Annotations of a VMI, and the feature gates that they need, which are off unless an administrator puts them on.
const GATED_ANNOTATIONS: [(&str, &str); 2] =
    [("kubevirt.io/ignitiondata", "ExperimentalIgnitionSupport"), ("hooks.kubevirt.io/hookSidecars", "Sidecar")];
/// Of a name, and of a label key's prefix.
const SUBDOMAIN_LIMIT: usize = 253;
/// Of a label's value, and of the name in its key.
const LABEL_LIMIT: usize = 63;

pub(in crate::check) static UNKNOWN_KIND: Rule = Rule {
    code: "unknown-kind",
    layer: Layer::ClientDecode,
    rank: Rank::Error,
    story: "KubeVirt has no such kind: names of kinds are written in exactly one way. kubectl looks a kind up before it \
        sends anything.",
    source: "KubeVirt API",
    shown_by: &[],
    check: Check::OnTheWay,
};

pub(super) static RULES: &[&Rule] = &[
    &UNKNOWN_KIND,
    &Rule {
        code: "unknown-api-version",
        layer: Layer::ClientDecode,
        rank: Rank::Error,
        story: "The API server serves VirtualMachine under kubevirt.io/v1 (and the deprecated kubevirt.io/v1alpha3). \
            Under any other version kubectl finds no such kind.",
        source: "KubeVirt API",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let text = |path| context.object.text_at(path).unwrap_or_default();
            let versions = context.kind.versions();
            if !versions.contains(&text("apiVersion")) {
                let message = format!("no matches for kind {:?} in version {:?}", text("kind"), text("apiVersion"));
                let help = format!("write apiVersion: {}", versions[0]);
                report.add(context.object.place("apiVersion"), message, help);
            }
        }),
    },
    &Rule {
        code: "bad-name",
        layer: Layer::Schema,
        rank: Rank::Error,
        story: "The API server takes RFC 1123 names (lowercase letters, digits, dashes, dots) and label keys and \
            values of at most 63 characters.",
        source: "Kubernetes apimachinery validation",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let name = context.object.at("metadata.name").and_then(|at| Some((at, at.text()?)));
            if let Some((at, name)) = name.filter(|(_, name)| !is_subdomain(name)) {
                let message =
                    format!("{name:?} is not a name: lowercase letters, digits, dashes and dots, at most 253");
                report.add(at, message, "write a name like my-vm");
            }
            let namespace = context.object.at("metadata.namespace").and_then(|at| Some((at, at.text()?)));
            if let Some((at, name)) = namespace.filter(|(_, name)| !name.is_empty() && !is_dns_label(name)) {
                let message = format!("{name:?} is not a namespace: lowercase letters, digits and dashes, at most 63");
                report.add(at, message, "write the name of a namespace, like default");
            }
            // Its end is made up, after a dash or not.
            let generated = context.object.at("metadata.generateName").and_then(|at| Some((at, at.text()?)));
            if let Some((at, start)) = generated.filter(|(_, start)| !is_subdomain(&format!("{start}a"))) {
                let message = format!("{start:?} begins no name: lowercase letters, digits, dashes and dots");
                report.add(at, message, "write the beginning of a name, like my-vm-");
            }
            context.object.get("metadata").into_iter().for_each(|metadata| labels_and_annotations(metadata, report));
        }),
    },
    &Rule {
        code: "bad-template-metadata",
        layer: Layer::VmiWebhook,
        rank: Rank::Error,
        story: "Labels and annotations of `spec.template.metadata` become the VMI's. The VM is stored whatever they \
            are; the API server refuses the VMI that the VM controller makes of it.",
        source: "Kubernetes apimachinery validation; sim/docs/kubevirt-health.md 2.3",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let metadata = context.metadata_of_vmi().filter(|_| context.kind != Kind::VirtualMachineInstance);
            metadata.into_iter().for_each(|metadata| labels_and_annotations(metadata, report));
        }),
    },
    &Rule {
        code: "reserved-label",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "KubeVirt keeps its own books in six labels of a VMI and refuses them from everybody else. They come \
            along when a VMI's YAML is copied into a VM's template.",
        source: "sim/docs/kubevirt-health.md 2.2",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let Some(labels) = context.metadata_of_vmi().and_then(|m| m.get("labels")) else { return };
            if let Some(label) = RESERVED_LABELS.into_iter().find(|label| labels.get(label).is_some()) {
                let message =
                    format!("{label}: creation of reserved kubevirt.io/ labels on a VMI object is prohibited");
                report.add(labels, message, format!("remove {label}"));
            }
        }),
    },
    &Rule {
        code: "annotation-without-its-gate",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "Ignition data and hook sidecars are asked for by annotations of the VMI, and each is behind a feature \
            gate that is off unless the cluster's administrator has put it on.",
        source: "sim/docs/kubevirt-health.md 2.2",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let Some(annotations) = context.metadata_of_vmi().and_then(|m| m.get("annotations")) else { return };
            for (annotation, gate) in GATED_ANNOTATIONS.into_iter().filter(|(_, gate)| context.is_off(gate)) {
                if annotations.get(annotation).and_then(|at| at.text()).is_some_and(|text| !text.is_empty()) {
                    let message = format!("{annotation} needs the feature gate {gate}, which is off by default");
                    report.add(
                        annotations,
                        message,
                        "put the gate on in the KubeVirt object, or remove the annotation",
                    );
                }
            }
        }),
    },
];

/// Keys and values; whoever refuses them knows nothing of a template.
fn labels_and_annotations<'a>(metadata: Cursor<'a>, report: &mut Report<'_, 'a>) {
    for (name, has_label_values) in [("labels", true), ("annotations", false)] {
        let (Some(list), field) = (metadata.get(name), format!("metadata.{name}")) else { continue };
        for (key, value) in entries(list) {
            // The prefix of an annotation may be in capitals (ValidateAnnotations).
            let qualified = if has_label_values { is_qualified(key) } else { is_qualified(&key.to_lowercase()) };
            if !qualified {
                let message = format!("{key:?} is not a key: [prefix/]name of letters, digits, -, _ and .");
                report.add_as(&field, list, message, "write a key like example.com/role");
            } else if has_label_values && !(value.is_empty() || is_label(value)) {
                let message = format!("{value:?} is not a label's value: letters, digits, -, _ and ., at most 63");
                report.add_as(&field, list, message, "write a value like web-1");
            }
        }
    }
}

/// Keys and texts, also of those that are null.
fn entries(list: Cursor<'_>) -> impl Iterator<Item = (&str, &str)> {
    let entries = if let Value::Map(entries) = list.value() { entries.as_slice() } else { &[] };
    entries.iter().map(|(key, node)| (key.name.as_str(), node.value.as_str().unwrap_or_default()))
}

/// RFC 1123: what a VirtualMachine may be called.
pub(in crate::check) fn is_subdomain(name: &str) -> bool {
    let part = |part: &str| {
        let plain = part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        plain && !part.is_empty() && !part.starts_with('-') && !part.ends_with('-')
    };
    name.len() <= SUBDOMAIN_LIMIT && name.split('.').all(part)
}

pub(in crate::check) fn is_label(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    plain && text.len() <= LABEL_LIMIT && ends(text.chars().next()) && ends(text.chars().last())
}

pub(in crate::check) fn is_qualified(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_label(name),
        None => is_label(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_keys() {
        for (name, fine) in [
            ("vm", true),
            ("my-vm.example", true),
            ("1", true),
            ("Vm", false),
            ("-vm", false),
            ("vm.", false),
            ("a_b", false),
            ("", false),
        ] {
            assert_eq!(is_subdomain(name), fine, "{name}");
        }
        assert!(is_subdomain(&"a".repeat(253)) && !is_subdomain(&"a".repeat(254)));
        for (key, fine) in [
            ("app", true),
            ("kubevirt.io/vm", true),
            ("Example_1", true),
            ("a b", false),
            ("Example.com/x", false),
            ("a/b/c", false),
            ("x/", false),
            ("-x", false),
        ] {
            assert_eq!(is_qualified(key), fine, "{key}");
        }
        assert!(is_label(&"a".repeat(63)) && !is_label(&"a".repeat(64)));
    }
}

//! The object itself: its version, its name and its labels, and those that its VMI gets (Kubernetes apimachinery
//! validation/objectmeta.go, util/validation).

use crate::check::gate::needs;
use crate::check::layer::{Layer, Rank};
use crate::check::predicates::{is_dns_label, is_qualified, is_subdomain};
use crate::check::rule::{Check, Report, Rule};
use crate::check::selectors::labels;
use crate::yaml::Cursor;

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

pub(in crate::check) static SAME_NAME: Rule = Rule {
    code: "same-name-twice",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "To a cluster two manifests of one kind, name and namespace are one object. `kubectl apply` makes it as the first says \
        and then changes it to what the second says, so one VM is there and not two; `kubectl create` refuses the second. All files of one call are compared, and namespaces as they \
        are written: no namespace is another one here than `default`, for kubectl fills in its own.",
    source: "Kubernetes documentation, object names and IDs",
    shown_by: &[],
    check: Check::OnTheWay,
};

pub(super) static RULES: &[&Rule] = &[
    &UNKNOWN_KIND,
    &SAME_NAME,
    &Rule {
        code: "unknown-api-version",
        layer: Layer::ClientDecode,
        rank: Rank::Error,
        story: "The API server serves VirtualMachine under kubevirt.io/v1 (and the deprecated kubevirt.io/v1alpha3). \
            Under any other version kubectl finds no such kind. Instance types and preferences are v1beta1; before v1.6 also \
            v1alpha2 and v1alpha1, whose fields are not looked at here.",
        source: "KubeVirt pkg/virt-operator/resource/generate/components/crds.go",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let text = |path| context.object.text_at(path).unwrap_or_default();
            if !context.kind.is_served(text("apiVersion"), context.options.kubevirt) {
                let message = format!("no matches for kind {:?} in version {:?}", text("kind"), text("apiVersion"));
                let help = format!("write apiVersion: {}", context.kind.versions()[0]);
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
            are; the API server refuses the VMI that the VM controller makes of it, and the VMs of a pool whose template's \
            own metadata has such.",
        source: "Kubernetes apimachinery validation; sim/docs/kubevirt-health.md 2.3",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let metadata = context.metadata_of_template();
            // The VMs of a pool have its template's.
            let of_vms = context.root.get("metadata").filter(|_| context.is_vm && context.kind.template().is_some());
            metadata.into_iter().chain(of_vms).for_each(|metadata| labels_and_annotations(metadata, report));
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
                    let (message, help) = needs(annotation, gate);
                    report.add(annotations, message, help);
                }
            }
        }),
    },
];

/// Keys and values; whoever refuses them knows nothing of a template.
fn labels_and_annotations<'a>(metadata: Cursor<'a>, report: &mut Report<'_, 'a>) {
    if let Some(list) = metadata.get("labels") {
        labels(list, &|_| "metadata.labels".to_owned(), report);
    }
    let Some(list) = metadata.get("annotations") else { return };
    // The prefix of an annotation may be in capitals (ValidateAnnotations).
    for (key, _) in list.all_members().filter(|(key, _)| !is_qualified(&key.name.to_lowercase())) {
        let message = format!("{:?} is not a key: [prefix/]name of letters, digits, -, _ and .", key.name);
        report.add_as("metadata.annotations", list, message, "write a key like example.com/role");
    }
}

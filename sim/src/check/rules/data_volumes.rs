//! `dataVolumeTemplates` of a VM (kubevirt-health.md 2.9).

use crate::check::layer::{Layer, Rank};
use crate::check::predicates::is_dns_label;
use crate::check::rule::{Check, Rule};
use crate::yaml::{Cursor, Place};

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "bad-data-volume-template",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A dataVolumeTemplate has a name, exactly one of pvc and storage, and exactly one way to be filled: one \
            source, or sourceRef, or the dataSource or dataSourceRef of its claim.",
        source: "KubeVirt pkg/storage/admitters/data-volume-template.go validateDataVolume",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for (i, template) in templates(context.root, context.is_vm).enumerate() {
                if let Some((place, field, message, help)) = fault(template) {
                    // KubeVirt drops the s of dataVolumeTemplates.
                    report.add_as(format!("spec.dataVolumeTemplate[{i}].{field}"), place, message, help);
                }
            }
        }),
    },
    &Rule {
        code: "data-source-without-api-group",
        layer: Layer::Schema,
        rank: Rank::Error,
        story: "The mutating webhook writes `apiGroup: null` into a dataSource or dataSourceRef without one, and the \
            CRD's schema then refuses the null. A claim to copy from has the empty group: `apiGroup: \"\"`.",
        source: "KubeVirt vm-mutator.go; Kubernetes core/v1 TypedLocalObjectReference",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for template in templates(context.root, context.is_vm) {
                for path in ["pvc.dataSource", "pvc.dataSourceRef", "storage.dataSource", "storage.dataSourceRef"] {
                    let Some(source) = template.at(&format!("spec.{path}")) else { continue };
                    if source.get("apiGroup").is_none() {
                        let help = "add apiGroup: \"\", or snapshot.storage.k8s.io for a snapshot";
                        report.add(source.place("apiGroup"), "without an apiGroup it becomes null", help);
                    }
                }
            }
        }),
    },
    &Rule {
        code: "data-volume-template-unused",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "Every dataVolumeTemplate is used: a volume of the VMI has it as dataVolume.name or as \
            persistentVolumeClaim.claimName.",
        source: "KubeVirt pkg/storage/admitters/data-volume-template.go ValidateDataVolumeTemplate",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for (i, template) in templates(context.root, context.is_vm).enumerate() {
                let name = template.text_at("metadata.name").unwrap_or_default();
                let names = |volume: Cursor<'_>, path| volume.text_at(path) == Some(name);
                let is_used = context
                    .items_at("volumes")
                    .any(|volume| names(volume, "dataVolume.name") || names(volume, "persistentVolumeClaim.claimName"));
                if !is_used && fault(template).is_none() {
                    let message = format!("no volume uses the dataVolumeTemplate {name:?}");
                    let help = format!("add {{name: ..., dataVolume: {{name: {name}}}}} to volumes");
                    let place = template.place("metadata.name");
                    report.add_as(format!("spec.dataVolumeTemplate[{i}]"), place, message, help);
                }
            }
        }),
    },
    &Rule {
        code: "data-volume-of-another-namespace",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A DataVolume of a VM is made in the VM's namespace.",
        source: "KubeVirt pkg/storage/admitters/data-volume-template.go \
            validateVirtualMachineDataVolumeTemplateNamespace",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let own = context.root.text_at("metadata.namespace").filter(|n| !n.is_empty());
            for template in templates(context.root, context.is_vm) {
                let other = template.text_at("metadata.namespace").unwrap_or_default();
                // Without one of its own the VM goes where kubectl is told; there is no namespace of a bad name.
                let message = match own {
                    _ if other.is_empty() => continue,
                    Some(own) if own == other => continue,
                    Some(own) => format!("the DataVolume's namespace {other:?} is not the VM's, {own:?}"),
                    None if is_dns_label(other) => continue,
                    None => {
                        format!("the DataVolume's namespace {other:?} is no namespace's name, so it is not the VM's")
                    }
                };
                let place = template.place("metadata.namespace");
                report.add_as(template.path(), place, message, "remove the DataVolume's namespace");
            }
        }),
    },
];

fn templates(root: Cursor<'_>, is_vm: bool) -> impl Iterator<Item = Cursor<'_>> {
    root.items_at("spec.dataVolumeTemplates").filter(move |_| is_vm)
}

/// What is wrong with a template: the place, the field that KubeVirt reports, message and help.
fn fault(template: Cursor<'_>) -> Option<(Place<'_>, &'static str, &'static str, &'static str)> {
    let place = |path: &str| template.place(path);
    if template.text_at("metadata.name").unwrap_or_default().is_empty() {
        return Some((place("metadata.name"), "name", "the DataVolume has no name", "add metadata: {name: ...}"));
    }
    let has = |path: &str| template.at(path).is_some();
    let storage = ["spec.pvc", "spec.storage"].into_iter().filter(|path| has(path)).collect::<Vec<_>>();
    let [claim] = storage[..] else {
        let (message, help) = match storage.len() {
            0 => ("neither pvc nor storage is given", "add storage: {resources: {requests: {storage: 30Gi}}}"),
            _ => ("both pvc and storage are given", "keep storage"),
        };
        return Some((place("spec"), "PVC.Storage", message, help));
    };
    let is_claims = ["dataSource", "dataSourceRef"].iter().any(|key| has(&format!("{claim}.{key}")));
    let sources = template.at("spec.source").map(|source| source.members().count());
    match (is_claims, sources, has("spec.sourceRef")) {
        (true, Some(_), _) | (true, _, true) => Some((
            place("spec.source"),
            "source",
            "the claim's dataSource excludes source and sourceRef",
            "keep one of them",
        )),
        (false, None, false) => Some((
            place("spec"),
            "source.sourceRef",
            "nothing says what to fill it with",
            "add source: {registry: {url: ...}}, {blank: {}} or sourceRef",
        )),
        (_, Some(0), _) => {
            Some((place("spec.source"), "source", "the source is empty", "add registry, http, pvc, blank, ..."))
        }
        (_, Some(2..), _) => Some((place("spec.source"), "source", "there are several sources", "keep one of them")),
        _ => None,
    }
}

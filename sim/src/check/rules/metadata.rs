//! What the API server looks at in an object's metadata besides names, labels and annotations: owners, finalizers, and what only the
//! server itself writes (Kubernetes apimachinery validation/objectmeta.go).

use crate::check::layer::{Layer, Rank};
use crate::check::predicates::is_qualified;
use crate::check::rule::{Check, Report, Rule};
use crate::yaml::Cursor;

/// Finalizers of which an object has at most one.
const EXCLUSIVE: [&str; 2] = ["orphan", "foregroundDeletion"];

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "bad-metadata",
        layer: Layer::Schema,
        rank: Rank::Error,
        story: "An owner reference has an apiVersion, a kind, a name and a uid, and one owner at most is the controller. A \
            finalizer is a name like a label's key. managedFields have an operation, Apply or Update. A new object has no resourceVersion: it comes along when YAML is taken from a \
            cluster (`kubectl get -o yaml`). What is still as the cluster served it, with its uid, is not held against anybody: \
            it is there already.",
        source: "Kubernetes apimachinery pkg/api/validation/objectmeta.go; apiserver pkg/storage/errors.go",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let Some(metadata) = context.object.get("metadata") else { return };
            owners(metadata, report);
            finalizers(metadata, report);
            books(metadata, report);
            if metadata.get("uid").is_none() {
                resource_version(metadata, report);
            }
        }),
    },
    &Rule {
        code: "bad-metadata-of-the-vmi",
        layer: Layer::VmiWebhook,
        rank: Rank::Error,
        story: "Finalizers, managedFields and resourceVersion of `spec.template.metadata` become the VMI's. The VM is stored whatever they \
            are; the API server refuses the VMI that the VM controller makes of it.",
        source: "Kubernetes apimachinery pkg/api/validation/objectmeta.go; sim/docs/kubevirt-health.md 2.3",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let metadata = context.metadata_of_template();
            if let Some(metadata) = metadata {
                finalizers(metadata, report);
                books(metadata, report);
                resource_version(metadata, report);
            }
        }),
    },
];

fn owners<'a>(metadata: Cursor<'a>, report: &mut Report<'_, 'a>) {
    let field = |name: &str| format!("metadata.ownerReferences{name}");
    let mut controllers = 0;
    for owner in metadata.items_at("ownerReferences") {
        let text = |name: &str| owner.text_at(name).unwrap_or_default();
        let version = text("apiVersion").rsplit('/').next().unwrap_or_default();
        if version.is_empty() || text("apiVersion").matches('/').count() > 1 {
            let help = "write the owner's apiVersion, like kubevirt.io/v1";
            report.add_as(field(".apiVersion"), owner.place("apiVersion"), "version must not be empty", help);
        }
        for name in ["kind", "name", "uid"].into_iter().filter(|name| text(name).is_empty()) {
            let (message, help) = (format!("{name} must not be empty"), format!("add the owner's {name}"));
            report.add_as(field(&format!(".{name}")), owner.place(name), message, help);
        }
        if (text("apiVersion"), text("kind")) == ("v1", "Event") {
            report.add_as(field(""), owner, "an Event is disallowed from being an owner", "remove it");
        }
        controllers += usize::from(owner.get("controller").and_then(Cursor::boolean) == Some(true));
        if controllers == 2 {
            let message = "only one reference can have controller set to true";
            report.add_as(field(""), owner, message, "remove controller, or write false");
        }
    }
}

fn finalizers<'a>(metadata: Cursor<'a>, report: &mut Report<'_, 'a>) {
    let named = |at: Cursor<'a>| at.text().unwrap_or_default();
    for at in metadata.items_at("finalizers").filter(|at| !is_qualified(named(*at))) {
        let message = format!("{:?} is not a finalizer: [prefix/]name of letters, digits, -, _ and .", named(at));
        report.add_as("metadata.finalizers", at, message, "write a name like example.com/cleanup, or remove it");
    }
    let has = |name: &&str| metadata.items_at("finalizers").any(|at| named(at) == *name);
    if let Some(list) = metadata.get("finalizers").filter(|_| EXCLUSIVE.iter().all(has)) {
        let message = format!("finalizer {} cannot be both set", EXCLUSIVE.join(" and "));
        report.add_as("metadata.finalizers", list, message, "keep one of them");
    }
}

/// What the server writes down about an object: how often it was changed, and by whom.
fn books<'a>(metadata: Cursor<'a>, report: &mut Report<'_, 'a>) {
    if let Some(at) = metadata.get("generation").filter(|at| at.int64().is_some_and(|n| n < 0)) {
        report.add_as("metadata.generation", at, "must be 0 or more", "remove it: the server counts");
    }
    for entry in metadata.items_at("managedFields") {
        let operation = entry.text_at("operation").unwrap_or_default();
        if !["Apply", "Update"].contains(&operation) {
            let message = format!("{operation:?} is neither Apply nor Update");
            report.add_as("metadata.managedFields", entry.place("operation"), message, "remove managedFields");
        }
        let of_fields = entry.text_at("fieldsType").unwrap_or_default();
        if !["", "FieldsV1"].contains(&of_fields) {
            let message = format!("{of_fields:?} is not FieldsV1");
            report.add_as("metadata.managedFields", entry.place("fieldsType"), message, "remove managedFields");
        }
    }
}

fn resource_version<'a>(metadata: Cursor<'a>, report: &mut Report<'_, 'a>) {
    let Some((at, version)) = metadata.get("resourceVersion").and_then(|at| Some((at, at.text()?))) else { return };
    // What is no number is dropped (apiserver storage/etcd3 store.go Create).
    if version.parse::<u64>().is_ok_and(|version| version != 0) {
        let message = "resourceVersion should not be set on objects to be created";
        report.add_as("", at, message, "remove it");
    }
}

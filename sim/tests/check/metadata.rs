//! Metadata beyond names, labels and annotations: the object's own, its VMI's, and what nobody reads.

use crate::manifest::{errors, manifest, one};
use vmhealth_sim::check::Verdict;

const OWNER: &str = "{apiVersion: v1, kind: Pod, name: a, uid: b, controller: true}";

/// The object's metadata, and what is found.
#[test]
fn owners_finalizers_and_versions() {
    let two = format!("{{name: vm, ownerReferences: [{OWNER}, {OWNER}]}}");
    let one_owner = format!("{{name: vm, ownerReferences: [{OWNER}]}}");
    for (metadata, found) in [
        (one_owner.as_str(), &[] as &[&str]),
        (&two, &["bad-metadata metadata.ownerReferences <- metadata.ownerReferences[1]"]),
        (
            "{name: vm, ownerReferences: [{apiVersion: a/b/c, kind: ''}]}",
            &[
                "bad-metadata metadata.ownerReferences.apiVersion <- metadata.ownerReferences[0].apiVersion",
                "bad-metadata metadata.ownerReferences.kind <- metadata.ownerReferences[0].kind",
                "bad-metadata metadata.ownerReferences.name <- metadata.ownerReferences[0].name",
                "bad-metadata metadata.ownerReferences.uid <- metadata.ownerReferences[0].uid",
            ],
        ),
        (
            "{name: vm, ownerReferences: [{apiVersion: v1, kind: Event, name: a, uid: b}]}",
            &["bad-metadata metadata.ownerReferences <- metadata.ownerReferences[0]"],
        ),
        ("{name: vm, ownerReferences: [{apiVersion: kubevirt.io/v1, kind: VirtualMachinePool, name: a, uid: b}]}", &[]),
        // A VM's own metadata is nobody else's.
        ("{name: vm, labels: {a b: c}}", &["bad-name metadata.labels"]),
        ("{name: vm, finalizers: [example.com/cleanup, orphan]}", &[]),
        (
            "{name: vm, finalizers: [a b, orphan, foregroundDeletion]}",
            &["bad-metadata metadata.finalizers <- metadata.finalizers[0]", "bad-metadata metadata.finalizers"],
        ),
        ("{name: vm, generation: 0, managedFields: [{operation: Apply, fieldsType: FieldsV1}]}", &[]),
        (
            "{name: vm, generation: -1, managedFields: [{operation: Patch, fieldsType: V2}]}",
            &[
                "bad-metadata metadata.generation",
                "bad-metadata metadata.managedFields <- metadata.managedFields[0].operation",
                "bad-metadata metadata.managedFields <- metadata.managedFields[0].fieldsType",
            ],
        ),
        ("{generateName: vm-}", &[]),
        ("{generateName: ''}", &["missing-field metadata.name"]),
        ("{name: vm, resourceVersion: '0'}", &[]),
        ("{name: vm, resourceVersion: latest}", &[]),
        ("{name: vm, resourceVersion: '12'}", &["bad-metadata  <- metadata.resourceVersion"]),
        // As a cluster serves it.
        ("{name: vm, resourceVersion: '12', uid: a}", &[]),
        ("{name: vm, namespace: shop}", &[]),
        ("{name: vm, namespace: a.b}", &["bad-name metadata.namespace"]),
        ("{name: vm, namespace: Shop}", &["bad-name metadata.namespace"]),
    ] {
        let checked = one(&manifest(&[]).replace("{name: vm}", metadata));
        assert_eq!(errors(&checked), found, "{metadata}");
        assert_eq!(checked.created, found.is_empty(), "{metadata}");
    }
}

/// The metadata of the VMI, which the VM's own webhook takes.
#[test]
fn of_the_vmi() {
    const PATH: &str = "spec.template.metadata";
    for (metadata, field, code, at) in [
        ("{finalizers: [a]}", "", "", ""),
        ("{finalizers: [a b]}", "metadata.finalizers", "bad-metadata-of-the-vmi", "finalizers[0]"),
        ("{managedFields: [{}]}", "metadata.managedFields", "bad-metadata-of-the-vmi", "managedFields[0].operation"),
        ("{resourceVersion: '1'}", "", "bad-metadata-of-the-vmi", "resourceVersion"),
        ("{annotations: {seccomp.security.alpha.kubernetes.io/pod: localhost/a}}", "", "", ""),
        (
            "{annotations: {seccomp.security.alpha.kubernetes.io/pod: localhost/../a}}",
            "metadata.annotations.seccomp.security.alpha.kubernetes.io/pod",
            "bad-seccomp-annotation",
            "annotations.seccomp.security.alpha.kubernetes.io/pod",
        ),
        (
            "{annotations: {container.seccomp.security.alpha.kubernetes.io/compute: x}}",
            "metadata.annotations.container.seccomp.security.alpha.kubernetes.io/compute",
            "bad-seccomp-annotation",
            "annotations.container.seccomp.security.alpha.kubernetes.io/compute",
        ),
    ] {
        let checked =
            one(&manifest(&[]).replacen("  template:\n", &format!("  template:\n    metadata: {metadata}\n"), 1));
        let found = if code.is_empty() { vec![] } else { vec![format!("{code} {field} <- {PATH}.{at}")] };
        assert_eq!(errors(&checked), found, "{metadata}");
        assert!(checked.created, "{metadata}");
    }
}

/// What nobody refuses, and nobody reads.
#[test]
fn what_has_no_effect() {
    let pool = |vm: &str, vmi: &str| {
        format!(
            "apiVersion: pool.kubevirt.io/v1beta1\nkind: VirtualMachinePool\nmetadata: {{name: p}}\nspec:\n  replicas: 2\n  \
             selector: {{matchLabels: {{app: a}}}}\n  virtualMachineTemplate:\n    metadata: {{labels: {{app: a}}{vm}}}\n    \
             spec: {{runStrategy: Always, template: {{metadata: {{labels: {{b: c}}{vmi}}}, spec: {{domain: {{memory: {{guest: 1Gi}}, devices: {{}}}}}}}}}}\n"
        )
    };
    let of_vm = "spec.virtualMachineTemplate.metadata";
    let of_vmi = "spec.virtualMachineTemplate.spec.template.metadata";
    for (text, path) in [
        (pool("", ""), None),
        (pool(", annotations: ", ", annotations: "), None),
        (pool(", foo: 1", ""), Some(format!("{of_vm}.foo"))),
        (pool("", ", startupProbe: {}"), Some(format!("{of_vmi}.startupProbe"))),
        (manifest(&[]).replace("{name: vm}", "{name: vm, namespace: {a: b}}"), Some("metadata.namespace".to_owned())),
        (manifest(&[]).replace("{name: vm}", "{name: vm, namespace: 5}"), Some("metadata.namespace".to_owned())),
    ] {
        let checked = one(&text);
        assert_eq!(checked.verdict, Verdict::Accepted, "{text}{:?}", errors(&checked));
        let found = checked.findings.into_iter().find(|f| f.rule.code == "field-without-effect");
        assert_eq!(found.map(|f| f.vm_field), path, "{text}");
    }
    assert_eq!(one(&pool(", annotations: [a]", "")).verdict, Verdict::Refused);
}

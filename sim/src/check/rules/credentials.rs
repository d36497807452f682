//! `accessCredentials`: keys and passwords that KubeVirt brings into the guest (kubevirt-health.md 2.9).

use crate::check::context::CheckContext;
use crate::check::layer::{Layer, Rank};
use crate::check::predicates::is_dns_label;
use crate::check::rule::{Check, Report, Rule};
use crate::yaml::Cursor;
use std::collections::BTreeSet;

/// A way into the guest, and the volume that it needs.
const METHODS: [(&str, Option<&str>); 3] =
    [("noCloud", Some("cloudInitNoCloud")), ("configDrive", Some("cloudInitConfigDrive")), ("qemuGuestAgent", None)];

pub(super) static RULES: &[&Rule] = &[&BAD_CREDENTIAL, &SECRET_TWICE, &SECRET_IS_NO_LABEL];

static SECRET_IS_NO_LABEL: Rule = Rule {
    code: "credential-secret-is-no-label",
    layer: Layer::PodValidation,
    rank: Rank::Error,
    story: "Each credential's Secret becomes a volume of the pod, named after the Secret. Volumes have simpler names than \
        Secrets: no dots, no capitals, and here at most 51 characters.",
    source: "KubeVirt pkg/virt-controller/services/rendervolumes.go withAccessCredentials",
    shown_by: &[],
    check: Check::Manifest(|context, report| {
        for (at, name) in secrets(context) {
            let volume = format!("{name}-access-cred");
            if !name.is_empty() && !is_dns_label(&volume) {
                let message = format!("the volume {volume} would have no name that Kubernetes takes");
                report.add_as("spec.volumes", at, message, "name the Secret with lowercase letters, digits and dashes");
            }
        }
    }),
};

static SECRET_TWICE: Rule = Rule {
    code: "credential-secret-twice",
    layer: Layer::PodValidation,
    rank: Rank::Error,
    story: "Each credential's Secret becomes a volume of the pod, named after the Secret; two of one name are refused. \
        VM and VMI are created.",
    source: "KubeVirt pkg/virt-controller/services/rendervolumes.go withAccessCredentials",
    shown_by: &[],
    check: Check::Manifest(|context, report| {
        let mut names = BTreeSet::new();
        for (at, name) in secrets(context) {
            if !name.is_empty() && !names.insert(name) {
                let message = format!("two credentials come from the Secret {name:?}");
                report.add_as("spec.volumes", at, message, "give each a Secret of its own");
            }
        }
    }),
};

/// The Secret of each credential, its first.
fn secrets<'a>(context: &CheckContext<'a>) -> impl Iterator<Item = (Cursor<'a>, &'a str)> {
    context.items_at("accessCredentials").filter_map(|item| {
        let kinds = ["sshPublicKey", "userPassword"];
        let mut secrets = kinds.iter().filter_map(|kind| item.at(&format!("{kind}.source.secret.secretName")));
        secrets.next().and_then(|at| Some((at, at.text()?)))
    })
}

static BAD_CREDENTIAL: Rule = Rule {
    code: "bad-access-credential",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "An access credential is exactly one of sshPublicKey and userPassword, with exactly one source and exactly \
        one propagationMethod. noCloud and configDrive need a cloud-init volume of that kind, the guest agent needs \
        the users whose keys it writes.",
    source: "KubeVirt vmi-create-admitter.go validateAccessCredentials",
    shown_by: &[],
    check: Check::Manifest(|context, report| {
        for item in context.items_at("accessCredentials") {
            let kinds = ["sshPublicKey", "userPassword"].map(|kind| item.get(kind));
            if let Some(key) = kinds[0] {
                credential(context, key, &METHODS, report);
            }
            if let Some(password) = kinds[1] {
                credential(context, password, &METHODS[2..], report);
            }
            if kinds.iter().flatten().count() != 1 {
                report.add(item, "exactly one of sshPublicKey and userPassword is given", "keep or add one of them");
            }
        }
    }),
};

fn credential<'a>(
    context: &CheckContext<'a>,
    at: Cursor<'a>,
    methods: &[(&str, Option<&str>)],
    report: &mut Report<'_, 'a>,
) {
    if at.at("source.secret").is_none() {
        report.add(at.place("source"), "there is no source", "add source: {secret: {secretName: ...}}");
    }
    let place = at.place("propagationMethod");
    let mut count = 0;
    for (method, volume) in methods {
        let Some(found) = at.at(&format!("propagationMethod.{method}")) else { continue };
        count += 1;
        let needs = volume.filter(|kind| context.items_at("volumes").all(|v| v.get(kind).is_none()));
        if let Some(kind) = needs {
            let message = format!("{method} needs a volume of kind {kind}");
            report.add(place.clone(), message, format!("add a {kind} volume, or propagate by qemuGuestAgent"));
        }
        // A password's agent has no list of users.
        if *method == "qemuGuestAgent" && methods.len() > 1 && found.items_at("users").next().is_none() {
            let help = "add users: [...] with the accounts in the guest";
            report.add(found.place("users"), "the guest agent needs at least one user", help);
        }
    }
    if count != 1 {
        report.add(place, format!("exactly one propagationMethod is given, found {count}"), "keep or add one of them");
    }
}

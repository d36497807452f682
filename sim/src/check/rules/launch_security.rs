//! Encrypted guests (kubevirt-health.md 2.9).

use crate::check::beside::Matcher;
use crate::check::context::CheckContext;
use crate::check::gate::needs;
use crate::check::layer::{Layer, Rank};
use crate::check::predicates::{is_off, name_of};
use crate::check::rule::{Check, Rule};

const FIELD: &str = "domain.launchSecurity";

/// A kind, its gate.
const KINDS: [(&str, &str); 3] =
    [("sev", "WorkloadEncryptionSEV"), ("snp", "WorkloadEncryptionSEV"), ("tdx", "WorkloadEncryptionTDX")];

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "launch-security-kind",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "launchSecurity is for amd64, where it names exactly one of sev, snp and tdx, and for s390x, where it \
            means secure execution. sev and snp are behind the gate WorkloadEncryptionSEV, on by default; tdx behind \
            WorkloadEncryptionTDX, off by default (`--with-gate WorkloadEncryptionTDX`).",
        source: "KubeVirt vmi-create-admitter.go validateLaunchSecurity; amd64.go ValidateLaunchSecurityAmd64",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let Some(at) = context.at(FIELD) else { return };
            let field = context.place("launchSecurity").path();
            match (context.architecture, &kinds(context)[..]) {
                ("s390x", _) => {}
                ("amd64", [(kind, gate)]) => {
                    if context.is_off(gate) {
                        let (message, help) = needs(kind, gate);
                        report.add_as(field, at, message, help);
                    }
                }
                ("amd64", _) => {
                    report.add_as(field, at, "one and only one kind is named", "keep one of sev, snp and tdx");
                }
                (other, _) => {
                    let message = format!("no launchSecurity on {other}");
                    report.add_as(context.place("architecture").path(), at, message, "remove launchSecurity");
                }
            }
        }),
    },
    &Rule {
        code: "launch-security-conflict",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "An encrypted amd64 guest boots with EFI and not from the network. sev and snp do without secure \
            boot, which `efi: {}` alone means; snp and tdx without persistent EFI variables; tdx without SMM; sev's \
            attestation wants startStrategy: Paused.",
        source: "KubeVirt amd64.go ValidateLaunchSecurityAmd64",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let [(kind, gate)] = kinds(context)[..] else { return };
            if context.architecture != "amd64" || context.is_off(gate) {
                return;
            }
            let (efi, at) = ("domain.firmware.bootloader.efi", |key| format!("domain.firmware.bootloader.efi.{key}"));
            // Both are on unless they are turned off, persistence is not.
            let has_efi = context.at(efi).is_some();
            let secure_boot = has_efi && (context.at(&at("secureBoot")).is_none() || context.is_set(&at("secureBoot")));
            let unattended = context.text_at("startStrategy") != Some("Paused");
            let smm = context.at("domain.features.smm").is_some() && !is_off(context.at("domain.features.smm.enabled"));
            // A preference brings firmware where none is written.
            let no_efi = !has_efi && !context.has_unseen(Matcher::Preference);
            let place = |path: &str| context.place(path);
            for (is_wrong, at, message, help) in [
                (kind == "tdx" && smm, "domain.features.smm", "does not work with SMM", "remove features.smm"),
                (no_efi, FIELD, "needs EFI", "add firmware: {bootloader: {efi: {secureBoot: false}}}"),
                (kind != "tdx" && secure_boot, efi, "does not work with secure boot", "write efi: {secureBoot: false}"),
                (
                    kind != "sev" && context.is_set(&at("persistent")),
                    efi,
                    "does not work with persistent EFI variables",
                    "remove efi.persistent",
                ),
                (
                    unattended && context.at("domain.launchSecurity.sev.attestation").is_some(),
                    FIELD,
                    "attestation needs startStrategy: Paused",
                    "add startStrategy: Paused, or remove attestation",
                ),
            ] {
                if is_wrong {
                    report.add_as(place("launchSecurity").path(), place(at), format!("{kind} {message}"), help);
                }
            }
            for nic in context.items_at("domain.devices.interfaces").filter(|nic| nic.get("bootOrder").is_some()) {
                let message = format!("{kind} does not boot from the network: {}", name_of(nic));
                report.add_as(place("launchSecurity").path(), nic.place("bootOrder"), message, "remove its bootOrder");
            }
        }),
    },
];

/// The kinds that are named, with their gates.
fn kinds(context: &CheckContext<'_>) -> Vec<(&'static str, &'static str)> {
    KINDS.into_iter().filter(|(kind, _)| context.at(&format!("{FIELD}.{kind}")).is_some()).collect()
}

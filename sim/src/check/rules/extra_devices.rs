//! Sound, graphics, GPUs and host devices (kubevirt-health.md 2.9). `gates.rs` has their gates, `architecture.rs` what only one
//! architecture has.

use crate::check::context::CheckContext;
use crate::check::layer::{Layer, Rank};
use crate::check::predicates::{is_dns_label, is_off, is_subdomain, name_of};
use crate::check::rule::{Check, Report, Rule};
use crate::yaml::Cursor;
use std::collections::BTreeSet;

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "sound-without-name",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A sound device has a name.",
        source: "KubeVirt vmi-create-admitter.go validateSoundDevices",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let Some(sound) = context.at("domain.devices.sound") else { return };
            if name_of(sound).is_empty() {
                let field = context.place("Sound").path();
                report.add_as(field, sound.place("name"), "the sound device has no name", "add name: sound");
            }
        }),
    },
    &Rule {
        code: "video-without-graphics",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "autoattachGraphicsDevice: false leaves the machine without a display, so there is no video to \
            configure.",
        source: "KubeVirt vmi-create-admitter.go validateVideoConfig",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let graphics = "domain.devices.autoattachGraphicsDevice";
            let Some(video) = context.at("domain.devices.video") else { return };
            if is_off(context.at(graphics)) {
                let field = context.place("video").path();
                report.add_as(field, video, "video without a graphics device", "remove video");
            }
        }),
    },
    &Rule {
        code: "several-boot-displays",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "At most one virtual GPU shows the boot (ramfb); a display means that unless ramFB is turned off.",
        source: "KubeVirt vmi-create-admitter.go validateMDEVRamFB",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let is_off = |at: Cursor<'_>| is_off(at.get("enabled"));
            let has_ramfb = |gpu: &Cursor<'_>| {
                let display = gpu.at("virtualGPUOptions.display").filter(|display| !is_off(*display));
                display.is_some_and(|display| !display.get("ramFB").is_some_and(is_off))
            };
            if let Some(second) = context.items_at("domain.devices.gpus").filter(has_ramfb).nth(1) {
                let field = context.place("GPUs").path();
                let help = "write display: {ramFB: {enabled: false}} for all but one";
                report.add_as(field, second, "several displays with ramfb", help);
            }
        }),
    },
    &Rule {
        code: "bad-device-claim",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A GPU or host device is named by deviceName, or claimed by claimName and requestName, not both; GPUs \
            are all of one kind; no two devices share a request; and each claim stands in resourceClaims.",
        source: "KubeVirt pkg/dra/admitter/dra_admitter.go validateDRADevices",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let claims: BTreeSet<&str> = context.items_at("resourceClaims").map(name_of).collect();
            let (mut pairs, mut named) = (BTreeSet::new(), Vec::new());
            for (list, may_mix) in [("domain.devices.gpus", false), ("domain.devices.hostDevices", true)] {
                devices(context, list, may_mix, &mut pairs, &mut named, report);
            }
            if let Some((at, claim)) = named.into_iter().find(|(_, claim)| !claims.contains(claim)) {
                let message = format!("resourceClaims has no {claim:?}");
                let help = format!("add {{name: {claim}, resourceClaimTemplateName: ...}} to resourceClaims");
                report.add_as(context.place("resourceClaims").path(), at.place("claimName"), message, help);
            }
        }),
    },
    &Rule {
        code: "bad-resource-claim",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A resource claim has a name (lowercase letters, digits, dashes) and exactly one of \
            resourceClaimName and resourceClaimTemplateName.",
        source: "KubeVirt pkg/dra/admitter/dra_admitter.go validateResourceClaims",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for claim in context.items_at("resourceClaims") {
                let name = name_of(claim);
                if !is_dns_label(name) {
                    let message = format!("{name:?} is not a name: lowercase letters, digits, dashes");
                    report.add(claim.place("name"), message, "write a name like gpu-claim");
                }
                let keys = ["resourceClaimName", "resourceClaimTemplateName"];
                if keys.iter().filter(|key| claim.get(key).is_some()).count() != 1 {
                    let message = "exactly one of resourceClaimName and resourceClaimTemplateName is given";
                    report.add(claim, message, "keep or add one of them");
                }
                let named = keys.iter().filter_map(|key| claim.get(key));
                for at in named.filter(|at| !at.text().is_some_and(is_subdomain)) {
                    let message = format!(
                        "{:?} is not a name: lowercase letters, digits, dashes and dots",
                        at.text().unwrap_or_default()
                    );
                    report.add(at, message, "write the name of a ResourceClaim, or of its template");
                }
            }
        }),
    },
];

/// Looks at a list of devices; collects what they claim.
fn devices<'a>(
    context: &CheckContext<'a>,
    list: &str,
    may_mix: bool,
    pairs: &mut BTreeSet<(&'a str, &'a str)>,
    named: &mut Vec<(Cursor<'a>, &'a str)>,
    report: &mut Report<'_, 'a>,
) {
    let text = |device: Cursor<'a>, key| device.text_at(key).unwrap_or_default();
    let claims = |device: &Cursor<'_>| device.get("claimName").is_some() || device.get("requestName").is_some();
    let (claimed, plain): (Vec<_>, Vec<_>) =
        context.items_at(list).partition(|device| claims(device) && text(*device, "deviceName").is_empty());
    let field = context.place(list).path();
    if let (Some(first), false, false) = (claimed.first(), plain.is_empty(), may_mix) {
        return report.add_as(field, *first, "GPUs by claim and GPUs by name do not mix", "use one of both ways");
    }
    for device in plain {
        let message = match (text(device, "deviceName").is_empty(), claims(&device)) {
            (true, _) => "the device has neither deviceName nor a claim",
            (_, true) => "the device has both deviceName and a claim",
            _ => continue,
        };
        report.add_as(field.as_str(), device, message, "write deviceName, or claimName and requestName");
    }
    // `gates.rs` reports that the gate is off.
    let gate = if may_mix { "HostDevicesWithDRA" } else { "GPUsWithDRA" };
    for device in claimed.into_iter().filter(|_| !context.is_off(gate)) {
        let pair = (text(device, "claimName"), text(device, "requestName"));
        let missing = [("claimName", pair.0), ("requestName", pair.1)].into_iter().filter(|(_, text)| text.is_empty());
        let missing: Vec<&str> = missing.map(|(key, _)| key).collect();
        for key in &missing {
            report.add(device.place(key), format!("a device by claim needs {key}"), format!("add {key}"));
        }
        if missing.is_empty() {
            named.push((device, pair.0));
            if !pairs.insert(pair) {
                let message = format!("two devices have the request {}/{}", pair.0, pair.1);
                report.add(device, message, "give each a request of its own");
            }
        }
    }
}

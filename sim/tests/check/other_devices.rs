//! Sound, video, inputs, GPUs, host devices, I/O threads (kubevirt-health.md 2.9).

use crate::manifest::In::{Devices, Domain, Vmi};
use crate::row::{Row, hold, row};

pub(crate) const ROWS: &[Row] = &[
    row(
        &[(Devices, "sound: {name: s, model: ac97}")],
        &[(Devices, "sound: {name: \"\", model: sb16}")],
        &[
            "unsupported-word spec.template.spec.Sound <- spec.template.spec.domain.devices.sound.model",
            "sound-without-name spec.template.spec.Sound <- spec.template.spec.domain.devices.sound.name",
        ],
    ),
    row(
        &[(Devices, "inputs: [{name: a, type: tablet, bus: usb}, {name: b, type: tablet}]")],
        &[(Devices, "inputs: [{name: a, type: keyboard, bus: ps2}]")],
        &[
            "unsupported-word spec.template.spec.domain.devices.inputs[0].bus",
            "unsupported-word spec.template.spec.domain.devices.inputs[0].type",
        ],
    ),
    row(
        &[(Domain, "ioThreadsPolicy: auto\ncpu: {features: [{name: vmx, policy: require}, {name: apic}]}")],
        &[(Domain, "ioThreadsPolicy: Auto\ncpu: {features: [{name: vmx, policy: required}]}")],
        &[
            "unsupported-word spec.template.spec.domain.cpu.features[0].policy",
            "unsupported-word spec.template.spec.domain.ioThreadsPolicy",
        ],
    ),
    row(
        &[(Devices, "video: {type: vga}\nautoattachGraphicsDevice: true")],
        &[(Devices, "video: {type: vga}\nautoattachGraphicsDevice: false")],
        &["video-without-graphics spec.template.spec.video <- spec.template.spec.domain.devices.video"],
    ),
    row(
        &[(
            Devices,
            "gpus: [{name: a, deviceName: n/g, virtualGPUOptions: {display: {}}}, {name: b, deviceName: n/g, virtualGPUOptions: {display: {ramFB: {enabled: false}}}}]",
        )],
        &[(
            Devices,
            "gpus: [{name: a, deviceName: n/g, virtualGPUOptions: {display: {}}}, {name: b, deviceName: n/g, virtualGPUOptions: {display: {enabled: true, ramFB: {}}}}]",
        )],
        &["several-boot-displays spec.template.spec.GPUs <- spec.template.spec.domain.devices.gpus[1]"],
    ),
    row(
        &[(Devices, "gpus: [{name: a, deviceName: n/g}]")],
        &[(Devices, "gpus: [{name: a}, {name: b, deviceName: n/g, claimName: c, requestName: r}]")],
        &[
            "bad-device-claim spec.template.spec.domain.devices.gpus <- spec.template.spec.domain.devices.gpus[0]",
            "bad-device-claim spec.template.spec.domain.devices.gpus <- spec.template.spec.domain.devices.gpus[1]",
        ],
    ),
    row(
        &[
            (Devices, "gpus: [{name: a, claimName: c, requestName: r}, {name: b, claimName: c, requestName: s}]"),
            (Vmi, "resourceClaims: [{name: c, resourceClaimName: x}]"),
        ],
        &[
            (Devices, "gpus: [{name: a, claimName: c, requestName: r}, {name: b, claimName: c, requestName: r}]"),
            (Devices, "hostDevices: [{name: a, claimName: d, requestName: r}, {name: b, claimName: d}]"),
            (Vmi, "resourceClaims: [{name: c, resourceClaimName: x}]"),
        ],
        &[
            "bad-device-claim spec.template.spec.domain.devices.gpus[1]",
            "bad-device-claim spec.template.spec.domain.devices.hostDevices[1].requestName",
            "bad-device-claim spec.template.spec.resourceClaims <- spec.template.spec.domain.devices.hostDevices[0].claimName",
        ],
    )
    .on(&["HostDevices"]),
    row(
        &[(Devices, "gpus: [{name: a, deviceName: n/g}, {name: b, deviceName: n/g}]")],
        &[
            (Devices, "gpus: [{name: a, deviceName: n/g}, {name: b, claimName: c, requestName: r}]"),
            (Vmi, "resourceClaims: [{name: c, resourceClaimName: x}]"),
        ],
        &["bad-device-claim spec.template.spec.domain.devices.gpus <- spec.template.spec.domain.devices.gpus[1]"],
    ),
    row(
        &[(Vmi, "resourceClaims: [{name: c, resourceClaimTemplateName: x}, {name: d, resourceClaimName: x}]")],
        &[(Vmi, "resourceClaims: [{name: C_1, resourceClaimName: x}, {name: d}, {name: e, resourceClaimName: X}]")],
        &[
            "bad-resource-claim spec.template.spec.resourceClaims[0].name",
            "bad-resource-claim spec.template.spec.resourceClaims[1]",
            "bad-resource-claim spec.template.spec.resourceClaims[2].resourceClaimName",
        ],
    ),
];

#[test]
fn other_devices() {
    hold(ROWS);
}

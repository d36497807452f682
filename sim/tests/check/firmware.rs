//! Firmware, launch security, architectures, Hyper-V (kubevirt-health.md 2.9).

use crate::manifest::In::{self, Devices, Domain, Vm, Vmi};
use crate::manifest::{NET, manifest, with};
use crate::row::{Row, hold, later, row};
use vmhealth_sim::check::Options;
use vmhealth_sim::manifest::Architecture;

const EFI: (In, &str) = (Domain, "firmware: {bootloader: {efi: {secureBoot: false}}}");
const ARM64: (In, &str) = (Vmi, "architecture: arm64");
const S390X: (In, &str) = (Vmi, "architecture: s390x");
const DISKS: (In, &str) = (Vmi, "volumes: [{name: a, containerDisk: {image: i}}]");

pub(crate) const ROWS: &[Row] = &[
    row(
        &[(Domain, "firmware: {bootloader: {bios: {}}}")],
        &[(Domain, "firmware: {bootloader: {bios: {}, efi: {secureBoot: false}}}")],
        &["efi-and-bios spec.template.spec.domain.firmware.bootloader"],
    ),
    row(
        &[(Domain, "firmware: {kernelBoot: {kernelArgs: quiet, container: {image: i, kernelPath: /boot/vmlinuz}}}")],
        &[(Domain, "firmware: {kernelBoot: {kernelArgs: quiet}}")],
        &["bad-kernel-boot spec.template.spec.domain.firmware.kernelBoot.kernelArgs"],
    ),
    row(
        &[(Domain, "firmware: {kernelBoot: {container: {image: i, initrdPath: /boot/initrd}}}")],
        &[(Domain, "firmware: {kernelBoot: {container: {image: \"\"}}}")],
        &[
            "bad-kernel-boot spec.template.spec.domain.firmware.kernelBoot.container.image",
            "bad-kernel-boot spec.template.spec.domain.firmware.kernelBoot.container",
        ],
    ),
    row(
        &[(Domain, "firmware: {kernelBoot: {container: {image: i, kernelPath: /a/}}}")],
        &[(Domain, "firmware: {kernelBoot: {container: {image: i, kernelPath: a, initrdPath: /a/../b}}}")],
        &[
            "bad-kernel-boot spec.template.spec.domain.firmware.kernelBoot.container.kernelPath",
            "bad-kernel-boot spec.template.spec.domain.firmware.kernelBoot.container.initrdPath",
        ],
    ),
    row(
        &[(Domain, "firmware: {acpi: {slicNameRef: s}}"), (Vmi, "volumes: [{name: s, secret: {secretName: x}}]")],
        &[(Domain, "firmware: {acpi: {slicNameRef: s, msdmNameRef: seed}}")],
        &[
            "bad-acpi-table spec.template.spec.acpi.slicNameRef <- spec.template.spec.domain.firmware.acpi.slicNameRef",
            "bad-acpi-table spec.template.spec.acpi.msdmNameRef <- spec.template.spec.domain.firmware.acpi.msdmNameRef",
        ],
    ),
    row(
        &[],
        &[(Domain, "firmware: {acpi: {}}")],
        &["bad-acpi-table spec.template.spec.acpi <- spec.template.spec.domain.firmware.acpi"],
    ),
    // Launch security.
    row(
        &[EFI, (Domain, "launchSecurity: {sev: {}}")],
        &[EFI, (Domain, "launchSecurity: {sev: {}, snp: {}}")],
        &["launch-security-kind spec.template.spec.launchSecurity <- spec.template.spec.domain.launchSecurity"],
    ),
    row(
        &[S390X, (Domain, "launchSecurity: {}")],
        &[ARM64, (Domain, "launchSecurity: {}")],
        &["launch-security-kind spec.template.spec.architecture <- spec.template.spec.domain.launchSecurity"],
    ),
    row(
        &[],
        &[EFI, (Domain, "launchSecurity: {tdx: {}}")],
        &["launch-security-kind spec.template.spec.launchSecurity <- spec.template.spec.domain.launchSecurity"],
    ),
    row(
        &[EFI, (Domain, "launchSecurity: {tdx: {}}")],
        &[
            (Domain, "firmware: {bootloader: {efi: {persistent: true}}}"),
            (Domain, "features: {smm: {}}"),
            (Domain, "launchSecurity: {tdx: {}}"),
        ],
        &[
            "launch-security-conflict spec.template.spec.launchSecurity <- spec.template.spec.domain.features.smm",
            "launch-security-conflict spec.template.spec.launchSecurity <- spec.template.spec.domain.firmware.bootloader.efi",
        ],
    )
    .on(&["WorkloadEncryptionTDX"]),
    // Of a kind whose gate is off nothing else is said.
    row(
        &[],
        &[(Domain, "launchSecurity: {tdx: {}}")],
        &["launch-security-kind spec.template.spec.launchSecurity <- spec.template.spec.domain.launchSecurity"],
    ),
    row(
        &[(Vm, "preference: {name: p}"), (Domain, "launchSecurity: {sev: {}}")],
        &[(Domain, "launchSecurity: {sev: {}}")],
        &["launch-security-conflict spec.template.spec.launchSecurity <- spec.template.spec.domain.launchSecurity"],
    ),
    row(
        &[EFI, (Domain, "launchSecurity: {sev: {attestation: {}}}"), (Vmi, "startStrategy: Paused")],
        &[EFI, (Domain, "launchSecurity: {sev: {attestation: {}}}")],
        &["launch-security-conflict spec.template.spec.launchSecurity <- spec.template.spec.domain.launchSecurity"],
    ),
    row(
        &[EFI, (Domain, "features: {smm: {}}\nlaunchSecurity: {snp: {}}")],
        &[
            NET,
            (Devices, "interfaces: [{name: default, masquerade: {}, bootOrder: 1}]"),
            (Domain, "firmware: {bootloader: {efi: {}}}"),
            (Domain, "features: {smm: {}}\nlaunchSecurity: {snp: {}}"),
        ],
        &[
            "launch-security-conflict spec.template.spec.launchSecurity <- spec.template.spec.domain.firmware.bootloader.efi",
            "launch-security-conflict spec.template.spec.launchSecurity <- spec.template.spec.domain.devices.interfaces[0].bootOrder",
        ],
    ),
    // Architectures.
    later(
        &[(Domain, "firmware: {bootloader: {bios: {}}}\ncpu: {model: Haswell}"), (Devices, "sound: {name: s}")],
        &[ARM64, (Domain, "firmware: {bootloader: {bios: {}}}\ncpu: {model: Haswell}"), (Devices, "sound: {name: s}")],
        &[
            "not-on-arm64 spec.domain.firmware.bootloader.bios <- spec.template.spec.domain.firmware.bootloader.bios",
            "not-on-arm64 spec.domain.cpu.model <- spec.template.spec.domain.cpu.model",
            "not-on-arm64 spec.domain.devices.sound <- spec.template.spec.domain.devices.sound",
        ],
    ),
    later(
        &[ARM64, (Domain, "cpu: {model: host-passthrough}"), DISKS, (Devices, "disks: [{name: a, cdrom: {bus: scsi}}]")],
        &[ARM64, DISKS, (Devices, "disks: [{name: a, cdrom: {bus: sata}}]")],
        &[
            "not-on-arm64 spec.domain.devices.disks[0].cdrom.bus <- spec.template.spec.domain.devices.disks[0].cdrom.bus",
        ],
    ),
    later(
        &[(Devices, "video: {type: bochs}")],
        &[ARM64, (Devices, "video: {type: bochs}")],
        &["video-model-not-supported spec.domain.devices.video.type <- spec.template.spec.domain.devices.video.type"],
    ),
    later(
        &[ARM64, (Devices, "video: {type: ramfb}")],
        &[S390X, (Devices, "video: {type: ramfb}")],
        &["video-model-not-supported spec.domain.devices.video.type <- spec.template.spec.domain.devices.video.type"],
    ),
    later(
        &[S390X, (Devices, "video: {type: virtio}")],
        &[(Devices, "video: {}")],
        &["video-model-not-supported spec.domain.devices.video.type <- spec.template.spec.domain.devices.video.type"],
    ),
    // Hyper-V.
    later(
        &[(Domain, "features: {hyperv: {synictimer: {}, evmcs: {enabled: false}, vapic: {enabled: false}}}")],
        &[(Domain, "features: {hyperv: {synictimer: {}, synic: {enabled: false}, ipi: {}, vpindex: {enabled: false}}}")],
        &[
            "hyperv-needs-another spec.domain.features.hyperv.domain.features.hyperv.ipi <- spec.template.spec.domain.features.hyperv.vpindex",
            "hyperv-needs-another spec.domain.features.hyperv.domain.features.hyperv.synictimer <- spec.template.spec.domain.features.hyperv.synic",
        ],
    ),
    later(
        &[(Domain, "features: {hyperv: {synictimer: {enabled: false}, vpindex: {enabled: false}}}")],
        &[(Domain, "features: {hyperv: {synictimer: {}, vpindex: {enabled: false}}}")],
        &[
            "hyperv-needs-another spec.domain.features.hyperv.domain.features.hyperv.synic <- spec.template.spec.domain.features.hyperv.vpindex",
        ],
    ),
    later(
        &[(Domain, "features: {hypervPassthrough: {}}")],
        &[(Domain, "features: {hypervPassthrough: {}, hyperv: {relaxed: {}}}")],
        &["hyperv-twice spec.domain.features.hyperv <- spec.template.spec.domain.features.hypervPassthrough"],
    ),
];

#[test]
fn firmware() {
    hold(ROWS);
}

/// A manifest that names no architecture gets its cluster's (kubevirt-health.md 1.1).
#[test]
fn the_cluster_s_architecture() {
    for (parts, architecture) in [(&[][..], Architecture::S390x), (&[ARM64][..], Architecture::Arm64)] {
        let options = Options { architecture: Architecture::S390x, ..Options::default() };
        let vm = with(&manifest(parts), &options).vm.expect("it can run");
        assert_eq!(vm.vmi.architecture, architecture);
    }
}

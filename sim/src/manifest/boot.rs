//! What a manifest says of the disk and the firmware that its guest boots.
//!
//! Only an image of the user's own makes use of it; without one these fields stay listed as ignored, and do not count as read.

use super::architecture::Architecture;
use crate::yaml::Cursor;
use serde::Deserialize;
use std::fmt;

/// What a guest boots through, and from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Boot {
    /// `domain.firmware.bootloader`.
    pub firmware: Firmware,
    /// The volume of its first disk, if that is one of [`VolumeKind`].
    pub volume: Option<Volume>,
}

/// `domain.firmware.bootloader` of an x86 guest; the others have one firmware each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Firmware {
    /// SeaBIOS.
    #[default]
    Bios,
    /// OVMF.
    Efi {
        /// It starts only what is signed.
        secure_boot: bool,
    },
}

/// A volume that may hold a system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Volume {
    /// Which field names it.
    pub kind: VolumeKind,
    /// The image, the DataVolume or the claim.
    pub name: String,
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.name)
    }
}

/// Where a disk comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VolumeKind {
    /// `containerDisk.image`.
    ContainerDisk,
    /// `dataVolume.name`.
    DataVolume,
    /// `persistentVolumeClaim.claimName`.
    PersistentVolumeClaim,
}

impl VolumeKind {
    const ALL: [(VolumeKind, &'static str); 3] = [
        (VolumeKind::ContainerDisk, "image"),
        (VolumeKind::DataVolume, "name"),
        (VolumeKind::PersistentVolumeClaim, "claimName"),
    ];

    /// The manifest's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            VolumeKind::ContainerDisk => "containerDisk",
            VolumeKind::DataVolume => "dataVolume",
            VolumeKind::PersistentVolumeClaim => "persistentVolumeClaim",
        }
    }
}

/// Of the VMI's `spec`; whether it `counts` as read.
pub(super) fn boot(spec: Cursor<'_>, architecture: Architecture, counts: bool) -> Boot {
    let spec = if counts { spec } else { spec.quiet() };
    let firmware = if architecture == Architecture::Amd64 { firmware(spec) } else { Firmware::default() };
    Boot { firmware, volume: volume(spec) }
}

/// `secureBoot` is true where it is absent (KubeVirt schema.go).
fn firmware(spec: Cursor<'_>) -> Firmware {
    match spec.at("domain.firmware.bootloader.efi") {
        Some(efi) => Firmware::Efi { secure_boot: efi.get("secureBoot").and_then(Cursor::boolean).unwrap_or(true) },
        None => Firmware::Bios,
    }
}

/// The volume of the disk that firmware tries first: the lowest `bootOrder`, else the first one that holds a system. A cdrom is
/// passed over, whatever its order: what is installed is on the disk. A volume without a disk gets one behind all others
/// (KubeVirt SetDefaultVolumeDisk).
fn volume(spec: Cursor<'_>) -> Option<Volume> {
    let mut disks: Vec<Cursor<'_>> = spec.items_at("domain.devices.disks").collect();
    disks.sort_by_key(|disk| disk.get("bootOrder").and_then(Cursor::int64).unwrap_or(i64::MAX));
    let volumes: Vec<Cursor<'_>> = spec.items_at("volumes").collect();
    let name = |c: Cursor<'_>| c.text_at("name").map(str::to_owned);
    let source = |volume: Cursor<'_>| {
        VolumeKind::ALL.iter().find_map(|(kind, field)| {
            let name = volume.get(kind.as_str())?.get(field)?.text()?.to_owned();
            Some(Volume { kind: *kind, name })
        })
    };
    let of = |disk: Cursor<'_>| volumes.iter().find(|v| name(**v) == name(disk)).and_then(|v| source(*v));
    let unnamed = || volumes.iter().filter(|v| disks.iter().all(|d| name(*d) != name(**v))).find_map(|v| source(*v));
    disks.iter().filter(|disk| disk.get("cdrom").is_none()).find_map(|d| of(*d)).or_else(unnamed)
}

#[cfg(test)]
mod tests {
    use crate::manifest::{Boot, Firmware, MachineType, VirtualMachine, Volume, VolumeKind, read, read_for_own_image};

    fn text(domain: &str, volumes: &str) -> String {
        format!(
            "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {{name: vm}}\nspec:\n  runStrategy: Always\n  \
             template: {{spec: {{domain: {{{domain}}}, volumes: [{volumes}]}}}}\n"
        )
    }

    fn manifest(domain: &str, volumes: &str) -> VirtualMachine {
        read("vm.yaml", &text(domain, volumes)).unwrap()
    }

    #[test]
    fn firmware_and_the_first_disks_volume() {
        let efi = |text| manifest(&format!("firmware: {{bootloader: {text}}}, devices: {{}}"), "").vmi.boot.firmware;
        assert_eq!(manifest("devices: {}", "").vmi.boot, Boot::default());
        assert_eq!(efi("{bios: {}}"), Firmware::Bios);
        let z = text("firmware: {bootloader: {efi: {}}}, devices: {}", "")
            .replace("spec: {", "spec: {architecture: s390x, ");
        assert_eq!(read("vm.yaml", &z).unwrap().vmi.boot.firmware, Firmware::Bios);
        assert_eq!(efi("{efi: {}}"), Firmware::Efi { secure_boot: true });
        assert_eq!(efi("{efi: {secureBoot: false}}"), Firmware::Efi { secure_boot: false });

        let volumes = "{name: seed, cloudInitNoCloud: {userData: x}}, {name: a, containerDisk: {image: 'r/a:1'}}, \
                       {name: b, dataVolume: {name: dv}}, {name: c, persistentVolumeClaim: {claimName: pvc}}";
        for (disks, expected) in [
            ("", Some((VolumeKind::ContainerDisk, "r/a:1"))),
            ("{name: a, cdrom: {}}, {name: b}", Some((VolumeKind::DataVolume, "dv"))),
            ("{name: a, cdrom: {}}", Some((VolumeKind::DataVolume, "dv"))),
            ("{name: seed}, {name: c}", Some((VolumeKind::PersistentVolumeClaim, "pvc"))),
            ("{name: seed}, {name: a}, {name: b}", Some((VolumeKind::ContainerDisk, "r/a:1"))),
            ("{name: a}, {name: b, bootOrder: 1}", Some((VolumeKind::DataVolume, "dv"))),
            ("{name: a, bootOrder: 2}, {name: c, bootOrder: 1}", Some((VolumeKind::PersistentVolumeClaim, "pvc"))),
        ] {
            let vm = manifest(&format!("devices: {{disks: [{disks}]}}"), volumes);
            let expected = expected.map(|(kind, name)| Volume { kind, name: name.to_owned() });
            assert_eq!(vm.vmi.boot.volume, expected, "{disks}");
        }
    }

    #[test]
    fn the_machine_is_kubevirts_own_with_an_image() {
        for (machine, with, without) in [
            ("", MachineType::Q35, MachineType::Pc),
            ("machine: {type: ''}, ", MachineType::Q35, MachineType::Pc),
            ("machine: {type: pc}, ", MachineType::Pc, MachineType::Pc),
            ("machine: {type: q35}, ", MachineType::Q35, MachineType::Q35),
        ] {
            let text = text(&format!("{machine}devices: {{}}"), "");
            assert_eq!(read_for_own_image("vm.yaml", &text).unwrap().vmi.machine, with, "{machine}");
            assert_eq!(read("vm.yaml", &text).unwrap().vmi.machine, without, "{machine}");
        }
    }

    #[test]
    fn what_an_image_would_not_be_told_is_refused() {
        for (volume, field) in [
            ("cloudInitConfigDrive: {userData: a}", "cloudInitConfigDrive"),
            ("cloudInitNoCloud: {secretRef: {name: a}}", "secretRef"),
            ("cloudInitNoCloud: {userData: a, networkDataSecretRef: {name: a}}", "networkDataSecretRef"),
        ] {
            let text = text("devices: {}", &format!("{{name: seed, {volume}}}"));
            let refused = read_for_own_image("vm.yaml", &text).unwrap_err().to_string();
            assert!(refused.contains(field), "{refused}");
            read("vm.yaml", &text).unwrap();
        }
    }

    #[test]
    fn it_counts_as_acted_on_with_an_image_only() {
        let text = text(
            "firmware: {uuid: u, bootloader: {efi: {secureBoot: false}}}, devices: {disks: [{name: a}]}",
            "{name: a, containerDisk: {image: 'r/a:1', imagePullPolicy: Always}}",
        );
        let listed = |vm: VirtualMachine| vm.ignored.into_iter().map(|(path, _)| path).collect::<Vec<_>>();
        let with = listed(read_for_own_image("vm.yaml", &text).unwrap());
        let without = listed(read("vm.yaml", &text).unwrap());
        let named = |paths: &[String], end: &str| paths.iter().any(|p| p.ends_with(end));
        assert!(named(&with, "firmware.uuid") && named(&with, "imagePullPolicy") && with.len() == 2, "{with:?}");
        assert_eq!(without, ["spec.template"], "nothing in it is acted on");
    }
}

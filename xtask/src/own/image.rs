//! `--image` and `--images`: which file a manifest's guest boots.

use super::error::OwnError;
use crate::prepare::{self, say};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use vmhealth_guests::image::{Image, ImageWord};
use vmhealth_sim::manifest::{Architecture, Firmware, MachineType, VirtualMachine, Volume, VolumeKind};
use vmhealth_sim::yaml;

/// Where the disk image comes from that a manifest's guest boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageChoice {
    /// vmhealth's own Debian image.
    Vmhealth,
    /// This file.
    File(PathBuf),
    /// The file that this YAML map has under the name of the manifest's first disk.
    Map(PathBuf),
}

/// From names to files, which are relative to the map's own folder.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct ImageMap {
    container_disk: BTreeMap<String, PathBuf>,
    data_volume: BTreeMap<String, PathBuf>,
    persistent_volume_claim: BTreeMap<String, PathBuf>,
}

impl ImageMap {
    fn file(&self, volume: &Volume) -> Option<&PathBuf> {
        let names = match volume.kind {
            VolumeKind::ContainerDisk => &self.container_disk,
            VolumeKind::DataVolume => &self.data_volume,
            VolumeKind::PersistentVolumeClaim => &self.persistent_volume_claim,
        };
        names.get(&volume.name)
    }
}

impl ImageChoice {
    /// Whether it is the user's own.
    pub fn is_users(&self) -> bool {
        *self != ImageChoice::Vmhealth
    }

    /// The user's image, if there is to be one; installs what its firmware needs. `word`: what the user says of it.
    pub fn find(&self, manifest: &VirtualMachine, word: &ImageWord) -> Result<Option<Image>, OwnError> {
        let file = match self {
            ImageChoice::Vmhealth => return Ok(None),
            ImageChoice::File(file) => file.clone(),
            ImageChoice::Map(map) => mapped(map, manifest)?,
        };
        // First of all: nothing is installed for what is not opened.
        let image = Image::of_user(&file, word).map_err(|e| OwnError::Invalid(e.to_string()))?;
        prepare::install_beside_qemu(manifest.vmi.architecture)?;
        let vmi = &manifest.vmi;
        if downloads(vmi.cloud_init.user_data.as_deref().unwrap_or_default()) {
            say(
                "the user data installs packages: guests here have no network access, so they must be in the image already",
            );
        }
        if let (Architecture::Amd64, Firmware::Efi { secure_boot }) = (vmi.architecture, vmi.boot.firmware) {
            if secure_boot && vmi.machine != MachineType::Q35 {
                return Err(OwnError::Invalid(
                    "domain.firmware.bootloader.efi: secure boot, which is its default, needs `machine: {type: q35}`; \
                     or write `efi: {secureBoot: false}`"
                        .into(),
                ));
            }
            prepare::install_ovmf()?;
        }
        Ok(Some(image))
    }
}

/// cloud-init's own key for it, at the beginning of a line.
pub(super) fn downloads(user_data: &[u8]) -> bool {
    let packages = |line: &str| line.strip_prefix("packages:").is_some_and(|rest| rest.trim() != "[]");
    String::from_utf8_lossy(user_data).lines().any(packages)
}

fn mapped(map: &Path, manifest: &VirtualMachine) -> Result<PathBuf, OwnError> {
    let file = map.display();
    let text = std::fs::read_to_string(map).map_err(|e| OwnError::Invalid(format!("cannot read {file}: {e}")))?;
    let names: ImageMap = yaml::read(&text).map_err(|e| OwnError::Invalid(format!("{file}: {e}")))?;
    let Some(volume) = &manifest.vmi.boot.volume else {
        return Err(OwnError::Invalid(format!(
            "{file}: none of the manifest's disks is a containerDisk, a dataVolume or a persistentVolumeClaim; --image FILE needs no name"
        )));
    };
    let image = names.file(volume).ok_or_else(|| {
        let (kind, name) = (volume.kind.as_str(), &volume.name);
        OwnError::Invalid(format!(
            "{file}: the manifest boots {volume}, which is not in it; add `{kind}: {{{name:?}: FILE}}`"
        ))
    })?;
    Ok(map.parent().unwrap_or(Path::new("")).join(image))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmhealth_sim::manifest::read_for_own_image;

    #[test]
    fn a_map_names_the_file_of_the_first_disk() {
        let folder = tempfile::tempdir().unwrap();
        let map = folder.path().join("images.yaml");
        let check = |volume: &str, text: &str, expected: Result<&str, &str>| {
            let manifest = format!(
                "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {{name: vm}}\nspec:\n  runStrategy: Always\n  \
                 template: {{spec: {{domain: {{devices: {{}}}}, volumes: [{volume}]}}}}\n"
            );
            let manifest = read_for_own_image("vm.yaml", &manifest).unwrap();
            std::fs::write(&map, text).unwrap();
            match (mapped(&map, &manifest), expected) {
                (Ok(file), Ok(name)) => assert_eq!(file, folder.path().join(name)),
                (Err(e), Err(part)) => assert!(e.to_string().contains(part), "{e}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        };
        let (disk, claim) =
            ("{name: a, containerDisk: {image: r/a}}", "{name: a, persistentVolumeClaim: {claimName: b}}");
        check(disk, "containerDisk: {r/a: a.qcow2}", Ok("a.qcow2"));
        check(claim, "persistentVolumeClaim: {b: /disks/b.raw}", Ok("/disks/b.raw"));
        check(claim, "containerDisk: {b: b.raw}", Err("add `persistentVolumeClaim: {\"b\": FILE}`"));
        check(disk, "containerDisc: {}", Err("unknown field `containerDisc`"));
        check("{name: a, emptyDisk: {}}", "containerDisk: {}", Err("none of the manifest's disks"));
    }

    #[test]
    fn what_would_have_to_be_downloaded() {
        for (text, expected) in [
            ("#cloud-config\npackages: [a]\n", true),
            ("#cloud-config\npackages:\n- a\n", true),
            ("#cloud-config\npackages: []\n", false),
            ("#cloud-config\nruncmd: [echo packages:]\n", false),
        ] {
            assert_eq!(downloads(text.as_bytes()), expected, "{text}");
        }
    }
}

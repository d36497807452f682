//! What the name of a guest's image tells: its family, and what that brings for health (sim/docs/guest-images.md).

use super::context::CheckContext;
use crate::manifest::{VirtualMachine, VolumeKind};

/// Images that are alike in what decides about health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Debian's, with the kernel for clouds.
    DebianCloud,
    /// Debian's others.
    Debian,
    Ubuntu,
    /// RHEL, CentOS, Rocky, Alma, Oracle.
    RedHat,
    Fedora,
    Suse,
    Alpine,
    Cirros,
}

/// Words of names and the families that have them, the more telling ones first; and what is known of each.
const FAMILIES: [(&[&str], Family, &str); 8] = [
    (
        &["debian*genericcloud"],
        Family::DebianCloud,
        "no i6300esb driver in its kernel, no guest agent, guest-exec allowed",
    ),
    (&["debian"], Family::Debian, "the driver loads by itself, no guest agent, guest-exec allowed"),
    (&["ubuntu", "server-cloudimg"], Family::Ubuntu, "the driver is blacklisted, no guest agent, guest-exec allowed"),
    (
        &["rhel", "centos", "rocky", "almalinux", "alma-", "oraclelinux", "oracle-linux"],
        Family::RedHat,
        "the driver loads by itself, it has the guest agent, guest-exec is not allowed",
    ),
    (&["fedora"], Family::Fedora, "the driver loads by itself, it has the guest agent"),
    (&["opensuse", "sles", "tumbleweed"], Family::Suse, "guest-exec may be blocked in /etc/sysconfig/qemu-ga"),
    (&["alpine"], Family::Alpine, "busybox's watchdog, no systemd, no guest agent"),
    (&["cirros"], Family::Cirros, "neither guest agent nor watchdog"),
];

impl Family {
    /// Of a VM, with the name that tells it.
    pub(super) fn of<'a>(context: &CheckContext<'a>, vm: &VirtualMachine) -> Option<(String, Family)> {
        names(context, vm).into_iter().find_map(|name| Some((name.clone(), Family::named(&name)?)))
    }

    fn named(name: &str) -> Option<Family> {
        let name = name.to_lowercase();
        // Where a word begins: `palma-db` is no Alma.
        let begins = |at: usize| !name[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
        let is_there = |part: &str| name.match_indices(part).any(|(at, _)| begins(at));
        let is_in = |word: &str| word.split('*').all(is_there);
        FAMILIES.iter().find(|(words, ..)| words.iter().any(|w| is_in(w))).map(|(_, family, _)| *family)
    }

    /// Its images have the guest agent.
    pub(super) fn has_agent(self) -> bool {
        matches!(self, Family::RedHat | Family::Fedora)
    }

    /// systemd starts and ends its services.
    pub(super) fn has_systemd(self) -> bool {
        !matches!(self, Family::Alpine | Family::Cirros)
    }

    /// What SELinux keeps commands of exec probes from, in words.
    pub(super) fn confines(self) -> Option<&'static str> {
        match self {
            Family::RedHat => Some("SELinux confines the agent"),
            Family::Fedora => Some("SELinux confines what guest-exec runs"),
            _ => None,
        }
    }

    /// What it brings, in words.
    pub(super) fn brings(self) -> &'static str {
        FAMILIES.iter().find(|(_, family, _)| *family == self).map_or("", |(.., brings)| brings)
    }
}

/// Whatever may name the image: the disk's source, and the preference.
fn names(context: &CheckContext<'_>, vm: &VirtualMachine) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(volume) = &vm.vmi.boot.volume {
        let of_template = |path: &str| {
            let templates = context.root.items_at("spec.dataVolumeTemplates");
            let mut own = templates.filter(|t| t.text_at("metadata.name") == Some(&volume.name));
            own.find_map(|t| t.at("spec")?.text_at(path)).map(str::to_owned)
        };
        if volume.kind == VolumeKind::DataVolume {
            let sources = ["source.registry.url", "source.http.url", "sourceRef.name", "source.pvc.name"];
            names.extend(sources.into_iter().filter_map(of_template));
        }
        names.push(volume.name.clone());
    }
    names.extend(context.root.text_at("spec.preference.name").map(str::to_owned));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_families() {
        for (name, family) in [
            ("quay.io/containerdisks/ubuntu:24.04", Some(Family::Ubuntu)),
            ("debian-12-genericcloud-amd64.qcow2", Some(Family::DebianCloud)),
            ("registry/debian:12", Some(Family::Debian)),
            ("https://cloud.debian.org/images/cloud/bookworm/debian-12-generic-amd64.qcow2", Some(Family::Debian)),
            ("https://cloud.centos.org/CentOS-Stream-GenericCloud-9.qcow2", Some(Family::RedHat)),
            ("noble-server-cloudimg-amd64", Some(Family::Ubuntu)),
            ("quay.io/containerdisks/centos-stream:9", Some(Family::RedHat)),
            ("rhel.9", Some(Family::RedHat)),
            ("Fedora", Some(Family::Fedora)),
            ("my-disk", None),
            ("palma-db", None),
        ] {
            assert_eq!(Family::named(name), family, "{name}");
        }
        assert!(Family::Ubuntu.brings().contains("blacklisted"));
    }
}

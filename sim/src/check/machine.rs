//! The machine that a manifest asks for, as KubeVirt's webhooks see it: with the defaults that are filled in before they look
//! (`pkg/defaults/defaults.go`, `pkg/util/util.go`).

use super::context::CheckContext;
use super::predicates::name_of;
use crate::manifest::Quantity;
use crate::yaml::{Cursor, Place};
use std::collections::{BTreeMap, BTreeSet};

/// Where the disks are.
pub(super) const DISKS: &str = "domain.devices.disks";

/// A disk of the machine.
pub(super) struct Disk<'a> {
    /// Its place in the list.
    pub(super) index: usize,
    pub(super) name: &'a str,
    /// What is written of it; `None` for one that KubeVirt adds, since nothing names its volume.
    pub(super) at: Option<Cursor<'a>>,
    pub(super) volume: Option<Cursor<'a>>,
    /// Where a reader should look.
    pub(super) place: Cursor<'a>,
}

impl<'a> Disk<'a> {
    /// What is written at a path of it.
    pub(super) fn get(&self, path: &str) -> Option<Cursor<'a>> {
        self.at?.at(path)
    }

    /// The place of a path of it.
    pub(super) fn below(&self, path: &str) -> Place<'a> {
        self.at.map_or(self.place.into(), |at| at.place(path))
    }

    /// Its device: the first of `disk`, `lun` and `cdrom` that is written.
    pub(super) fn device(&self) -> Option<&'static str> {
        ["disk", "lun", "cdrom"].into_iter().find(|device| self.get(device).is_some())
    }

    /// The bus as it is written; empty: the architecture's.
    pub(super) fn bus(&self) -> &'a str {
        let device = self.device().and_then(|device| self.get(device));
        device.and_then(|device| device.text_at("bus")).unwrap_or_default()
    }
}

/// The disks as written, then one for each volume that neither a disk nor a file system names.
pub(super) fn disks<'a>(context: &CheckContext<'a>) -> Vec<Disk<'a>> {
    let volumes: BTreeMap<&str, Cursor<'a>> = context.items_at("volumes").map(|v| (name_of(v), v)).collect();
    let of = |index, name, at, place| Disk { index, name, at, volume: volumes.get(name).copied(), place };
    let written = context.items_at(DISKS).enumerate().map(|(i, at)| of(i, name_of(at), Some(at), at));
    let mut disks: Vec<Disk<'_>> = written.collect();
    let filesystems = context.items_at("domain.devices.filesystems").map(name_of);
    let used: BTreeSet<&str> = disks.iter().map(|disk| disk.name).chain(filesystems).collect();
    for volume in context.items_at("volumes").filter(|v| !used.contains(name_of(*v))) {
        disks.push(of(disks.len(), name_of(volume), None, volume));
    }
    disks
}

/// What `domain.resources` says of one resource: its request and its limit.
pub(super) fn resource(context: &CheckContext<'_>, name: &str) -> (Option<Quantity>, Option<Quantity>) {
    let of = |list| context.at(&format!("domain.resources.{list}.{name}")).and_then(Quantity::of);
    (of("requests"), of("limits"))
}

/// The guest's memory; where it is not written the request, else the limit, else one huge page.
pub(super) fn guest_memory(context: &CheckContext<'_>) -> Option<Quantity> {
    let written = context.at("domain.memory.guest").and_then(Quantity::of);
    let (request, limit) = resource(context, "memory");
    let given = |quantity: Option<Quantity>| quantity.filter(|q| *q != Quantity::ZERO);
    written.or_else(|| given(request)).or_else(|| given(limit)).or_else(|| page_size(context))
}

/// The size of the huge pages; `None` if there are none, or if it is no quantity.
pub(super) fn page_size(context: &CheckContext<'_>) -> Option<Quantity> {
    Quantity::parse(context.text_at("domain.memory.hugepages.pageSize")?)
}

/// Sockets, cores and threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Topology {
    pub(super) sockets: u32,
    pub(super) cores: u32,
    pub(super) threads: u32,
}

impl Topology {
    /// As written; where nothing is, as many sockets as the CPU limit or request has whole CPUs.
    pub(super) fn of(context: &CheckContext<'_>) -> Topology {
        let count = |field| {
            let at = context.at(&format!("domain.cpu.{field}"));
            at.and_then(Cursor::int64).and_then(|n| u32::try_from(n).ok()).unwrap_or_default()
        };
        let written = Topology { sockets: count("sockets"), cores: count("cores"), threads: count("threads") };
        if written != (Topology { sockets: 0, cores: 0, threads: 0 }) {
            return written;
        }
        let (request, limit) = resource(context, "cpu");
        let sockets = limit.or(request).map_or(1, |cpus| u32::try_from(cpus.value()).unwrap_or(u32::MAX));
        Topology { sockets, cores: 1, threads: 1 }
    }

    /// All of them; a factor that is not written counts as 1.
    pub(super) fn vcpus(self) -> i128 {
        let factors = [self.sockets, self.cores, self.threads].into_iter().filter(|n| *n != 0).map(i128::from);
        // Fewer than 2^96, so it fits; KubeVirt multiplies in 32 bits.
        factors.product::<i128>() % (1 << 32)
    }
}

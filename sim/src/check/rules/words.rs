//! Fields that take one of some words and that the schema takes for any text: one table (kubevirt-health.md 2.9).

use crate::check::context::CheckContext;
use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Report, Rule};
use crate::yaml::Cursor;

/// A field and its words.
struct Words {
    /// The list that it is in an item of; empty: none.
    list: &'static str,
    path: &'static str,
    words: &'static [&'static str],
    /// What an empty text is, which an absent one is taken for, too.
    empty: Empty,
    /// What KubeVirt reports in place of the field's path; `[]`: the item's number.
    reports: Option<&'static str>,
}

#[derive(PartialEq)]
enum Empty {
    /// The default.
    Fine,
    /// Refused; an absent field is fine.
    Wrong,
    /// Refused, and so is an absent field.
    Missing,
}

const DISKS: &str = "domain.devices.disks";

const WORDS: &[Words] = &[
    words(DISKS, "disk.bus", BUSES, Empty::Fine),
    words(DISKS, "lun.bus", BUSES, Empty::Fine),
    words(DISKS, "cdrom.bus", BUSES, Empty::Fine),
    words(DISKS, "cache", &["none", "writethrough", "writeback"], Empty::Fine),
    Words {
        reports: Some("domain.devices.disks.domain.devices.disks[].io"),
        ..words(DISKS, "io", &["native", "threads"], Empty::Fine)
    },
    words(DISKS, "errorPolicy", &["stop", "ignore", "report", "enospace"], Empty::Wrong),
    words("volumes", "hostDisk.type", &["DiskOrCreate", "Disk"], Empty::Missing),
    words("domain.cpu.features", "policy", &["force", "require", "optional", "disable", "forbid"], Empty::Fine),
    words("domain.devices.inputs", "bus", &["virtio", "usb"], Empty::Fine),
    words("domain.devices.inputs", "type", &["tablet"], Empty::Missing),
    words("", "domain.ioThreadsPolicy", &["shared", "auto", "supplementalPool"], Empty::Wrong),
    Words { reports: Some("Sound"), ..words("", "domain.devices.sound.model", &["ich9", "ac97"], Empty::Fine) },
];
const BUSES: &[&str] = &["virtio", "scsi", "sata", "usb"];

const fn words(list: &'static str, path: &'static str, words: &'static [&'static str], empty: Empty) -> Words {
    Words { list, path, words, empty, reports: None }
}

pub(super) static RULES: &[&Rule] = &[&Rule {
    code: "unsupported-word",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "The schema takes any text here, KubeVirt's webhook only some words, in exactly this case: a disk's bus is \
        virtio, scsi, sata or usb (ide is gone), its cache none, writethrough or writeback, its io native or threads; \
        an input is a tablet; the message lists the words of the field.",
    source: "KubeVirt vmi-create-admitter.go; pkg/storage/admitters/disks.go",
    shown_by: &[],
    check: Check::Manifest(|context, report| {
        for row in WORDS {
            if row.list.is_empty() {
                look(context, row, None, report);
            }
            for (i, item) in context.items_at(row.list).enumerate().filter(|_| !row.list.is_empty()) {
                look(context, row, Some((i, item)), report);
            }
        }
    }),
}];

fn look<'a>(context: &CheckContext<'a>, row: &Words, item: Option<(usize, Cursor<'a>)>, report: &mut Report<'_, 'a>) {
    let (at, place) = match item {
        Some((_, item)) => (item.at(row.path), item.place(row.path)),
        None => (context.at(row.path), context.place(row.path)),
    };
    let word = at.and_then(Cursor::text);
    let is_fine = match word.unwrap_or_default() {
        "" if row.empty == Empty::Missing => !expects(context, row, item),
        "" => word.is_none() || row.empty == Empty::Fine,
        word => row.words.contains(&word),
    };
    if is_fine {
        return;
    }
    let list = row.words.join(", ");
    let field = match row.reports {
        Some(path) => {
            let number = item.map_or(String::new(), |(i, _)| format!("[{i}]"));
            context.place(&path.replace("[]", &number)).path()
        }
        None => place.path(),
    };
    let message = format!("{:?} is not one of {list}", word.unwrap_or_default());
    report.add_as(field, place, message, format!("write one of {list}; case counts"));
}

/// Whether what the empty field belongs to is there, and nobody fills it in.
fn expects(context: &CheckContext<'_>, row: &Words, item: Option<(usize, Cursor<'_>)>) -> bool {
    match row.path.rsplit_once('.') {
        Some((holder, _)) => item.is_some_and(|(_, item)| item.at(holder).is_some()),
        // Of a bare VMI the webhook fills in an input's type first.
        None => context.is_vm,
    }
}

//! Questions that several rules ask.

use super::context::CheckContext;
use super::rule::Report;
use crate::yaml::Cursor;
use std::collections::BTreeSet;

/// Whether the text at a cursor, if there is one, is one of the words.
pub(super) fn one_of<'a>(at: Option<Cursor<'a>>, words: &[&str], report: &mut Report<'_, 'a>) {
    let Some((at, word)) = at.and_then(|at| Some((at, at.text()?))) else { return };
    if !words.contains(&word) {
        let list = words.join(", ");
        report.add(at, format!("{word:?} is not one of {list}"), format!("write one of {list}; case counts"));
    }
}

/// Whether each item of a list has one of its name in another list, which holds `what`.
pub(super) fn has_counterpart<'a>(
    context: &CheckContext<'a>,
    list: &str,
    other: &str,
    what: &str,
    report: &mut Report<'_, 'a>,
) {
    have_counterparts(context, context.items_at(list), other, what, report);
}

/// The same of some of its items.
pub(super) fn have_counterparts<'a>(
    context: &CheckContext<'a>,
    items: impl Iterator<Item = Cursor<'a>>,
    other: &str,
    what: &str,
    report: &mut Report<'_, 'a>,
) {
    let names: BTreeSet<&str> = context.items_at(other).map(name_of).collect();
    for item in items.filter(|item| !names.contains(name_of(*item))) {
        let name = name_of(item);
        let help = format!("add {what} named {name}, or remove this one");
        report.add(item.place("name"), format!("{name:?} has no {what} of that name"), help);
    }
}

/// The `name` of a list's item, empty if absent.
pub(super) fn name_of(item: Cursor<'_>) -> &str {
    item.text_at("name").unwrap_or_default()
}

/// The items of a list that have the name of one before them, with that name.
pub(super) fn repeated<'a>(items: impl Iterator<Item = Cursor<'a>>) -> impl Iterator<Item = (Cursor<'a>, &'a str)> {
    let mut names = BTreeSet::new();
    items.map(|item| (item, name_of(item))).filter(move |(_, name)| !names.insert(*name))
}

/// Why a path of a file in an image is none: KubeVirt's `ValidatePath` (pkg/storage/admitters/disks.go).
pub(super) fn bad_path(path: &str) -> Option<&'static str> {
    let plain = path.strip_prefix('/').map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    match plain {
        Some("") if path == "/" => Some("it must not point to the root"),
        Some(rest) if rest.split('/').all(|part| !["", ".", ".."].contains(&part)) => None,
        _ => Some("it must be an absolute path to a file without relative components"),
    }
}

/// What Kubernetes calls a DNS label: a name that a container can have (apimachinery `IsDNS1123Label`).
pub(super) fn is_dns_label(name: &str) -> bool {
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    plain && (1..=63).contains(&name.len()) && !name.starts_with('-') && !name.ends_with('-')
}

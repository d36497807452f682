//! Questions that several rules ask.

use super::context::CheckContext;
use super::rule::Report;
use crate::yaml::Cursor;
use std::collections::BTreeSet;

/// Of a name, and of a label key's prefix.
const SUBDOMAIN_LIMIT: usize = 253;
/// Of a label's value, and of the name in its key.
const LABEL_LIMIT: usize = 63;

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

/// RFC 1123: what a VirtualMachine may be called.
pub(super) fn is_subdomain(name: &str) -> bool {
    let part = |part: &str| {
        let plain = part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        plain && !part.is_empty() && !part.starts_with('-') && !part.ends_with('-')
    };
    name.len() <= SUBDOMAIN_LIMIT && name.split('.').all(part)
}

/// A label's value, and the name in its key.
pub(super) fn is_label(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    plain && text.len() <= LABEL_LIMIT && ends(text.chars().next()) && ends(text.chars().last())
}

/// A label's key: `[prefix/]name`.
pub(super) fn is_qualified(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_label(name),
        None => is_label(key),
    }
}

/// A setting that is there and says no.
pub(super) fn is_off(at: Option<Cursor<'_>>) -> bool {
    at.and_then(Cursor::boolean) == Some(false)
}

/// A device's place in the order in which firmware tries them, with where it is said.
pub(super) fn boot_order(device: Cursor<'_>) -> Option<(Cursor<'_>, i64)> {
    let at = device.get("bootOrder")?;
    Some((at, at.int64()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_keys() {
        for (name, fine) in [
            ("vm", true),
            ("my-vm.example", true),
            ("1", true),
            ("Vm", false),
            ("-vm", false),
            ("vm.", false),
            ("a_b", false),
            ("", false),
        ] {
            assert_eq!(is_subdomain(name), fine, "{name}");
        }
        assert!(is_subdomain(&"a".repeat(253)) && !is_subdomain(&"a".repeat(254)));
        for (key, fine) in [
            ("app", true),
            ("kubevirt.io/vm", true),
            ("Example_1", true),
            ("a b", false),
            ("Example.com/x", false),
            ("a/b/c", false),
            ("x/", false),
            ("-x", false),
        ] {
            assert_eq!(is_qualified(key), fine, "{key}");
        }
        assert!(is_label(&"a".repeat(63)) && !is_label(&"a".repeat(64)));
    }
}

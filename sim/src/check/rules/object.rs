//! The object itself: its version, its name and its labels (Kubernetes apimachinery validation/objectmeta.go, util/validation).

use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Rule};
use crate::yaml::{Cursor, Value};

/// What the API server serves.
const VERSIONS: [&str; 2] = ["kubevirt.io/v1", "kubevirt.io/v1alpha3"];
/// Of a name, and of a label key's prefix.
const SUBDOMAIN_LIMIT: usize = 253;
/// Of a label's value, and of the name in its key.
const LABEL_LIMIT: usize = 63;

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "unknown-api-version",
        layer: Layer::Schema,
        rank: Rank::Error,
        story: "The API server serves VirtualMachine under kubevirt.io/v1 (and the deprecated kubevirt.io/v1alpha3). \
            Under any other version kubectl finds no such kind.",
        source: "KubeVirt API",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let text = |path| context.root.text_at(path).unwrap_or_default();
            if !VERSIONS.contains(&text("apiVersion")) {
                let message = format!("no matches for kind {:?} in version {:?}", text("kind"), text("apiVersion"));
                report.add(context.root.place("apiVersion"), message, "write apiVersion: kubevirt.io/v1");
            }
        }),
    },
    &Rule {
        code: "bad-name",
        layer: Layer::Schema,
        rank: Rank::Error,
        story: "The API server takes RFC 1123 names (lowercase letters, digits, dashes, dots) and label keys and \
            values of at most 63 characters.",
        source: "Kubernetes apimachinery validation",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let name = context.root.at("metadata.name").and_then(|at| Some((at, at.text()?)));
            if let Some((at, name)) = name.filter(|(_, name)| !is_subdomain(name)) {
                let message =
                    format!("{name:?} is not a name: lowercase letters, digits, dashes and dots, at most 253");
                report.add(at, message, "write a name like my-vm");
            }
            for (list, has_label_values) in [("metadata.labels", true), ("metadata.annotations", false)] {
                let Some(list) = context.root.at(list) else { continue };
                for (key, value) in entries(list) {
                    if !is_qualified(key) {
                        let message = format!("{key:?} is not a key: [prefix/]name of letters, digits, -, _ and .");
                        report.add(list, message, "write a key like example.com/role");
                    } else if has_label_values && !(value.is_empty() || is_label(value)) {
                        let message =
                            format!("{value:?} is not a label's value: letters, digits, -, _ and ., at most 63");
                        report.add(list, message, "write a value like web-1");
                    }
                }
            }
        }),
    },
];

/// Keys and texts, also of those that are null.
fn entries(list: Cursor<'_>) -> impl Iterator<Item = (&str, &str)> {
    let entries = if let Value::Map(entries) = list.value() { entries.as_slice() } else { &[] };
    entries.iter().map(|(key, node)| (key.name.as_str(), node.value.as_str().unwrap_or_default()))
}

/// RFC 1123: what a VirtualMachine may be called.
fn is_subdomain(name: &str) -> bool {
    let part = |part: &str| {
        let plain = part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        plain && !part.is_empty() && !part.starts_with('-') && !part.ends_with('-')
    };
    name.len() <= SUBDOMAIN_LIMIT && name.split('.').all(part)
}

fn is_label(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    plain && text.len() <= LABEL_LIMIT && ends(text.chars().next()) && ends(text.chars().last())
}

pub(in crate::check) fn is_qualified(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_label(name),
        None => is_label(key),
    }
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

//! Kubernetes' own rules for an object's name and labels (apimachinery validation/objectmeta.go, util/validation).

use super::code::BAD_NAME;
use super::finding::Exam;
use super::tree::text;
use crate::yaml::Value;

/// Of a name, and of a label key's prefix.
const SUBDOMAIN_LIMIT: usize = 253;
/// Of a label's value, and of the name in its key.
const LABEL_LIMIT: usize = 63;

/// Holds the object's own metadata against them.
pub(super) fn examine(exam: &mut Exam<'_>) {
    if let Some(name) = exam.tree.text("metadata.name").filter(|n| !is_subdomain(n)) {
        let message = format!("{name:?} is not a name: lowercase letters, digits, dashes and dots, at most 253");
        exam.add(&BAD_NAME, "metadata.name", message, "write a name like my-vm");
    }
    for (list, values) in [("labels", true), ("annotations", false)] {
        let path = format!("metadata.{list}");
        let Some(Value::Map(entries)) = exam.tree.at(&path).map(|n| &n.value) else { continue };
        for (key, value) in entries {
            let value = text(value).unwrap_or_default();
            if !is_qualified(&key.name) {
                let message = format!("{:?} is not a key: [prefix/]name of letters, digits, -, _ and .", key.name);
                exam.add(&BAD_NAME, &path, message, "write a key like example.com/role");
            } else if values && !(value.is_empty() || is_label(value)) {
                let message = format!("{value:?} is not a label's value: letters, digits, -, _ and ., at most 63");
                exam.add(&BAD_NAME, &path, message, "write a value like web-1");
            }
        }
    }
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

fn is_qualified(key: &str) -> bool {
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

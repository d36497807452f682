//! The schema that KubeVirt's mutating webhook and CRD hold an object against, and strict decoding.
//!
//! The table is data (`kubevirt-v1.schema`), taken from KubeVirt's own OpenAPI document. A status may hold anything.

use super::code::{MISSING_FIELD, UNKNOWN_FIELD, UNKNOWN_WORD, WRONG_TYPE};
use super::finding::Exam;
use super::tree;
use crate::manifest::is_quantity;
use crate::yaml::{Node, Value};
use std::collections::BTreeMap;
use std::sync::LazyLock;

static SCHEMA: LazyLock<BTreeMap<&'static str, Vec<Field>>> =
    LazyLock::new(|| parse(include_str!("kubevirt-v1.schema")));

/// How alike two names must be for one to be a slip of the other.
const ALIKE: f64 = 0.8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    name: &'static str,
    required: bool,
    type_name: &'static str,
}

fn parse(text: &'static str) -> BTreeMap<&'static str, Vec<Field>> {
    let mut types: BTreeMap<&str, Vec<Field>> = BTreeMap::new();
    let mut current = "";
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        match line.strip_prefix(' ').and_then(|l| l.split_once(' ')) {
            Some((name, type_name)) => {
                let required = name.ends_with('!');
                let field = Field { name: name.trim_end_matches('!'), required, type_name };
                types.entry(current).or_default().push(field);
            }
            None => {
                current = line;
                types.entry(line).or_default();
            }
        }
    }
    types
}

/// Holds the object against the schema.
pub(super) fn examine(exam: &mut Exam<'_>) {
    let root = exam.tree.0;
    let type_name = if exam.is_vm { "VirtualMachine" } else { "VirtualMachineInstance" };
    for (key, value) in entries(root) {
        if key == "status" {
            continue;
        }
        match fields(type_name).iter().find(|f| f.name == key) {
            Some(field) => visit(exam, field.type_name, value, key),
            None => unknown(exam, key, key, type_name),
        }
    }
    if tree::get(root, "spec").is_none() {
        exam.add(&MISSING_FIELD, "spec", "spec is required", "add the VM's spec");
    }
    let metadata = tree::get(root, "metadata");
    if !["name", "generateName"].iter().any(|key| metadata.is_some_and(|m| tree::get(m, key).is_some())) {
        exam.add(&MISSING_FIELD, "metadata.name", "name or generateName is required", "add metadata.name");
    }
}

fn fields(type_name: &str) -> &'static [Field] {
    SCHEMA.get(type_name).map_or(&[], Vec::as_slice)
}

/// Members that are not null, with their names.
fn entries(node: &Node) -> impl Iterator<Item = (&str, &Node)> {
    let entries = match &node.value {
        Value::Map(entries) => entries.as_slice(),
        _ => &[],
    };
    entries.iter().filter(|(_, v)| v.value != Value::Null).map(|(k, v)| (k.name.as_str(), v))
}

fn visit(exam: &mut Exam<'_>, type_name: &'static str, node: &Node, path: &str) {
    if let Some(item) = type_name.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        let Value::Seq(items) = &node.value else { return mismatch(exam, "a list", node, path) };
        for (i, value) in items.iter().enumerate() {
            visit(exam, item, value, &format!("{path}[{i}]"));
        }
    } else if let Some(item) = type_name.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
        let Value::Map(_) = &node.value else { return mismatch(exam, "a mapping", node, path) };
        for (key, value) in entries(node) {
            visit(exam, item, value, &format!("{path}.{key}"));
        }
    } else if SCHEMA.contains_key(type_name) {
        object(exam, type_name, node, path);
    } else {
        scalar(exam, type_name, node, path);
    }
}

fn object(exam: &mut Exam<'_>, type_name: &'static str, node: &Node, path: &str) {
    let Value::Map(_) = &node.value else { return mismatch(exam, "a mapping", node, path) };
    for (key, value) in entries(node) {
        let below = format!("{path}.{key}");
        match fields(type_name).iter().find(|f| f.name == key) {
            Some(field) => visit(exam, field.type_name, value, &below),
            None => unknown(exam, key, &below, type_name),
        }
    }
    for field in fields(type_name).iter().filter(|f| f.required) {
        if tree::get(node, field.name).is_none() {
            let help = format!("add {}: {}", field.name, describe(field.type_name));
            exam.add(&MISSING_FIELD, &format!("{path}.{}", field.name), format!("{} is required", field.name), help);
        }
    }
}

fn scalar(exam: &mut Exam<'_>, type_name: &'static str, node: &Node, path: &str) {
    let fits = match (type_name, &node.value) {
        ("any", _)
        | ("string" | "time", Value::Str(_))
        | ("bool", Value::Bool(_))
        | ("int64", Value::Int(_))
        | ("int-or-string", Value::Str(_))
        | ("quantity", Value::Int(_) | Value::Float(_)) => true,
        // IntOrString holds 32 bits, too.
        ("int32" | "int-or-string", Value::Int(n)) => i32::try_from(*n).is_ok(),
        ("quantity", Value::Str(text)) => is_quantity(text),
        (words, Value::Str(text)) if words.contains('|') => {
            if !words.split('|').any(|word| word == text) {
                let list = words.replace('|', ", ");
                exam.add(&UNKNOWN_WORD, path, format!("{text:?} is not one of {list}"), format!("write one of {list}"));
            }
            true
        }
        _ => false,
    };
    if !fits {
        mismatch(exam, describe(type_name), node, path);
    }
}

fn describe(type_name: &str) -> &'static str {
    match type_name {
        "string" => "a text",
        "time" => "a time, like \"2026-01-31T12:00:00Z\"",
        "bool" => "true or false",
        "int32" => "a whole number of 32 bits",
        "int64" => "a whole number",
        "int-or-string" => "a whole number of 32 bits or a name",
        "quantity" => "a quantity, like 512Mi",
        t if t.starts_with('[') => "a list",
        t if t.contains('|') => "one of the schema's words",
        _ => "a mapping",
    }
}

fn mismatch(exam: &mut Exam<'_>, expected: &str, node: &Node, path: &str) {
    let help = match &node.value {
        Value::Int(_) | Value::Float(_) | Value::Bool(_) if expected == "a text" => "put it in quotes".to_owned(),
        _ => format!("write {expected}"),
    };
    exam.add(&WRONG_TYPE, path, format!("expected {expected}, found {}", node.value.kind()), help);
}

fn unknown(exam: &mut Exam<'_>, key: &str, path: &str, type_name: &str) {
    let message = format!("unknown field {path:?}");
    let alike = |f: &&Field| strsim::jaro_winkler(&f.name.to_lowercase(), &key.to_lowercase()) >= ALIKE;
    let near = fields(type_name)
        .iter()
        .filter(alike)
        .max_by(|a, b| strsim::jaro_winkler(a.name, key).total_cmp(&strsim::jaro_winkler(b.name, key)));
    let help = match (near, elsewhere(exam, key)) {
        (Some(field), _) if field.name.eq_ignore_ascii_case(key) => format!("the name is {}: case counts", field.name),
        (_, Some(place)) => format!("{key} belongs to {place}"),
        (Some(field), None) => format!("did you mean {}?", field.name),
        (None, None) => "remove it: the VirtualMachine API has no such field here".to_owned(),
    };
    exam.add(&UNKNOWN_FIELD, path, message, help);
}

/// Where a field that users misplace belongs.
fn elsewhere(exam: &Exam<'_>, key: &str) -> Option<String> {
    let places = [
        ("VirtualMachineInstanceSpec", String::new()),
        ("DomainSpec", ".domain".to_owned()),
        ("Devices", ".domain.devices".to_owned()),
    ];
    let (_, below) = places.iter().find(|(type_name, _)| fields(type_name).iter().any(|f| f.name == key))?;
    Some(format!("{}{below}", exam.vmi))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        assert!(SCHEMA.len() > 180, "{}", SCHEMA.len());
        let known = ["any", "string", "time", "bool", "int32", "int64", "int-or-string", "quantity"];
        for (type_name, field) in SCHEMA.iter().flat_map(|(t, fields)| fields.iter().map(move |f| (t, f))) {
            let inner = field.type_name.trim_matches(['[', ']', '{', '}']);
            let fine = known.contains(&inner) || inner.contains('|') || SCHEMA.contains_key(inner);
            assert!(fine, "{type_name}.{}: {}", field.name, field.type_name);
        }
        let probe = fields("Probe");
        assert_eq!(probe.len(), 9, "{probe:?}");
        assert!(fields("HTTPGetAction").iter().any(|f| f.name == "port" && f.required));
    }
}

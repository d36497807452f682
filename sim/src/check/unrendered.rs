//! Texts that are no manifest yet: templates that nobody has rendered, patches, and what was copied from a document with its marks.

use crate::yaml::{Cursor, Pos, Value, YamlError};

/// What makes manifests of templates; the words in its placeholders, and how it is called.
const HELM: &str = "a Helm template: render it first, `helm template RELEASE CHART`, and check what comes out";
const JINJA: &str = "a Jinja template: render it first, and check what comes out";
const ENVSUBST: &str = "a template for envsubst: render it first, `envsubst < FILE`, and check what comes out";

/// A text that is not YAML, and why that is, if it can be told.
pub(super) fn explain(text: &str, error: YamlError) -> YamlError {
    let number = usize::try_from(error.pos.line).unwrap_or(usize::MAX);
    let until = if number == 0 { usize::MAX } else { number.saturating_add(1) };
    let lines = || text.lines().take(until);
    let around = lines().skip(number.saturating_sub(2)).find_map(callout);
    let why = match (lines().find_map(engine), around) {
        (Some(engine), _) => format!("this is {engine}"),
        (None, Some(mark)) => format!("{mark} is a callout of the document that this was copied from: remove it"),
        (None, None) => return error,
    };
    YamlError { message: format!("{why} ({})", error.message), ..error }
}

/// What a line of a template is for, where it would stand in a manifest: not somewhere in a script.
fn engine(line: &str) -> Option<&'static str> {
    let line = line.trim().trim_start_matches("- ");
    let value = line.split_once(": ").map_or(line, |(_, value)| value.trim_start_matches(['"', '\'']));
    let is_place = |mark: &str| line.starts_with(mark) || value.starts_with(mark);
    match () {
        () if is_place("{%") => Some(JINJA),
        () if is_place("{{") && is_jinja(line) => Some(JINJA),
        () if is_place("{{") => Some(HELM),
        () => None,
    }
}

/// `{{ name }}`: neither a dot nor a function in front.
fn is_jinja(line: &str) -> bool {
    let inner = line.split("{{").nth(1).unwrap_or_default().trim_start_matches('-').trim_start();
    let word = inner.split([' ', '}', '|']).next().unwrap_or_default();
    !word.starts_with(['.', '$', '"'])
        && !["include", "if", "end", "range", "with", "template", "toYaml", "default"].contains(&word)
}

/// The engine whose placeholder a value of a manifest holds.
pub(super) fn placeholder(value: &str) -> Option<&'static str> {
    if value.contains("{{") && value.contains("}}") {
        return Some(if is_jinja(value) { JINJA } else { HELM });
    }
    let is_name = |rest: &str| {
        let name = rest.split(['}', ':']).next().unwrap_or_default();
        !name.is_empty() && rest.contains('}') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    (value.split("${").skip(1).any(is_name) || is_bare(value)).then_some(ENVSUBST)
}

/// `$NAME`, as a value by itself or in capitals within one: `/$metadata` is a path.
fn is_bare(value: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let is_name = |name: &str| !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit());
    let whole = value.strip_prefix('$').is_some_and(|name| is_name(name) && name.bytes().all(is_part));
    let in_capitals = |rest: &str| {
        let end = rest.bytes().take_while(|b| is_part(*b)).count();
        is_name(&rest[..end]) && !rest[..end].contains(|c: char| c.is_ascii_lowercase())
    };
    whole || value.split('$').skip(1).any(in_capitals)
}

/// The first value of an object that is a placeholder where it says something to Kubernetes: its place, and what it is. An OpenShift
/// Template has its own.
pub(super) fn open(object: Cursor<'_>, in_template: bool) -> Option<(Pos, String)> {
    let mut found = texts(object).into_iter().filter(|_| !in_template).filter_map(|at| {
        let value = at.value().as_str()?;
        Some((at.node().pos, at.path(), value, placeholder(value)?))
    });
    let first = found.next()?;
    let (pos, path, value, engine) = found.fold(first, |first, other| if other.0 < first.0 { other } else { first });
    Some((pos, format!("{path} is {value:?}, and this is {engine}")))
}

/// `3 <2>`: a mark that a document puts behind a line, which its reader copies with it.
pub(super) fn callout(line: &str) -> Option<&str> {
    let mark = &line[line.rfind(" <")? + 1..];
    let number = mark.strip_prefix('<')?.trim_end().strip_suffix('>')?;
    let is_mark = !number.is_empty() && number.len() <= 2 && number.bytes().all(|b| b.is_ascii_digit());
    is_mark.then(|| mark.trim_end())
}

/// The texts of an object that say something to Kubernetes: not what a guest runs or an annotation holds.
pub(super) fn texts(object: Cursor<'_>) -> Vec<Cursor<'_>> {
    let (mut found, mut open) = (Vec::new(), vec![object]);
    while let Some(at) = open.pop() {
        match at.value() {
            Value::Str(text) if !text.contains('\n') => found.push(at),
            Value::Map(_) => {
                open.extend(at.members().filter(|(key, _)| !is_foreign(&key.name)).map(|(_, member)| member))
            }
            Value::Seq(_) => open.extend(at.items()),
            _ => {}
        }
    }
    found
}

fn is_foreign(key: &str) -> bool {
    let keys = ["userData", "userDataBase64", "networkData", "networkDataBase64", "annotations", "command", "status"];
    keys.contains(&key) || key == "kernelArgs"
}

/// What an object is that is no VirtualMachine: its kind, or in words what it is instead.
pub(super) fn name(object: Cursor<'_>, kind: &str) -> String {
    let has = |key| object.get(key).is_some();
    let is_operation = |item: Cursor<'_>| item.get("op").is_some() && item.get("path").is_some();
    match object.value() {
        Value::Map(_) if kind == "Kustomization" => "Kustomization: check what `kubectl kustomize` prints".to_owned(),
        Value::Map(_) if has("kind") => kind.to_owned(),
        Value::Map(_) if has("spec") || has("metadata") => {
            "a merge patch without apiVersion and kind: apply it, and check what comes out".to_owned()
        }
        Value::Map(_) if ["livenessProbe", "readinessProbe", "domain", "template", "watchdog"].into_iter().any(has) => {
            "a part of a VirtualMachine: put it into the whole manifest".to_owned()
        }
        Value::Seq(_) if object.items().next().is_some_and(is_operation) => {
            "a JSON patch: apply it, and check what comes out".to_owned()
        }
        _ => kind.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_templates_and_documents() {
        for (line, expected) in [
            ("{{- if .Values.x }}", Some(HELM)),
            ("  name: {{ .Release.Name }}-vm", Some(HELM)),
            ("  - {{ include \"a\" . }}", Some(HELM)),
            ("{% if x %}", Some(JINJA)),
            ("cpu: {{ cores }}", Some(JINJA)),
            ("echo '{{ x }}' > /a", None),
            ("a: {b: {c: d}}", None),
        ] {
            assert_eq!(engine(line), expected, "{line}");
        }
        for (value, expected) in [
            ("{{ .Values.a }}", Some(HELM)),
            ("vm-{{ name }}", Some(JINJA)),
            ("${NAME}", Some(ENVSUBST)),
            ("${A:-b}-x", Some(ENVSUBST)),
            ("$NAME", Some(ENVSUBST)),
            ("$strat", Some(ENVSUBST)),
            ("vm-$ENV-a", Some(ENVSUBST)),
            ("/$metadata", None),
            ("US$ 5", None),
            ("a$1b", None),
            ("$", None),
            ("${not a name}", None),
            ("a", None),
        ] {
            assert_eq!(placeholder(value), expected, "{value}");
        }
        for (line, expected) in
            [("3 <2>", Some("<2>")), ("a: b <12> ", Some("<12>")), ("<vm-name>", None), ("a <b>", None), ("<3>", None)]
        {
            assert_eq!(callout(line), expected, "{line}");
        }
    }
}

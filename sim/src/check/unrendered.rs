//! Texts that are no manifest yet: templates that nobody has rendered, patches, and what was copied from a document with its marks.

use crate::yaml::{Cursor, Pos, Value, YamlError};

/// What makes manifests of templates; the words in its placeholders, and how it is called.
const HELM: &str = "a Helm template: render it first, `helm template RELEASE CHART`, and check what comes out";
const JINJA: &str = "a Jinja template: render it first, and check what comes out";
pub(super) const ENVSUBST: &str =
    "a template for envsubst: render it first, `envsubst < FILE`, and check what comes out";

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

/// What a line of a template is for, where it would stand in a manifest: not somewhere in a script. Inside the braces of a flow
/// mapping any of its values may be one.
fn engine(line: &str) -> Option<&'static str> {
    let line = line.trim().trim_start_matches("- ");
    let is_flow = line.split_once(": ").is_some_and(|(_, value)| value.starts_with(['{', '[']));
    let mut values = line.split(": ").skip(1).take(if is_flow { usize::MAX } else { 1 });
    let values = std::iter::once(line).chain(&mut values).map(|value| value.trim_start_matches(['"', '\'']));
    let found = values.map(|value| match () {
        () if value.starts_with("{%") => Some(JINJA),
        () if value.starts_with("{{") && is_jinja(value) => Some(JINJA),
        () if value.starts_with("{{") => Some(HELM),
        () => None,
    });
    found.flatten().next()
}

/// `{{ name }}`: neither a dot nor a function in front.
fn is_jinja(line: &str) -> bool {
    let inner = line.split("{{").nth(1).unwrap_or_default().trim_start_matches('-').trim_start();
    let word = inner.split([' ', '}', '|']).next().unwrap_or_default();
    !word.starts_with(['.', '$', '"'])
        && !["include", "if", "end", "range", "with", "template", "toYaml", "default"].contains(&word)
}

/// Fields in which Kubernetes takes any text, `$` and braces included.
const FREE: [&str; 12] = [
    "path",
    "value",
    "url",
    "serial",
    "scheme",
    "asset",
    "sku",
    "manufacturer",
    "version",
    "tftpServerName",
    "bootFileName",
    "product",
];
/// Fields that never have a `$`: it can only be a placeholder's, also within a value.
const STRICT: [&str; 4] = ["name", "namespace", "claimName", "image"];

/// The engine whose placeholder a value of a manifest holds.
pub(super) fn placeholder(value: &str) -> Option<&'static str> {
    braces(value).or_else(|| is_bare(value).then_some(ENVSUBST))
}

/// The same of the value of a field, as far as such a text is not good as it is.
pub(super) fn placeholder_at(at: Cursor<'_>) -> Option<&'static str> {
    let value = at.value().as_str()?;
    let path = at.path();
    let key = path.rsplit('.').next().unwrap_or_default();
    match key {
        _ if FREE.contains(&key) => braces(value).filter(|engine| *engine != JINJA),
        _ if STRICT.contains(&key) && in_capitals(value) => Some(ENVSUBST),
        _ => placeholder(value),
    }
}

/// The engine whose placeholder stands somewhere in a text, with braces around its name.
pub(super) fn braces(value: &str) -> Option<&'static str> {
    if value.contains("{{") && value.contains("}}") {
        return Some(if is_jinja(value) { JINJA } else { HELM });
    }
    let is_name = |rest: &str| {
        let name = rest.split(['}', ':']).next().unwrap_or_default();
        !name.is_empty() && rest.contains('}') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    value.split("${").skip(1).any(is_name).then_some(ENVSUBST)
}

/// `$NAME`, as a value by itself: within a text a `$` may well be meant.
fn is_bare(value: &str) -> bool {
    value.strip_prefix('$').is_some_and(|name| is_name(name) && name.bytes().all(is_part))
}

/// `vm-$NAME`.
fn in_capitals(value: &str) -> bool {
    value.split('$').skip(1).any(|rest| {
        let end = rest.bytes().take_while(|b| is_part(*b)).count();
        is_name(&rest[..end]) && !rest[..end].contains(|c: char| c.is_ascii_lowercase())
    })
}

fn is_part(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// The first value of an object that is a placeholder where it says something to Kubernetes: its place, and what it is. An OpenShift
/// Template has its own.
pub(super) fn open(object: Cursor<'_>, in_template: bool) -> Option<(Pos, String)> {
    let mut found = texts(object).into_iter().filter(|_| !in_template).filter_map(|at| {
        let value = at.value().as_str()?;
        Some((at.node().pos, at.path(), value, placeholder_at(at)?))
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
    const KEYS: [&str; 8] = [
        "userData",
        "userDataBase64",
        "networkData",
        "networkDataBase64",
        "annotations",
        "command",
        "kernelArgs",
        "status",
    ];
    KEYS.contains(&key)
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
            ("cpu: {cores: {{ cores }}}", Some(JINJA)),
            ("metadata: {name: {{ .Release.Name }}}", Some(HELM)),
            ("metadata: {namespace: a, name: {{ .Release.Name }}}", Some(HELM)),
            ("userData: echo a: {{ x }}", None),
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
            ("pa$SWORD", None),
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

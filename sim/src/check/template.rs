//! A Template's parameters, of OpenShift's or KubeVirt's kind: `${NAME}` is a text, `${{NAME}}` whatever its value is as JSON.

use crate::yaml::{ByteSpan, Cursor, Key, Node, Pos, Value};
use std::collections::BTreeSet;

/// The parameters of a Template, and what came up when they were put in.
pub(super) struct Template<'a> {
    /// Name and value; `None`: its user gives it, or a generator does.
    parameters: Vec<(&'a str, Option<String>)>,
    pub(super) notes: Vec<String>,
    /// Where something depends on a parameter without a value.
    pub(super) open: BTreeSet<Pos>,
}

impl<'a> Template<'a> {
    pub(super) fn of(template: Cursor<'a>) -> Self {
        let value = |parameter: Cursor<'_>| match parameter.get("value")?.value() {
            Value::Str(s) => Some(s.clone()),
            Value::Int(n) => Some(n.to_string()),
            Value::Bool(b) => Some(b.to_string()),
            Value::Float(f) => Some(f.to_string()),
            Value::Null | Value::Seq(_) | Value::Map(_) => None,
        };
        let parameters = template.items_at("parameters").filter_map(|p| Some((p.text_at("name")?, value(p)))).collect();
        Template { parameters, notes: Vec::new(), open: BTreeSet::new() }
    }

    /// Puts the values in, each once: what a value holds is not looked at again.
    pub(super) fn substitute(&mut self, node: &mut Node) {
        match &mut node.value {
            Value::Map(entries) => entries.iter_mut().for_each(|(_, value)| self.substitute(value)),
            Value::Seq(items) => items.iter_mut().for_each(|item| self.substitute(item)),
            Value::Str(text) if text.contains("${") => {
                let whole = text.strip_prefix("${{").and_then(|t| t.strip_suffix("}}"));
                node.value = match whole.map(str::to_owned) {
                    Some(name) => match self.value(&name, node.pos) {
                        Some(value) => as_json(value, node.pos, node.span),
                        None => Value::Str(text.clone()),
                    },
                    None => Value::Str(self.expand(&text.clone(), node.pos)),
                };
            }
            _ => {}
        }
    }

    fn expand(&mut self, text: &str, pos: Pos) -> String {
        let (mut out, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            rest = match after.split_once('}').map(|(name, end)| (self.value(name, pos), end)) {
                Some((Some(value), end)) => {
                    out.push_str(&value);
                    end
                }
                // It stays as it is written.
                Some((None, _)) | None => {
                    out.push_str("${");
                    after
                }
            };
        }
        out + rest
    }

    /// What a parameter stands for; of one without a value a made-up name.
    fn value(&mut self, name: &str, pos: Pos) -> Option<String> {
        let Some((_, value)) = self.parameters.iter().find(|(n, _)| *n == name) else {
            self.note(format!("no parameter is called {name}: ${{{name}}} stays as it is written"));
            return None;
        };
        let value = value.clone();
        if value.is_none() {
            self.note(format!("parameter {name} has no value; checked with a made-up one"));
            self.open.insert(pos);
        }
        Some(value.unwrap_or_else(|| name.to_lowercase().replace('_', "-")))
    }

    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// The VM of a VirtualMachineTemplate: its API version and kind need not be written (KubeVirt virt-template-engine Process).
pub(super) fn typed(vm: &Node) -> Node {
    let mut vm = vm.clone();
    let (pos, span) = (vm.pos, vm.span);
    if let Value::Map(members) = &mut vm.value {
        members.retain(|(key, _)| !["apiVersion", "kind"].contains(&key.name.as_str()));
        for (name, value) in [("apiVersion", "kubevirt.io/v1"), ("kind", "VirtualMachine")] {
            let value = Node { pos, span, value: Value::Str(value.to_owned()) };
            members.push((Key { pos, span, name: name.to_owned() }, value));
        }
    }
    vm
}

/// The value's own JSON, at the place of the parameter; what is no JSON stays a text, as with `oc process`.
fn as_json(value: String, pos: Pos, span: ByteSpan) -> Value {
    match serde_json::from_str(&value) {
        Ok(json) => Value::from_json(json, pos, span),
        Err(_) => Value::Str(value),
    }
}

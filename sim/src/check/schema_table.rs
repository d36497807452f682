//! KubeVirt's schema as data: which fields an object has, and of which types.
//!
//! The table is `kubevirt-v1.schema` and, for kinds that make VMs, `kubevirt-makers.schema`, taken from KubeVirt's own OpenAPI
//! document; the head of the first says how a line is read.

use std::collections::BTreeMap;
use std::sync::LazyLock;

const TABLE: &str = concat!(include_str!("kubevirt-v1.schema"), include_str!("kubevirt-makers.schema"));

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::parse(TABLE));

/// The schema of KubeVirt's `kubevirt.io/v1`.
pub(super) fn schema() -> &'static Schema {
    &SCHEMA
}

/// Every object type of the API.
#[derive(Debug)]
pub(super) struct Schema {
    by_name: BTreeMap<&'static str, usize>,
    objects: Vec<Vec<Field>>,
}

/// A field of an object type.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) kind: Type,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    Any,
    Text,
    Time,
    Bool,
    Int32,
    Int64,
    /// A whole number of 32 bits or a name.
    IntOrText,
    Quantity,
    /// One of these.
    Words(Vec<&'static str>),
    List(Box<Type>),
    /// A mapping with any keys.
    Map(Box<Type>),
    /// An object type, by its number.
    Object(usize),
}

impl Type {
    /// What it is, for messages: `a list`.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Type::Text => "a text",
            Type::Time => "a time, like \"2026-01-31T12:00:00Z\"",
            Type::Bool => "true or false",
            Type::Int32 => "a whole number of 32 bits",
            Type::Int64 => "a whole number",
            Type::IntOrText => "a whole number of 32 bits or a name",
            Type::Quantity => "a quantity, like 512Mi",
            Type::List(_) => "a list",
            Type::Words(_) => "one of the schema's words",
            Type::Any | Type::Map(_) | Type::Object(_) => "a mapping",
        }
    }
}

impl Schema {
    fn parse(text: &'static str) -> Schema {
        let lines = || text.lines().filter(|l| !l.starts_with('#'));
        let names = lines().filter(|l| !l.starts_with(' '));
        let by_name: BTreeMap<&str, usize> = names.enumerate().map(|(i, name)| (name, i)).collect();
        let mut objects: Vec<Vec<Field>> = Vec::new();
        for line in lines() {
            match (line.strip_prefix(' ').and_then(|l| l.split_once(' ')), objects.last_mut()) {
                (Some((name, kind)), Some(fields)) => fields.push(Field {
                    name: name.trim_end_matches('!'),
                    required: name.ends_with('!'),
                    kind: type_of(kind, &by_name),
                }),
                _ => objects.push(Vec::new()),
            }
        }
        Schema { by_name, objects }
    }

    /// The fields of an object type.
    pub(super) fn fields(&self, object: usize) -> &[Field] {
        self.objects.get(object).map_or(&[], Vec::as_slice)
    }

    /// The number of an object type.
    pub(super) fn object(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }
}

fn type_of(word: &'static str, objects: &BTreeMap<&str, usize>) -> Type {
    let inner = |ends: [char; 2]| word.strip_prefix(ends[0]).and_then(|w| w.strip_suffix(ends[1]));
    if let Some(item) = inner(['[', ']']) {
        return Type::List(Box::new(type_of(item, objects)));
    }
    if let Some(item) = inner(['{', '}']) {
        return Type::Map(Box::new(type_of(item, objects)));
    }
    match word {
        "string" => Type::Text,
        "time" => Type::Time,
        "bool" => Type::Bool,
        "int32" => Type::Int32,
        "int64" => Type::Int64,
        "int-or-string" => Type::IntOrText,
        "quantity" => Type::Quantity,
        _ if word.contains('|') => Type::Words(word.split('|').collect()),
        _ => objects.get(word).map_or(Type::Any, |object| Type::Object(*object)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let schema = schema();
        assert!(schema.objects.len() > 180 && schema.by_name.len() == schema.objects.len(), "{}", schema.objects.len());
        for line in TABLE.lines().filter(|l| l.starts_with(' ')) {
            let word = line.rsplit(' ').next().unwrap_or_default();
            let any = type_of(word.trim_matches(['[', ']', '{', '}']), &schema.by_name) == Type::Any;
            assert_eq!(any, word.trim_matches(['[', ']', '{', '}']) == "any", "{line}");
        }
        let fields = |name| schema.fields(schema.object(name).unwrap());
        assert_eq!(fields("Probe").len(), 9);
        assert!(fields("HTTPGetAction").iter().any(|f| f.name == "port" && f.required));
    }
}

//! KubeVirt's schema as data: which fields an object has, of which types, and what else they may not be.
//!
//! The table is `kubevirt-v1.schema`, for kinds that make VMs `kubevirt-makers.schema`, and for what VMs name
//! `kubevirt-instancetypes.schema`, taken from KubeVirt's own OpenAPI document and CRDs; the head of the first says how a line is read.

use std::collections::BTreeMap;
use std::sync::LazyLock;

const TABLE: &str = concat!(
    include_str!("kubevirt-v1.schema"),
    include_str!("kubevirt-makers.schema"),
    include_str!("kubevirt-instancetypes.schema")
);

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
    pub(super) required: Required,
    pub(super) kind: Type,
    /// Of a whole number: the least and the most that it may be.
    pub(super) range: (i64, i64),
    /// Items of a list or characters of a text that it takes.
    pub(super) most: usize,
    pub(super) unique: Unique,
    pub(super) null: Null,
    pub(super) unknown: Unknown,
    /// Only the names in it are looked at.
    pub(super) names_only: bool,
}

/// Which items of a list must differ.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unique {
    Nothing,
    Items,
    /// These members of theirs, taken together.
    Members(Vec<&'static str>),
}

/// What becomes of a null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Null {
    /// It is dropped before anything looks.
    Dropped,
    /// It stays, and the webhook refuses it.
    Refused,
    /// It stays, and nobody minds.
    Taken,
}

/// Who refuses fields that an object does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// Strict decoding.
    Strict,
    /// The webhook: the CRD keeps them.
    Open,
    /// The webhook, anywhere below: the CRD knows nothing of what is in it.
    Opaque,
}

/// The whole numbers that a 64-bit float tells from each other: the webhook has no others (go-openapi swag IsFloat64AJSONInteger).
const FLOAT_INTEGERS: (i64, i64) = (-((1 << 53) - 1), (1 << 53) - 1);

impl Field {
    fn parse(line: &'static str, objects: &BTreeMap<&str, usize>) -> Option<Field> {
        let mut words = line.strip_prefix(' ')?.split(' ');
        let (name, kind) = (words.next()?, type_of(words.next()?, objects));
        let whole = if kind == Type::Int32 { (i32::MIN.into(), i32::MAX.into()) } else { FLOAT_INTEGERS };
        let mut field = Field {
            name: name.trim_end_matches(['!', '?']),
            required: Required::of(name),
            range: whole,
            most: usize::MAX,
            unique: Unique::Nothing,
            null: Null::Dropped,
            unknown: Unknown::Strict,
            names_only: false,
            kind,
        };
        for word in words {
            match word.split_once("..").or_else(|| word.split_once('=')).unwrap_or((word, "")) {
                ("max", n) => field.most = n.parse().ok()?,
                ("key", members) => field.unique = Unique::Members(members.split('+').collect()),
                ("set", _) => field.unique = Unique::Items,
                ("null", "refused") => field.null = Null::Refused,
                ("null", "taken") => field.null = Null::Taken,
                ("open", _) => field.unknown = Unknown::Open,
                ("opaque", _) => field.unknown = Unknown::Opaque,
                ("names", _) => field.names_only = true,
                (least, most) => {
                    let end = |n: &str, open| if n.is_empty() { Some(open) } else { n.parse().ok() };
                    field.range = (end(least, whole.0)?, end(most, whole.1)?);
                }
            }
        }
        Some(field)
    }

    /// It holds a whole number.
    pub(super) fn is_number(&self) -> bool {
        matches!(self.kind, Type::Int32 | Type::Int64)
    }
}

/// Whether a field must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Required {
    No,
    /// A mutating webhook fills it in: only in kinds that have none.
    Unfilled,
    Always,
}

impl Required {
    fn of(name: &str) -> Required {
        match name.as_bytes().last() {
            Some(b'!') => Required::Always,
            Some(b'?') => Required::Unfilled,
            _ => Required::No,
        }
    }
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
            match (Field::parse(line, &by_name), objects.last_mut()) {
                (Some(field), Some(fields)) => fields.push(field),
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
            let word = line.split(' ').nth(2).unwrap_or_default();
            let any = type_of(word.trim_matches(['[', ']', '{', '}']), &schema.by_name) == Type::Any;
            assert_eq!(any, word.trim_matches(['[', ']', '{', '}']) == "any", "{line}");
        }
        let fields = |name| schema.fields(schema.object(name).unwrap());
        assert_eq!(fields("Probe").len(), 9);
        let field = |object, name| fields(object).iter().find(|f| f.name == name).unwrap();
        assert_eq!(field("HTTPGetAction", "port").required, Required::Always);
        assert_eq!(field("HTTPHeader", "name").required, Required::Unfilled);
        assert_eq!(field("HTTPGetAction", "path").required, Required::No);
        assert_eq!(field("CPU", "cores").range, (0, u32::MAX.into()));
        assert_eq!(field("StallDetectorOptions", "stallMargin").range, (0, 100));
        assert_eq!(field("Devices", "disks").most, 256);
        assert_eq!(field("VirtualMachineInstanceSpec", "utilityVolumes").unique, Unique::Members(vec!["name"]));
        let metadata = field("VirtualMachineInstanceTemplateSpec", "metadata");
        assert_eq!((metadata.null, metadata.unknown), (Null::Refused, Unknown::Opaque));
    }
}

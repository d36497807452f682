//! Strict decoding, and the schema that KubeVirt's mutating webhook and its CRD compare an object with. A status may hold anything.

use crate::check::context::CheckContext;
use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Findings, Rule};
use crate::check::schema_table::{Field, Type, schema};
use crate::manifest::is_quantity;
use crate::yaml::{Cursor, Key, Value};

pub(super) static RULES: &[&Rule] = &[&UNKNOWN_FIELD, &WRONG_TYPE, &MISSING_FIELD, &UNKNOWN_WORD];

static UNKNOWN_FIELD: Rule = Rule {
    code: "unknown-field",
    layer: Layer::ClientDecode,
    rank: Rank::Error,
    story: "kubectl asks the API server for strict decoding, so a misspelt or misplaced field is refused. A client \
        that does not ask (older kubectl, many controllers, `--validate=ignore`) has it pruned silently: the probe \
        or watchdog that you wrote is then simply not there.",
    source: "sim/docs/kubevirt-health.md 2.1",
    shown_by: &[],
    check: Check::OnTheWay,
};

static WRONG_TYPE: Rule = Rule {
    code: "wrong-type",
    layer: Layer::Schema,
    rank: Rank::Error,
    story: "The mutating webhook compares every object with the OpenAPI schema before anything else, and the API \
        server compares it with the CRD's schema. An unquoted number is not a text, and a text is not a number.",
    source: "sim/docs/kubevirt-health.md 2.1",
    shown_by: &[],
    check: Check::OnTheWay,
};

pub(in crate::check) static MISSING_FIELD: Rule = Rule {
    code: "missing-field",
    layer: Layer::Schema,
    rank: Rank::Error,
    story: "A field that the schema requires is absent. A bare `field:` is null, and nulls are dropped before \
        anything looks, so it counts as absent too.",
    source: "sim/docs/kubevirt-health.md 2.1",
    shown_by: &[],
    check: Check::OnTheWay,
};

static UNKNOWN_WORD: Rule = Rule {
    code: "unknown-word",
    layer: Layer::Schema,
    rank: Rank::Error,
    story: "The schema lists the words that this field takes, in exactly this case. `scheme` must be HTTP or HTTPS, \
        `rebootPolicy` Reboot or Terminate.",
    source: "sim/docs/kubevirt-health.md 2.2",
    shown_by: &[],
    check: Check::OnTheWay,
};

/// Names that KubeVirt does not have and people write, where its most similar name is another thing.
const SLIPS: [(&str, &str); 2] = [
    ("startupProbe", "KubeVirt has no startupProbe: give the livenessProbe an initialDelaySeconds"),
    ("userDataSecretRef", "write secretRef"),
];
/// How alike two names must be for one to be a slip of the other.
const ALIKE: f64 = 0.8;

/// Compares the object with the schema of its kind.
pub(in crate::check) fn walk<'a>(context: &CheckContext<'a>, findings: &mut Findings<'a>) {
    let root = context.object;
    let fields = schema().object(context.kind.as_str()).map_or(&[][..], |object| schema().fields(object));
    visit_members(fields, root.members().filter(|(key, _)| key.name != "status"), context, findings);
    if root.get("spec").is_none() {
        findings.of(&MISSING_FIELD).add(root.place("spec"), "spec is required", "add the VM's spec");
    }
    if ["metadata.name", "metadata.generateName"].iter().all(|path| root.at(path).is_none()) {
        let place = root.place("metadata.name");
        findings.of(&MISSING_FIELD).add(place, "name or generateName is required", "add metadata.name");
    }
}

fn field_of(fields: &'static [Field], name: &str) -> Option<&'static Field> {
    fields.iter().find(|f| f.name == name)
}

fn visit<'a>(kind: &'static Type, at: Cursor<'a>, context: &CheckContext<'a>, findings: &mut Findings<'a>) {
    match (kind, at.value()) {
        (Type::List(kind), Value::Seq(_)) => at.items().for_each(|item| visit(kind, item, context, findings)),
        (Type::Map(kind), Value::Map(_)) => at.members().for_each(|(_, member)| visit(kind, member, context, findings)),
        (Type::Object(object), Value::Map(_)) => visit_object(schema().fields(*object), at, context, findings),
        (Type::Words(words), Value::Str(text)) => {
            if !words.contains(&text.as_str()) {
                let list = words.join(", ");
                let message = format!("{text:?} is not one of {list}");
                findings.of(&UNKNOWN_WORD).add(at, message, format!("write one of {list}"));
            }
        }
        (kind, value) if fits(kind, value) => {}
        _ => mismatch(kind, at, findings),
    }
}

fn visit_object<'a>(fields: &'static [Field], at: Cursor<'a>, context: &CheckContext<'a>, findings: &mut Findings<'a>) {
    visit_members(fields, at.members(), context, findings);
    for field in fields.iter().filter(|f| f.required && at.get(f.name).is_none()) {
        let help = format!("add {}: {}", field.name, field.kind.describe());
        let message = format!("{} is required", field.name);
        findings.of(&MISSING_FIELD).add(at.place(field.name), message, help);
    }
}

fn visit_members<'a>(
    fields: &'static [Field],
    members: impl Iterator<Item = (&'a Key, Cursor<'a>)>,
    context: &CheckContext<'a>,
    findings: &mut Findings<'a>,
) {
    for (key, value) in members {
        match field_of(fields, &key.name) {
            Some(field) => visit(&field.kind, value, context, findings),
            None => unknown(&key.name, value, fields, context, findings),
        }
    }
}

/// Whether a value is of a type that nothing is below.
fn fits(kind: &Type, value: &Value) -> bool {
    match (kind, value) {
        (Type::Any, _)
        | (Type::Text | Type::Time | Type::IntOrText, Value::Str(_))
        | (Type::Bool, Value::Bool(_))
        | (Type::Int64, Value::Int(_))
        | (Type::Quantity, Value::Int(_) | Value::Float(_)) => true,
        // IntOrString holds 32 bits, too.
        (Type::Int32 | Type::IntOrText, Value::Int(n)) => i32::try_from(*n).is_ok(),
        (Type::Quantity, Value::Str(text)) => is_quantity(text),
        _ => false,
    }
}

fn mismatch<'a>(kind: &Type, at: Cursor<'a>, findings: &mut Findings<'a>) {
    let expected = kind.describe();
    let help = match at.value() {
        Value::Int(_) | Value::Float(_) | Value::Bool(_) if *kind == Type::Text => "put it in quotes".to_owned(),
        Value::Str(text) if unquoted(text).is_some_and(|value| fits(kind, &value)) => {
            format!("write {text}, without quotes")
        }
        _ => format!("write {expected}"),
    };
    findings.of(&WRONG_TYPE).add(at, format!("expected {expected}, found {}", at.value().kind()), help);
}

/// What a text would be without its quotes.
fn unquoted(text: &str) -> Option<Value> {
    text.parse().map(Value::Int).ok().or_else(|| text.parse().map(Value::Bool).ok())
}

fn unknown<'a>(
    key: &str,
    at: Cursor<'a>,
    fields: &'static [Field],
    context: &CheckContext<'a>,
    findings: &mut Findings<'a>,
) {
    let alike = |f: &&Field| strsim::jaro_winkler(&f.name.to_lowercase(), &key.to_lowercase()) >= ALIKE;
    let near = fields
        .iter()
        .filter(alike)
        .max_by(|a, b| strsim::jaro_winkler(a.name, key).total_cmp(&strsim::jaro_winkler(b.name, key)));
    let slip = SLIPS.iter().find(|(name, _)| *name == key).map(|(_, help)| (*help).to_owned());
    let help = slip.unwrap_or_else(|| match (near, belongs_to(key, context)) {
        (Some(field), _) if field.name.eq_ignore_ascii_case(key) => format!("the name is {}: case counts", field.name),
        (_, Some(place)) => format!("{key} belongs to {place}"),
        (Some(field), None) => format!("did you mean {}?", field.name),
        (None, None) => "remove it: the VirtualMachine API has no such field here".to_owned(),
    });
    findings.of(&UNKNOWN_FIELD).add(at, format!("unknown field {:?}", at.path()), help);
}

/// Where a field that users misplace belongs.
fn belongs_to(key: &str, context: &CheckContext<'_>) -> Option<String> {
    let places = [("VirtualMachineInstanceSpec", ""), ("DomainSpec", ".domain"), ("Devices", ".domain.devices")];
    let has = |object: &str| schema().object(object).is_some_and(|o| field_of(schema().fields(o), key).is_some());
    let below = places.iter().find(|(object, _)| has(object)).map(|(_, below)| *below);
    let of_vm = || (context.is_vm && has("VirtualMachineSpec")).then(|| "spec".to_owned());
    below.map(|below| format!("{}{below}", context.spec_path())).or_else(of_vm)
}

//! Strict decoding, and the schema that KubeVirt's mutating webhook and its CRD compare an object with.
//!
//! The API server first names the fields that the CRD does not know, also those that are null, and drops nulls. Then the webhook looks
//! at types, words and what is required; then, with the zero values of Go's types written in, the CRD (kubevirt-health.md 2.1).

use crate::check::context::CheckContext;
use crate::check::kind::Kind;
use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Findings, Rule};
use crate::check::schema_table::{Field, Null, Required, Type, Unique, Unknown, schema};
use crate::manifest::is_quantity;
use crate::meant::meant;
use crate::yaml::{Cursor, Value};
use std::collections::BTreeSet;

pub(super) static RULES: &[&Rule] = &[
    &UNKNOWN_FIELD,
    &FORBIDDEN_FIELD,
    &UNREADABLE_METADATA,
    &WRONG_TYPE,
    &MISSING_FIELD,
    &UNKNOWN_WORD,
    &OUT_OF_RANGE,
    &TOO_MUCH,
    &SAME_ITEM,
    &DUPLICATE_KEY,
    &WITHOUT_EFFECT,
];

pub(in crate::check) static UNKNOWN_FIELD: Rule = Rule {
    code: "unknown-field",
    layer: Layer::ClientDecode,
    rank: Rank::Error,
    story: "kubectl asks the API server for strict decoding, so a misspelt or misplaced field is refused. A client \
        that does not ask (older kubectl, many controllers, `--validate=ignore`) has it pruned silently: the probe \
        or watchdog that you wrote is then simply not there. A field that is null counts, too, and so does what \
        stands in a list where the API has a mapping.",
    source: "sim/docs/kubevirt-health.md 2.1",
    shown_by: &[],
    check: Check::OnTheWay,
};

static FORBIDDEN_FIELD: Rule = Rule {
    code: "forbidden-field",
    layer: Layer::Schema,
    rank: Rank::Error,
    story: "The CRD keeps whatever stands in `spec.template.metadata`, so nobody prunes it, and KubeVirt's webhook \
        refuses what no metadata has, also with `--validate=false`. Often a probe that slipped out of \
        `spec.template.spec`.",
    source: "sim/docs/kubevirt-health.md 2.1",
    shown_by: &[],
    check: Check::OnTheWay,
};

static UNREADABLE_METADATA: Rule = Rule {
    code: "unreadable-metadata",
    layer: Layer::ClientDecode,
    rank: Rank::Error,
    story: "The API server reads an object's own metadata before anything else looks at it: labels and annotations are \
        texts, and a number among them makes the whole object unreadable (BadRequest), also with `--validate=false`.",
    source: "Kubernetes apimachinery pkg/apis/meta/v1/unstructured, apiextensions-apiserver schema/objectmeta/coerce.go",
    shown_by: &[],
    check: Check::OnTheWay,
};

pub(in crate::check) static WRONG_TYPE: Rule = Rule {
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
        anything looks, so it counts as absent too. Few fields are really required: most get a zero value, and it \
        depends on later layers whether that will do.",
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

static OUT_OF_RANGE: Rule = Rule {
    code: "out-of-range",
    layer: Layer::Schema,
    rank: Rank::Error,
    story: "The CRD gives a range, or the field is unsigned in KubeVirt's Go types and the webhook cannot read a \
        negative number, or the number is beyond 2^53, where the webhook's floats end.",
    source: "sim/docs/kubevirt-health.md 2.1",
    shown_by: &[],
    check: Check::OnTheWay,
};

static TOO_MUCH: Rule = Rule {
    code: "too-much",
    layer: Layer::Schema,
    rank: Rank::Error,
    story: "The CRD limits how many items a list may have and how long a text may be.",
    source: "sim/docs/kubevirt-health.md 2.1",
    shown_by: &[],
    check: Check::OnTheWay,
};

static SAME_ITEM: Rule = Rule {
    code: "same-item-twice",
    layer: Layer::Schema,
    rank: Rank::Error,
    story: "The CRD says by which members the items of this list are told apart, and no two may have the same.",
    source: "sim/docs/kubevirt-health.md 2.1",
    shown_by: &[],
    check: Check::OnTheWay,
};

static DUPLICATE_KEY: Rule = Rule {
    code: "duplicate-key",
    layer: Layer::Runtime,
    rank: Rank::Error,
    story: "A key stands twice in one mapping. No cluster minds: kubectl takes the last one and says nothing, so the \
        first one, which may be a probe with all its numbers, is not there. vmhealth does not guess which of them \
        you meant.",
    source: "sim/docs/kubevirt-health.md 2.1",
    shown_by: &[],
    check: Check::OnTheWay,
};

static WITHOUT_EFFECT: Rule = Rule {
    code: "field-without-effect",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "Nobody refuses the field, and nothing reads it. The CRD of VirtualMachinePool keeps whatever stands in the metadata of \
        its templates, and no webhook compares a pool with a schema; a namespace that is no text kubectl replaces by its own.",
    source: "KubeVirt pkg/virt-api/webhooks/validating-webhook/admitters/pool-admitter.go; kubectl resource.SetNamespace",
    shown_by: &[],
    check: Check::OnTheWay,
};

/// Names that KubeVirt does not have and people write, where its most similar name is another thing.
const SLIPS: [(&str, &str); 2] = [
    ("startupProbe", "KubeVirt has no startupProbe: give the livenessProbe an initialDelaySeconds"),
    ("userDataSecretRef", "write secretRef"),
];
/// What people write beside a probe in place of in it.
const OF_A_PROBE: [&str; 8] = [
    "httpGet",
    "tcpSocket",
    "guestAgentPing",
    "initialDelaySeconds",
    "periodSeconds",
    "timeoutSeconds",
    "successThreshold",
    "failureThreshold",
];
/// Fields with words that only the webhooks know, which Go does not write when they are empty (`omitempty`).
const LEFT_OUT_IF_EMPTY: [&str; 5] = ["scheme", "effect", "operator", "dnsPolicy", "imagePullPolicy"];

/// Compares the object with the schema of its kind.
pub(in crate::check) fn walk<'a>(context: &CheckContext<'a>, findings: &mut Findings<'a>) {
    let root = context.object;
    // The table is of today's versions.
    if context.kind.is_former(root.text_at("apiVersion").unwrap_or_default()) {
        return;
    }
    let fields = schema().object(context.kind.as_str()).map_or(&[][..], |object| schema().fields(object));
    Walk { context, findings }.object(fields, root, Unknown::Strict);
    let generated = root.at("metadata.generateName").filter(|at| at.value().as_str() != Some(""));
    if root.at("metadata.name").is_none() && generated.is_none() {
        let place = root.place("metadata.name");
        findings.of(&MISSING_FIELD).add(place, "name or generateName is required", "add metadata.name");
    }
}

/// Names the keys that stand twice in one mapping of the object.
pub(in crate::check) fn duplicate_keys<'a>(root: Cursor<'a>, findings: &mut Findings<'a>) {
    for at in root.overridden() {
        let message =
            "the key comes again below: kubectl takes the last one silently, and the cluster would accept that";
        findings.of(&DUPLICATE_KEY).add(at, message, "keep one of them");
    }
}

fn field_of(fields: &'static [Field], name: &str) -> Option<&'static Field> {
    fields.iter().find(|f| f.name == name)
}

/// One walk along the schema.
struct Walk<'w, 'a> {
    context: &'w CheckContext<'a>,
    findings: &'w mut Findings<'a>,
}

impl<'a> Walk<'_, 'a> {
    fn object(&mut self, fields: &'static [Field], at: Cursor<'a>, unknown: Unknown) {
        for (key, value) in at.all_members() {
            match field_of(fields, &key.name) {
                Some(field) => self.field(field, value, unknown == Unknown::Opaque),
                None => self.unknown(&key.name, value, fields, unknown),
            }
        }
        let unfilled = self.context.kind.template().is_some() || self.context.kind.is_brought();
        let is_required = |f: &&Field| match f.required {
            Required::No => false,
            Required::Unfilled => unfilled,
            Required::Always => true,
        };
        for field in fields.iter().filter(is_required).filter(|f| at.get(f.name).is_none()) {
            let help = format!("add {}: {}", field.name, field.kind.describe());
            let message = format!("{} is required", field.name);
            self.findings.of(&MISSING_FIELD).add(at.place(field.name), message, help);
        }
    }

    /// `opaque`: the CRD knows nothing of it.
    fn field(&mut self, field: &'static Field, at: Cursor<'a>, opaque: bool) {
        let stays = (field.null == Null::Refused || (opaque && field.null == Null::Dropped)) && !self.is_pool();
        if *at.value() == Value::Null && !stays {
            return;
        }
        if field.name == "namespace" && at.value().as_str().is_none() && at.path() == "metadata.namespace" {
            let message = format!("a namespace is a text, and this is {}: kubectl takes its own", at.value().kind());
            return self.findings.of(&WITHOUT_EFFECT).add(at, message, "write the name of a namespace, or remove it");
        }
        // The pool's controller writes its VMs without what is empty to Go.
        let is_empty = at.value().as_str() == Some("");
        if self.is_pool() && is_empty && field.required == Required::No && LEFT_OUT_IF_EMPTY.contains(&field.name) {
            return;
        }
        if field.names_only {
            return self.names(&field.kind, at);
        }
        let unknown = if opaque { Unknown::Opaque } else { field.unknown };
        self.value(&field.kind, at, unknown);
        let (least, most) = field.range;
        match at.value() {
            // What is no number of its size has been said to have the wrong type.
            Value::Int(n) if field.is_number() && fits(&field.kind, at.value()) && !(least..=most).contains(n) => {
                let help = format!("write {least} to {most}");
                self.findings.of(&OUT_OF_RANGE).add(at, format!("{n} is not within {least} to {most}"), help);
            }
            Value::Seq(items) if items.len() > field.most => {
                let message = format!("{} items, of at most {}", items.len(), field.most);
                self.findings.of(&TOO_MUCH).add(at, message, "leave some out");
            }
            Value::Str(text) if text.chars().count() > field.most => {
                let message = format!("{} characters, of at most {}", text.chars().count(), field.most);
                self.findings.of(&TOO_MUCH).add(at, message, "write a shorter one");
            }
            Value::Seq(_) => self.unique(&field.unique, at),
            _ => {}
        }
    }

    fn value(&mut self, kind: &'static Type, at: Cursor<'a>, unknown: Unknown) {
        let opaque = unknown == Unknown::Opaque;
        match (kind, at.value()) {
            (Type::List(kind), Value::Seq(_)) => at.items().for_each(|item| self.value(kind, item, unknown)),
            (Type::Map(kind), Value::Map(_)) => {
                // A null among them is dropped unless the CRD does not know the mapping; in a pool's it is an empty text.
                let stays = opaque && !self.is_pool();
                let members = at.all_members().filter(|(_, member)| stays || *member.value() != Value::Null);
                members.for_each(|(_, member)| self.value(kind, member, unknown));
            }
            (Type::Object(object), Value::Map(_)) => self.object(schema().fields(*object), at, unknown),
            (Type::Words(words), Value::Str(text)) => {
                if !words.contains(&text.as_str()) {
                    let list = words.join(", ");
                    let message = format!("{text:?} is not one of {list}");
                    self.findings.of(&UNKNOWN_WORD).add(at, message, format!("write one of {list}"));
                }
            }
            // Only a webhook's Go types read a quantity without the blanks around it, or a fraction without quotes, and write it so.
            (Type::Quantity, value) if self.context.kind.template().is_some() && !is_written_as_go_writes(value) => {
                mismatch(kind, at, self.findings);
            }
            (kind, value) if fits(kind, value) => {}
            _ => {
                if !opaque {
                    self.strangers(kind, at);
                }
                mismatch(kind, at, self.findings);
            }
        }
    }

    /// Looks at names, not at types.
    fn names(&mut self, kind: &'static Type, at: Cursor<'a>) {
        match (kind, at.value()) {
            (Type::List(kind), Value::Seq(_)) => at.items().for_each(|item| self.names(kind, item)),
            (Type::Object(object), Value::Map(_)) => {
                let fields = schema().fields(*object);
                for (key, member) in at.all_members() {
                    match field_of(fields, &key.name) {
                        Some(field) => self.names(&field.kind, member),
                        None => self.unknown(&key.name, member, fields, Unknown::Strict),
                    }
                }
            }
            _ => {}
        }
    }

    /// Strict decoding knows none of the keys in a list where there should be none, or in a mapping where there should be another thing
    /// (apiextensions-apiserver schema/pruning/algorithm.go).
    fn strangers(&mut self, kind: &Type, at: Cursor<'a>) {
        if matches!(at.value(), Value::Seq(_)) {
            at.items().for_each(|item| self.strangers(kind, item));
        }
        for (_, member) in at.all_members() {
            let message = format!("unknown field {:?}", member.path());
            let help = format!("write {}", kind.describe());
            self.findings.of(&UNKNOWN_FIELD).add(member, message, help);
        }
    }

    fn unique(&mut self, unique: &Unique, at: Cursor<'a>) {
        let mut seen = BTreeSet::new();
        for item in at.items() {
            let key: Vec<&str> = match unique {
                Unique::Nothing => return,
                Unique::Items => vec![item.text().unwrap_or_default()],
                Unique::Members(names) => names.iter().map(|name| item.text_at(name).unwrap_or_default()).collect(),
            };
            if !seen.insert(key.clone()) {
                let message = format!("Duplicate value: {}", key.join(", "));
                self.findings.of(&SAME_ITEM).add(item, message, "keep one of them");
            }
        }
    }

    /// No webhook compares it with a schema.
    fn is_pool(&self) -> bool {
        self.context.kind == Kind::VirtualMachinePool
    }

    fn unknown(&mut self, key: &str, at: Cursor<'a>, fields: &'static [Field], unknown: Unknown) {
        let help = advice(key, fields, self.context);
        match unknown {
            Unknown::Strict => {
                self.findings.of(&UNKNOWN_FIELD).add(at, format!("unknown field {:?}", at.path()), help);
            }
            Unknown::Opaque if self.is_pool() => {
                let message = format!("{} is kept and read by nobody", at.path());
                self.findings.of(&WITHOUT_EFFECT).add(at, message, help);
            }
            Unknown::Open | Unknown::Opaque => {
                self.findings.of(&FORBIDDEN_FIELD).add(
                    at,
                    format!("{} in body is a forbidden property", at.path()),
                    help,
                );
            }
        }
    }
}

/// Whether a value is of a type that nothing is below.
fn fits(kind: &Type, value: &Value) -> bool {
    match (kind, value) {
        (Type::Any, _)
        | (Type::Text | Type::IntOrText, Value::Str(_))
        | (Type::Bool, Value::Bool(_))
        | (Type::Int64, Value::Int(_))
        | (Type::Quantity, Value::Int(_) | Value::Float(_)) => true,
        (Type::Time, Value::Str(text)) => is_time(text),
        // IntOrString holds 32 bits, too.
        (Type::Int32 | Type::IntOrText, Value::Int(n)) => i32::try_from(*n).is_ok(),
        // resource.Quantity reads the text without the blanks around it.
        (Type::Quantity, Value::Str(text)) => is_quantity(text.trim()),
        _ => false,
    }
}

/// A quantity that the CRD takes before a webhook has written it anew.
fn is_written_as_go_writes(value: &Value) -> bool {
    match value {
        Value::Str(text) => text.trim() == text,
        value => !matches!(value, Value::Float(_)),
    }
}

/// RFC 3339, as Go reads a `metav1.Time`.
fn is_time(text: &str) -> bool {
    let shape = |text: &str, shape: &str| {
        let fits = |(c, s): (u8, u8)| if s == b'0' { c.is_ascii_digit() } else { c == s };
        text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(fits)
    };
    let Some((begin, rest)) = text.split_at_checked("0000-00-00T00:00:00".len()) else { return false };
    let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let zone = match rest.strip_prefix('.') {
        Some(fraction) if digits(fraction) > 0 => &fraction[digits(fraction)..],
        Some(_) => return false,
        None => rest,
    };
    let is_zone = zone == "Z" || shape(zone, "+00:00") || shape(zone, "-00:00");
    let within = |from: usize, least: u32, most: u32| {
        begin[from..from + 2].parse().is_ok_and(|n: u32| (least..=most).contains(&n))
    };
    shape(begin, "0000-00-00T00:00:00")
        && is_zone
        && [(5, 1, 12), (8, 1, 31), (11, 0, 23), (14, 0, 59), (17, 0, 59)].iter().all(|(f, l, m)| within(*f, *l, *m))
}

fn mismatch<'a>(kind: &Type, at: Cursor<'a>, findings: &mut Findings<'a>) {
    let expected = kind.describe();
    let help = match at.value() {
        Value::Bool(yes) if *kind == Type::Text => boolean_for_text(*yes, at),
        Value::Int(_) | Value::Float(_) if *kind == Type::Text => "put it in quotes".to_owned(),
        Value::Null => format!("remove it, or write {expected}"),
        Value::Str(text) if unquoted(text).is_some_and(|value| fits(kind, &value)) => {
            format!("write {text}, without quotes")
        }
        _ => format!("write {expected}"),
    };
    let own_metadata = at.path().split(['.', '[']).next() == Some("metadata");
    let rule = if own_metadata { &UNREADABLE_METADATA } else { &WRONG_TYPE };
    findings.of(rule).add(at, format!("expected {expected}, found {}", at.value().kind()), help);
}

/// To kubectl, whose YAML is 1.1, more words than two are booleans.
fn boolean_for_text(yes: bool, at: Cursor<'_>) -> String {
    let words =
        if yes { "true, yes, y and on are the boolean true" } else { "false, no, n and off are the boolean false" };
    match (at.path().rsplit('.').next(), yes) {
        (Some("runStrategy"), true) => format!("write Always: without quotes {words}"),
        (Some("runStrategy"), false) => format!("write Halted: without quotes {words}"),
        _ => format!("put it in quotes: without them {words}"),
    }
}

/// What a text would be without its quotes.
fn unquoted(text: &str) -> Option<Value> {
    text.parse().map(Value::Int).ok().or_else(|| text.parse().map(Value::Bool).ok())
}

/// What to do about a field that an object does not have.
fn advice(key: &str, fields: &'static [Field], context: &CheckContext<'_>) -> String {
    let near = meant(key, fields.iter().map(|field| field.name));
    let slip = SLIPS.iter().find(|(name, _)| *name == key).map(|(_, help)| (*help).to_owned());
    if key.parse::<i64>().is_ok() {
        return format!(
            "{key} is a number, and fields have names: remove it, or write an item of a list with a dash, `- {key}`"
        );
    }
    let is_too_far_left = OF_A_PROBE.contains(&key) && field_of(fields, "readinessProbe").is_some();
    let of_a_probe =
        || is_too_far_left.then(|| format!("indent it: {key} stands below readinessProbe or livenessProbe"));
    slip.or_else(of_a_probe).unwrap_or_else(|| match (near, belongs_to(key, context)) {
        (Some(name), _) if name.eq_ignore_ascii_case(key) => format!("the name is {name}: case counts"),
        (_, Some(place)) => format!("{key} belongs to {place}"),
        (Some(name), None) => format!("did you mean {name}?"),
        (None, None) => format!("remove it: a {} has no such field here", context.kind.as_str()),
    })
}

/// Where a field that users misplace belongs.
fn belongs_to(key: &str, context: &CheckContext<'_>) -> Option<String> {
    if context.kind.is_brought() {
        return None;
    }
    let places = [("VirtualMachineInstanceSpec", ""), ("DomainSpec", ".domain"), ("Devices", ".domain.devices")];
    let has = |object: &str| schema().object(object).is_some_and(|o| field_of(schema().fields(o), key).is_some());
    let below = places.iter().find(|(object, _)| has(object)).map(|(_, below)| *below);
    let of_vm = || (context.is_vm && has("VirtualMachineSpec")).then(|| context.root.place("spec").path());
    below.map(|below| format!("{}{below}", context.spec_path())).or_else(of_vm)
}

//! Nodes to JSON, which has no places, and back.

use super::{ByteSpan, Key, Node, Pos, Value};
use serde_json::Number;

impl Node {
    /// The same in JSON; a number that JSON does not have, such as `.inf`, is null.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(b) => (*b).into(),
            Value::Int(n) => (*n).into(),
            Value::Float(x) => Number::from_f64(*x).map_or(serde_json::Value::Null, Into::into),
            Value::Str(s) => s.as_str().into(),
            Value::Seq(items) => items.iter().map(Node::to_json).collect(),
            Value::Map(members) => {
                let members = members.iter().map(|(key, value)| (key.name.clone(), value.to_json()));
                serde_json::Value::Object(members.collect())
            }
        }
    }
}

impl Value {
    /// Of JSON that stands, whole, in one place of a YAML text.
    pub(crate) fn from_json(json: serde_json::Value, pos: Pos, span: ByteSpan) -> Value {
        let node = |json| Node { pos, span, value: Value::from_json(json, pos, span) };
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(b) => Value::Bool(b),
            serde_json::Value::Number(n) => {
                n.as_i64().map_or_else(|| Value::Float(n.as_f64().unwrap_or_default()), Value::Int)
            }
            serde_json::Value::String(s) => Value::Str(s),
            serde_json::Value::Array(items) => Value::Seq(items.into_iter().map(node).collect()),
            serde_json::Value::Object(entries) => {
                Value::Map(entries.into_iter().map(|(name, json)| (Key { pos, span, name }, node(json))).collect())
            }
        }
    }
}

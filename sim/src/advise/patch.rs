//! Changes as a merge patch (RFC 7386): only the leaves that change, so nothing else of the manifest is touched.

use super::numbers::Change;
use serde_json::{Map, Value, json};

/// The patch for `kubectl patch vm --type merge`; `None`: nothing of the manifest changes. `says_running`: the manifest has
/// `spec.running`, which does not go together with `runStrategy`.
pub fn merge_patch(changes: &[Change], says_running: bool) -> Option<Value> {
    let mut spec = Map::new();
    for change in changes.iter().filter(|c| !c.in_guest) {
        if change.field == "runStrategy" && says_running {
            spec.insert("running".to_owned(), Value::Null);
        }
        let value = change.to.parse::<i64>().map_or_else(|_| json!(change.to), |n| json!(n));
        put(&mut spec, &change.field, value);
    }
    (!spec.is_empty()).then(|| json!({ "spec": spec }))
}

fn put(into: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            into.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = into.entry(first).or_insert_with(|| json!({}));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

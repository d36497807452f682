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

/// RFC 7386: what a merge patch makes of a manifest.
pub fn merge_into(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        match value {
            Value::Null => drop(target.remove(key)),
            value => merge_into(target.entry(key).or_insert(Value::Null), value),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 7386, appendix A.
    #[test]
    fn merges() {
        for (target, patch, expected) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": "foo"}), json!("bar"), json!("bar")),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut merged = target.clone();
            merge_into(&mut merged, &patch);
            assert_eq!(merged, expected, "{target} with {patch}");
        }
    }
}

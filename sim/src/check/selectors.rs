//! Label selectors, node selectors and label keys, as Kubernetes checks them (apimachinery meta/v1/validation, util/validation;
//! KubeVirt's copy in validate-k8s-utils.go).

use super::predicates::{is_label, is_qualified};
use super::rule::Report;

use crate::yaml::{Cursor, Place};

/// How a place is called by the layer that refuses it.
pub(super) type Naming<'n> = &'n dyn Fn(&Place<'_>) -> String;

/// What a selector's expression may be about.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Over {
    /// Labels of any object: In, NotIn, Exists, DoesNotExist.
    Labels,
    /// A node's labels: also Gt and Lt.
    NodeLabels,
    /// A node's fields: its name, In or NotIn one.
    NodeFields,
}

const KEY_HELP: &str = "write a key like example.com/role";

/// Refuses what is not a label key.
pub(super) fn label_key<'a>(at: Place<'a>, key: &str, naming: Naming<'_>, report: &mut Report<'_, 'a>) {
    if !is_qualified(key) {
        let message = format!("{key:?} is not a label key: [prefix/]name of letters, digits, -, _ and .");
        report.add_as(naming(&at), at, message, KEY_HELP);
    }
}

/// Refuses what is not a label's value; `field` is what the layer calls its place.
pub(super) fn label_value<'a>(field: String, at: Cursor<'a>, report: &mut Report<'_, 'a>) {
    let value = at.value().as_str().unwrap_or_default();
    if !value.is_empty() && !is_label(value) {
        let message = format!("{value:?} is not a label's value: letters, digits, -, _ and ., at most 63");
        report.add_as(field, at, message, "write a value like web-1");
    }
}

/// A mapping of labels, which is named as a whole.
pub(super) fn labels<'a>(at: Cursor<'a>, naming: Naming<'_>, report: &mut Report<'_, 'a>) {
    for (key, value) in at.all_members() {
        label_key(at.into(), &key.name, naming, report);
        label_value(naming(&at.into()), value, report);
    }
}

/// `matchLabels` and `matchExpressions`.
pub(super) fn label_selector<'a>(at: Cursor<'a>, naming: Naming<'_>, report: &mut Report<'_, 'a>) {
    at.get("matchLabels").into_iter().for_each(|at| labels(at, naming, report));
    at.items_at("matchExpressions").for_each(|at| expression(at, Over::Labels, naming, report));
}

/// `key`, `operator` and `values`.
pub(super) fn expression<'a>(at: Cursor<'a>, over: Over, naming: Naming<'_>, report: &mut Report<'_, 'a>) {
    let (key, operator) = (at.text_at("key").unwrap_or_default(), at.text_at("operator").unwrap_or_default());
    let count = at.items_at("values").count();
    let mut refuse = |field: &str, message: &str, help: &str| {
        let place = at.place(field);
        report.add_as(naming(&place), place, message, help);
    };
    match (operator, over) {
        ("In" | "NotIn", Over::NodeFields) if count != 1 => {
            refuse(
                "values",
                "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
                "keep one",
            );
        }
        ("In" | "NotIn", _) if count == 0 => {
            refuse("values", "must be specified when `operator` is 'In' or 'NotIn'", "add values, a list");
        }
        ("In" | "NotIn", _) => {}
        ("Exists" | "DoesNotExist", Over::Labels | Over::NodeLabels) => {
            if count > 0 {
                let message = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                refuse("values", message, "remove values, or write In");
            }
        }
        ("Gt" | "Lt", Over::NodeLabels) => {
            if count != 1 {
                let message = "must be specified single value when `operator` is 'Lt' or 'Gt'";
                refuse("values", message, "write one number in quotes");
            }
        }
        _ => refuse("operator", "not a valid selector operator", "write In, NotIn, Exists or DoesNotExist"),
    }
    match over {
        Over::NodeFields if key != "metadata.name" => {
            refuse("key", "not a valid field selector key", "write metadata.name, or use matchExpressions");
        }
        Over::NodeFields => {}
        Over::Labels | Over::NodeLabels => label_key(at.place("key"), key, naming, report),
    }
    if over == Over::Labels {
        at.items_at("values").for_each(|v| label_value(naming(&v.into()), v, report));
    }
}

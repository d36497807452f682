//! Where the pod may go: affinity and topology spread, which KubeVirt's webhook checks as Kubernetes does
//! (kubevirt-health.md 2.9).

use super::object::{entries, is_label, is_qualified};
use crate::check::layer::{Layer, Rank};
use crate::check::predicates::is_dns_label;
use crate::check::rule::{Check, Report, Rule};
use crate::yaml::{Cursor, Place};
use std::collections::BTreeSet;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const SPREAD: &str = "topologySpreadConstraints";
/// Where a reader finds the forms.
const FORMS: &str = "see `kubectl explain pod.spec.affinity`";

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "bad-affinity",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "Node affinity has terms with expressions: In and NotIn have values, Exists and DoesNotExist none, Gt \
            and Lt one. Pod affinity has a topologyKey, like kubernetes.io/hostname. What is preferred has a weight \
            from 1 to 100.",
        source: "KubeVirt pkg/virt-api/webhooks/validating-webhook/admitters/validate-k8s-utils.go validateAffinity",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let mut terms = Terms { report };
            if let Some(node) = context.at("affinity.nodeAffinity") {
                terms.nodes(node);
            }
            for kind in ["podAffinity", "podAntiAffinity"] {
                if let Some(pod) = context.at(&format!("affinity.{kind}")) {
                    pod.items_at(REQUIRED).for_each(|term| terms.pod(term));
                    for weighted in pod.items_at(PREFERRED) {
                        terms.weight(weighted);
                        if let Some(term) = weighted.get("podAffinityTerm") {
                            terms.pod(term);
                        }
                    }
                }
            }
        }),
    },
    &Rule {
        code: "bad-topology-spread",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A topology spread constraint has a maxSkew of 1 or more and a topologyKey; the key is there once \
            with each whenUnsatisfiable.",
        source: "KubeVirt pkg/virt-api/webhooks/validating-webhook/admitters/validate-k8s-utils.go \
            validateTopologySpreadConstraints",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let mut seen = BTreeSet::new();
            for item in context.items_at(SPREAD) {
                let text = |key| item.text_at(key).unwrap_or_default();
                if item.get("maxSkew").and_then(Cursor::int64).unwrap_or_default() < 1 {
                    report.add(item.place("maxSkew"), "maxSkew is 1 or more", "write maxSkew: 1");
                }
                if !is_qualified(text("topologyKey")) {
                    let help = "write the key of a node's label, like topology.kubernetes.io/zone";
                    report.add(item.place("topologyKey"), "topologyKey is a label's key", help);
                }
                if !seen.insert((text("topologyKey"), text("whenUnsatisfiable"))) {
                    report.add(item, "topologyKey and whenUnsatisfiable are there already", "keep one of them");
                }
                Terms { report }.selector(item, "labelSelector");
            }
        }),
    },
];

/// Looks at terms and writes down what is wrong.
struct Terms<'t, 'r, 'a> {
    report: &'t mut Report<'r, 'a>,
}

impl<'a> Terms<'_, '_, 'a> {
    fn add(&mut self, place: Place<'a>, message: &str, help: &str) {
        let path = place.path();
        // KubeVirt leaves `affinity` out of the path, and which constraint it is.
        let field = match path.split_once(SPREAD).and_then(|(head, rest)| Some((head, rest.split_once(']')?.1))) {
            Some((head, rest)) => format!("{head}{SPREAD}{rest}"),
            None => path.replacen(".affinity.", ".", 1),
        };
        self.report.add_as(field, place, message, help);
    }

    fn nodes(&mut self, node: Cursor<'a>) {
        if let Some(required) = node.get(REQUIRED) {
            if required.items_at("nodeSelectorTerms").next().is_none() {
                self.add(required.place("nodeSelectorTerms"), "there is no term", "add one with matchExpressions");
            }
            required.items_at("nodeSelectorTerms").for_each(|term| self.node(term));
        }
        for weighted in node.items_at(PREFERRED) {
            self.weight(weighted);
            if let Some(term) = weighted.get("preference") {
                self.node(term);
            }
        }
    }

    fn node(&mut self, term: Cursor<'a>) {
        self.expressions(term, &["Gt", "Lt"]);
        for field in term.items_at("matchFields") {
            if field.text_at("key") != Some("metadata.name") {
                self.add(field.place("key"), "only metadata.name can be matched", "write key: metadata.name");
            }
            match field.text_at("operator").unwrap_or_default() {
                "In" | "NotIn" if field.items_at("values").count() == 1 => {}
                "In" | "NotIn" => self.add(field.place("values"), "there is one value", "write one value"),
                _ => self.add(field.place("operator"), "there is no such operator", "write In or NotIn"),
            }
        }
    }

    /// Operators with one value are a node's only.
    fn expressions(&mut self, term: Cursor<'a>, one: &[&str]) {
        for expression in term.items_at("matchExpressions") {
            let count = expression.items_at("values").count();
            let fault = match expression.text_at("operator").unwrap_or_default() {
                "In" | "NotIn" => (count == 0).then_some(("values", "there is no value", "add values")),
                "Exists" | "DoesNotExist" => (count > 0).then_some(("values", "this has no values", "remove values")),
                operator if one.contains(&operator) => {
                    (count != 1).then_some(("values", "this has one value", "write one value"))
                }
                _ => Some(("operator", "there is no such operator", "write In, NotIn, Exists or DoesNotExist")),
            };
            if let Some((key, message, help)) = fault {
                self.add(expression.place(key), message, help);
            }
            self.key(expression, "key");
        }
    }

    fn weight(&mut self, weighted: Cursor<'a>) {
        let weight = weighted.get("weight").and_then(Cursor::int64).unwrap_or_default();
        if !(1..=100).contains(&weight) {
            self.add(weighted.place("weight"), "the weight is from 1 to 100", "write a weight like 100");
        }
    }

    fn pod(&mut self, term: Cursor<'a>) {
        self.key(term, "topologyKey");
        for namespace in term.items_at("namespaces") {
            if !is_dns_label(namespace.text().unwrap_or_default()) {
                self.add(term.place("namespace"), "a namespace is lowercase letters, digits and dashes", FORMS);
            }
        }
        self.selector(term, "labelSelector");
        self.selector(term, "namespaceSelector");
    }

    fn key(&mut self, at: Cursor<'a>, key: &str) {
        if !is_qualified(at.text_at(key).unwrap_or_default()) {
            self.add(at.place(key), "this is no label's key", "write a key like kubernetes.io/hostname");
        }
    }

    fn selector(&mut self, at: Cursor<'a>, key: &str) {
        let Some(selector) = at.get(key) else { return };
        if let Some(labels) = selector.get("matchLabels") {
            let is_fine = |(key, value): (&str, &str)| is_qualified(key) && (value.is_empty() || is_label(value));
            if !entries(labels).all(is_fine) {
                self.add(labels.into(), "a label is [prefix/]name: value", FORMS);
            }
        }
        self.expressions(selector, &[]);
    }
}

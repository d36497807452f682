//! All rules: who has which code, and which come together.

use super::context::CheckContext;
use super::kind::Kind;
use super::layer::Layer;
use super::rule::{Check, Finding, Findings, Rule};
use super::rules::TOPICS;
use super::rules::schema::UNKNOWN_FIELD;
use crate::manifest::{RunStrategy, VirtualMachine};
use std::mem::discriminant;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

/// In the order of the layers, of one layer in the order of the topics.
static RULES: LazyLock<Vec<&'static Rule>> = LazyLock::new(|| {
    let mut rules: Vec<&Rule> = TOPICS.iter().copied().flatten().copied().collect();
    rules.sort_by_key(|rule| rule.layer);
    rules
});

/// The rule with that code.
pub fn explain(code: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.code == code)
}

/// All rules, in the order of the layers.
pub fn rules() -> &'static [&'static Rule] {
    &RULES
}

impl Finding {
    /// What the user sees, and when, of an object of this kind. A VMI has no `strategy`.
    pub fn outcome(&self, kind: Kind, strategy: Option<RunStrategy>) -> &'static str {
        // Only what the API server does not know can it leave out.
        if self.layer == Layer::ClientDecode && *self.rule == UNKNOWN_FIELD {
            return "`kubectl create` refuses it; a client that does not ask for strict decoding loses the field silently";
        }
        self.layer.outcome(kind, strategy)
    }
}

/// Applies the rules of these layers; those for what can run need a `vm`.
pub(super) fn apply<'a>(
    layers: RangeInclusive<Layer>,
    context: &CheckContext<'a>,
    vm: Option<&VirtualMachine>,
    findings: &mut Findings<'a>,
) {
    let from = RULES.partition_point(|rule| rule.layer < *layers.start());
    let to = RULES.partition_point(|rule| rule.layer <= *layers.end());
    let running = vm.map(|vm| context.running_probes(vm)).unwrap_or_default();
    for rules in RULES[from..to].chunk_by(|a, b| discriminant(&a.check) == discriminant(&b.check)) {
        // What is asked about each probe is asked probe by probe.
        let rounds = match rules[0].check {
            Check::Probe(_) => context.probes.len(),
            Check::RunningProbe(_) => running.len(),
            Check::OnTheWay | Check::Manifest(_) | Check::Running(_) => 1,
        };
        for round in 0..rounds {
            for rule in rules {
                let report = &mut findings.of(rule);
                match (&rule.check, vm) {
                    (Check::Manifest(find), _) => find(context, report),
                    (Check::Probe(find), _) => context.probes.get(round).into_iter().for_each(|p| find(p, report)),
                    (Check::Running(find), Some(vm)) => find(context, vm, report),
                    (Check::RunningProbe(find), _) => running.get(round).into_iter().for_each(|p| find(p, report)),
                    (Check::OnTheWay, _) | (Check::Running(_), None) => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Rank;

    #[test]
    fn codes_are_unique_ordered_and_told() {
        for pair in rules().windows(2) {
            assert!(pair[0].layer <= pair[1].layer, "{}", pair[1].code);
        }
        for rule in rules() {
            assert!(std::ptr::eq(explain(rule.code).unwrap(), *rule), "two rules are {}", rule.code);
            assert!(!rule.story.is_empty() && !rule.source.is_empty());
            assert_eq!(rule.rank == Rank::Error, rule.layer < Layer::Hazard, "{}", rule.code);
        }
    }
}

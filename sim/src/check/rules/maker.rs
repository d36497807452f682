//! What makes VMs and VMIs of a template: pools and replica sets (KubeVirt vmpool-admitter.go, vmirs-admitter.go). Their
//! template is checked by everybody else's rules.

use crate::check::context::CheckContext;
use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Rule};
use crate::check::selectors::{label_key, label_value, labels};
use crate::yaml::{Cursor, Place, Value};

/// Of which one may be there.
const STRATEGIES: [&str; 3] = ["unmanaged", "opportunistic", "proactive"];

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "selector-does-not-match",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A pool or replica set finds what it made by its selector, so the selector must match the labels of the template's \
            own metadata: spec.virtualMachineTemplate.metadata of a pool, spec.template.metadata of a replica set.",
        source: "KubeVirt vmpool-admitter.go ValidateVMPoolSpec, vmirs-admitter.go ValidateVMIRSSpec",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let Some(selector) = made(context, "spec.selector") else { return };
            // The selector itself is refused as a whole.
            let naming = |_: &Place<'_>| selector.path();
            selector.get("matchLabels").into_iter().for_each(|at| labels(at, &naming, report));
            for expression in selector.items_at("matchExpressions") {
                label_key(expression.place("key"), expression.text_at("key").unwrap_or_default(), &naming, report);
                for value in expression.items_at("values") {
                    label_value(naming(&value.into()), value, report);
                }
            }
            match matches(selector, context.root.at("metadata.labels")) {
                Ok(true) => {}
                Ok(false) => {
                    let place = context.root.place("metadata.labels").path();
                    report.add(
                        selector,
                        "selector does not match labels.",
                        format!("give {place} what the selector wants"),
                    );
                }
                Err(operator) => {
                    let message = format!("{operator:?} is not a valid label selector operator");
                    report.add(
                        selector,
                        message,
                        "write In, NotIn, Exists or DoesNotExist, with values for the first two only",
                    );
                }
            }
        }),
    },
    &Rule {
        code: "bad-pool",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "maxUnavailable is a number from 1 on or a percentage from 1% to 100%, and updateStrategy and scaleInStrategy \
            hold one strategy each.",
        source: "KubeVirt vmpool-admitter.go ValidateVMPoolSpec",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            if let Some(at) = made(context, "spec.maxUnavailable") {
                let help = "write a number from 1 on, or like 25%";
                match at.value() {
                    Value::Int(n) if *n < 1 => report.add(at, "maxUnavailable must be greater than 0", help),
                    Value::Str(text) => match text.strip_suffix('%').map(str::parse::<i64>) {
                        None => report.add(at, "maxUnavailable percentage must end with %", help),
                        Some(Ok(1..=100)) => {}
                        Some(Ok(n)) => {
                            let message = format!("maxUnavailable percentage value {n} must be between 1 and 100");
                            report.add(at, message, help);
                        }
                        Some(Err(_)) => {
                            report.add(at, format!("maxUnavailable percentage value {text:?} is invalid"), help)
                        }
                    },
                    _ => {}
                }
            }
            for at in ["spec.updateStrategy", "spec.scaleInStrategy"].iter().filter_map(|path| made(context, path)) {
                let found: Vec<&str> = STRATEGIES.into_iter().filter(|strategy| at.get(strategy).is_some()).collect();
                if found.len() > 1 {
                    let list = found.join(", ");
                    let message = format!("only one strategy can be configured at a time: but found {list} strategies");
                    report.add(at, message, "keep one of them");
                }
            }
        }),
    },
    &Rule {
        code: "network-probe-in-a-template-without-networks",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A VM or VMI without networks gets the pod network before KubeVirt looks at its probes; the template of a pool or \
            replica set is looked at as it is written, so an httpGet or tcpSocket probe needs the network in it.",
        source: "KubeVirt vmpool-admitter.go, vmirs-admitter.go; vmi-create-admitter.go ValidateVirtualMachineInstanceSpec",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let lists = ["networks", "domain.devices.interfaces"];
            let is_default = lists.iter().all(|list| context.items_at(list).next().is_none());
            let attaches = context.at("domain.devices.autoattachPodInterface").and_then(Cursor::boolean) != Some(false);
            if context.kind.template().is_none() || !is_default || !attaches {
                return;
            }
            for (probe, handler) in context.probes.iter().flat_map(|probe| ["httpGet", "tcpSocket"].map(|h| (probe, h)))
            {
                if let Some(at) = probe.cursor.get(handler) {
                    let message = format!(
                        "{handler} is only allowed if the Pod Network is attached, and the template names none"
                    );
                    let help = "add `networks: [{name: default, pod: {}}]` and `interfaces: [{name: default, masquerade: {}}]`";
                    report.add(at, message, help);
                }
            }
        }),
    },
];

/// What is at a path of an object that makes others.
fn made<'a>(context: &CheckContext<'a>, path: &str) -> Option<Cursor<'a>> {
    context.kind.template().and_then(|_| context.object.at(path))
}

/// Whether a label selector matches labels; an error is an operator that it cannot have.
fn matches<'a>(selector: Cursor<'a>, labels: Option<Cursor<'a>>) -> Result<bool, &'a str> {
    let label = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Cursor::text);
    let mut all = selector
        .get("matchLabels")
        .into_iter()
        .flat_map(Cursor::members)
        .all(|(key, value)| label(&key.name).is_some() && label(&key.name) == value.text());
    for expression in selector.items_at("matchExpressions") {
        let own = label(expression.text_at("key").unwrap_or_default());
        let values: Vec<&str> = expression.items_at("values").filter_map(Cursor::text).collect();
        let operator = expression.text_at("operator").unwrap_or_default();
        all &= match (operator, values.is_empty()) {
            ("In", false) => own.is_some_and(|own| values.contains(&own)),
            ("NotIn", false) => own.is_none_or(|own| !values.contains(&own)),
            ("Exists", true) => own.is_some(),
            ("DoesNotExist", true) => own.is_none(),
            _ => return Err(operator),
        };
    }
    Ok(all)
}

//! Objects of one kind, namespace and name in one text: to a cluster they are one object.

use super::document::Checks;
use super::kind::Kind;
use super::rule::Finding;
use super::rules::object::SAME_NAME;
use super::unrendered::placeholder;
use crate::yaml::Pos;
use std::collections::BTreeMap;

/// So many are remembered of one text.
const MOST: usize = 200_000;

/// What came so far in a text, and where: feed it the text's pieces in their order.
#[derive(Debug, Default)]
pub struct Names {
    first: BTreeMap<(&'static str, String, String), Pos>,
}

impl Names {
    /// Says of each manifest that has the name of one before it that it does.
    pub fn compare(&mut self, checks: &mut Checks) {
        for checked in &mut checks.manifests {
            // A name that is still to come is no name yet.
            let is_open = |text: &str| placeholder(text).is_some();
            if checked.name.is_empty() || is_open(&checked.name) || is_open(&checked.namespace) {
                continue;
            }
            let key = (checked.kind.as_str(), checked.namespace.clone(), checked.name.clone());
            let Some(first) = self.first.get(&key) else {
                if self.first.len() < MOST {
                    self.first.insert(key, checked.pos);
                }
                continue;
            };
            let (kind, (pos, span)) = (checked.kind.as_str(), checked.name_at);
            let what = if checked.kind == Kind::VirtualMachine { "the VM" } else { kind };
            let message = format!(
                "{what} {:?} is in line {} already: `kubectl apply` writes this one over it, `kubectl create` refuses this one",
                checked.name, first.line
            );
            checked.findings.push(Finding {
                rule: &SAME_NAME,
                field: "metadata.name".into(),
                vm_field: "metadata.name".into(),
                layer: SAME_NAME.layer,
                pos,
                span,
                message,
                help: "give it another name or another namespace, or remove one of them".into(),
            });
        }
    }
}

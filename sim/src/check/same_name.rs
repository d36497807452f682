//! Objects of one kind, namespace and name in all texts that are checked together: to a cluster they are one object.

use super::document::Checks;
use super::kind::Kind;
use super::rule::Finding;
use super::rules::object::SAME_NAME;
use super::unrendered::placeholder;
use crate::yaml::Pos;
use std::collections::BTreeMap;
use std::rc::Rc;

/// So many are remembered.
const MOST: usize = 200_000;
/// No longer name is anybody's (Kubernetes IsDNS1123Subdomain).
const LONGEST: usize = 253;

/// What came so far, and where: feed it the texts and their pieces in their order.
#[derive(Debug, Default)]
pub struct Names {
    first: BTreeMap<(&'static str, String, String), (Rc<str>, Pos)>,
    /// The text that came last.
    file: Rc<str>,
}

impl Names {
    /// Says of each manifest of a text, which is called `file`, that has the name of one before it that it does. Nothing is found
    /// after that: what comments allow is taken out then.
    pub fn compare(&mut self, file: &str, checks: &mut Checks) {
        if *self.file != *file {
            self.file = file.into();
        }
        for checked in &mut checks.manifests {
            // A name that is still to come is no name yet.
            let is_open = |text: &str| placeholder(text).is_some();
            let is_too_long = |text: &str| text.len() > LONGEST;
            let is_none = |text: &str| is_open(text) || is_too_long(text);
            if checked.name.is_empty() || is_none(&checked.name) || is_none(&checked.namespace) {
                continue;
            }
            let key = (checked.kind.as_str(), checked.namespace.clone(), checked.name.clone());
            let Some((first_file, first)) = self.first.get(&key) else {
                if self.first.len() < MOST {
                    self.first.insert(key, (Rc::clone(&self.file), checked.pos));
                }
                continue;
            };
            let place = match **first_file == *self.file {
                // A file that is given twice is one file.
                true if *first == checked.pos => continue,
                true => format!("line {}", first.line),
                false => format!("{}:{}", first_file.escape_debug(), first.line),
            };
            let (kind, (pos, span)) = (checked.kind.as_str(), checked.name_at);
            let what = if checked.kind == Kind::VirtualMachine { "the VM" } else { kind };
            let message = format!(
                "{what} {:?} is in {place} already: `kubectl apply` writes this one over it, `kubectl create` refuses this one",
                checked.name
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
        checks.settle();
    }
}

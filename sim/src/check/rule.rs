//! A rule of `check`: everything that is known of one kind of finding, in one value; and what it finds.
//!
//! The rules stand in `rules/`, a file for each topic. To add one, add a value to its topic's list.

use super::context::{CheckContext, ProbeField, RunningProbe};
use super::kind::Kind;
use super::layer::{Layer, Rank};
use crate::manifest::VirtualMachine;
use crate::yaml::{ByteSpan, Cursor, Place, Pos};

/// A kind of finding, and how it is found.
#[derive(Debug)]
pub struct Rule {
    /// Its stable name, which `check --explain` takes.
    pub code: &'static str,
    /// Who refuses.
    pub layer: Layer,
    /// How bad it is.
    pub rank: Rank,
    /// What happens and why, for `--explain`.
    pub story: &'static str,
    /// Where the rule comes from.
    pub source: &'static str,
    /// Scenarios that show it on a real guest; sim/tests/demonstrations shows each in the virtual world.
    pub shown_by: &'static [&'static str],
    /// How it is found.
    pub(super) check: Check,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Rule) -> bool {
        self.code == other.code
    }
}

/// What a rule is asked about. It reports what it finds; the report knows which rule it is of.
#[derive(Debug)]
pub(super) enum Check {
    /// Nothing: whoever reads the text or walks along the schema reports it.
    OnTheWay,
    /// A manifest as it is written.
    Manifest(for<'a> fn(&CheckContext<'a>, &mut Report<'_, 'a>)),
    /// Each of its probes as it is written.
    Probe(for<'a> fn(&ProbeField<'a>, &mut Report<'_, 'a>)),
    /// A manifest that can run, with KubeVirt's defaults.
    Running(for<'a> fn(&CheckContext<'a>, &VirtualMachine, &mut Report<'_, 'a>)),
    /// Each probe of such a manifest.
    RunningProbe(for<'a> fn(&RunningProbe<'_, 'a>, &mut Report<'_, 'a>)),
}

/// One thing found in a manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What kind of thing.
    pub rule: &'static Rule,
    /// The field as the refusing layer reports it; empty where it reports none.
    pub field: String,
    /// The field in the manifest.
    pub vm_field: String,
    /// Who refuses: the rule's layer, but that a bare VMI's webhook does what the VM's does for a VM, and what nobody asks of a replica
    /// set is asked of its VMIs.
    pub layer: Layer,
    /// Where in the file.
    pub pos: Pos,
    /// Its bytes in the file.
    pub span: ByteSpan,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: String,
}

/// A finding, and the node that it is about, if that is there.
pub(super) struct Found<'a> {
    pub(super) finding: Finding,
    pub(super) at: Option<Cursor<'a>>,
}

/// What was found in one manifest so far.
#[derive(Default)]
pub(super) struct Findings<'a>(pub(super) Vec<Found<'a>>);

impl<'a> Findings<'a> {
    /// The report that a rule writes to.
    pub(super) fn of(&mut self, rule: &'static Rule) -> Report<'_, 'a> {
        Report { rule, found: &mut self.0 }
    }
}

/// Where one rule writes down what it finds.
pub(super) struct Report<'r, 'a> {
    rule: &'static Rule,
    found: &'r mut Vec<Found<'a>>,
}

impl<'a> Report<'_, 'a> {
    /// Adds a finding whose layer reports the field as it stands in the manifest.
    pub(super) fn add(&mut self, place: impl Into<Place<'a>>, message: impl Into<String>, help: impl Into<String>) {
        let place = place.into();
        self.add_as(place.path(), place, message, help);
    }

    /// Adds a finding whose layer reports the field by another name.
    pub(super) fn add_as(
        &mut self,
        field: impl Into<String>,
        place: impl Into<Place<'a>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let place = place.into();
        let finding = Finding {
            rule: self.rule,
            field: field.into(),
            vm_field: place.path(),
            layer: self.rule.layer,
            pos: place.pos(),
            span: place.span(),
            message: message.into(),
            help: help.into(),
        };
        self.found.push(Found { finding, at: place.there() });
    }

    /// The same; for a replica set it is the VMI's webhook that refuses.
    pub(super) fn add_of_each(
        &mut self,
        context: &CheckContext<'a>,
        field: impl Into<String>,
        place: impl Into<Place<'a>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add_as(field, place, message, help);
        if let Some(found) = self.found.last_mut().filter(|_| context.kind == Kind::VirtualMachineInstanceReplicaSet) {
            found.finding.layer = Layer::VmiWebhook;
        }
    }
}

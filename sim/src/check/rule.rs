//! A rule of `check`: everything that is known of one kind of finding, in one value.
//!
//! The rules stand in `rules/`, a file for each topic. To add one, add a value to its topic's list.

use super::context::{CheckContext, ProbeField, RunningProbe};
use super::finding::Report;
use super::layer::{Layer, Rank};
use crate::manifest::VirtualMachine;

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
    /// Scenarios that show it on a real guest; sim/tests/demonstrations.rs shows each in the virtual world.
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
    Manifest(fn(&CheckContext<'_>, &mut Report<'_, '_>)),
    /// Each of its probes as it is written.
    Probe(fn(&ProbeField<'_>, &mut Report<'_, '_>)),
    /// A manifest that can run, with KubeVirt's defaults.
    Running(fn(&CheckContext<'_>, &VirtualMachine, &mut Report<'_, '_>)),
    /// Each probe of such a manifest.
    RunningProbe(fn(&RunningProbe<'_>, &mut Report<'_, '_>)),
}

//! The scenario file, `vmhealth.dev/v1alpha1`.
//!
//! Unknown keys are refused with line and column. No `flatten`, no untagged enums: both lose positions.

use super::guest::GuestProfile;
use super::pattern::Pattern;
use super::user::UserRequest;
use super::window::Window;
use crate::cluster::KubevirtVersion;
use crate::fault::Fault;
use crate::time::Span;
use crate::trace::{Phase, VmStatus};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

/// One scenario file.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// `vmhealth.dev/v1alpha1`.
    #[serde(deserialize_with = "api_version")]
    pub api_version: String,
    /// `Scenario`.
    #[serde(deserialize_with = "kind")]
    pub kind: String,
    /// Its name and what it is about.
    pub metadata: Metadata,
    /// What happens and what must be seen.
    pub spec: Spec,
}

/// A scenario's name.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// `fault/detector/action` in kebab case; used for folder, JUnit, snapshot and rerun.
    pub id: String,
    /// One sentence for people.
    pub summary: String,
    /// `slow` keeps it out of a run that does not ask for it by name.
    #[serde(default)]
    pub tags: BTreeSet<String>,
}

/// What happens and what must be seen.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// The VirtualMachine manifest, relative to the scenario file.
    pub manifest: String,
    /// The KubeVirt release whose rules apply; absent: the newest known.
    #[serde(default)]
    pub kubevirt_version: KubevirtVersion,
    /// Decides what KubeVirt leaves to chance: the spread of a backoff, how late a dead virt-launcher is noticed.
    #[serde(default)]
    pub seed: u64,
    /// What the guest is set up with.
    #[serde(default)]
    pub guest: GuestProfile,
    /// How long the guest may take from its start until it is as `guest` says, under KVM; absent: a minute, and two for an
    /// image of the user's own.
    #[serde(default)]
    pub boot_deadline: Option<Span>,
    /// A client that connects through a Service.
    #[serde(default)]
    pub traffic: Option<Traffic>,
    /// The timeline; each step waits for its event, seen after the step before it.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// Events that must be seen, in this order.
    pub expect: Vec<Expectation>,
    /// Events that must not be seen.
    #[serde(default)]
    pub never: Vec<Never>,
    /// How long to go on watching after the last expected event; proves absence.
    #[serde(default)]
    pub observe: Span,
    /// What must hold at the end.
    #[serde(rename = "final")]
    pub final_state: Final,
    /// Where model and QEMU, or two hosts, are known to differ; one that does not show fails the comparison.
    #[serde(default)]
    pub known_differences: Vec<KnownDifference>,
    /// Of no file: the event at which a repetition is to stop (`repro --until`).
    #[serde(skip)]
    pub until: Option<Pattern>,
}

/// A lane in which model and QEMU, or two QEMUs, differ, and why that is right.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KnownDifference {
    /// Which VMI, from 1.
    pub vmi: u32,
    /// The lane, as a report names it: `qemu`, `vmi`, `readiness` ...
    pub lane: String,
    /// Of this host's QEMU, like `container:debian-13`, against the first host's; absent: of QEMU against the model.
    #[serde(default)]
    pub host: Option<String>,
    /// Why that is right, for people.
    pub reason: String,
}

/// A client that connects to the Service at an interval.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Traffic {
    /// A connection this often.
    pub every: Span,
    /// The guest's port behind the Service.
    pub port: u16,
}

/// One step of the timeline.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// The event that this step waits for; absent: the scenario's beginning or the step before.
    #[serde(default)]
    pub after: Option<Pattern>,
    /// Then until the VM is Ready, its guest answers and its liveness probe, if it has one, has succeeded once; at most for so
    /// long.
    #[serde(default)]
    pub guarded_within: Option<Span>,
    /// This much later.
    #[serde(default)]
    pub plus: Span,
    /// Break something.
    #[serde(default)]
    pub fault: Option<Fault>,
    /// Ask for something as a user would.
    #[serde(default)]
    pub user: Option<UserRequest>,
}

/// An event that must be seen.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expectation {
    /// The event.
    pub see: Pattern,
    /// On this VMI only, counted from 1.
    #[serde(default)]
    pub vmi: Option<u32>,
    /// The window's origin: an event; absent: the last fault, or the beginning where there is none. A fault takes effect
    /// between its begin and its confirmation: the window opens counted from the one and closes counted from the other.
    #[serde(default)]
    pub from: Option<Pattern>,
    /// Not before and not after, on the device's or the prober's clock.
    #[serde(default)]
    pub within: Option<Window>,
    /// The same for what the guest's speed decides: the end is multiplied by the host's guest-time scale.
    #[serde(default)]
    pub within_guest: Option<Window>,
}

/// An event that must not be seen.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Never {
    /// The event.
    pub see: Pattern,
    /// Only after this event; absent: ever.
    #[serde(default)]
    pub after: Option<Pattern>,
}

/// What must hold at the end; an absent field is not checked.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Final {
    /// The VM's printableStatus.
    #[serde(default)]
    pub vm: Option<VmStatus>,
    /// The last VMI's phase, or `none`.
    #[serde(default)]
    pub vmi: Option<FinalVmi>,
    /// How many VMIs were created.
    #[serde(default)]
    pub vmis: Option<u32>,
    /// The VMI's Ready condition.
    #[serde(default)]
    pub ready: Option<bool>,
    /// The guest has booted and serves, as far as whoever broke it can know.
    #[serde(default)]
    pub answers: Option<bool>,
    /// How much longer than `observe` to wait until all of this holds; absent: it must hold then.
    #[serde(default)]
    pub wait_up_to: Option<Span>,
}

/// A VMI's phase; `none` where there is no VMI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct FinalVmi(pub Option<Phase>);

const NO_VMI: &str = "none";

impl TryFrom<String> for FinalVmi {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let phase = Phase::ALL.iter().copied().find(|phase| phase.as_str() == text);
        match phase {
            None if text != NO_VMI => Err(format!("{text:?} is no phase: expected {}", final_vmis().join(" or "))),
            phase => Ok(FinalVmi(phase)),
        }
    }
}

impl fmt::Display for FinalVmi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.map_or(NO_VMI, Phase::as_str))
    }
}

impl JsonSchema for FinalVmi {
    fn schema_name() -> Cow<'static, str> {
        "FinalVmi".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "A VMI's phase; `none` where there is no VMI.", "enum": final_vmis() })
    }
}

fn final_vmis() -> Vec<&'static str> {
    [NO_VMI].into_iter().chain(Phase::ALL.iter().map(|phase| phase.as_str())).collect()
}

impl Scenario {
    /// Whether it is tagged `slow`.
    pub fn is_slow(&self) -> bool {
        self.metadata.tags.contains("slow")
    }
}

/// The JSON Schema of scenario files, for editors.
pub fn json_schema() -> schemars::Schema {
    schemars::schema_for!(Scenario)
}

fn api_version<'de, D: serde::Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    exactly(d, "vmhealth.dev/v1alpha1")
}

fn kind<'de, D: serde::Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    exactly(d, "Scenario")
}

fn exactly<'de, D: serde::Deserializer<'de>>(d: D, expected: &str) -> Result<String, D::Error> {
    let text = String::deserialize(d)?;
    if text == expected {
        Ok(text)
    } else {
        Err(serde::de::Error::custom(format!("expected {expected}, found {text}")))
    }
}

//! The scenario file, `vmhealth.dev/v1alpha1`.
//!
//! Unknown keys are refused with line and column. No `flatten`, no untagged enums: both lose positions.

use super::fault::Fault;
use super::pattern::{self, Pattern};
use crate::cluster::KubevirtVersion;
use crate::manifest::{self, Probe, VmiSpec, WatchdogModel};
use crate::yaml::{self, YamlError};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// Debian's daemon wants more than its interval, seconds.
const SHORTEST_HEARTBEAT: u32 = 3;

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
    /// Of what KubeVirt leaves to chance: the spread of a backoff, how late a dead virt-launcher is noticed.
    #[serde(default)]
    pub seed: u64,
    /// What the guest is set up with.
    #[serde(default)]
    pub guest: GuestProfile,
    /// From the guest's start to its being so, under KVM; absent: a minute, and two for an image of the user's own.
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
    /// Why.
    pub reason: String,
}

/// What the guest is set up with, on top of the manifest's own cloud-init data.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GuestProfile {
    /// The watchdog daemon; absent: not configured.
    #[serde(default)]
    pub watchdog_daemon: Option<WatchdogDaemon>,
    /// A health server on port 1500.
    #[serde(default)]
    pub health_server: bool,
    /// `kernel.panic`: a panicked kernel reboots after so many seconds; 0: never, as Debian has it.
    #[serde(default)]
    pub kernel_panic_seconds: u32,
    /// The manifest's own user data, or the user's own image, sets up what pets the watchdog: something must have armed it. The
    /// model does not know it.
    #[serde(default)]
    pub own_watchdog_daemon: bool,
    /// In virtual time only: whatever the manifest's probes ask for is what the health server has.
    #[serde(skip)]
    pub serves_probes: bool,
}

impl GuestProfile {
    /// Ours, or the user's.
    pub fn has_watchdog_daemon(&self) -> bool {
        self.watchdog_daemon.is_some() || self.own_watchdog_daemon
    }
}

/// Debian's `watchdog` package.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WatchdogDaemon {
    /// `watchdog-timeout`, seconds; the daemon's default is 60.
    pub heartbeat_seconds: u32,
    /// Whether wd_keepalive may take over.
    pub keepalive: Keepalive,
    /// Which of the machine's watchdogs it opens; absent: the manifest's, or the machine's own where the manifest has none.
    #[serde(default)]
    pub device: Option<WatchdogModel>,
}

/// `wd_keepalive.service`, which Debian starts when the daemon fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Keepalive {
    /// As Debian ships it: after a kill it goes on petting and nothing fires.
    Takeover,
    /// Masked: a killed daemon is noticed by the device.
    Masked,
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

/// A user's request to the API.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum UserRequest {
    /// `virtctl start`.
    Start,
    /// `virtctl stop`.
    Stop,
    /// `virtctl pause vm`.
    Pause,
    /// `virtctl unpause vm`.
    Unpause,
    /// `virtctl restart`.
    Restart,
    /// `kubectl delete pod`, or an eviction without live migration.
    DeletePod,
    /// `kubectl delete vmi`.
    DeleteVmi,
    /// `kubectl delete vm`.
    Delete,
    /// A live migration of this length. Nothing moves: what a migration means to the probes is played (pings are forgiven).
    Migrate {
        /// From its start to its end.
        #[serde(rename = "for")]
        lasting: Span,
    },
    /// `kubectl edit vm`: the template changes, the VMI that runs does not.
    Edit(TemplateEdit),
}

impl UserRequest {
    fn edited_probes(&self) -> impl Iterator<Item = &serde_json::Value> {
        let edit = if let UserRequest::Edit(edit) = self { Some(edit) } else { None };
        edit.into_iter().flat_map(|e| e.readiness_probe.iter().chain(&e.liveness_probe))
    }
}

/// What may be changed of `spec.template.spec`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TemplateEdit {
    /// Another readiness probe.
    #[serde(default)]
    pub readiness_probe: Option<serde_json::Value>,
    /// Another liveness probe.
    #[serde(default)]
    pub liveness_probe: Option<serde_json::Value>,
    /// Another grace period.
    #[serde(default)]
    pub termination_grace_period_seconds: Option<u32>,
}

impl TemplateEdit {
    /// The template after the edit.
    pub fn apply(&self, vmi: &VmiSpec) -> Result<VmiSpec, String> {
        let probe = |edit: &Option<serde_json::Value>, before: &Option<Probe>| match edit {
            Some(value) => manifest::read_probe(&value.to_string()).map(Some).map_err(|e| e.to_string()),
            None => Ok(before.clone()),
        };
        let grace = self.termination_grace_period_seconds.map(|s| Duration::from_secs(s.into()));
        Ok(VmiSpec {
            readiness: probe(&self.readiness_probe, &vmi.readiness)?,
            liveness: probe(&self.liveness_probe, &vmi.liveness)?,
            grace: grace.unwrap_or(vmi.grace),
            ..vmi.clone()
        })
    }
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

/// What must hold at the end; what is absent is not looked at.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Final {
    /// The VM's printableStatus.
    #[serde(default)]
    pub vm: Option<String>,
    /// The last VMI's phase, or `none`.
    #[serde(default)]
    pub vmi: Option<String>,
    /// How many VMIs were created.
    #[serde(default)]
    pub vmis: Option<u32>,
    /// The VMI's Ready condition.
    #[serde(default)]
    pub ready: Option<bool>,
}

/// A span of time, written `1m30s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Span(pub Duration);

impl TryFrom<String> for Span {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        humantime::parse_duration(&text).map(Span).map_err(|e| format!("{text:?} is not a span like 1m30s: {e}"))
    }
}

/// Two spans, written `8s..13s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Window {
    /// Not before.
    pub min: Duration,
    /// Not after.
    pub max: Duration,
}

impl TryFrom<String> for Window {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let (min, max) = text.split_once("..").ok_or_else(|| format!("{text:?} is not a window like 8s..13s"))?;
        let (min, max) = (Span::try_from(min.to_owned())?.0, Span::try_from(max.to_owned())?.0);
        if min > max {
            return Err(format!("{text:?} ends before it begins"));
        }
        Ok(Window { min, max })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", humantime::format_duration(self.min), humantime::format_duration(self.max))
    }
}

/// Why a scenario file cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScenarioError {
    /// Not YAML, or not of this shape.
    #[error("{0}")]
    Yaml(#[from] YamlError),
    /// Well-formed, but it cannot mean anything.
    #[error("{0}")]
    Meaning(String),
}

impl Scenario {
    /// Reads a scenario file's text.
    pub fn read(text: &str) -> Result<Scenario, ScenarioError> {
        let scenario: Scenario = yaml::read(text)?;
        scenario.check().map_err(ScenarioError::Meaning)?;
        Ok(scenario)
    }

    /// Tagged so.
    pub fn is_slow(&self) -> bool {
        self.metadata.tags.contains("slow")
    }

    fn check(&self) -> Result<(), String> {
        let id = &self.metadata.id;
        let word =
            |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if id.split('/').count() != 3 || !id.split('/').all(word) {
            return Err(format!("metadata.id: {id:?} is not fault/detector/action in kebab case"));
        }
        for (i, step) in self.spec.steps.iter().enumerate() {
            if step.fault.is_some() == step.user.is_some() {
                return Err(format!("spec.steps[{i}]: expected exactly one of fault, user"));
            }
        }
        for (i, e) in self.spec.expect.iter().enumerate() {
            if e.within.is_some() == e.within_guest.is_some() {
                return Err(format!("spec.expect[{i}]: expected exactly one of within, withinGuest"));
            }
            if let Some(from) = e.from.as_ref().filter(|from| from.fault_news() == Some("")) {
                return Err(format!("spec.expect[{i}].from: {from} comes twice: say begun or confirmed"));
            }
        }
        let guest = &self.spec.guest;
        // Which device it is, the manifest says.
        let heartbeats = SHORTEST_HEARTBEAT..=*WatchdogModel::any_heartbeat().end();
        if let Some(daemon) = &guest.watchdog_daemon
            && !heartbeats.contains(&daemon.heartbeat_seconds)
        {
            return Err(format!(
                "spec.guest.watchdogDaemon.heartbeatSeconds: the daemon and the devices take {SHORTEST_HEARTBEAT} to {}",
                heartbeats.end()
            ));
        }
        for (i, step) in self.spec.steps.iter().enumerate() {
            for probe in step.user.iter().flat_map(UserRequest::edited_probes) {
                manifest::read_probe(&probe.to_string()).map_err(|e| format!("spec.steps[{i}].user.edit: {e}"))?;
            }
        }
        if guest.own_watchdog_daemon && guest.watchdog_daemon.is_some() {
            return Err("spec.guest: watchdogDaemon and ownWatchdogDaemon are both set: keep one".into());
        }
        for (i, fault) in self.spec.steps.iter().enumerate().filter_map(|(i, s)| Some((i, s.fault.as_ref()?))) {
            let lacks = match fault {
                Fault::KillWatchdog | Fault::StopWatchdog if !guest.has_watchdog_daemon() => "watchdogDaemon",
                Fault::Health(_) if !guest.health_server => "healthServer",
                _ => continue,
            };
            return Err(format!("spec.steps[{i}]: {} needs spec.guest.{lacks}", fault.name()));
        }
        if self.spec.traffic.as_ref().is_some_and(|t| t.every.0.is_zero()) {
            return Err("spec.traffic.every: a span longer than 0s is needed".into());
        }
        pattern::check_word("vmi phase", self.spec.final_state.vmi.as_deref().filter(|v| *v != "none"))?;
        pattern::check_word("vm status", self.spec.final_state.vm.as_deref())?;
        if self.spec.expect.is_empty() {
            return Err("spec.expect is empty: a scenario that expects nothing cannot fail".into());
        }
        Ok(())
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

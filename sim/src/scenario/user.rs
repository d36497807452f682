//! What a scenario's user asks the API for.

use crate::manifest::{self, Grace, Probe, VmiSpec};
use crate::time::Span;
use crate::trace::Request;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A user's request to the API.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum UserRequest {
    /// `virtctl start`.
    Start,
    /// `virtctl stop`.
    Stop,
    /// `virtctl stop --force --grace-period N`: the VMI that runs, or that is being stopped, has another grace period.
    ForceStop {
        /// `--grace-period`, seconds.
        #[serde(rename = "gracePeriod")]
        grace_period: u32,
    },
    /// `virtctl pause vm`.
    Pause,
    /// `virtctl unpause vm`.
    Unpause,
    /// `virtctl restart`.
    Restart,
    /// `kubectl delete pod`, or an eviction without live migration.
    DeletePod,
    /// `kubectl delete pod --force --grace-period=0`, or what fences a node that is lost: the pod is gone from the API at once,
    /// whatever runs.
    ForceDeletePod,
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
    /// `kubectl drain` of its node, or any other eviction of its pod: without the manifest's `evictionStrategy` the pod goes; with
    /// LiveMigrate the eviction is refused and the VMI migrates.
    Drain {
        /// How long the migration takes, if there is one.
        #[serde(rename = "for")]
        lasting: Span,
    },
    /// `systemctl restart kubelet` on its node, which takes no time here: the probes' counts are forgotten, and each probe begins again
    /// after a random part of its period. The guest and its pod run on.
    RestartKubelet {
        /// A ready pod is not ready until its readiness probe succeeds again: kubelets up to 1.34, and later ones with the feature gate
        /// `ChangeContainerStatusOnKubeletRestart`. Absent: it stays ready until the probe fails, whatever `kubevirtVersion` says, as a
        /// release of KubeVirt runs on several of Kubernetes.
        #[serde(rename = "resetsReady", default)]
        resets_ready: bool,
    },
    /// `kubectl annotate vmi`: the VMI that runs, and not its VM.
    Annotate(VmiAnnotations),
    /// `kubectl annotate vmi NAME-`.
    RemoveAnnotation(VmiAnnotation),
    /// `kubectl edit vm`: the template changes, the VMI that runs does not.
    Edit(TemplateEdit),
    /// `kubectl scale vmpool`, which no scenario can ask for.
    #[schemars(skip)]
    Scale(OfAPool),
}

/// What only a VirtualMachinePool can be asked for: there is no value of it.
#[derive(Debug, Clone, PartialEq)]
pub enum OfAPool {}

impl<'de> Deserialize<'de> for OfAPool {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<OfAPool, D::Error> {
        Err(D::Error::custom(
            "scale is of a VirtualMachinePool, and a scenario has one VirtualMachine: what scaling up does to it is its creation, what \
             scaling down does is user: delete; many VMs beside each other are a fleet file (vmhealth fleet)",
        ))
    }
}

impl UserRequest {
    /// Its name in the trace.
    pub fn request(&self) -> Request {
        match self {
            UserRequest::Start => Request::Start,
            UserRequest::Stop => Request::Stop,
            UserRequest::ForceStop { .. } => Request::ForceStop,
            UserRequest::Drain { .. } => Request::Drain,
            UserRequest::Annotate(_) => Request::Annotate,
            UserRequest::RemoveAnnotation(_) => Request::RemoveAnnotation,
            UserRequest::Pause => Request::Pause,
            UserRequest::Unpause => Request::Unpause,
            UserRequest::Restart => Request::Restart,
            UserRequest::RestartKubelet { .. } => Request::RestartKubelet,
            UserRequest::DeletePod => Request::DeletePod,
            UserRequest::ForceDeletePod => Request::ForceDeletePod,
            UserRequest::DeleteVmi => Request::DeleteVmi,
            UserRequest::Delete => Request::Delete,
            UserRequest::Migrate { .. } => Request::Migrate,
            UserRequest::Edit(_) => Request::Edit,
            UserRequest::Scale(never) => match *never {},
        }
    }

    pub(super) fn edited_probes(&self) -> impl Iterator<Item = &serde_json::Value> {
        let edit = if let UserRequest::Edit(edit) = self { Some(edit) } else { None };
        edit.into_iter()
            .flat_map(|e| [&e.readiness_probe, &e.liveness_probe])
            .filter_map(|probe| probe.as_ref()?.as_ref())
    }
}

/// A value that is there, also if it is null.
fn given<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Option<serde_json::Value>>, D::Error> {
    Option::deserialize(d).map(Some)
}

/// The annotations of a VMI that change something while it runs.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VmiAnnotations {
    /// Pings are answered without asking the guest, if KubeVirt reads it as true (v1.9 and later).
    #[serde(rename = "kubevirt.io/pause-guest-agent-probes")]
    pub pause_guest_agent_probes: String,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum VmiAnnotation {
    /// Pings ask the guest again.
    #[serde(rename = "kubevirt.io/pause-guest-agent-probes")]
    PauseGuestAgentProbes,
}

/// What may be changed of `spec.template.spec`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TemplateEdit {
    /// Another readiness probe; null removes it.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub readiness_probe: Option<Option<serde_json::Value>>,
    /// Another liveness probe; null removes it.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub liveness_probe: Option<Option<serde_json::Value>>,
    /// Another grace period.
    #[serde(default)]
    pub termination_grace_period_seconds: Option<u32>,
    /// More sockets or memory, which no scenario can ask for.
    #[serde(default)]
    #[schemars(skip)]
    pub domain: Option<LiveUpdate>,
}

/// What a running VMI takes only by migrating (kubevirt-health.md 2.8): there is no value of it.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveUpdate {}

impl<'de> Deserialize<'de> for LiveUpdate {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<LiveUpdate, D::Error> {
        Err(D::Error::custom(
            "CPU sockets and memory that grow while the VM runs are a live migration to its probes and its watchdog: write \
             user: {migrate: {for: 30s}}; any other change of the domain waits for a restart: write user: restart",
        ))
    }
}

impl TemplateEdit {
    /// The template after the edit.
    pub fn apply(&self, vmi: &VmiSpec) -> Result<VmiSpec, String> {
        let probe = |edit: &Option<Option<serde_json::Value>>, before: &Option<Probe>| match edit {
            Some(None) => Ok(None),
            Some(Some(value)) => manifest::read_probe(&value.to_string()).map(Some).map_err(|e| e.to_string()),
            None => Ok(before.clone()),
        };
        let grace = self.termination_grace_period_seconds.map(|s| Grace { seconds: s.into() });
        Ok(VmiSpec {
            readiness: probe(&self.readiness_probe, &vmi.readiness)?,
            liveness: probe(&self.liveness_probe, &vmi.liveness)?,
            grace: grace.unwrap_or(vmi.grace),
            ..vmi.clone()
        })
    }
}

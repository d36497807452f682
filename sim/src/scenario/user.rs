//! What a scenario's user asks the API for.

use crate::manifest::{self, Grace, Probe, VmiSpec};
use crate::time::Span;
use crate::trace::Request;
use schemars::JsonSchema;
use serde::Deserialize;

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
    /// Its name in the trace.
    pub fn request(&self) -> Request {
        match self {
            UserRequest::Start => Request::Start,
            UserRequest::Stop => Request::Stop,
            UserRequest::Pause => Request::Pause,
            UserRequest::Unpause => Request::Unpause,
            UserRequest::Restart => Request::Restart,
            UserRequest::DeletePod => Request::DeletePod,
            UserRequest::DeleteVmi => Request::DeleteVmi,
            UserRequest::Delete => Request::Delete,
            UserRequest::Migrate { .. } => Request::Migrate,
            UserRequest::Edit(_) => Request::Edit,
        }
    }

    pub(super) fn edited_probes(&self) -> impl Iterator<Item = &serde_json::Value> {
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
        let grace = self.termination_grace_period_seconds.map(|s| Grace { seconds: s.into() });
        Ok(VmiSpec {
            readiness: probe(&self.readiness_probe, &vmi.readiness)?,
            liveness: probe(&self.liveness_probe, &vmi.liveness)?,
            grace: grace.unwrap_or(vmi.grace),
            ..vmi.clone()
        })
    }
}

//! What a rule may know: the manifest and the cluster's options.

use super::options::Options;
use crate::manifest::{Handler, Probe, VirtualMachine, VmiSpec};
use crate::yaml::{Cursor, Place};

/// The manifest that is being checked.
pub(super) struct CheckContext<'a> {
    /// The whole object.
    pub(super) root: Cursor<'a>,
    /// Not a bare VirtualMachineInstance.
    pub(super) is_vm: bool,
    /// The VMI's spec, if it is there: `spec.template.spec`, or `spec` of a bare VMI.
    spec: Option<Cursor<'a>>,
    /// `amd64`, `arm64`, `s390x`, or whatever the manifest says.
    pub(super) architecture: &'a str,
    /// Its probes, as they are written.
    pub(super) probes: Vec<ProbeField<'a>>,
    pub(super) options: &'a Options,
}

/// A probe as it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProbeField<'a> {
    /// `readinessProbe` or `livenessProbe`.
    pub(super) name: &'static str,
    /// The probe.
    pub(super) cursor: Cursor<'a>,
    /// The VMI's spec around it.
    pub(super) spec: Cursor<'a>,
}

/// A probe of a manifest that can run.
pub(super) struct RunningProbe<'v, 'a> {
    pub(super) field: ProbeField<'a>,
    pub(super) probe: &'v Probe,
    pub(super) vm: &'v VirtualMachine,
    pub(super) options: &'a Options,
}

impl<'a> RunningProbe<'_, 'a> {
    /// The place of its handler.
    pub(super) fn handler(&self) -> Place<'a> {
        self.field.cursor.place(self.probe.handler.name())
    }

    /// It pings, and nobody asks the guest.
    pub(super) fn pings_are_paused(&self) -> bool {
        self.vm.vmi.agent_probes_paused && self.probe.handler == Handler::GuestAgentPing
    }

    /// It goes through the guest agent.
    pub(super) fn asks_the_agent(&self) -> bool {
        let through = matches!(self.probe.handler, Handler::Exec { .. } | Handler::GuestAgentPing);
        through && !self.pings_are_paused()
    }
}

impl<'a> CheckContext<'a> {
    pub(super) fn new(root: Cursor<'a>, is_vm: bool, options: &'a Options) -> CheckContext<'a> {
        let spec = root.at(Self::path_of_spec(is_vm));
        let named = spec.and_then(|s| s.text_at("architecture")).filter(|a| !a.is_empty());
        let architecture = named.unwrap_or(options.architecture.as_str());
        let probe = |spec: Cursor<'a>, name| Some(ProbeField { name, cursor: spec.get(name)?, spec });
        // The order in which KubeVirt looks at them.
        let names = ["readinessProbe", "livenessProbe"];
        let probes = names.into_iter().filter_map(|name| probe(spec?, name)).collect();
        CheckContext { root, is_vm, spec, architecture, probes, options }
    }

    const fn path_of_spec(is_vm: bool) -> &'static str {
        if is_vm { "spec.template.spec" } else { "spec" }
    }

    /// The path of the VMI's spec.
    pub(super) fn spec_path(&self) -> &'static str {
        Self::path_of_spec(self.is_vm)
    }

    /// What is at a path of the VMI's spec.
    pub(super) fn at(&self, path: &str) -> Option<Cursor<'a>> {
        self.spec?.at(path)
    }

    /// The text at a path of the VMI's spec.
    pub(super) fn text_at(&self, path: &str) -> Option<&'a str> {
        self.spec?.text_at(path)
    }

    /// The items of the list at a path of the VMI's spec.
    pub(super) fn items_at(&self, path: &str) -> impl Iterator<Item = Cursor<'a>> {
        self.spec.into_iter().flat_map(move |spec| spec.items_at(path))
    }

    /// The place of a path of the VMI's spec, of which not all need be there.
    pub(super) fn place(&self, path: &str) -> Place<'a> {
        match self.spec {
            Some(spec) => spec.place(path),
            None => self.root.place(&format!("{}.{path}", self.spec_path())),
        }
    }

    /// What a label or an annotation of the VMI says.
    pub(super) fn vmi_metadata(&self, key: &str) -> Option<&'a str> {
        let metadata = self.root.at(if self.is_vm { "spec.template.metadata" } else { "metadata" })?;
        ["labels", "annotations"].into_iter().find_map(|list| metadata.get(list)?.get(key)?.text())
    }

    /// Whether a feature gate that is on by default is off in the cluster.
    pub(super) fn is_off(&self, gate: &str) -> bool {
        self.options.without_gates.iter().any(|g| g == gate)
    }

    /// Its probes with what they mean.
    pub(super) fn running_probes<'v>(&self, vm: &'v VirtualMachine) -> Vec<RunningProbe<'v, 'a>> {
        let meaning = |field: &ProbeField<'a>| probe_of(&vm.vmi, field.name);
        self.probes
            .iter()
            .filter_map(|field| Some(RunningProbe { field: *field, probe: meaning(field)?, vm, options: self.options }))
            .collect()
    }
}

fn probe_of<'v>(vmi: &'v VmiSpec, name: &str) -> Option<&'v Probe> {
    if name == "livenessProbe" { vmi.liveness.as_ref() } else { vmi.readiness.as_ref() }
}

//! What a rule may know: the manifest and the cluster's options.

use super::beside::Matcher;
use super::gate::is_off_by_default;
use super::kind::Kind;
use super::options::Options;
use crate::manifest::{Handler, Probe, VirtualMachine, VmiSpec};
use crate::yaml::{Cursor, Node, Place, Value};

/// The manifest that is being checked.
pub(super) struct CheckContext<'a> {
    /// The whole object.
    pub(super) object: Cursor<'a>,
    pub(super) kind: Kind,
    /// The VM or VMI: the object, or what it makes others of.
    pub(super) root: Cursor<'a>,
    /// The same as it is written: `root` also has what an instance type and a preference bring.
    written: Cursor<'a>,
    /// `root` is a VM, not a VMI.
    pub(super) is_vm: bool,
    /// What the instance type and the preference that it names bring, if they stand in the same text.
    pub(super) brought: Brought<'a>,
    /// The VMI's spec, if it is there: `spec.template.spec`, or `spec` of a bare VMI.
    spec: Option<Cursor<'a>>,
    /// `amd64`, `arm64`, `s390x`, or whatever the manifest says.
    pub(super) architecture: &'a str,
    /// Its probes, as they are written.
    pub(super) probes: Vec<ProbeField<'a>>,
    pub(super) options: &'a Options,
}

/// The specs of a VM's instance type and preference; `None`: it names none, or none that can be seen here.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Brought<'a> {
    pub(super) instancetype: Option<&'a Node>,
    pub(super) preference: Option<&'a Node>,
}

impl<'a> Brought<'a> {
    pub(super) fn spec(self, matcher: Matcher) -> Option<&'a Node> {
        match matcher {
            Matcher::Instancetype => self.instancetype,
            Matcher::Preference => self.preference,
        }
    }
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
    pub(super) fn new(object: Cursor<'a>, kind: Kind, brought: Brought<'a>, options: &'a Options) -> CheckContext<'a> {
        let (root, is_vm) = (kind.vm_in(object), kind.holds_vm());
        let spec = root.at(Self::path_of_spec(is_vm));
        let named = spec.and_then(|s| s.text_at("architecture")).filter(|a| !a.is_empty());
        let architecture = named.unwrap_or(options.architecture.as_str());
        let probe = |spec: Cursor<'a>, name| Some(ProbeField { name, cursor: spec.get(name)?, spec });
        // The order in which KubeVirt looks at them.
        let names = ["readinessProbe", "livenessProbe"];
        let probes = names.into_iter().filter_map(|name| probe(spec?, name)).collect();
        CheckContext { object, kind, root, written: root, is_vm, brought, spec, architecture, probes, options }
    }

    pub(super) const fn path_of_spec(is_vm: bool) -> &'static str {
        if is_vm { "spec.template.spec" } else { "spec" }
    }

    /// The path of the VMI's spec.
    pub(super) fn spec_path(&self) -> String {
        self.spec.map_or_else(|| self.root.place(Self::path_of_spec(self.is_vm)).path(), Cursor::path)
    }

    /// The same VM with what is brought.
    pub(super) fn with(&self, whole: Cursor<'a>) -> CheckContext<'a> {
        CheckContext { written: self.written, ..CheckContext::new(whole, self.kind, self.brought, self.options) }
    }

    /// What its author has written at a path of the VMI's spec.
    pub(super) fn written_at(&self, path: &str) -> Option<Cursor<'a>> {
        self.written.at(Self::path_of_spec(self.is_vm))?.at(path)
    }

    /// The annotations that its author has written for the VMI of a VM.
    pub(super) fn written_annotations(&self) -> Option<Cursor<'a>> {
        self.written.at("spec.template.metadata.annotations")
    }

    /// The VM's field that names an instance type or a preference.
    pub(super) fn matcher(&self, matcher: Matcher) -> Option<Cursor<'a>> {
        if self.is_vm { self.root.get("spec")?.get(matcher.field()) } else { None }
    }

    /// Whether a webhook sees no architecture: no mutator gives a pool or a replica set the cluster's.
    pub(super) fn has_open_architecture(&self) -> bool {
        self.kind.template().is_some() && self.at("architecture").is_none()
    }

    /// Whether the VM names an instance type or a preference that cannot be seen here.
    pub(super) fn has_unseen(&self, matcher: Matcher) -> bool {
        self.matcher(matcher).is_some() && self.brought.spec(matcher).is_none()
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
            None => self.root.place(&format!("{}.{path}", Self::path_of_spec(self.is_vm))),
        }
    }

    /// The metadata that becomes the VMI's; a VMI's own is no template's.
    pub(super) fn metadata_of_template(&self) -> Option<Cursor<'a>> {
        self.metadata_of_vmi().filter(|_| self.kind != Kind::VirtualMachineInstance)
    }

    /// The metadata that the VMI has.
    pub(super) fn metadata_of_vmi(&self) -> Option<Cursor<'a>> {
        self.root.at(if self.is_vm { "spec.template.metadata" } else { "metadata" })
    }

    /// What a label or an annotation of the VMI says.
    pub(super) fn vmi_metadata(&self, key: &str) -> Option<&'a str> {
        let metadata = self.metadata_of_vmi()?;
        ["labels", "annotations"].into_iter().find_map(|list| metadata.get(list)?.get(key)?.text())
    }

    /// Whether a feature gate is off in the cluster.
    pub(super) fn is_off(&self, gate: &str) -> bool {
        let named = |gates: &[String]| gates.iter().any(|g| g == gate);
        named(&self.options.without_gates)
            || (is_off_by_default(gate, self.options.kubevirt) && !named(&self.options.with_gates))
    }

    /// Whether a setting is there and not `false`.
    pub(super) fn is_set(&self, path: &str) -> bool {
        self.at(path).is_some_and(|at| !matches!(at.value(), Value::Bool(false)))
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

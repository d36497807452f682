//! `why`: evidence of a real cluster held against the model of its VM.

use super::error::OwnError;
use super::guest::{Chosen, OwnGuest};
use super::scenario::{invalid_options, read_manifest};
use crate::bounded;
use crate::prepare::say;
use crate::report::WhyReport;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use vmhealth_sim::budget::Assumptions;
use vmhealth_sim::cluster::KubevirtVersion;
use vmhealth_sim::manifest::{self, NAMESPACE, RunStrategy, VirtualMachine};
use vmhealth_sim::scenario::{Scenario, Spec};
use vmhealth_sim::why::{Facts, Manifest, Whose, courses, judge, read};
use vmhealth_sim::world::Timings;

/// Of one file of evidence, bytes.
const LARGEST: u64 = 8 << 20;
/// Files of evidence.
const MOST: usize = 64;
/// The namespace of what says none.
const DEFAULT: &str = "default";
/// How long each run of the model goes on.
const LASTING: Duration = Duration::from_secs(600);

/// Evidence, and what is known of the VM.
#[derive(Debug, Clone)]
pub struct OwnWhy {
    /// The manifest's file; `None`: it is among the evidence.
    pub vm: Option<PathBuf>,
    /// The files of evidence; `-`: standard input.
    pub evidence: Vec<PathBuf>,
    /// From the guest's start until its service answers; `None`: a minute.
    pub boot: Option<Duration>,
    /// The watchdog daemon's timeout in seconds; 0: none runs; `None`: the user data's, or the daemon's default.
    pub heartbeat: Option<u32>,
    /// The cluster's release.
    pub kubevirt_version: KubevirtVersion,
}

impl OwnWhy {
    /// The answer.
    pub fn answer(&self) -> Result<WhyReport, OwnError> {
        let texts = self.texts()?;
        let given = self.vm.as_deref().map(|file| read_manifest(file, None, manifest::read)).transpose()?;
        // Without a name everything would count; with one, what is about other VMs does not.
        let vm = match given {
            Some(vm) => vm,
            None => found(read(&texts, Whose::default()).1)?,
        };
        let facts = facts(&texts, &vm)?;
        let boot = self.boot.unwrap_or(Assumptions::default().boot);
        if self.boot.is_none() {
            say(&format!("assumed, since nothing says otherwise: boot {} s (--boot)", boot.as_secs()));
        }
        let suspects = courses(&vm, &self.spec(&vm)?, Timings::booting_in(boot));
        let answer = judge(&facts, suspects);
        Ok(WhyReport::new(&vm, &facts, &answer))
    }

    fn texts(&self) -> Result<Vec<(String, String)>, OwnError> {
        if self.evidence.len() > MOST {
            return Err(OwnError::Invalid(format!("{} files of evidence, at most {MOST}", self.evidence.len())));
        }
        self.evidence.iter().map(|file| Ok((file.display().to_string(), text(file)?))).collect()
    }

    /// The scenario without the cause.
    fn spec(&self, vm: &VirtualMachine) -> Result<Spec, OwnError> {
        super::heartbeat::refuse_heartbeat(self.heartbeat, vm)?;
        let chosen = Chosen { heartbeat: self.heartbeat, in_model: true, ..Chosen::default() };
        let guest = OwnGuest::of(vm, chosen);
        guest.assumptions.iter().for_each(|line| say(line));
        let start = match vm.run_strategy {
            RunStrategy::Halted | RunStrategy::Manual => "  steps: [{user: start}]\n",
            _ => "",
        };
        let text = format!(
            "apiVersion: vmhealth.dev/v1alpha1\nkind: Scenario\nmetadata: {{id: why/your-own/manifest, summary: your own}}\nspec:\n  \
             manifest: unused\n  kubevirtVersion: {}\n  bootDeadline: 50m\n  guest: {{{}}}\n{start}  expect:\n    - {{see: guest ready, from: vm event SuccessfulCreate, withinGuest: 0s..55m}}\n  \
             observe: {}\n  final: {{}}\n",
            self.kubevirt_version,
            guest.profile,
            humantime::format_duration(LASTING),
        );
        Ok(Scenario::read(&text).map_err(invalid_options)?.spec)
    }
}

/// Of the VM alone. A manifest without a namespace is in `default`, or in the one where its objects are.
fn facts(texts: &[(String, String)], vm: &VirtualMachine) -> Result<Facts, OwnError> {
    let of = |namespace| read(texts, Whose { name: &vm.name, namespace }).0;
    if vm.namespace != DEFAULT || vm.places.find(NAMESPACE).is_some() {
        return Ok(of(&vm.namespace));
    }
    let facts = of("");
    match facts.namespaces.len() {
        0 | 1 => Ok(facts),
        _ if facts.namespaces.contains(DEFAULT) => Ok(of(DEFAULT)),
        _ => {
            let names: Vec<String> = facts.namespaces.iter().map(|n| format!("{n}/{}", vm.name)).collect();
            Err(OwnError::Invalid(format!(
                "the evidence has VMs of one name in several namespaces ({}): say which with metadata.namespace in its manifest",
                names.join(", ")
            )))
        }
    }
}

/// A file's text; what is no UTF-8 in a console is replaced.
fn text(file: &Path) -> Result<String, OwnError> {
    let bytes = bounded::bytes(file, LARGEST).map_err(OwnError::Invalid)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The VM among the evidence: a VM before a VMI, whose run strategy nobody knows.
fn found(mut manifests: Vec<Manifest>) -> Result<VirtualMachine, OwnError> {
    if manifests.iter().any(|m| m.kind == "VirtualMachine") {
        manifests.retain(|m| m.kind == "VirtualMachine");
    }
    // One that says no namespace is the other's of its name.
    let in_any = |m: &Manifest| manifests.iter().any(|o| o.name == m.name && !o.namespace.is_empty());
    let named = |m: &Manifest| match m.namespace.as_str() {
        "" => m.name.clone(),
        namespace => format!("{namespace}/{}", m.name),
    };
    let told = manifests.iter().filter(|m| !(m.namespace.is_empty() && in_any(m)));
    let names: BTreeSet<String> = told.map(named).collect();
    manifests.sort_by_key(|m| m.namespace.is_empty());
    let example = "kubectl get vm NAME -o yaml > vm.yaml";
    match (names.len(), manifests.first()) {
        (1, Some(first)) => {
            let file = format!("{}:{}", first.file, first.line);
            manifest::read(&file, &first.text).map_err(|problems| OwnError::Invalid(problems.to_string()))
        }
        (0, _) | (_, None) => {
            Err(OwnError::Invalid(format!("there is no VM among the evidence: add it, or --vm vm.yaml ({example})")))
        }
        _ => {
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            Err(OwnError::Invalid(format!(
                "the evidence has several VMs ({names}): say which with --vm vm.yaml ({example})"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A manifest without a namespace is in whichever its objects are; one that says `default` is in no other.
    #[test]
    fn whose_events_count() {
        let event = "kind: Event\ntype: Normal\nreason: Killing\nmessage: Stopping container compute\n\
                     involvedObject: {kind: Pod, namespace: test, name: virt-launcher-web-abcde}\n";
        let texts = [("e.yaml".to_owned(), event.to_owned())];
        for (metadata, counts) in
            [("{name: web}", 1), ("{name: web, namespace: default}", 0), ("{name: web, namespace: test}", 1)]
        {
            let text = format!(
                "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {metadata}\nspec:\n  runStrategy: Always\n  \
                 template: {{spec: {{domain: {{devices: {{}}}}}}}}\n"
            );
            let vm = manifest::read("vm.yaml", &text).unwrap();
            assert_eq!(facts(&texts, &vm).unwrap().facts.len(), counts, "{metadata}");
        }
    }
}

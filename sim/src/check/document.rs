//! From a text to its manifests: several documents, lists, OpenShift Templates.

use super::context::CheckContext;
use super::excuse::TextAround;
use super::layer::{Layer, Rank, Verdict};
use super::options::Options;
use super::registry::apply;
use super::rule::{Finding, Findings};
use super::rules::limits::{NOT_SIMULATED, TEMPLATE_PARAMETER};
use super::rules::schema;
use super::template::Template;
use super::unrendered;
use crate::manifest::{self, VirtualMachine};
use crate::yaml::{self, Cursor, Document, Pos, Record, YamlError};

/// Lists in lists end here.
const DEPTH: usize = 8;

/// What was found in a text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Checks {
    /// Its VirtualMachines and VirtualMachineInstances.
    pub manifests: Vec<Checked>,
    /// Its other objects, which vmhealth has nothing to say about.
    pub skipped: Vec<Skipped>,
}

/// An object of another kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its kind, or what it is instead of an object.
    pub kind: String,
    /// Where it begins.
    pub pos: Pos,
}

/// One VirtualMachine or VirtualMachineInstance.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// `metadata.name`, empty if absent.
    pub name: String,
    /// Whether it is a VirtualMachine, not a bare VirtualMachineInstance.
    pub is_vm: bool,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Whether `kubectl create` goes through.
    pub created: bool,
    /// What was found, in the order of the layers.
    pub findings: Vec<Finding>,
    /// Fields that vmhealth ignores: path and position.
    pub ignored: Vec<(String, Pos)>,
    /// As the rest of vmhealth understands it; `None` if it cannot run.
    pub vm: Option<VirtualMachine>,
}

/// Checks every VirtualMachine in `text`. An error is a text that is not YAML.
pub fn check(text: &str, options: &Options) -> Result<Checks, YamlError> {
    let around = TextAround::of(text);
    let mut checks = Checks::default();
    for node in yaml::documents(text).map_err(|e| unrendered::explain(text, e))? {
        let document = Document::new(&node);
        find_manifests(Cursor::new(&document), options, &around, DEPTH, &mut checks);
    }
    Ok(checks)
}

fn find_manifests(object: Cursor<'_>, options: &Options, around: &TextAround, depth: usize, checks: &mut Checks) {
    let kind = object.text_at("kind").unwrap_or(object.value().kind());
    let skipped = |kind: String| Skipped { kind, pos: object.node().pos };
    match kind {
        _ if depth == 0 => checks.skipped.push(skipped(format!("{kind} in too many lists"))),
        "VirtualMachine" | "VirtualMachineInstance" => {
            checks.manifests.push(check_manifest(object.object(), kind, options, around));
        }
        _ if kind.ends_with("List") && object.get("items").is_some() => {
            for item in object.items_at("items") {
                find_manifests(item, options, around, depth - 1, checks);
            }
        }
        "Template" if object.get("objects").is_some() => {
            for item in object.items_at("objects") {
                let (mut node, mut template) = (item.node().clone(), Template::of(object));
                template.substitute(&mut node);
                let Template { notes, open, .. } = template;
                let around = TextAround { in_template: true, notes, open, ..*around };
                let document = Document::new(&node);
                find_manifests(Cursor::new(&document), options, &around, depth - 1, checks);
            }
        }
        _ => checks.skipped.push(skipped(unrendered::name(object, kind))),
    }
}

fn check_manifest(object: Cursor<'_>, kind: &str, options: &Options, around: &TextAround) -> Checked {
    let record = Record::new();
    let decoder = object.recording(&record);
    let vm = manifest::decode(decoder, options.architecture);
    let is_vm = kind == "VirtualMachine";
    let context = CheckContext::new(object, is_vm, options);
    let mut findings = Findings::default();
    apply(Layer::ClientDecode..=Layer::Schema, &context, None, &mut findings);
    schema::walk(kind, &context, &mut findings);
    let checked = excuse(0, &mut findings, around);
    // Rules do not apply to what has not its type.
    if is_typed(&findings) {
        apply(Layer::VmWebhook..=Layer::Libvirt, &context, None, &mut findings);
        excuse(checked, &mut findings, around);
    }
    let can_run = is_typed(&findings);
    match &vm {
        Some(vm) if can_run => apply(Layer::Runtime..=Layer::Hazard, &context, Some(vm), &mut findings),
        None if can_run => {
            for (place, message) in decoder.errors() {
                findings.of(&NOT_SIMULATED).add(place, message, "nothing needs to be done if you want it so");
            }
        }
        _ => {}
    }
    for note in &around.notes {
        let help = "oc process -p NAME=... gives a parameter its value";
        findings.of(&TEMPLATE_PARAMETER).add(object, note.as_str(), help);
    }
    around.remark(object, is_vm, &mut findings);
    let mut findings: Vec<Finding> = findings.0.into_iter().map(|found| found.finding).collect();
    findings.sort_by_key(|f| f.rule.layer);
    Checked {
        name: object.text_at("metadata.name").unwrap_or_default().to_owned(),
        is_vm,
        verdict: verdict(&findings),
        created: !findings.iter().any(|f| f.rule.layer.prevents_creation(is_vm)),
        findings,
        ignored: vm.as_ref().map_or_else(|| decoder.unused(), |vm| vm.ignored.clone()),
        vm: vm.filter(|_| can_run),
    }
}

/// Every field has its type, as far as the API server looks.
fn is_typed(findings: &Findings<'_>) -> bool {
    let rules = || findings.0.iter().map(|found| found.finding.rule);
    rules().all(|rule| rule.layer == Layer::ClientDecode || rule.rank == Rank::Note)
}

/// Excuses what there is an excuse for, from a finding on; the number of all.
fn excuse(from: usize, findings: &mut Findings<'_>, around: &TextAround) -> usize {
    findings.0[from..].iter_mut().for_each(|found| around.excuse(found));
    findings.0.len()
}

fn verdict(findings: &[Finding]) -> Verdict {
    let errors = || findings.iter().filter(|f| f.rule.rank == Rank::Error);
    match (errors().any(|f| f.rule.layer.refuses()), errors().next().is_some()) {
        (true, _) => Verdict::Refused,
        (false, true) => Verdict::AcceptedButBroken,
        (false, false) => Verdict::Accepted,
    }
}

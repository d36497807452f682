//! From a text to its manifests: several documents, lists, OpenShift Templates.

use super::allow::{self, Allowance, Allowed};
use super::beside::{Beside, Matcher, Remembered};
use super::context::{Brought, CheckContext};
use super::excuse::TextAround;
use super::expand::expand;
use super::kind::Kind;
use super::layer::{Layer, Rank, Verdict};
use super::options::Options;
use super::registry::apply;
use super::rule::{Finding, Findings};
use super::rules::brought;
use super::rules::kind_of_file::UNRENDERED;
use super::rules::limits::{NOT_SIMULATED, TEMPLATE_PARAMETER};
use super::rules::object::UNKNOWN_KIND;
use super::rules::schema;
use super::template::{self, Template};
use super::unrendered;
use crate::manifest::{self, VirtualMachine};
use crate::yaml::{self, ByteSpan, Cursor, Document, Node, Pos, Record, YamlError};

/// Lists in lists end here.
const DEPTH: usize = 8;

/// What was found in a text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Checks {
    /// Its VMs and VMIs, what makes some, and what is brought to them.
    pub manifests: Vec<Checked>,
    /// Its other objects, which vmhealth has nothing to say about.
    pub skipped: Vec<Skipped>,
    /// Its documents that are not YAML, and its manifests of which placeholders keep the verdict open.
    pub unjudged: Vec<YamlError>,
    /// The comments that allow some of what is found.
    pub allowances: Vec<Allowance>,
    /// Where its objects begin, whatever they are.
    pub begins: Vec<Pos>,
}

impl Checks {
    /// Takes out what comments allow, and names the comments that allow nothing. Whatever is found must have been said before.
    pub(super) fn settle(&mut self) {
        if self.allowances.is_empty() {
            return;
        }
        for checked in &mut self.manifests {
            checked.allowed.extend(allow::take_allowed(&mut checked.findings, &mut self.allowances));
            checked.verdict = verdict(&checked.findings);
        }
        for allowance in std::mem::take(&mut self.allowances) {
            let objects: Vec<&mut Checked> = self.manifests.iter_mut().filter(|m| allowance.is_beside(m.pos)).collect();
            // What is refused has not been looked at for all that may be allowed.
            if objects.iter().any(|m| m.findings.iter().any(|f| f.layer.refuses())) {
                continue;
            }
            if let Some(checked) = objects.into_iter().next() {
                checked.findings.extend(allowance.unused());
            }
        }
    }
}

/// An object of another kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its kind, or what it is instead of an object.
    pub kind: String,
    /// Where it begins.
    pub pos: Pos,
}

/// One object that is a VM or a VMI, makes some or is named by them.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// `metadata.name`, empty if absent.
    pub name: String,
    /// Where that stands, or would stand.
    pub name_at: (Pos, ByteSpan),
    /// `metadata.namespace`, empty if absent.
    pub namespace: String,
    /// What it is.
    pub kind: Kind,
    /// Where it begins.
    pub pos: Pos,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Whether `kubectl create` goes through.
    pub created: bool,
    /// What was found, in the order of the layers.
    pub findings: Vec<Finding>,
    /// What was found, too, and a comment allows.
    pub allowed: Vec<Allowed>,
    /// Fields that vmhealth ignores: path and position.
    pub ignored: Vec<(String, Pos)>,
    /// As the rest of vmhealth understands it; `None` if it cannot run.
    pub vm: Option<VirtualMachine>,
}

/// What all manifests of a text are checked with.
struct With<'t> {
    options: &'t Options,
    beside: Beside<'t>,
}

/// Checks every object in a piece of a text that is a VM, makes VMs or is named by them. `is_item`: the piece is an item of a list.
pub(super) fn check_beside(
    text: &str,
    options: &Options,
    remembered: &Remembered,
    is_item: bool,
) -> Result<Checks, YamlError> {
    let around = TextAround::of(text);
    let mut checks = Checks::default();
    let (documents, broken) = yaml::salvage(text).map_err(|e| unrendered::explain(text, e))?;
    checks.unjudged = broken.into_iter().map(of_document).collect();
    let with = With { options, beside: Beside::of(&documents, remembered, DEPTH) };
    for node in &documents {
        let document = Document::new(node);
        find_manifests(Cursor::new(&document), &with, &around, DEPTH, &mut checks);
    }
    let (mut allowances, wrong) = allow::read(text, &documents, is_item);
    allowances.iter_mut().for_each(|allowance| allowance.stay_in_its_object(&checks.begins));
    checks.allowances = allowances;
    checks.unjudged.extend(wrong);
    Ok(checks)
}

/// Why a document among others is no YAML, at its place in the text.
fn of_document(broken: yaml::Broken<'_>) -> YamlError {
    let error = unrendered::explain(broken.text, broken.error);
    YamlError { pos: error.pos.after(broken.first), ..error }
}

fn find_manifests(object: Cursor<'_>, with: &With<'_>, around: &TextAround, depth: usize, checks: &mut Checks) {
    let kind = object.text_at("kind").unwrap_or(object.value().kind());
    let skipped = |kind: String| Skipped { kind, pos: object.node().pos };
    match kind {
        _ if depth == 0 => checks.skipped.push(skipped(format!("{kind} in too many lists"))),
        _ if kind.ends_with("List") && object.get("items").is_some() => {
            for item in object.items_at("items") {
                find_manifests(item, with, around, depth - 1, checks);
            }
        }
        "Template" if object.get("objects").is_some() => {
            for item in object.items_at("objects") {
                process(item.node().clone(), object, with, around, depth, checks);
            }
        }
        "VirtualMachineTemplate" if object.at("spec.virtualMachine").is_some() => {
            for (vm, spec) in object.at("spec.virtualMachine").into_iter().zip(object.get("spec")) {
                process(template::typed(vm.node()), spec, with, around, depth, checks);
            }
        }
        _ => {
            checks.begins.push(object.node().pos);
            match Kind::named(kind) {
                Some(kind) => {
                    let checked = check_manifest(object.object(), kind, with, around);
                    judge(checked, object, around, checks);
                }
                None => match (Kind::brought(kind), Kind::meant(object)) {
                    (Some(brought), _) => {
                        let checked = check_brought(object.object(), brought, with, around);
                        let version = object.text_at("apiVersion").unwrap_or_default();
                        // Of an older version's fields nothing is known: nobody has refused it, and nobody has looked.
                        match checked.verdict {
                            Verdict::Accepted if brought.is_former(version) => {
                                checks.skipped.push(skipped(format!("{kind} of {version}")));
                            }
                            _ => judge(checked, object, around, checks),
                        }
                    }
                    (None, Some(meant)) => match unrendered::open(object, around.in_template) {
                        Some((pos, why)) if unrendered::placeholder(kind).is_some() => {
                            checks.unjudged.push(YamlError { pos, message: format!("not judged: {why}") });
                        }
                        _ => checks.manifests.push(no_such_kind(object, meant)),
                    },
                    (None, None) => checks.skipped.push(skipped(unrendered::name(object, kind))),
                },
            }
        }
    }
}

/// A manifest that would be accepted but for what its placeholders stand for has no verdict.
fn judge(checked: Checked, object: Cursor<'_>, around: &TextAround, checks: &mut Checks) {
    match open(&checked, object, around).filter(|_| checked.verdict == Verdict::Accepted) {
        Some((pos, why)) => {
            let name = if checked.name.is_empty() { String::new() } else { format!("{}: ", checked.name) };
            checks.unjudged.push(YamlError { pos, message: format!("{name}not judged: {why}") });
        }
        None => checks.manifests.push(checked),
    }
}

/// What a verdict waits for, and where: a placeholder where it says something to Kubernetes, or one that excuses an error.
fn open(checked: &Checked, object: Cursor<'_>, around: &TextAround) -> Option<(Pos, String)> {
    let excused = || {
        let finding = checked.findings.iter().find(|finding| *finding.rule == UNRENDERED)?;
        Some((finding.pos, format!("{} {}", finding.vm_field, finding.message)))
    };
    unrendered::open(object, around.in_template).or_else(excused)
}

/// An instance type or a preference.
fn check_brought(object: Cursor<'_>, kind: Kind, with: &With<'_>, around: &TextAround) -> Checked {
    let context = CheckContext::new(object, kind, Brought::default(), with.options);
    let mut findings = Findings::default();
    apply(Layer::ClientDecode..=Layer::Schema, &context, None, &mut findings);
    schema::walk(&context, &mut findings);
    let checked = excuse(0, &mut findings, object, around);
    if is_typed(&findings) {
        brought::look_at(&context, &mut findings);
        excuse(checked, &mut findings, object, around);
    }
    schema::duplicate_keys(object, &mut findings);
    around.remark(object, false, &mut findings);
    concluded(object, kind, findings)
}

/// An object of a KubeVirt version whose kind is none of KubeVirt's.
fn no_such_kind(object: Cursor<'_>, meant: Kind) -> Checked {
    let kind = object.get("kind").and_then(Cursor::text).unwrap_or_default();
    let message = match kind {
        "" => "Object 'Kind' is missing".to_owned(),
        kind => {
            let version = object.text_at("apiVersion").unwrap_or_default();
            format!("no matches for kind {kind:?} in version {version:?}")
        }
    };
    let mut findings = Findings::default();
    findings.of(&UNKNOWN_KIND).add(object.place("kind"), message, format!("write kind: {}", meant.as_str()));
    concluded(object, meant, findings)
}

/// An object of a Template with the parameters that stand in `parameters`.
fn process(
    mut node: Node,
    parameters: Cursor<'_>,
    with: &With<'_>,
    around: &TextAround,
    depth: usize,
    checks: &mut Checks,
) {
    let mut template = Template::of(parameters);
    template.substitute(&mut node);
    let Template { notes, open, .. } = template;
    let around = TextAround { in_template: true, notes, open, ..*around };
    let document = Document::new(&node);
    find_manifests(Cursor::new(&document), with, &around, depth - 1, checks);
}

fn check_manifest(object: Cursor<'_>, kind: Kind, with: &With<'_>, around: &TextAround) -> Checked {
    let (options, named) = (with.options, |matcher| with.beside.named_by(kind.vm_in(object), matcher));
    let brought = match kind.holds_vm() {
        true => Brought { instancetype: named(Matcher::Instancetype), preference: named(Matcher::Preference) },
        false => Brought::default(),
    };
    let context = CheckContext::new(object, kind, brought, options);
    // What is brought is there before a webhook looks.
    let whole = with_brought(object, &context);
    let document = whole.as_ref().map(Document::new);
    let whole = document.as_ref().map_or(object, Cursor::new);
    let record = Record::new();
    let decoder = kind.vm_in(whole).recording(&record);
    let vm = manifest::decode(decoder, kind.holds_vm(), options.architecture);
    let mut findings = Findings::default();
    apply(Layer::ClientDecode..=Layer::Schema, &context, None, &mut findings);
    schema::walk(&context, &mut findings);
    let checked = excuse(0, &mut findings, object, around);
    let context = context.with(whole);
    // Rules do not apply to what has not its type.
    if is_typed(&findings) {
        apply(Layer::VmWebhook..=Layer::Libvirt, &context, None, &mut findings);
        excuse(checked, &mut findings, object, around);
    }
    let can_run = is_typed(&findings);
    schema::duplicate_keys(object, &mut findings);
    let checked = findings.0.len();
    match &vm {
        Some(vm) if can_run => apply(Layer::Runtime..=Layer::Hazard, &context, Some(vm), &mut findings),
        // Beside an error it says nothing that helps: nobody would run it.
        None if can_run && findings.0.iter().all(|found| found.finding.rule.rank != Rank::Error) => {
            for (place, message) in decoder.errors() {
                findings.of(&NOT_SIMULATED).add(place, message, "nothing needs to be done if you want it so");
            }
        }
        _ => {}
    }
    excuse(checked, &mut findings, object, around);
    for note in &around.notes {
        let help = "oc process -p NAME=... gives a parameter its value";
        findings.of(&TEMPLATE_PARAMETER).add(object, note.as_str(), help);
    }
    around.remark(object, kind == Kind::VirtualMachine, &mut findings);
    if kind == Kind::VirtualMachineInstance {
        let of_vm = findings.0.iter_mut().map(|found| &mut found.finding).filter(|f| f.layer == Layer::VmWebhook);
        of_vm.for_each(|f| f.layer = Layer::VmiWebhook);
    }
    let ignored = vm.as_ref().map_or_else(|| decoder.unused(), |vm| vm.ignored.clone());
    Checked { ignored, vm: vm.filter(|_| can_run), ..concluded(object, kind, findings) }
}

/// The object with what its VM's instance type and preference bring, if any is here.
fn with_brought(object: Cursor<'_>, context: &CheckContext<'_>) -> Option<Node> {
    let Brought { instancetype, preference } = context.brought;
    let below = CheckContext::path_of_spec(true);
    let path = context.kind.template().map_or(below.to_owned(), |path| format!("{path}.{below}"));
    (instancetype.is_some() || preference.is_some()).then(|| expand(object.node(), &path, instancetype, preference))
}

/// Every field has its type, as far as the API server looks.
fn is_typed(findings: &Findings<'_>) -> bool {
    let rules = || findings.0.iter().map(|found| found.finding.rule);
    rules().all(|rule| rule.layer == Layer::ClientDecode || rule.rank != Rank::Error)
}

/// Excuses what there is an excuse for, from a finding on; the number of all.
fn excuse(from: usize, findings: &mut Findings<'_>, object: Cursor<'_>, around: &TextAround) -> usize {
    findings.0[from..].iter_mut().for_each(|found| around.excuse(found, object));
    findings.0.len()
}

/// What comes of the object with all that was found in it.
fn concluded(object: Cursor<'_>, kind: Kind, findings: Findings<'_>) -> Checked {
    let mut findings: Vec<Finding> = findings.0.into_iter().map(|found| found.finding).collect();
    findings.sort_by_key(|f| f.layer);
    let name = object.place("metadata.name");
    Checked {
        name: object.text_at("metadata.name").unwrap_or_default().to_owned(),
        name_at: (name.pos(), name.span()),
        namespace: object.text_at("metadata.namespace").unwrap_or_default().to_owned(),
        kind,
        pos: object.node().pos,
        verdict: verdict(&findings),
        created: !findings.iter().any(|f| f.layer.prevents_creation(kind)),
        findings,
        allowed: Vec::new(),
        ignored: Vec::new(),
        vm: None,
    }
}

fn verdict(findings: &[Finding]) -> Verdict {
    let errors = || findings.iter().filter(|f| f.rule.rank == Rank::Error);
    match (errors().any(|f| f.layer.refuses()), errors().next().is_some()) {
        (true, _) => Verdict::Refused,
        (false, true) => Verdict::AcceptedButBroken,
        (false, false) => Verdict::Accepted,
    }
}

//! From a text to its manifests: several documents, lists, OpenShift Templates.

use super::code::{
    API_VERSION, Code, LEFT_OUT, LONELY_DISK, LONELY_INTERFACE, LONELY_NETWORK, MISSING_FIELD, NO_MEMORY, NO_STRATEGY,
    NOT_SIMULATED, TEMPLATE_PARAMETER,
};
use super::finding::{Exam, Finding, Layer, Rank, Verdict};
use super::template::Template;
use super::tree::{Tree, get, items, text};
use super::{admission, beyond, hazard, metadata, pod, schema};
use crate::manifest::{self, Architecture, VirtualMachine};
use crate::yaml::{self, Node, Pos, Value, YamlError};
use std::time::Duration;

/// Lists in lists end here.
const DEPTH: usize = 8;
/// What the API server serves.
const VERSIONS: [&str; 2] = ["kubevirt.io/v1", "kubevirt.io/v1alpha3"];

/// What a manifest does not say and a cluster would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The cluster's default.
    pub architecture: Architecture,
    /// How long the guest needs from its start until it answers its probes.
    pub boot: Duration,
    /// Feature gates of KubeVirt that are off there although they are on by default.
    pub without_gates: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        // A cloud image with cloud-init on a busy node.
        Options { architecture: Architecture::default(), boot: Duration::from_secs(60), without_gates: Vec::new() }
    }
}

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
    /// Fields that vmhealth does not act on: path and position.
    pub not_acted_on: Vec<(String, Pos)>,
    /// As the rest of vmhealth understands it; `None` if it cannot run.
    pub vm: Option<VirtualMachine>,
}

/// Checks every VirtualMachine in `text`. An error is a text that is not YAML.
pub fn check(text: &str, options: &Options) -> Result<Checks, YamlError> {
    let context = Context { options, excerpt: text.lines().any(is_elision), notes: Vec::new(), open: Vec::new() };
    let mut checks = Checks::default();
    for node in yaml::documents(text)? {
        walk(&node, &context, DEPTH, &mut checks);
    }
    Ok(checks)
}

/// What an object is looked at with.
struct Context<'a> {
    options: &'a Options,
    /// The text leaves things out and says so.
    excerpt: bool,
    /// Of the Template around it: what there is to say about its parameters.
    notes: Vec<String>,
    /// What depends on a parameter without a value stands there.
    open: Vec<Pos>,
}

/// `# ...`: how documentation marks what it leaves out.
fn is_elision(line: &str) -> bool {
    line.trim().strip_prefix('#').is_some_and(|rest| matches!(rest.trim(), "..." | "\u{2026}"))
}

fn walk(node: &Node, context: &Context<'_>, depth: usize, checks: &mut Checks) {
    let kind = get(node, "kind").and_then(text).unwrap_or(node.value.kind());
    let is_list = kind.ends_with("List") && get(node, "items").is_some();
    match kind {
        _ if depth == 0 => checks.skipped.push(Skipped { kind: format!("{kind} in too many lists"), pos: node.pos }),
        "VirtualMachine" | "VirtualMachineInstance" => checks.manifests.push(examine(node, kind, context)),
        _ if is_list => {
            for item in get(node, "items").map_or(&[][..], items) {
                walk(item, context, depth - 1, checks);
            }
        }
        "Template" if get(node, "objects").is_some() => {
            for object in get(node, "objects").map_or(&[][..], items) {
                let (mut object, mut template) = (object.clone(), Template::of(node));
                template.substitute(&mut object);
                let Template { notes, open, .. } = template;
                walk(&object, &Context { notes, open, ..*context }, depth - 1, checks);
            }
        }
        _ => checks.skipped.push(Skipped { kind: kind.to_owned(), pos: node.pos }),
    }
}

/// What an excerpt leaves out or puts a placeholder for is not held against it, nor what a Template's user will give.
fn forgive(exam: &mut Exam<'_>, context: &Context<'_>) {
    const ABSENT: [&Code; 5] = [&NO_STRATEGY, &NO_MEMORY, &LONELY_NETWORK, &LONELY_INTERFACE, &LONELY_DISK];
    // A part that the whole must have somewhere; not the port of a probe that is there.
    let part = |f: &Finding| {
        f.code == &MISSING_FIELD
            && ["name", "spec", "template", "domain", "devices"].iter().any(|p| f.vm_field.ends_with(p))
    };
    let tree = exam.tree;
    for finding in exam.found.iter_mut().filter(|f| f.code.rank == Rank::Error) {
        if context.open.contains(&finding.pos) {
            finding.message = format!("depends on a parameter without a value: {}", finding.message);
            finding.code = &TEMPLATE_PARAMETER;
        } else if context.excerpt && (ABSENT.contains(&finding.code) || part(finding)) {
            finding.message = format!("left out of this excerpt: {}", finding.message);
            finding.code = &LEFT_OUT;
        } else if context.excerpt
            && (is_placeholder(&finding.vm_field) || holds_placeholder(tree.at(&finding.vm_field)))
        {
            finding.message = format!("a placeholder of this excerpt: {}", finding.message);
            finding.code = &LEFT_OUT;
        }
    }
}

/// `<vm-name>`: how documentation marks what is the reader's; of a path its last step.
fn is_placeholder(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or_default();
    last.len() > 2 && last.starts_with('<') && last.ends_with('>')
}

/// Itself, or as the value of one of its members.
fn holds_placeholder(node: Option<&Node>) -> bool {
    match node.map(|n| &n.value) {
        Some(Value::Str(text)) => is_placeholder(text),
        Some(Value::Map(entries)) => entries.iter().any(|(_, v)| text(v).is_some_and(is_placeholder)),
        _ => false,
    }
}

fn examine(node: &Node, kind: &str, context: &Context<'_>) -> Checked {
    let options = context.options;
    let tree = Tree(node);
    let is_vm = kind == "VirtualMachine";
    let vmi = if is_vm { "spec.template.spec" } else { "spec" };
    let architecture = tree.text(&format!("{vmi}.architecture")).filter(|a| !a.is_empty());
    let architecture = architecture.unwrap_or(options.architecture.as_str()).to_owned();
    let without_gates = options.without_gates.as_slice();
    let mut exam = Exam { tree, vmi, is_vm, architecture, without_gates, found: Vec::new() };
    let version = tree.text("apiVersion").unwrap_or_default();
    if !VERSIONS.contains(&version) {
        let message = format!("no matches for kind {kind:?} in version {version:?}");
        exam.add(&API_VERSION, "apiVersion", message, "write apiVersion: kubevirt.io/v1");
    }
    schema::examine(&mut exam);
    metadata::examine(&mut exam);
    forgive(&mut exam, context);
    // What has not its type cannot be held against rules.
    let typed =
        |found: &[Finding]| found.iter().all(|f| f.code.layer == Layer::ClientDecode || f.code.rank == Rank::Note);
    if typed(&exam.found) {
        admission::examine_vm(&mut exam);
        admission::examine_vmi(&mut exam);
        pod::examine(&mut exam);
        beyond::examine_domain(&mut exam);
    }
    forgive(&mut exam, context);
    let can_run = typed(&exam.found);
    let read = can_run.then(|| manifest::read_node("", node, options.architecture));
    match &read {
        Some(Ok(vm)) => {
            beyond::examine_runtime(&mut exam, vm);
            hazard::examine(&mut exam, vm, options.boot);
        }
        Some(Err(problems)) => {
            for problem in &problems.0 {
                exam.add(&NOT_SIMULATED, &problem.path, problem.message.clone(), "nothing, if this is what you want");
            }
        }
        None => {}
    }
    for note in &context.notes {
        exam.add(&TEMPLATE_PARAMETER, "", note.clone(), "oc process -p NAME=... gives a parameter its value");
    }
    let mut findings = exam.found;
    findings.sort_by_key(|f| f.code.layer);
    let worst = |wanted: fn(Layer) -> bool| findings.iter().any(|f| f.code.rank == Rank::Error && wanted(f.code.layer));
    let verdict = match (worst(Layer::refuses), worst(|layer| !layer.refuses())) {
        (true, _) => Verdict::Refused,
        (false, true) => Verdict::AcceptedButBroken,
        (false, false) => Verdict::Accepted,
    };
    Checked {
        name: tree.text("metadata.name").unwrap_or_default().to_owned(),
        is_vm,
        verdict,
        created: !findings.iter().any(|f| f.code.layer.prevents_creation(is_vm)),
        findings,
        not_acted_on: manifest::not_acted_on(node),
        vm: read.and_then(Result::ok),
    }
}

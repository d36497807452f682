//! From a YAML document to a [`VirtualMachine`].

use super::architecture::Architecture;
use super::base64::go_base64;
use super::places::Places;
use super::types::*;
use super::user_data::UserData;
use super::{boot, probe, quantity};
use crate::devices::{WatchdogAction, WatchdogModel};
use crate::yaml::{self, Cursor, Document, Node, Pos, Problem, Problems, Record, Scalar, Severity, Value};

const RUN_STRATEGIES: &[(&str, RunStrategy)] = &[
    ("Always", RunStrategy::Always),
    ("RerunOnFailure", RunStrategy::RerunOnFailure),
    ("Manual", RunStrategy::Manual),
    ("Halted", RunStrategy::Halted),
    ("Once", RunStrategy::Once),
];

/// The command line of a kernel that does not come from the guest's disk.
const KERNEL_ARGS: &str = "domain.firmware.kernelBoot.kernelArgs";
/// Lists in lists end here.
const LISTS_IN_LISTS: usize = 8;
/// So many VMs are named where one was expected.
const NAMED: usize = 5;

/// Reads the one VirtualMachine or VirtualMachineInstance in `text`; `file` is only for messages.
pub fn read(file: &str, text: &str) -> Result<VirtualMachine, Problems> {
    read_as(file, &only_vm(file, text)?, Use::default())
}

/// The same for a guest that boots an image of the user's own: what [`super::Boot`] holds is acted on then.
pub fn read_for_own_image(file: &str, text: &str) -> Result<VirtualMachine, Problems> {
    read_as(file, &only_vm(file, text)?, Use { own_image: true, ..Use::default() })
}

/// What a manifest is read for.
#[derive(Clone, Copy, Default)]
struct Use {
    /// The cluster's default.
    architecture: Architecture,
    /// Firmware boots the user's own image.
    own_image: bool,
}

impl Use {
    /// Where the manifest names none: KubeVirt's own for an image of the user's; guests of ours have one watchdog unless they
    /// are to have two.
    fn machine(self, architecture: Architecture) -> MachineType {
        match architecture {
            Architecture::Amd64 if self.own_image => MachineType::Q35,
            _ => MachineType::default(),
        }
    }
}

/// The one VM or VMI in a text, also in a list or beside other objects; where there is none, the only document, which is told why.
pub fn only_vm(file: &str, text: &str) -> Result<Node, Problems> {
    let fail = |pos, message: String| {
        let problem = Problem { severity: Severity::Error, file: file.to_owned(), pos, path: String::new(), message };
        Problems(vec![problem])
    };
    let mut documents = yaml::documents(text).map_err(|e| fail(e.pos, e.message))?;
    let mut vms = Vec::new();
    documents.iter().for_each(|node| collect_vms(node, LISTS_IN_LISTS, &mut vms));
    match (vms.as_slice(), documents.len()) {
        ([vm], _) => return Ok((*vm).clone()),
        ([_, second, ..], _) => {
            let names: Vec<&str> = vms.iter().take(NAMED).map(|vm| vm.text_at("metadata.name")).collect();
            let more = if vms.len() > NAMED { ", ..." } else { "" };
            let message = format!(
                "{} VMs in one file ({}{more}): only one can be taken at a time, give it a file of its own",
                vms.len(),
                names.join(", ")
            );
            return Err(fail(second.pos, message));
        }
        ([], 2..) => {
            let message =
                format!("{} documents, and no VirtualMachine or VirtualMachineInstance in them", documents.len());
            return Err(fail(documents[1].pos, message));
        }
        ([], _) => {}
    }
    documents.pop().ok_or_else(|| fail(Pos { line: 1, column: 1 }, "the file holds no document".into()))
}

fn collect_vms<'a>(node: &'a Node, depth: usize, vms: &mut Vec<&'a Node>) {
    let kind = node.text_at("kind");
    match node.get("items").map(|items| &items.value) {
        Some(yaml::Value::Seq(items)) if kind.ends_with("List") && depth > 0 => {
            items.iter().for_each(|item| collect_vms(item, depth - 1, vms));
        }
        _ if ["VirtualMachine", "VirtualMachineInstance"].contains(&kind) => vms.push(node),
        _ => {}
    }
}

/// Reads one probe by itself, as it stands under `livenessProbe`.
pub fn read_probe(text: &str) -> Result<super::Probe, Problems> {
    let (documents, record) = (yaml::documents(text).unwrap_or_default(), Record::new());
    let Some(node) = documents.first() else { return Err(Problems(Vec::new())) };
    let document = Document::new(node);
    let cursor = Cursor::new(&document).recording(&record);
    let probe = probe::decode(cursor);
    let (errors, _) = by_severity(cursor.problems(""));
    probe.filter(|_| errors.is_empty()).ok_or(Problems(errors))
}

fn read_as(file: &str, node: &Node, used: Use) -> Result<VirtualMachine, Problems> {
    let (document, record) = (Document::new(node), Record::new());
    let root = Cursor::new(&document).recording(&record);
    // `check` has a finding of its own for it.
    root.overridden().for_each(|at| at.error("the key comes again below: keep one of them"));
    decode_as(file, root, used)
}

/// Decodes the VM or VMI at a cursor, which records what is wrong with it and what is ignored; `architecture` is the cluster's
/// default. Its API version and kind need not be there: a template has none.
pub(crate) fn decode(cursor: Cursor<'_>, is_vm: bool, architecture: Architecture) -> Option<VirtualMachine> {
    for at in ["apiVersion", "kind"].into_iter().filter_map(|key| cursor.get(key)) {
        at.text();
    }
    finish("", cursor, content(cursor, is_vm, Use { architecture, ..Use::default() })).ok()
}

fn decode_as(file: &str, cursor: Cursor<'_>, used: Use) -> Result<VirtualMachine, Problems> {
    let vm = finish(file, cursor, manifest(cursor, used))?;
    Ok(VirtualMachine { places: Places::of(file, cursor), ..vm })
}

fn finish(file: &str, cursor: Cursor<'_>, vm: Option<VirtualMachine>) -> Result<VirtualMachine, Problems> {
    let (errors, warnings) = by_severity(cursor.problems(file));
    match vm {
        Some(vm) if errors.is_empty() => Ok(VirtualMachine { ignored: cursor.unused(), warnings, ..vm }),
        _ => Err(Problems(errors)),
    }
}

/// Each in the order of the file, and once: more than one reader may have looked there.
fn by_severity(mut problems: Vec<Problem>) -> (Vec<Problem>, Vec<Problem>) {
    problems.sort_by(|a, b| (a.pos, &a.path, &a.message).cmp(&(b.pos, &b.path, &b.message)));
    problems.dedup();
    problems.into_iter().partition(|p| p.severity == Severity::Error)
}

fn require<'a>(root: Cursor<'a>, key: &str) -> Option<Cursor<'a>> {
    let found = root.at(key);
    if found.is_none() {
        root.error(format!("{key} is required"));
    }
    found
}

fn manifest(root: Cursor<'_>, used: Use) -> Option<VirtualMachine> {
    let versions = [("kubevirt.io/v1", ()), ("kubevirt.io/v1alpha3", ())];
    let version = require(root, "apiVersion").and_then(|c| c.word(&versions));
    let kinds = [("VirtualMachine", true), ("VirtualMachineInstance", false)];
    // Of another kind's fields nobody knows what is wrong with them.
    let is_vm = require(root, "kind").and_then(|c| c.word(&kinds))?;
    let content = content(root, is_vm, used);
    version.and(content)
}

fn content(root: Cursor<'_>, is_vm: bool, used: Use) -> Option<VirtualMachine> {
    let spec = require(root, "spec")?;
    let (run_strategy, template, metadata) = if is_vm {
        (run_strategy(spec), require(root, "spec.template.spec"), root.at("spec.template.metadata"))
    } else {
        // A bare VMI is never re-created: what Once does to its VMI.
        (Some(RunStrategy::Once), Some(spec), root.get("metadata"))
    };
    // Everything is read before anything is given up: one error hides no other.
    let vmi = template.map(|template| vmi_spec(template, used));
    let annotations = metadata.and_then(|m| m.get("annotations"));
    let paused = annotations.and_then(|a| a.get("kubevirt.io/pause-guest-agent-probes")).and_then(Cursor::text);
    let name = root.text_at("metadata.name");
    if name.is_none() {
        root.warn("metadata.name is missing; using \"vm\"");
    }
    Some(VirtualMachine {
        name: name.unwrap_or("vm").to_owned(),
        namespace: root.text_at("metadata.namespace").unwrap_or("default").to_owned(),
        run_strategy: run_strategy?,
        vmi: VmiSpec { agent_probes_paused: paused.is_some_and(go_bool), ..vmi? },
        ignored: Vec::new(),
        warnings: Vec::new(),
        places: Places::default(),
    })
}

/// An annotation's text as Go's strconv.ParseBool reads it; what it cannot parse counts as false (kubevirt-health.md 3.4).
pub fn go_bool(text: &str) -> bool {
    ["1", "t", "T", "TRUE", "true", "True"].contains(&text)
}

fn run_strategy(spec: Cursor<'_>) -> Option<RunStrategy> {
    match (spec.get("running"), spec.get("runStrategy")) {
        (Some(running), Some(_)) => {
            running.error("running and runStrategy are mutually exclusive: remove running");
            None
        }
        (Some(running), None) => Some(if running.boolean()? { RunStrategy::Always } else { RunStrategy::Halted }),
        (None, Some(strategy)) => strategy.word(RUN_STRATEGIES),
        (None, None) => {
            spec.warn("neither runStrategy nor running is given: KubeVirt refuses that; run as Always here");
            Some(RunStrategy::Always)
        }
    }
}

fn vmi_spec(spec: Cursor<'_>, used: Use) -> VmiSpec {
    let grace = spec.get("terminationGracePeriodSeconds").and_then(Cursor::int64);
    let cpu = |key| spec.at("domain.cpu").and_then(|c| c.get(key)).and_then(Cursor::int32);
    let vcpus = [cpu("cores"), cpu("sockets"), cpu("threads")];
    let architectures = Architecture::ALL.map(|a| (a.as_str(), a));
    let named = spec.get("architecture").filter(|c| c.text() != Some(""));
    let architecture = named.and_then(|c| c.word(&architectures)).unwrap_or(used.architecture);
    let kernel_args = spec.quiet().text_at(KERNEL_ARGS).unwrap_or_default().to_owned();
    let user_data = UserData::read(spec, &kernel_args);
    if user_data.kernels_panic_timer.is_some() {
        // It is acted on.
        spec.text_at(KERNEL_ARGS);
    }
    VmiSpec {
        architecture,
        readiness: spec.get("readinessProbe").and_then(probe::decode),
        liveness: spec.get("livenessProbe").and_then(probe::decode),
        grace: grace.map_or_else(Grace::default, |seconds| Grace { seconds }),
        machine: match spec.at("domain.machine.type") {
            Some(c) => machine(c, architecture, used),
            None => used.machine(architecture),
        },
        watchdog: spec.at("domain.devices.watchdog").and_then(|c| watchdog(c, architecture)),
        panic_device: spec.at("domain.devices.panicDevices").is_some_and(panic_devices),
        reboot_policy: spec
            .at("domain.rebootPolicy")
            .and_then(|c| c.word(&[("Reboot", RebootPolicy::Reboot), ("Terminate", RebootPolicy::Terminate)]))
            .unwrap_or_default(),
        agent_probes_paused: false,
        migrates_on_drain: spec
            .text_at("evictionStrategy")
            .is_some_and(|strategy| ["LiveMigrate", "LiveMigrateIfPossible"].contains(&strategy)),
        start_paused: spec.get("startStrategy").and_then(|c| c.word(&[("Paused", true)])).unwrap_or_default(),
        memory: memory(spec),
        vcpus: vcpus.iter().any(Option::is_some).then(|| vcpu_count(spec, &vcpus)),
        cloud_init: cloud_init(spec, used.own_image),
        user_data,
        kernel_args,
        boot: boot::boot(spec, architecture, used.own_image),
        ports: interface_ports(spec, |_| true).into_iter().map(|p| (p.name, p.number)).collect(),
        forwarded: forwarded(spec),
    }
}

/// KubeVirt's `machine.type` is a QEMU machine, with a version or without.
fn machine(c: Cursor<'_>, architecture: Architecture, used: Use) -> MachineType {
    let Some(name) = c.text().filter(|n| !n.is_empty()) else { return used.machine(architecture) };
    // What runs, and how that is called; what its versions begin with.
    let machines: &[(&str, &str, MachineType)] = match architecture {
        Architecture::Amd64 => &[("q35", "pc-q35-", MachineType::Q35), ("pc", "pc-i440fx-", MachineType::Pc)],
        Architecture::S390x => &[("s390-ccw-virtio", "s390-ccw-virtio-", MachineType::Pc)],
        Architecture::Arm64 => &[],
    };
    let known = machines.iter().find(|(plain, versions, _)| name == *plain || name.starts_with(versions));
    match known {
        None => c.warn(format!("{name:?} is ignored by vmhealth: no such machine runs here")),
        Some((plain, ..)) if name != *plain => {
            c.warn(format!("{name:?}: the version is ignored by vmhealth: QEMU's newest {plain} runs"));
        }
        Some(_) => {}
    }
    known.map_or_else(|| used.machine(architecture), |(.., machine)| *machine)
}

/// More than any host of ours could run; QEMU's own limit is near.
const MAX_VCPUS: u32 = 255;

fn vcpu_count(spec: Cursor<'_>, parts: &[Option<i32>]) -> u32 {
    let count =
        parts.iter().try_fold(1_u32, |n, part| n.checked_mul(u32::try_from(part.unwrap_or(1)).unwrap_or(1).max(1)));
    count.filter(|n| *n <= MAX_VCPUS).unwrap_or_else(|| {
        spec.error(format!("domain.cpu: more than {MAX_VCPUS} vCPUs"));
        1
    })
}

fn watchdog(c: Cursor<'_>, architecture: Architecture) -> Option<Watchdog> {
    let Value::Map(_) = c.value() else {
        c.present();
        return None;
    };
    // The webhook fills an absent one in with nothing.
    let name = c.text_at("name").unwrap_or_default().to_owned();
    let (model, device) = match (c.get("i6300esb"), c.get("diag288")) {
        (Some(_), Some(d)) => {
            d.error("i6300esb and diag288 are both set: keep one");
            return None;
        }
        (Some(d), None) => (WatchdogModel::I6300esb, Some(d)),
        (None, Some(d)) => (WatchdogModel::Diag288, Some(d)),
        // KubeVirt adds the architecture's own (archdef).
        (None, None) => (architecture.watchdog().unwrap_or(WatchdogModel::I6300esb), None),
    };
    if architecture.watchdog() != Some(model) {
        device.unwrap_or(c).warn(format!("{} on {architecture}: no VMI is ever created", model.as_str()));
    }
    let action = match device {
        Some(d) => {
            d.present();
            d.get("action")
        }
        None => None,
    };
    let (mut known, mut unknown_action) = (WatchdogAction::Reset, None);
    // An empty one is none.
    let word = action.and_then(|c| Some((c.text()?, c)));
    if let Some((text, c)) = word.filter(|(text, _)| !text.is_empty()) {
        match WatchdogAction::of(text) {
            Some(action) => known = action,
            None if WatchdogAction::NOT_SIMULATED.contains(&text) => {
                c.error(format!("the watchdog action {text} is not simulated: write poweroff, reset or shutdown"));
            }
            // kubevirt-health.md 2.6.
            None => {
                c.warn(format!("{text:?} is an action that libvirt refuses: the guest never starts"));
                unknown_action = Some(text.to_owned());
            }
        }
    }
    Some(Watchdog { name, model, action: known, unknown_action })
}

fn panic_devices(c: Cursor<'_>) -> bool {
    let mut any = false;
    for device in c.items() {
        any = true;
        device.present();
        if let Some(model) = device.get("model") {
            model.word(&[("hyperv", ()), ("isa", ()), ("pvpanic", ())]);
        }
    }
    any
}

fn memory(spec: Cursor<'_>) -> Option<u64> {
    let c = ["domain.memory.guest", "domain.resources.requests.memory", "domain.resources.limits.memory"]
        .iter()
        .find_map(|path| spec.at(path))?;
    let text = match c.scalar()? {
        Scalar::Int(n) => n.to_string(),
        Scalar::Text(t) => t,
    };
    let bytes = quantity::bytes(text.trim());
    if bytes.is_none() {
        let why = if quantity::is_quantity(text.trim()) { "cannot be a guest's memory" } else { "is not a quantity" };
        c.error(format!("{text:?} {why}: write one like 512Mi or 1Gi"));
    }
    bytes
}

/// What an image of the user's own would not be told is an error then: it would not be the guest that the manifest describes.
fn cloud_init(spec: Cursor<'_>, own_image: bool) -> CloudInit {
    let volumes: Vec<Cursor<'_>> = spec.items_at("volumes").collect();
    for volume in volumes.iter().filter(|_| own_image) {
        if let Some(drive) = volume.get("cloudInitConfigDrive") {
            drive.error("ignored by vmhealth, so the image would boot without it: write cloudInitNoCloud");
        }
        let secrets = ["secretRef", "networkDataSecretRef"];
        for secret in volume.get("cloudInitNoCloud").iter().flat_map(|c| secrets.map(|s| c.get(s))).flatten() {
            secret.error("there is no cluster to ask for a secret: write its data in userData or networkData");
        }
    }
    let Some(source) = volumes.iter().find_map(|v| v.get("cloudInitNoCloud")) else {
        return CloudInit::default();
    };
    let data = |plain: &str, encoded: &str| {
        if let Some(c) = source.get(plain) {
            return c.text().map(|text| text.as_bytes().to_vec());
        }
        let c = source.get(encoded)?;
        let decoded = go_base64(c.text()?);
        if decoded.is_none() {
            c.error("not base64");
        }
        decoded
    };
    CloudInit { user_data: data("userData", "userDataBase64"), network_data: data("networkData", "networkDataBase64") }
}

/// Only masquerade forwards; with another binding the guest has the address itself. A port of another protocol is forwarded
/// too, and is no use to a probe. `portRanges` is behind a gate that is off.
fn forwarded(spec: Cursor<'_>) -> Option<Vec<u16>> {
    let ports = interface_ports(spec, |interface| interface.get("masquerade").is_some());
    let tcp = ports.iter().filter(|p| p.tcp).map(|p| p.number).collect();
    (!ports.is_empty()).then_some(tcp)
}

struct InterfacePort {
    name: String,
    number: u16,
    tcp: bool,
}

fn interface_ports(spec: Cursor<'_>, of: impl Fn(Cursor<'_>) -> bool) -> Vec<InterfacePort> {
    let interfaces = spec.items_at("domain.devices.interfaces").filter(|i| of(*i));
    let ports = interfaces.flat_map(|i| i.items_at("ports"));
    ports
        .filter_map(|port| {
            let name = port.text_at("name").unwrap_or_default().to_owned();
            let number = port.get("port").and_then(Cursor::int32)?;
            let tcp = port.text_at("protocol").is_none_or(|p| p.is_empty() || p == "TCP");
            u16::try_from(number).map(|number| InterfacePort { name, number, tcp }).ok()
        })
        .collect()
}

//! A VM with what its instance type and its preference bring, as KubeVirt's webhook sees it (KubeVirt pkg/instancetype/apply,
//! pkg/instancetype/preference/apply). What an instance type cannot bring because the VM has it stays the VM's: a rule says that.
//!
//! Not applied: clock, CPU features and virtual GPU options; nothing here asks for them.

use super::nic::{BINDINGS, DISCONTINUED};
use crate::manifest::bytes;
use crate::yaml::{Key, Node, Value};

/// An instance type's field, and the VMI's that becomes the same.
const OF_INSTANCETYPE: &[(&str, &str)] = &[
    ("nodeSelector", "nodeSelector"),
    ("schedulerName", "schedulerName"),
    ("cpu.model", "domain.cpu.model"),
    ("cpu.dedicatedCPUPlacement", "domain.cpu.dedicatedCpuPlacement"),
    ("cpu.isolateEmulatorThread", "domain.cpu.isolateEmulatorThread"),
    ("cpu.numa", "domain.cpu.numa"),
    ("cpu.realtime", "domain.cpu.realtime"),
    ("cpu.maxSockets", "domain.cpu.maxSockets"),
    ("memory.guest", "domain.memory.guest"),
    ("memory.hugepages", "domain.memory.hugepages"),
    ("memory.maxGuest", "domain.memory.maxGuest"),
    ("ioThreads", "domain.ioThreads"),
    ("ioThreadsPolicy", "domain.ioThreadsPolicy"),
    ("launchSecurity", "domain.launchSecurity"),
    ("gpus", "domain.devices.gpus"),
    ("hostDevices", "domain.devices.hostDevices"),
];

/// A preference's field, and the VMI's that becomes the same where it says nothing.
const OF_PREFERENCE: &[(&str, &str)] = &[
    ("features.preferredAcpi", "domain.features.acpi"),
    ("features.preferredApic", "domain.features.apic"),
    ("features.preferredKvm", "domain.features.kvm"),
    ("features.preferredPvspinlock", "domain.features.pvspinlock"),
    ("features.preferredSmm", "domain.features.smm"),
    ("machine.preferredMachineType", "domain.machine.type"),
    ("preferredSubdomain", "subdomain"),
    ("preferredTerminationGracePeriodSeconds", "terminationGracePeriodSeconds"),
    ("preferredArchitecture", "architecture"),
    ("preferredLaunchSecurity", "domain.launchSecurity"),
    ("devices.preferredAutoattachGraphicsDevice", "domain.devices.autoattachGraphicsDevice"),
    ("devices.preferredAutoattachInputDevice", "domain.devices.autoattachInputDevice"),
    ("devices.preferredAutoattachMemBalloon", "domain.devices.autoattachMemBalloon"),
    ("devices.preferredAutoattachPodInterface", "domain.devices.autoattachPodInterface"),
    ("devices.preferredAutoattachSerialConsole", "domain.devices.autoattachSerialConsole"),
    ("devices.preferredBlockMultiQueue", "domain.devices.blockMultiQueue"),
    ("devices.preferredDisableHotplug", "domain.devices.disableHotplug"),
    ("devices.preferredNetworkInterfaceMultiQueue", "domain.devices.networkInterfaceMultiqueue"),
    ("devices.preferredRng", "domain.devices.rng"),
    ("devices.preferredTPM", "domain.devices.tpm"),
    ("devices.preferredUseVirtioTransitional", "domain.devices.useVirtioTransitional"),
    ("devices.preferredVideoType", "domain.devices.video.type"),
];

/// A preference's field, a list of the VMI, what an item must have for it, and the item's field.
const OF_PREFERENCE_FOR_EACH: &[(&str, &str, &str, &str)] = &[
    ("devices.preferredDiskBus", "domain.devices.disks", "disk", "disk.bus"),
    ("devices.preferredDiskCache", "domain.devices.disks", "disk", "cache"),
    ("devices.preferredDiskIO", "domain.devices.disks", "disk", "io"),
    ("devices.preferredDiskBlockSize", "domain.devices.disks", "disk", "blockSize"),
    ("devices.preferredCdromBus", "domain.devices.disks", "cdrom", "cdrom.bus"),
    ("devices.preferredLunBus", "domain.devices.disks", "lun", "lun.bus"),
    ("devices.preferredInputBus", "domain.devices.inputs", "", "bus"),
    ("devices.preferredInputType", "domain.devices.inputs", "", "type"),
    ("devices.preferredInterfaceModel", "domain.devices.interfaces", "", "model"),
    ("devices.preferredPanicDeviceModel", "domain.devices.panicDevices", "", "model"),
];

/// How many threads a core gets when vCPUs are spread over sockets, cores and threads.
const SPREAD_THREADS: i64 = 2;

/// The object with what its VM's instance type and preference bring; `path` leads to the VMI's spec in it.
pub(super) fn expand(object: &Node, path: &str, instancetype: Option<&Node>, preference: Option<&Node>) -> Node {
    let mut object = object.clone();
    if let Some(vmi) = make(&mut object, path) {
        if let Some(spec) = instancetype {
            copy(spec, OF_INSTANCETYPE, vmi);
            guest_cpu(spec, preference, vmi);
            overcommit(spec, vmi);
        }
        if let Some(spec) = preference {
            copy(spec, OF_PREFERENCE, vmi);
            firmware(spec, vmi);
            devices(spec, vmi);
            if let Some(Node { value: Value::Map(features), .. }) = spec.at("features.preferredHyperv") {
                for (key, feature) in features {
                    fill(vmi, &format!("domain.features.hyperv.{}", key.name), feature);
                }
            }
        }
    }
    let metadata = path.strip_suffix("spec").map(|template| format!("{template}metadata.annotations"));
    for given in [instancetype, preference].into_iter().flatten().filter_map(|spec| spec.get("annotations")) {
        annotate(given, metadata.as_deref().and_then(|path| make(&mut object, path)));
    }
    object
}

/// Annotations that the VMI does not have yet.
fn annotate(given: &Node, annotations: Option<&mut Node>) {
    let (Some(annotations), Value::Map(given)) = (annotations, &given.value) else { return };
    if annotations.value == Value::Null {
        annotations.value = Value::Map(Vec::new());
    }
    let Value::Map(members) = &mut annotations.value else { return };
    for (key, value) in given {
        if members.iter().all(|(other, _)| other.name != key.name) {
            members.push((key.clone(), value.clone()));
        }
    }
}

/// The pod asks for so much less memory than the guest has (KubeVirt pkg/instancetype/apply/memory.go).
fn overcommit(spec: &Node, vmi: &mut Node) {
    let percent = number_at(spec, "memory.overcommitPercent").filter(|percent| (1..=100).contains(percent));
    let Some((percent, guest)) = percent.zip(spec.at("memory.guest")) else { return };
    let Some(whole) = guest.value.quantity().and_then(|text| bytes(&text)) else { return };
    // KubeVirt computes it in 32 bits.
    let asked = whole as f32 * (1.0 - percent as f32 / 100.0);
    fill(vmi, "domain.resources.requests.memory", &Node { value: Value::Int(asked as i64), ..guest.clone() });
}

/// How a preference wants vCPUs to be laid out.
pub(super) struct Spread {
    /// Cores in a socket, or threads in a core.
    pub(super) ratio: i64,
    /// `SocketsCores`, `CoresThreads` or `SocketsCoresThreads`.
    pub(super) across: String,
}

/// `sockets`, `cores`, `threads`, `any` or `spread`; the names that began with `prefer` mean the same.
pub(super) fn topology(preference: Option<&Node>) -> String {
    let word = preference.and_then(|p| p.at("cpu.preferredCPUTopology")?.value.as_str()).unwrap_or("sockets");
    word.strip_prefix("prefer").unwrap_or(word).to_lowercase()
}

pub(super) fn spread(preference: &Node) -> Spread {
    let number = |path| preference.at(path).and_then(int).filter(|n| *n > 0);
    let ratio = number("cpu.spreadOptions.ratio").or(number("preferSpreadSocketToCoreRatio")).unwrap_or(2);
    let across = preference.at("cpu.spreadOptions.across").and_then(|at| at.value.as_str());
    Spread { ratio, across: across.unwrap_or("SocketsCores").to_owned() }
}

/// A whole number of a spec.
pub(super) fn number_at(spec: &Node, path: &str) -> Option<i64> {
    spec.at(path).and_then(int)
}

fn guest_cpu(spec: &Node, preference: Option<&Node>, vmi: &mut Node) {
    let Some((guest, n)) = spec.at("cpu.guest").and_then(|at| Some((at, int(at)?))) else { return };
    let (sockets, cores, threads) = match (topology(preference).as_str(), preference.map(spread)) {
        ("cores", _) => (1, n, 1),
        ("threads", _) => (1, 1, n),
        ("spread", Some(Spread { ratio, across })) => match across.as_str() {
            "CoresThreads" => (1, n / ratio, ratio),
            "SocketsCoresThreads" => (n / SPREAD_THREADS / ratio, ratio, SPREAD_THREADS),
            _ => (n / ratio, ratio, 1),
        },
        _ => (n, 1, 1),
    };
    for (field, n) in [("sockets", sockets), ("cores", cores), ("threads", threads)] {
        // 0 counts as not given.
        let at = make(vmi, &format!("domain.cpu.{field}")).filter(|at| matches!(at.value, Value::Null | Value::Int(0)));
        at.into_iter().for_each(|at| *at = Node { value: Value::Int(n), ..guest.clone() });
    }
}

fn firmware(spec: &Node, vmi: &mut Node) {
    let is_on = |path| spec.at(path).filter(|at| at.value == Value::Bool(true));
    let has = |vmi: &Node, loader: &str| vmi.at(&format!("domain.firmware.bootloader.{loader}")).is_some();
    if has(vmi, "bios") || has(vmi, "efi") {
        return;
    }
    let empty = |at: &Node| Node { value: Value::Map(Vec::new()), ..at.clone() };
    if let Some(at) = is_on("firmware.preferredUseBios") {
        fill(vmi, "domain.firmware.bootloader.bios", &empty(at));
    } else if let Some(efi) = spec.at("firmware.preferredEfi") {
        fill(vmi, "domain.firmware.bootloader.efi", efi);
    } else if let Some(at) = is_on("firmware.preferredUseEfi") {
        fill(vmi, "domain.firmware.bootloader.efi", &empty(at));
        if let Some(secure) = spec.at("firmware.preferredUseSecureBoot") {
            fill(vmi, "domain.firmware.bootloader.efi.secureBoot", secure);
        }
    }
}

fn devices(spec: &Node, vmi: &mut Node) {
    for (from, list, has, to) in OF_PREFERENCE_FOR_EACH {
        let Some(wanted) = spec.at(from) else { continue };
        for item in items(vmi, list).filter(|item| has.is_empty() || item.at(has).is_some()) {
            fill(item, to, wanted);
        }
    }
    if let Some(model) = spec.at("devices.preferredPanicDeviceModel") {
        let device = Node { value: map_of("model", model), ..model.clone() };
        fill(vmi, "domain.devices.panicDevices", &Node { value: Value::Seq(vec![device]), ..model.clone() });
    }
    let Some(masquerade) = spec.at("devices.preferredInterfaceMasquerade") else { return };
    let on_pod_network: Vec<String> = items(vmi, "networks")
        .filter(|network| network.at("pod").is_some())
        .filter_map(|network| Some(network.at("name")?.value.as_str()?.to_owned()))
        .collect();
    let bindings = || BINDINGS.into_iter().chain(DISCONTINUED.map(|(binding, _)| binding));
    for nic in items(vmi, "domain.devices.interfaces") {
        let name = nic.at("name").and_then(|name| name.value.as_str()).unwrap_or_default();
        let is_bound = bindings().any(|binding| nic.at(binding).is_some());
        if !is_bound && on_pod_network.iter().any(|n| n == name) {
            fill(nic, "masquerade", masquerade);
        }
    }
}

fn copy(spec: &Node, table: &[(&str, &str)], vmi: &mut Node) {
    for (from, to) in table {
        if let Some(value) = spec.at(from) {
            fill(vmi, to, value);
        }
    }
}

/// Puts a value where there is none, or an empty text or list.
fn fill(node: &mut Node, path: &str, value: &Node) {
    let Some(at) = make(node, path) else { return };
    let is_empty = match &at.value {
        Value::Null => true,
        Value::Str(text) => text.is_empty(),
        Value::Seq(items) => items.is_empty(),
        _ => false,
    };
    if is_empty {
        *at = value.clone();
    }
}

/// The node at a path, which is null if it was not there; `None` if the way leads through what is no mapping.
fn make<'n>(node: &'n mut Node, path: &str) -> Option<&'n mut Node> {
    path.split('.').try_fold(node, |node, name| {
        if node.value == Value::Null {
            node.value = Value::Map(Vec::new());
        }
        let (pos, span) = (node.pos, node.span);
        let Value::Map(members) = &mut node.value else { return None };
        let i = members.iter().rposition(|(key, _)| key.name == name).unwrap_or_else(|| {
            members.push((Key { pos, span, name: name.to_owned() }, Node { pos, span, value: Value::Null }));
            members.len() - 1
        });
        members.get_mut(i).map(|(_, member)| member)
    })
}

/// The items of a list that is there.
fn items<'n>(node: &'n mut Node, path: &str) -> impl Iterator<Item = &'n mut Node> {
    let list = node.at(path).is_some().then(|| make(node, path)).flatten();
    let items = match list.map(|list| &mut list.value) {
        Some(Value::Seq(items)) => items.as_mut_slice(),
        _ => &mut [],
    };
    items.iter_mut()
}

fn int(node: &Node) -> Option<i64> {
    if let Value::Int(n) = node.value { Some(n) } else { None }
}

fn map_of(name: &str, value: &Node) -> Value {
    Value::Map(vec![(Key { pos: value.pos, span: value.span, name: name.to_owned() }, value.clone())])
}

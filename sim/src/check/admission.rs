//! KubeVirt's own rules: those for the VM (kubevirt-health.md 2.2) and those that wait for its VMI (2.3).

use super::code::*;
use super::finding::Exam;
use super::tree::{get, text};
use crate::manifest::go_base64;
use crate::yaml::{Node, Value};
use std::collections::BTreeSet;

/// The two probes of a VMI, in the order in which KubeVirt looks at them.
pub(super) const PROBES: [&str; 2] = ["readinessProbe", "livenessProbe"];
/// The four handlers, in KubeVirt's order.
pub(super) const HANDLERS: [&str; 4] = ["httpGet", "tcpSocket", "exec", "guestAgentPing"];
const RUN_STRATEGIES: [&str; 6] = ["Always", "RerunOnFailure", "Manual", "Halted", "Once", "WaitAsReceiver"];
const EVICTION_STRATEGIES: [&str; 4] = ["None", "LiveMigrate", "LiveMigrateIfPossible", "External"];
const PANIC_MODELS: [&str; 3] = ["hyperv", "isa", "pvpanic"];
/// Bytes of user data or network data that KubeVirt takes inline (vmi-create-admitter.go).
const CLOUD_INIT_LIMIT: usize = 2048;

/// The validating webhook for VMs; a bare VMI meets the rules of its template only.
pub(super) fn examine_vm(exam: &mut Exam<'_>) {
    for name in PROBES {
        handlers(exam, name);
        pod_network(exam, name);
    }
    start_strategy(exam);
    let eviction = exam.path("evictionStrategy");
    one_of(exam, &BAD_EVICTION, &eviction, &EVICTION_STRATEGIES);
    panic_devices(exam);
    machine_type(exam);
    secure_boot(exam);
    reboot_policy(exam);
    pairs(exam);
    volumes(exam);
    if exam.is_vm {
        run_strategy(exam);
    }
}

/// The webhooks for the VMI that the VM controller creates.
pub(super) fn examine_vmi(exam: &mut Exam<'_>) {
    watchdog(exam);
    memory(exam);
    container_paths(exam);
}

fn one_of(exam: &mut Exam<'_>, code: &'static Code, path: &str, words: &[&str]) {
    let Some(word) = exam.tree.text(path) else { return };
    if !words.contains(&word) {
        let list = words.join(", ");
        exam.add(code, path, format!("{word:?} is not one of {list}"), format!("write one of {list}; case counts"));
    }
}

fn handlers(exam: &mut Exam<'_>, name: &str) {
    let path = exam.path(name);
    let Some(probe) = exam.tree.at(&path) else { return };
    let set: Vec<&str> = HANDLERS.into_iter().filter(|h| get(probe, h).is_some()).collect();
    let dropped = matches!(&probe.value, Value::Map(m) if m.iter().any(|(k, v)| k.name == "guestAgentPing" && v.value == Value::Null));
    match set.len() {
        0 if dropped => exam.add(
            &NO_HANDLER,
            &path,
            format!("{name} has no handler: a bare guestAgentPing is null, and nulls are dropped"),
            "write guestAgentPing: {}",
        ),
        0 => exam.add(
            &NO_HANDLER,
            &path,
            format!("{name} has no handler"),
            "add one of httpGet, tcpSocket, exec, guestAgentPing: {}",
        ),
        1 => {}
        _ => exam.add(
            &SEVERAL_HANDLERS,
            &path,
            format!("{name} must have exactly one handler, found {}", set.join(" and ")),
            "keep one of them",
        ),
    }
}

/// `networks[]` with a `pod` entry; a VM without any network gets one (kubevirt-health.md 2.2).
fn pod_network(exam: &mut Exam<'_>, name: &str) {
    let networks = exam.tree.items(&exam.path("networks"));
    let interfaces = exam.tree.items(&exam.path("domain.devices.interfaces"));
    let attached = exam.tree.at(&exam.path("domain.devices.autoattachPodInterface")).map(|n| &n.value);
    let added = networks.is_empty() && interfaces.is_empty() && attached != Some(&Value::Bool(false));
    if added || networks.iter().any(|n| get(n, "pod").is_some()) {
        return;
    }
    for handler in ["httpGet", "tcpSocket"] {
        let path = exam.path(&format!("{name}.{handler}"));
        if exam.tree.at(&path).is_some() {
            exam.add(
                &NO_POD_NETWORK,
                &path,
                format!("{handler} needs the pod network, and no entry of networks has `pod`"),
                "add a network with `pod: {}` and an interface for it, or use exec or guestAgentPing",
            );
        }
    }
}

/// On unless it is said to be off; SMM is on once it is named.
fn secure_boot(exam: &mut Exam<'_>) {
    let on =
        |node: Option<&Node>, key| node.is_some_and(|n| get(n, key).map(|n| &n.value) != Some(&Value::Bool(false)));
    let (efi, smm) = (exam.path("domain.firmware.bootloader.efi"), exam.path("domain.features.smm"));
    // A preference may bring SMM before the webhook looks.
    let preferred = exam.tree.at(&smm).is_none() && exam.tree.at("spec.preference").is_some();
    if on(exam.tree.at(&efi), "secureBoot") && !on(exam.tree.at(&smm), "enabled") && !preferred {
        exam.add(
            &SECURE_BOOT_WITHOUT_SMM,
            &efi,
            "secure boot, which is on unless it is turned off, requires SMM",
            "add `features: {smm: {enabled: true}}`, or write `efi: {secureBoot: false}`",
        );
    }
}

fn start_strategy(exam: &mut Exam<'_>) {
    let path = exam.path("startStrategy");
    one_of(exam, &BAD_START_STRATEGY, &path, &["Paused"]);
    if exam.tree.text(&path) == Some("Paused") && exam.tree.at(&exam.path("livenessProbe")).is_some() {
        exam.add(
            &PAUSED_WITH_LIVENESS,
            &path,
            "a VMI that starts paused must not have a liveness probe",
            "remove startStrategy or the livenessProbe",
        );
    }
}

fn run_strategy(exam: &mut Exam<'_>) {
    match (exam.tree.at("spec.running").is_some(), exam.tree.at("spec.runStrategy").is_some()) {
        (true, true) => exam.add(
            &RUNNING_AND_STRATEGY,
            "spec.running",
            "running and runStrategy are mutually exclusive",
            "remove running",
        ),
        (false, false) => exam.add(
            &NO_STRATEGY,
            "spec.running",
            "one of running and runStrategy must be given",
            "add runStrategy: Always (or RerunOnFailure, Manual, Halted, Once)",
        ),
        _ => {
            let gated = exam.is_off("DecentralizedLiveMigration");
            let known: Vec<&str> = RUN_STRATEGIES.into_iter().filter(|s| !(gated && *s == "WaitAsReceiver")).collect();
            one_of(exam, &BAD_STRATEGY, "spec.runStrategy", &known);
        }
    }
}

fn reboot_policy(exam: &mut Exam<'_>) {
    let path = exam.path("domain.rebootPolicy");
    if exam.is_off("RebootPolicy") && exam.tree.at(&path).is_some() {
        let message = "rebootPolicy needs the feature gate RebootPolicy, which is off";
        exam.add(
            &REBOOT_POLICY_GATE,
            &path,
            message,
            "switch the gate on in the KubeVirt object, or remove rebootPolicy",
        );
    }
}

/// The default `emulatedMachines` of each architecture; the patterns are Go's filepath.Match.
fn machine_type(exam: &mut Exam<'_>) {
    let path = exam.path("domain.machine.type");
    let allowed: &[&str] = match exam.architecture.as_str() {
        "amd64" => &["q35*", "pc-q35*"],
        "arm64" => &["virt*"],
        "s390x" => &["s390-ccw-virtio*"],
        _ => return,
    };
    let Some(name) = exam.tree.text(&path).filter(|n| !n.is_empty()) else { return };
    if !allowed.iter().any(|a| name.starts_with(a.trim_end_matches('*'))) {
        let message = format!("{path} is not supported: {name} (allowed values: [{}])", allowed.join(" "));
        exam.add(&BAD_MACHINE, &path, message, "remove machine.type: KubeVirt fills in its default");
    }
}

fn panic_devices(exam: &mut Exam<'_>) {
    let path = exam.path("domain.devices.panicDevices");
    let count = exam.tree.items(&path).len();
    for i in 0..count {
        one_of(exam, &BAD_PANIC_MODEL, &format!("{path}[{i}].model"), &PANIC_MODELS);
    }
    if count > 0 && exam.architecture == "s390x" {
        exam.add(&PANIC_ON_S390X, &path, "panic devices are not supported on s390x", "remove panicDevices");
    }
}

pub(super) fn names(list: &[Node]) -> Vec<&str> {
    list.iter().map(|item| get(item, "name").and_then(text).unwrap_or_default()).collect()
}

fn pairs(exam: &mut Exam<'_>) {
    let paths = ["networks", "domain.devices.interfaces", "domain.devices.disks", "volumes"].map(|p| exam.path(p));
    let [networks, interfaces, disks, volumes] = paths.each_ref().map(|p| names(exam.tree.items(p)));
    let mut require = |code, path: &str, these: &[&str], those: &[&str], what: &str| {
        let those: BTreeSet<&str> = those.iter().copied().collect();
        for (i, name) in these.iter().enumerate().filter(|(_, name)| !those.contains(*name)) {
            let help = format!("add {what} named {name}, or remove this one");
            exam.add(code, &format!("{path}[{i}].name"), format!("{name:?} has no {what} of that name"), help);
        }
    };
    require(&LONELY_NETWORK, &paths[0], &networks, &interfaces, "interface");
    require(&LONELY_INTERFACE, &paths[1], &interfaces, &networks, "network");
    require(&LONELY_DISK, &paths[2], &disks, &volumes, "volume");
}

/// KubeVirt's order: how many sources a volume has, then what its cloud-init data is.
fn volumes(exam: &mut Exam<'_>) {
    let path = exam.path("volumes");
    for (i, volume) in exam.tree.items(&path).iter().enumerate() {
        let Value::Map(members) = &volume.value else { continue };
        let sources = members.iter().filter(|(k, v)| k.name != "name" && v.value != Value::Null).count();
        let path = format!("{path}[{i}]");
        if sources != 1 {
            exam.add(
                &VOLUME_SOURCE,
                &path,
                format!("a volume has exactly one source, found {sources}"),
                "keep one of them",
            );
        }
        if let Some(source) =
            ["cloudInitNoCloud", "cloudInitConfigDrive"].into_iter().find(|s| get(volume, s).is_some())
        {
            cloud_init(exam, &format!("{path}.{source}"));
        }
    }
}

fn cloud_init(exam: &mut Exam<'_>, path: &str) {
    let Some(node) = exam.tree.at(path) else { return };
    let given = |key: &str| get(node, key).and_then(text).filter(|t| !t.is_empty());
    let mut total = 0;
    for (plain, encoded, secret) in
        [("userData", "userDataBase64", "secretRef"), ("networkData", "networkDataBase64", "networkDataSecretRef")]
    {
        let named = get(node, secret).and_then(|s| get(s, "name")).and_then(text).is_some_and(|n| !n.is_empty());
        let (mut sources, mut bytes) = (usize::from(named), 0);
        if let Some(data) = given(encoded) {
            sources += 1;
            match go_base64(data) {
                Some(decoded) => bytes = decoded.len(),
                None => {
                    exam.add(&CLOUD_INIT, &format!("{path}.{encoded}"), "not valid base64", "encode it with `base64`");
                }
            }
        }
        if let Some(data) = given(plain) {
            sources += 1;
            bytes = data.len();
        }
        if sources > 1 {
            exam.add(&CLOUD_INIT, path, format!("{plain} has {sources} sources"), "keep one of them");
        }
        if bytes > CLOUD_INIT_LIMIT {
            let message = format!("{plain} has {bytes} bytes; KubeVirt takes {CLOUD_INIT_LIMIT}");
            exam.add(&CLOUD_INIT, path, message, format!("put it into a Secret and name it in {secret}"));
        }
        total += sources;
    }
    if total == 0 {
        exam.add(&CLOUD_INIT, path, "there is neither user data nor network data", "add userData");
    }
}

fn watchdog(exam: &mut Exam<'_>) {
    let architecture = exam.path("architecture");
    let wanted = match exam.architecture.as_str() {
        "amd64" => Some("i6300esb"),
        "s390x" => Some("diag288"),
        "arm64" => None,
        other => {
            let message = format!("unsupported architecture: {other}");
            exam.add_as(&BAD_ARCHITECTURE, "spec.architecture", &architecture, message, "write amd64, arm64 or s390x");
            return;
        }
    };
    let path = exam.path("domain.devices.watchdog");
    let Some(node) = exam.tree.at(&path) else { return };
    let field = "spec.domain.devices.watchdog";
    let others: Vec<&str> =
        ["i6300esb", "diag288"].into_iter().filter(|d| Some(*d) != wanted && get(node, d).is_some()).collect();
    match (wanted, others.first()) {
        (None, _) => {
            exam.add_as(&WATCHDOG_ARCHITECTURE, field, &path, "arm64 has no watchdog", "remove the watchdog");
        }
        (Some(wanted), Some(other)) => {
            let message =
                format!("{other} on {}: KubeVirt adds {wanted} to it, and both are refused", exam.architecture);
            exam.add_as(&WATCHDOG_ARCHITECTURE, field, &path, message, format!("write {wanted} in place of {other}"));
        }
        (Some(_), None) => {}
    }
}

fn memory(exam: &mut Exam<'_>) {
    let places = [
        "domain.memory.guest",
        "domain.memory.hugepages",
        "domain.resources.requests.memory",
        "domain.resources.limits.memory",
    ];
    let given =
        places.iter().any(|p| exam.tree.at(&exam.path(p)).is_some()) || exam.tree.at("spec.instancetype").is_some();
    if !given {
        let domain = exam.path("domain");
        exam.add_as(&NO_MEMORY, "", &domain, "no memory requested", "add domain.memory.guest, like 2Gi");
    }
}

fn container_paths(exam: &mut Exam<'_>) {
    let filesystems = names(exam.tree.items(&exam.path("domain.devices.filesystems")));
    let path = exam.path("volumes");
    let volumes = exam.tree.items(&path);
    for (i, name) in names(volumes).into_iter().enumerate() {
        if get(&volumes[i], "containerPath").is_some() && !filesystems.contains(&name) {
            exam.add_as(
                &CONTAINER_PATH,
                &format!("spec.domain.volumes[{i}]"),
                &format!("{path}[{i}].name"),
                format!("the containerPath volume {name:?} needs a file system of its name"),
                format!("add {{name: {name}, virtiofs: {{}}}} to domain.devices.filesystems"),
            );
        }
    }
}

//! How VMs name instance types and preferences, and what makes VMs: pools, replica sets, VirtualMachineTemplates.

use crate::manifest::In::{Devices, Domain, Vm, Vmi};
use crate::manifest::{NET, NIC, Parts, errors, manifest, one};
use crate::row::{Row, found, hold, later, row};
use vmhealth_sim::check::{Options, Verdict, check};

const READY: &str = "readinessProbe: {httpGet: {port: 80}}";

const ROWS: &[Row] = &[
    row(
        &[(Vm, "instancetype: {name: u1.small}"), (Domain, "none:")],
        &[(Vm, "instancetype: {kind: VirtualMachineClusterInstancetype}"), (Domain, "none:")],
        &["bad-instancetype-matcher spec.instancetype"],
    ),
    row(
        &[(Vm, "preference: {inferFromVolume: root}"), (Vmi, ROOT), (Devices, ROOT_DISK)],
        &[(Vm, "preference: {inferFromVolume: root, name: p, kind: k}"), (Vmi, ROOT), (Devices, ROOT_DISK)],
        &[
            "bad-instancetype-matcher spec.preference.name",
            "bad-instancetype-matcher spec.preference.kind",
            "unknown-instancetype-kind spec.preference.kind",
        ],
    ),
    row(
        &[(Vm, "preference: {inferFromVolume: seed, inferFromVolumeFailurePolicy: Ignore}")],
        &[(Vm, "preference: {inferFromVolume: seed, inferFromVolumeFailurePolicy: ignore}")],
        &[
            "bad-instancetype-matcher spec.preference.inferFromVolumeFailurePolicy",
            "bad-instancetype-matcher spec.preference.inferFromVolume",
        ],
    ),
    row(
        &[(Vm, "preference: {inferFromVolume: root}"), (Vmi, ROOT), (Devices, ROOT_DISK)],
        &[(Vm, "preference: {inferFromVolume: disk}"), (Vmi, ROOT), (Devices, ROOT_DISK)],
        &["bad-instancetype-matcher spec.preference.inferFromVolume"],
    ),
    row(
        &[(Vm, FROM_DATA_SOURCE), (Vmi, DATA_VOLUME), (Devices, ROOT_DISK)],
        &[(Vm, FROM_REGISTRY), (Vmi, DATA_VOLUME), (Devices, ROOT_DISK)],
        &["bad-instancetype-matcher spec.preference.inferFromVolume"],
    ),
    row(
        &[(Vm, "instancetype: {name: u}"), (Domain, "none:\ncpu: {cores: 0, model: host-model}")],
        &[(Vm, "instancetype: {name: u}"), (Domain, "memory: {guest: 1Gi}\ncpu: {cores: 1, sockets: 2, threads: 1}")],
        &[
            "instancetype-conflict spec.template.spec.domain.cpu.sockets",
            "instancetype-conflict spec.template.spec.domain.cpu.cores",
            "instancetype-conflict spec.template.spec.domain.cpu.threads",
            "instancetype-conflict spec.template.spec.domain.memory.guest",
        ],
    ),
    // Of memory KubeVirt tells the first.
    row(
        &[
            (Vm, "instancetype: {name: u}"),
            (Domain, "none:\nresources: {requests: {example.com/gpu: 1}, limits: {example.com/gpu: 1}}"),
        ],
        &[
            (Vm, "instancetype: {name: u}"),
            (Domain, "none:\nresources: {requests: {cpu: 1, memory: 1Gi}, limits: {cpu: 1, memory: 1Gi}}"),
        ],
        &[
            "instancetype-conflict spec.template.spec.domain.resources.requests.cpu",
            "instancetype-conflict spec.template.spec.domain.resources.limits.cpu",
            "instancetype-conflict spec.template.spec.domain.resources.requests.memory",
        ],
    ),
    later(
        &[(Vm, "instancetype: {name: u, kind: virtualmachineinstancetypes}"), (Domain, "none:")],
        &[(Vm, "instancetype: {name: u, kind: Instancetype}"), (Domain, "none:")],
        &["unknown-instancetype-kind spec.instancetype.kind"],
    ),
    // KubeVirt infers them from a claim, and not from other references (pkg/instancetype/infer/volume.go).
    row(
        &[(Vm, FROM_CLAIM), (Vmi, DATA_VOLUME), (Devices, ROOT_DISK)],
        &[(Vm, FROM_OTHER_REF), (Vmi, DATA_VOLUME), (Devices, ROOT_DISK)],
        &["bad-instancetype-matcher spec.preference.inferFromVolume"],
    ),
];

const ROOT: &str = "volumes: [{name: root, persistentVolumeClaim: {claimName: c}}]";
const DATA_VOLUME: &str = "volumes: [{name: root, dataVolume: {name: dv}}]";
const FROM_DATA_SOURCE: &str = "preference: {inferFromVolume: root}\ndataVolumeTemplates: [{metadata: {name: dv}, spec: {storage: {}, sourceRef: {kind: DataSource, name: fedora}}}]";
const FROM_REGISTRY: &str = "preference: {inferFromVolume: root}\ndataVolumeTemplates: [{metadata: {name: dv}, spec: {storage: {}, source: {registry: {url: docker://i}}}}]";
const FROM_CLAIM: &str = "preference: {inferFromVolume: root}\ndataVolumeTemplates: [{metadata: {name: dv}, spec: {storage: {}, source: {pvc: {name: c}}}}]";
const FROM_OTHER_REF: &str = "preference: {inferFromVolume: root}\ndataVolumeTemplates: [{metadata: {name: dv}, spec: {storage: {}, sourceRef: {kind: VolumeSnapshot, name: s}}}]";
const ROOT_DISK: &str = "disks: [{name: root, disk: {}}]";

#[test]
fn each_rule_takes_the_good_and_refuses_the_bad() {
    hold(ROWS);
}

/// The codes that a row of this file finds.
pub(crate) fn codes() -> impl Iterator<Item = &'static str> {
    let makers = MAKERS.iter().flat_map(|(.., finds)| *finds);
    found(ROWS).chain(makers.filter_map(|found| found.split(' ').next()))
}

/// What a manifest's template is in; `{}` is its label.
const POOL: &str = "apiVersion: pool.kubevirt.io/v1beta1\nkind: VirtualMachinePool\nmetadata: {name: p}\nspec:\n  replicas: 2\n  selector: {matchLabels: {app: a}}\n  EXTRA\n  virtualMachineTemplate:\n    metadata: {labels: {app: LABEL}}\n";
const REPLICAS: &str = "apiVersion: kubevirt.io/v1\nkind: VirtualMachineInstanceReplicaSet\nmetadata: {name: r}\nspec:\n  replicas: 2\n  selector: {matchExpressions: [{key: app, operator: In, values: [a, b]}]}\n  EXTRA\n  template:\n    metadata: {labels: {app: LABEL}}\n    spec:\n";

/// A selector that is none.
const SELECTS: &str = "apiVersion: kubevirt.io/v1\nkind: VirtualMachineInstanceReplicaSet\nmetadata: {name: r}\nspec:\n  replicas: 2\n  selector: {matchExpressions: [{key: a b, operator: NotIn, values: [b c]}]}\n  EXTRA\n  template:\n    metadata: {labels: {app: LABEL}}\n    spec:\n";
/// With one label, without another, and without a value of a third.
const PRESENT: &str = "apiVersion: kubevirt.io/v1\nkind: VirtualMachineInstanceReplicaSet\nmetadata: {name: r}\nspec:\n  replicas: 2\n  selector: {matchExpressions: [{key: app, operator: Exists}, {key: b, operator: DoesNotExist}, {key: d, operator: NotIn, values: [c]}]}\n  EXTRA\n  template:\n    metadata: {labels: {app: LABEL}}\n    spec:\n";
const FEWER: &str = "apiVersion: kubevirt.io/v1\nkind: VirtualMachineInstanceReplicaSet\nmetadata: {name: r}\nspec:\n  replicas: -1\n  selector: {matchLabels: {app: a}}\n  EXTRA\n  template:\n    metadata: {labels: {app: LABEL}}\n    spec:\n";

/// Refused when a VM or VMI is made.
const LATE: [&str; 3] = ["watchdog-", "discontinued-", "bad-template-metadata"];

/// Of which kind, the label, more of its own spec or its status, its VM's parts, and what is found.
type Maker = (&'static str, &'static str, &'static str, Parts, &'static [&'static str]);

const MAKERS: &[Maker] = &[
    (POOL, "a", "", &[], &[]),
    (REPLICAS, "a", "", &[], &[]),
    (POOL, "c", "", &[], &["selector-does-not-match spec.selector"]),
    (REPLICAS, "c", "", &[], &["selector-does-not-match spec.selector"]),
    (
        SELECTS,
        "a",
        "",
        &[],
        &[
            "selector-does-not-match spec.selector <- spec.selector.matchExpressions[0].key",
            "selector-does-not-match spec.selector <- spec.selector.matchExpressions[0].values[0]",
        ],
    ),
    (PRESENT, "a", "", &[], &[]),
    (PRESENT, "a, b: c", "", &[], &["selector-does-not-match spec.selector"]),
    (PRESENT, "a, d: c", "", &[], &["selector-does-not-match spec.selector"]),
    (POOL, "a", "paused: true", &[], &[]),
    (FEWER, "a", "", &[], &["out-of-range spec.replicas"]),
    (POOL, "a", "maxUnavailable: 25%", &[], &[]),
    (POOL, "a", "maxUnavailable: 1", &[], &[]),
    (POOL, "a", "maxUnavailable: 0", &[], &["bad-pool spec.maxUnavailable"]),
    (POOL, "a", "maxUnavailable: 101%", &[], &["bad-pool spec.maxUnavailable"]),
    (POOL, "a", "updateStrategy: {unmanaged: {}}", &[], &[]),
    (POOL, "a", "updateStrategy: {unmanaged: {}, proactive: {}}", &[], &["bad-pool spec.updateStrategy"]),
    (POOL, "a", "replica: 2", &[], &["unknown-field spec.replica"]),
    (POOL, "a", "", &[NET, NIC, (Vmi, READY)], &[]),
    // No mutator makes it one CPU.
    (POOL, "a", "", &[(Domain, "cpu: {cores: 2, dedicatedCpuPlacement: true}")], &[]),
    (
        POOL,
        "a",
        "",
        &[(Domain, "cpu: {dedicatedCpuPlacement: true}\nresources: {requests: {memory: 1Gi}, limits: {cpu: 2}}")],
        &[],
    ),
    (
        POOL,
        "a",
        "",
        &[(Domain, "cpu: {cores: 0, dedicatedCpuPlacement: true}")],
        &[
            "dedicated-cpus-do-not-add-up spec.virtualMachineTemplate.spec.template.spec.domain.cpu.dedicatedCpuPlacement <- spec.virtualMachineTemplate.spec.template.spec.domain.cpu.cores",
        ],
    ),
    // What a VM's mutator would fill in or write anew stays as it is.
    (POOL, "a", "", &[(Vmi, "architecture: arm64"), (Domain, "machine: {type: virt}")], &[]),
    (
        REPLICAS,
        "a",
        "",
        &[(Domain, "memory:\nresources: {requests: {memory: '1Gi '}}")],
        &["wrong-type spec.template.spec.domain.resources.requests.memory"],
    ),
    (
        REPLICAS,
        "a",
        "",
        &[(Domain, "memory: {hugepages: {pageSize: 2Mi}}")],
        &["huge-pages-do-not-fit  <- spec.template.spec.domain.memory.hugepages.pageSize"],
    ),
    (POOL, "a", "", &[(Domain, "memory: {guest: 1Gi, hugepages: {pageSize: 2Mi}}")], &[]),
    (
        POOL,
        "a",
        "",
        &[(Vmi, READY)],
        &[
            "network-probe-in-a-template-without-networks spec.virtualMachineTemplate.spec.template.spec.readinessProbe.httpGet",
        ],
    ),
    (
        REPLICAS,
        "a",
        "",
        &[(Vmi, READY)],
        &["network-probe-in-a-template-without-networks spec.template.spec.readinessProbe.httpGet"],
    ),
    (
        POOL,
        "a",
        "",
        &[(Vm, "runStrategy: always"), NET],
        &[
            "network-without-interface spec.virtualMachineTemplate.spec.template.spec.networks[0].name",
            "bad-run-strategy spec.virtualMachineTemplate.spec.runStrategy",
        ],
    ),
    // Of an interface without a binding that there is it is said at once, that the binding was when a VMI is made.
    (
        REPLICAS,
        "a",
        "",
        &[NET, (Devices, "interfaces: [{name: default, slirp: {}}]")],
        &[
            "not-one-binding spec.template.spec.domain.devices.interfaces[0]",
            "discontinued-binding spec.domain.devices.interfaces[0].slirp <- spec.template.spec.domain.devices.interfaces[0].slirp",
        ],
    ),
    (
        REPLICAS,
        "a",
        "",
        &[NET, (Devices, "interfaces: [{name: default, masquerade: {}, passt: {}}]")],
        &[
            "discontinued-binding spec.domain.devices.interfaces[0].passt <- spec.template.spec.domain.devices.interfaces[0].passt",
        ],
    ),
    (POOL, "a", "status: {replicas: a, conditions: [{type: 1}]}", &[], &[]),
    (REPLICAS, "a", "status: 5", &[], &[]),
    (REPLICAS, "a", "status: {replicas: 1, conditions: [{typ: 1}]}", &[], &["unknown-field status.conditions[0].typ"]),
    (REPLICAS, "a", "", &[(Domain, "memory: {guest: 1.5}")], &["wrong-type spec.template.spec.domain.memory.guest"]),
    (POOL, "a", "", &[(Vmi, "architecture: amd64"), (Domain, "memory: {guest: 1Gi, maxGuest: 2Gi}")], &[]),
    (
        POOL,
        "a",
        "",
        &[(Domain, "memory: {guest: 1Gi, maxGuest: 2Gi}")],
        &[
            "bad-max-guest spec.virtualMachineTemplate.spec.template.spec.domain.memory.guest <- spec.virtualMachineTemplate.spec.template.spec.domain.memory.maxGuest",
        ],
    ),
    (POOL, "a, b: ", "", &[], &[]),
    (
        POOL,
        "a, -b: c",
        "",
        &[],
        &["bad-template-metadata metadata.labels <- spec.virtualMachineTemplate.metadata.labels"],
    ),
    (
        REPLICAS,
        "a",
        "",
        &[NET, (Devices, "interfaces: [{name: default, masquerade: {}, portRanges: []}]")],
        &[
            "port-ranges-without-their-gate spec.template.spec.domain.devices.interfaces[0].name <- spec.template.spec.domain.devices.interfaces[0].portRanges",
        ],
    ),
    (REPLICAS, "a, -b: c", "", &[], &["bad-template-metadata metadata.labels <- spec.template.metadata.labels"]),
    (POOL, "a", "", &[(Vmi, "live: 1")], &["unknown-field spec.virtualMachineTemplate.spec.template.spec.live"]),
    (
        REPLICAS,
        "a",
        "",
        &[(
            Vmi,
            "affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 0, preference: {}}]}}",
        )],
        &[
            "bad-affinity spec.template.spec.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight <- spec.template.spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight",
        ],
    ),
    (
        POOL,
        "a",
        "",
        &[(Devices, "watchdog: {name: w, diag288: {}}")],
        &[
            "watchdog-of-another-architecture spec.domain.devices.watchdog <- spec.virtualMachineTemplate.spec.template.spec.domain.devices.watchdog",
        ],
    ),
];

/// The pool's controller does not write what is empty to Go, so its VMs come without it; a VM of one's own is refused.
#[test]
fn a_pool_does_not_write_what_is_empty() {
    let spec = "spec: {runStrategy: Always, template: {spec: {networks: [{name: a, pod: {}}], readinessProbe: {httpGet: {port: 80, scheme: ''}}, domain: {memory: {guest: 1Gi}, devices: {interfaces: [{name: a, masquerade: {}}]}}}}}\n";
    let pool = POOL.replace("  EXTRA\n", "").replace("LABEL", "a");
    assert_eq!(errors(&one(&format!("{pool}    {spec}"))), Vec::<String>::new());
    let vm = format!("apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {{name: vm}}\n{spec}");
    assert_eq!(errors(&one(&vm)), ["unknown-word spec.template.spec.readinessProbe.httpGet.scheme"]);
}

#[test]
fn what_makes_vms_is_checked_as_the_vms_that_it_makes() {
    for (maker, label, extra, parts, finds) in MAKERS {
        let vm = manifest(parts);
        let (of_object, of_spec) = if extra.starts_with("status") { (*extra, "") } else { ("", *extra) };
        let head = maker.replace("LABEL", label).replace("  EXTRA\n", &format!("  {of_spec}\n"));
        let head = head.replace("\nspec:\n  replicas", &format!("\n{of_object}\nspec:\n  replicas"));
        let from = |line: &str, more: usize, indent: &str| -> String {
            vm.lines().skip_while(|l| *l != line).skip(more).map(|l| format!("{indent}{l}\n")).collect()
        };
        let text = head + &if *maker == POOL { from("spec:", 0, "    ") } else { from("    spec:", 1, "") };
        let checked = one(&text);
        assert_eq!(errors(&checked), *finds, "{text}");
        assert_eq!(checked.verdict == Verdict::Accepted, finds.is_empty(), "{text}");
        assert!(checked.vm.is_some() || checked.verdict != Verdict::Accepted, "{text}");
        // The VMs of a pool are refused one by one, after it was created.
        let is_late = |found: &&str| LATE.iter().any(|code| found.starts_with(code));
        let late = finds.iter().all(is_late);
        assert_eq!(checked.created, late, "{text}");
    }
}

#[test]
fn a_virtual_machine_template_is_checked_with_its_own_values() {
    let vm = manifest(&[(Vmi, "readinessProbe: {tcpSocket: {port: \"${{PORT}}\"}}")])
        .replace("{name: vm}", "{name: \"${NAME}\"}");
    let vm: String = vm.lines().skip(2).map(|l| format!("    {l}\n")).collect();
    for (value, verdict) in [("22", Verdict::Accepted), ("0", Verdict::Refused)] {
        let text = format!(
            "apiVersion: template.kubevirt.io/v1beta1\nkind: VirtualMachineTemplate\nmetadata: {{name: t}}\nspec:\n  parameters: [{{name: PORT, value: \"{value}\"}}, {{name: NAME, value: web}}]\n  virtualMachine:\n{vm}"
        );
        let checked = check(&text, &Options::default()).unwrap_or_else(|e| panic!("{e}\n{text}")).manifests.remove(0);
        assert_eq!((checked.name.as_str(), checked.verdict), ("web", verdict), "{text}{:?}", checked.findings);
    }
}

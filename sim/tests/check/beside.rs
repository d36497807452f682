//! Instance types and preferences in the same file as the VM that names them.

use crate::manifest::In::{Devices, Domain, Vm, Vmi};
use crate::manifest::{NET, Parts, errors, first, manifest};
use vmhealth_sim::check::{Checked, Options, Verdict, check};

/// An instance type and a preference in the same file as a VM that names both, or what else is there of them.
struct Beside {
    instancetype: &'static str,
    preference: &'static str,
    parts: Parts,
    finds: &'static [&'static str],
}

const BOTH: &str = "instancetype: {name: i, kind: VirtualMachineInstancetype}\npreference: {name: p}";
const PREFERENCE: &str = "preference: {name: p}";
const TWO_CPUS: &str = "cpu: {guest: 2}, memory: {guest: 2Gi}";

const BESIDE: &[Beside] = &[
    Beside { instancetype: TWO_CPUS, preference: "", parts: &[(Vm, BOTH), (Domain, "none:")], finds: &[] },
    Beside {
        instancetype: "cpu: {guest: 2, model: host-model}, memory: {guest: 2Gi}, nodeSelector: {a: b}, ioThreadsPolicy: auto",
        preference: "",
        parts: &[
            (Vm, BOTH),
            (Vmi, "nodeSelector: {a: b}"),
            (Domain, "none:\nioThreadsPolicy: shared\ncpu: {model: host-passthrough, sockets: 1}"),
        ],
        finds: &[
            "instancetype-conflict spec.template.spec.nodeSelector",
            "instancetype-conflict spec.template.spec.domain.cpu.sockets",
            "instancetype-conflict spec.template.spec.domain.cpu.model",
            "instancetype-conflict spec.template.spec.domain.ioThreadsPolicy",
        ],
    },
    // What is brought is looked at like what is written.
    Beside {
        instancetype: "cpu: {guest: 1}, memory: {guest: 1Gi}, nodeSelector: {a b: c}",
        preference: "",
        parts: &[(Vm, BOTH), (Domain, "none:")],
        finds: &["bad-node-selector spec.nodeSelector <- spec.template.spec.nodeSelector"],
    },
    Beside {
        instancetype: "",
        preference: "firmware: {preferredUseEfi: true}",
        parts: &[(Vm, PREFERENCE), (Domain, "memory: {guest: 1Gi}\nfeatures: {smm: {enabled: false}}")],
        finds: &[
            "secure-boot-without-smm spec.template.spec.domain <- spec.template.spec.domain.firmware.bootloader.efi",
        ],
    },
    Beside {
        instancetype: "",
        preference: "firmware: {preferredEfi: {secureBoot: true}}, features: {preferredSmm: {}}",
        parts: &[(Vm, PREFERENCE)],
        finds: &[],
    },
    Beside {
        instancetype: "",
        preference: "devices: {preferredInterfaceMasquerade: {}, preferredInterfaceModel: virtio}",
        parts: &[(Vm, PREFERENCE), NET, (Devices, "interfaces: [{name: default}]")],
        finds: &[],
    },
    Beside {
        instancetype: "",
        preference: "devices: {preferredInterfaceModel: ne2000, preferredPanicDeviceModel: pv}",
        parts: &[(Vm, PREFERENCE), NET, (Devices, "interfaces: [{name: default}]")],
        finds: &[
            "bad-panic-model spec.template.spec.domain.devices.panicDevices[0].model",
            "not-one-binding spec.template.spec.domain.devices.interfaces[0]",
            "bad-interface-model spec.template.spec.domain.devices.interfaces[0].model",
        ],
    },
    // One socket, one core or one thread is as many vCPUs, and no more sockets than the instance type's maximum.
    Beside {
        instancetype: "cpu: {guest: 4, maxSockets: 1}, memory: {guest: 1Gi}",
        preference: "cpu: {preferredCPUTopology: cores}",
        parts: &[(Vm, BOTH), (Domain, "none:")],
        finds: &[],
    },
    Beside {
        instancetype: "cpu: {guest: 4, maxSockets: 1}, memory: {guest: 1Gi}",
        preference: "cpu: {preferredCPUTopology: threads}",
        parts: &[(Vm, BOTH), (Domain, "none:")],
        finds: &[],
    },
    Beside {
        instancetype: "cpu: {guest: 4, maxSockets: 1}, memory: {guest: 1Gi}",
        preference: "cpu: {preferredCPUTopology: sockets}",
        parts: &[(Vm, BOTH), (Domain, "none:")],
        finds: &["sockets-above-maximum spec.template.spec.domain.cpu.sockets"],
    },
    // Spread: two cores in a socket if nobody says how many; 0 is nothing said.
    Beside {
        instancetype: "cpu: {guest: 2, maxSockets: 1}, memory: {guest: 1Gi}",
        preference: "cpu: {preferredCPUTopology: spread, spreadOptions: {ratio: 0}}",
        parts: &[(Vm, BOTH), (Domain, "none:")],
        finds: &[],
    },
    Beside {
        instancetype: "cpu: {guest: 4, maxSockets: 1}, memory: {guest: 1Gi}",
        preference: "cpu: {preferredCPUTopology: spread, spreadOptions: {ratio: 4}}",
        parts: &[(Vm, BOTH), (Domain, "none:")],
        finds: &[],
    },
    Beside {
        instancetype: "cpu: {guest: 6, maxSockets: 1}, memory: {guest: 1Gi}",
        preference: "cpu: {preferredCPUTopology: spread, spreadOptions: {across: CoresThreads}}",
        parts: &[(Vm, BOTH), (Domain, "none:")],
        finds: &[],
    },
    Beside {
        instancetype: "cpu: {guest: 8, maxSockets: 2}, memory: {guest: 1Gi}",
        preference: "cpu: {preferredCPUTopology: spread, spreadOptions: {across: SocketsCoresThreads}}",
        parts: &[(Vm, BOTH), (Domain, "none:")],
        finds: &[],
    },
    Beside {
        instancetype: "cpu: {guest: 8, maxSockets: 1}, memory: {guest: 1Gi}",
        preference: "cpu: {preferredCPUTopology: spread, spreadOptions: {across: SocketsCoresThreads}}",
        parts: &[(Vm, BOTH), (Domain, "none:")],
        finds: &["sockets-above-maximum spec.template.spec.domain.cpu.sockets"],
    },
    Beside {
        instancetype: "cpu: {guest: 6}, memory: {guest: 1Gi}",
        preference: "cpu: {preferredCPUTopology: spread, spreadOptions: {across: SocketsCoresThreads}}",
        parts: &[(Vm, BOTH), (Domain, "none:")],
        finds: &["uneven-cpu-spread instancetype.spec.cpu.guest <- spec.instancetype"],
    },
    // The VM's own firmware stays; and secure boot, of which the preference says that it is off, needs no SMM.
    Beside {
        instancetype: "",
        preference: "firmware: {preferredUseEfi: true}",
        parts: &[
            (Vm, PREFERENCE),
            (Domain, "memory: {guest: 1Gi}\nfirmware: {bootloader: {bios: {}}}\nfeatures: {smm: {enabled: false}}"),
        ],
        finds: &[],
    },
    Beside {
        instancetype: "",
        preference: "firmware: {preferredUseEfi: true, preferredUseSecureBoot: false}",
        parts: &[(Vm, PREFERENCE), (Domain, "memory: {guest: 1Gi}\nfeatures: {smm: {enabled: false}}")],
        finds: &[],
    },
    // An interface that has a binding keeps it.
    Beside {
        instancetype: "",
        preference: "devices: {preferredInterfaceMasquerade: {}}",
        parts: &[(Vm, PREFERENCE), NET, (Devices, "interfaces: [{name: default, bridge: {}}]")],
        finds: &[],
    },
    // What is there and empty is filled in, and is no conflict.
    Beside {
        instancetype: "",
        preference: "machine: {preferredMachineType: pc-i440fx-9.0}",
        parts: &[(Vm, PREFERENCE), (Domain, "memory: {guest: 1Gi}\nmachine: {type: \"\"}")],
        finds: &["machine-type-not-supported spec.template.spec.domain.machine.type"],
    },
    Beside {
        instancetype: "cpu: {guest: 1, dedicatedCPUPlacement: true}, memory: {guest: 1Gi}, schedulerName: s, gpus: [{name: g}]",
        preference: "",
        parts: &[
            (Vm, BOTH),
            (Vmi, "schedulerName: \"\""),
            (Domain, "none:\ncpu: {dedicatedCpuPlacement: false}"),
            (Devices, "gpus: []"),
        ],
        finds: &[
            "bad-device-claim spec.template.spec.domain.devices.gpus <- spec.template.spec.domain.devices.gpus[0]",
        ],
    },
    // Annotations become the VMI's.
    Beside {
        instancetype: "cpu: {guest: 1}, memory: {guest: 1Gi}, annotations: {hooks.kubevirt.io/hookSidecars: x}",
        preference: "annotations: {kubevirt.io/ignitiondata: x}",
        parts: &[(Vm, BOTH), (Domain, "none:")],
        finds: &[
            "annotation-without-its-gate spec.template.metadata.annotations",
            "annotation-without-its-gate spec.template.metadata.annotations",
        ],
    },
    // The pod then asks for less than the guest has.
    Beside {
        instancetype: "cpu: {guest: 1}, memory: {guest: 1M, overcommitPercent: 50}",
        preference: "",
        parts: &[(Vm, BOTH), (Domain, "none:")],
        finds: &["memory-request-below-1m spec.template.spec.domain.resources.requests.memory"],
    },
    // Of keys that come twice the last one counts.
    Beside {
        instancetype: "cpu: {guest: 1, guest: 2}, memory: {guest: 1Gi}",
        preference: "requirements: {cpu: {guest: 3}}, requirements: {cpu: {guest: 2}}",
        parts: &[(Vm, BOTH), (Domain, "none:")],
        finds: &[],
    },
    Beside {
        instancetype: "cpu: {guest: 3}, memory: {guest: 1Gi}",
        preference: "cpu: {preferredCPUTopology: spread}",
        parts: &[(Vm, BOTH), (Domain, "none:")],
        finds: &["uneven-cpu-spread instancetype.spec.cpu.guest <- spec.instancetype"],
    },
    Beside {
        instancetype: "cpu: {guest: 4}, memory: {guest: 1Gi}",
        preference: "cpu: {preferredCPUTopology: preferSpread, spreadOptions: {across: SocketsCoresThreads}}, requirements: {cpu: {guest: 4}, memory: {guest: 1Gi}, architecture: amd64}",
        parts: &[(Vm, BOTH), (Domain, "none:")],
        finds: &[],
    },
    Beside {
        instancetype: TWO_CPUS,
        preference: "requirements: {cpu: {guest: 4}, memory: {guest: 4Gi}, architecture: s390x}",
        parts: &[(Vm, BOTH), (Domain, "none:")],
        finds: &[
            "preference-wants-more spec.template.spec.architecture",
            "preference-wants-more spec.instancetype",
            "preference-wants-more spec.instancetype",
        ],
    },
    Beside {
        instancetype: "",
        preference: "cpu: {preferredCPUTopology: cores}, requirements: {cpu: {guest: 2}, memory: {guest: 2Gi}}",
        parts: &[(Vm, PREFERENCE), (Domain, "memory: {guest: 1Gi}\ncpu: {sockets: 2}")],
        finds: &[
            "preference-wants-more spec.template.spec.domain.cpu.cores <- spec.template.spec.domain.cpu",
            "preference-wants-more spec.template.spec.domain.memory",
        ],
    },
    Beside {
        instancetype: "",
        preference: "requirements: {cpu: {guest: 2}, memory: {guest: 1Gi}}",
        parts: &[(Vm, PREFERENCE), (Domain, "memory: {guest: 1Gi}\ncpu: {sockets: 2}")],
        finds: &[],
    },
    // Without an instance type it is the VM's topology, as the preference wants it.
    Beside {
        instancetype: "",
        preference: "requirements: {cpu: {guest: 2}}",
        parts: &[(Vm, PREFERENCE)],
        finds: &["preference-wants-more spec.template.spec.domain.cpu.sockets <- spec.template.spec.domain.cpu"],
    },
    Beside {
        instancetype: "",
        preference: "cpu: {preferredCPUTopology: threads}, requirements: {cpu: {guest: 2}}",
        parts: &[(Vm, PREFERENCE), (Domain, "memory: {guest: 1Gi}\ncpu: {cores: 2}")],
        finds: &["preference-wants-more spec.template.spec.domain.cpu.threads <- spec.template.spec.domain.cpu"],
    },
    Beside {
        instancetype: "",
        preference: "cpu: {preferredCPUTopology: any}, requirements: {cpu: {guest: 2}}",
        parts: &[(Vm, PREFERENCE), (Domain, "memory: {guest: 1Gi}\ncpu: {cores: 2}")],
        finds: &[
            "preference-wants-more spec.template.spec.domain.cpu.cores, spec.template.spec.domain.cpu.sockets, spec.template.spec.domain.cpu.threads <- spec.template.spec.domain.cpu",
        ],
    },
    Beside {
        instancetype: "",
        preference: "cpu: {preferredCPUTopology: spread}, requirements: {cpu: {guest: 2}}",
        parts: &[(Vm, PREFERENCE), (Domain, "memory: {guest: 1Gi}\ncpu: {threads: 2}")],
        finds: &[
            "preference-wants-more spec.template.spec.domain.cpu.sockets, spec.template.spec.domain.cpu.cores <- spec.template.spec.domain.cpu",
        ],
    },
    Beside {
        instancetype: "",
        preference: "cpu: {preferredCPUTopology: spread, spreadOptions: {across: CoresThreads}}, requirements: {cpu: {guest: 2}}",
        parts: &[(Vm, PREFERENCE), (Domain, "memory: {guest: 1Gi}\ncpu: {sockets: 2}")],
        finds: &[
            "preference-wants-more spec.template.spec.domain.cpu.cores, spec.template.spec.domain.cpu.threads <- spec.template.spec.domain.cpu",
        ],
    },
    Beside {
        instancetype: "",
        preference: "cpu: {preferredCPUTopology: spread, spreadOptions: {across: SocketsCoresThreads}}, requirements: {cpu: {guest: 8}}",
        parts: &[(Vm, PREFERENCE), (Domain, "memory: {guest: 1Gi}\ncpu: {sockets: 2, cores: 2, threads: 1}")],
        finds: &[
            "preference-wants-more spec.template.spec.domain.cpu.sockets, spec.template.spec.domain.cpu.cores, spec.template.spec.domain.cpu.threads <- spec.template.spec.domain.cpu",
        ],
    },
    // Cores of 0 are none given, and without any the resources may say how many sockets it has.
    Beside {
        instancetype: "",
        preference: "requirements: {cpu: {guest: 1}}",
        parts: &[(Vm, PREFERENCE), (Domain, "memory: {guest: 1Gi}\ncpu: {cores: 0}")],
        finds: &[],
    },
    Beside {
        instancetype: "",
        preference: "requirements: {cpu: {guest: 2}}",
        parts: &[(Vm, PREFERENCE), (Domain, "memory: {guest: 1Gi}\nresources: {limits: {cpu: 4}}")],
        finds: &[],
    },
];

/// The codes that a row of this file finds.
pub(crate) fn codes() -> impl Iterator<Item = &'static str> {
    BESIDE.iter().flat_map(|row| row.finds).filter_map(|found| found.split(' ').next())
}

fn beside(row: &Beside) -> String {
    let object = |kind: &str, name: &str, spec: &str| {
        let head = "apiVersion: instancetype.kubevirt.io/v1beta1";
        format!("{head}\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n---\n")
    };
    let mut text = manifest(row.parts) + "---\n";
    if !row.instancetype.is_empty() {
        text += &object("VirtualMachineInstancetype", "i", row.instancetype);
    }
    text += &object("VirtualMachineClusterPreference", "p", row.preference);
    text
}

#[test]
fn what_stands_beside_is_used() {
    for row in BESIDE {
        let checks = check(&beside(row), &Options::default()).unwrap();
        assert_eq!(checks.skipped, [], "nothing is passed over: {} {}", row.instancetype, row.preference);
        let checked = &checks.manifests[0];
        assert_eq!(errors(checked), row.finds, "{} {}", row.instancetype, row.preference);
        let unseen = checked.findings.iter().any(|f| f.rule.code == "instancetype-not-seen");
        assert!(!unseen, "{} {}", row.instancetype, row.preference);
        // All of them as KubeVirt's webhook words it.
        let wants = checked.findings.iter().filter(|f| f.rule.code == "preference-wants-more");
        for message in wants.map(|f| f.message.as_str()) {
            let why = message.strip_prefix("failure checking preference requirements: ");
            assert!(why.is_some_and(|why| why.contains("preference requires")), "{message}");
        }
    }
    let vm = |row: &Beside| first(&beside(row)).vm.map(|vm| (vm.vmi.vcpus, vm.vmi.memory, vm.vmi.grace.seconds));
    let seen = vm(&Beside { preference: "preferredTerminationGracePeriodSeconds: 5", ..copy(&BESIDE[0]) });
    assert_eq!(seen, Some((Some(2), Some(2 << 30), 5)));
    // However they are spread, the guest has all of the instance type's.
    for (guest, preference) in [
        (3, "cpu: {preferredCPUTopology: cores}"),
        (3, "cpu: {preferredCPUTopology: threads}"),
        (6, "cpu: {preferredCPUTopology: spread}"),
        (6, "cpu: {preferredCPUTopology: spread, spreadOptions: {across: CoresThreads}}"),
        (12, "cpu: {preferredCPUTopology: spread, spreadOptions: {across: SocketsCoresThreads}}"),
    ] {
        let text =
            beside(&Beside { preference, ..copy(&BESIDE[0]) }).replace("guest: 2}", &format!("guest: {guest}}}"));
        assert_eq!(first(&text).vm.and_then(|vm| vm.vmi.vcpus), Some(guest), "{text}");
    }
    // The VM's own annotation is in the way of an instance type's, and not of a preference's.
    let annotated = |instancetype, preference| {
        let row = Beside { instancetype, preference, ..copy(&BESIDE[0]) };
        let own = "  template:\n    metadata: {annotations: {a: w, b: x}}\n";
        errors(&first(&beside(&row).replacen("  template:\n", own, 1)))
    };
    const ANNOTATED: &str = "cpu: {guest: 2}, memory: {guest: 2Gi}, annotations: {a: x, b: x}";
    assert_eq!(annotated(TWO_CPUS, "annotations: {a: z}"), [""; 0]);
    let conflict = "instancetype-conflict annotations.a <- spec.template.metadata.annotations.a";
    assert_eq!(annotated(ANNOTATED, ""), [conflict]);
}

const fn copy(row: &Beside) -> Beside {
    Beside { instancetype: row.instancetype, preference: row.preference, parts: row.parts, finds: row.finds }
}

/// A VM that names an instance type and a preference, and these.
pub(crate) fn beside_a_vm() -> [String; 3] {
    let row = Beside { preference: "preferredTerminationGracePeriodSeconds: 5", ..copy(&BESIDE[0]) };
    let text = beside(&row);
    let mut documents = text.split("---\n").map(str::to_owned);
    [(); 3].map(|()| documents.next().expect("three documents"))
}

/// Whether they are there for the VM.
pub(crate) fn is_seen(vm: &Checked) -> [bool; 2] {
    let unseen =
        |what: &str| vm.findings.iter().any(|f| f.rule.code == "instancetype-not-seen" && f.message.contains(what));
    ["instancetype", "preference"].map(|what| !unseen(what))
}

#[test]
fn what_is_not_seen_is_said() {
    for (spec, notes) in [
        ("instancetype: {name: u}\npreference: {name: p}", 2),
        ("preference: {name: p}", 1),
        ("instancetype: {name: i}", 1),
        ("instancetype: {name: i, kind: VirtualMachineInstancetype}", 0),
    ] {
        let vm = manifest(&[]).replace("  template:", &format!("  {}\n  template:", spec.replace('\n', "\n  ")));
        let vm = if spec.contains("instancetype") { vm.replace("        memory: {guest: 1Gi}\n", "") } else { vm };
        let text = format!(
            "{vm}---\napiVersion: instancetype.kubevirt.io/v1beta1\nkind: VirtualMachineInstancetype\nmetadata: {{name: i}}\nspec: {{cpu: {{guest: 1}}, memory: {{guest: 1Gi}}}}\n"
        );
        let checked = first(&text);
        let found = checked.findings.iter().filter(|f| f.rule.code == "instancetype-not-seen").count();
        assert_eq!((found, checked.verdict), (notes, Verdict::Accepted), "{text}{:?}", checked.findings);
    }
}

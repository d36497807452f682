//! Volumes, dataVolumeTemplates and access credentials (kubevirt-health.md 2.9).

use crate::manifest::In::{self, Devices, Domain, Vm, Vmi};
use crate::row::{Row, hold, later, row};

const USES_D: (In, &str) = (Vmi, "volumes: [{name: a, dataVolume: {name: d}}]");
const USER: (In, &str) = (
    Vmi,
    "accessCredentials: [{userPassword: {source: {secret: {secretName: s}}, propagationMethod: {qemuGuestAgent: {}}}}]",
);

pub(crate) const ROWS: &[Row] = &[
    later(
        &[(Devices, "disks: [{name: e, disk: {}}]"), (Vmi, "volumes: [{name: e, emptyDisk: {capacity: 1Mi}}]")],
        &[(Devices, "disks: [{name: e, disk: {}}]"), (Vmi, "volumes: [{name: e, emptyDisk: {capacity: 1M}}]")],
        &["empty-disk-too-small spec.template.spec.volumes[0].emptyDisk.capacity"],
    ),
    later(
        &[(Devices, "disks: [{name: e, disk: {}}]"), (Vmi, "volumes: [{name: e, emptyDisk: {capacity: 2Gi}}]")],
        &[(Devices, "disks: [{name: e, disk: {}}]"), (Vmi, "volumes: [{name: e, emptyDisk: {capacity: -2Gi}}]")],
        &["empty-disk-too-small spec.template.spec.volumes[0].emptyDisk.capacity"],
    ),
    row(
        &[(Vmi, "volumes: [{name: a, configMap: {name: b}}, {name: b, secret: {secretName: b}}]")],
        &[(
            Vmi,
            "volumes: [{name: a, configMap: {}}, {name: b, secret: {}}, {name: c, serviceAccount: {}}, {name: d, dataVolume: {name: \"\"}}]",
        )],
        &[
            "volume-names-nothing spec.template.spec.volumes[0].configMap.name",
            "volume-names-nothing spec.template.spec.volumes[1].secret.secretName",
            "volume-names-nothing spec.template.spec.volumes[2].serviceAccount.serviceAccountName",
            "volume-names-nothing spec.template.spec.volumes[3].name <- spec.template.spec.volumes[3].dataVolume.name",
        ],
    ),
    later(
        &[(
            Vmi,
            "volumes: [{name: a, persistentVolumeClaim: {claimName: c}}, {name: b, sysprep: {secret: {name: s}}}, {name: d, cloudInitNoCloud: {userData: x, networkDataSecretRef: {name: net}}}, {name: e, persistentVolumeClaim: {claimName: \"\", hotpluggable: true}}]",
        )],
        &[(
            Vmi,
            "volumes: [{name: a, persistentVolumeClaim: {claimName: \"\"}}, {name: b, sysprep: {}}, {name: d, cloudInitNoCloud: {userData: x, networkDataSecretRef: {}}}, {name: e, ephemeral: {}}]",
        )],
        &[
            "pod-volume-names-nothing spec.volumes <- spec.template.spec.volumes[0].persistentVolumeClaim.claimName",
            "pod-volume-names-nothing spec.volumes <- spec.template.spec.volumes[1].sysprep",
            "pod-volume-names-nothing spec.volumes <- spec.template.spec.volumes[2].cloudInitNoCloud.networkDataSecretRef.name",
            "pod-volume-names-nothing  <- spec.template.spec.volumes[3].ephemeral",
        ],
    ),
    row(
        &[(Vmi, "volumes: [{name: a, hostDisk: {path: /d, type: DiskOrCreate, capacity: 1Gi}}]")],
        &[(
            Vmi,
            "volumes: [{name: a, hostDisk: {path: /d, type: Disk, capacity: 1Gi}}, {name: b, hostDisk: {path: \"\", type: disk}}]",
        )],
        &[
            "volume-names-nothing spec.template.spec.volumes[1].hostDisk.path",
            "host-disk-with-capacity spec.template.spec.volumes[0].hostDisk.capacity",
            "unsupported-word spec.template.spec.volumes[1].hostDisk.type",
        ],
    )
    .on(&["HostDisk"]),
    row(
        &[(Vmi, "volumes: [{name: a, containerDisk: {image: i, path: /disk/a.img}}]")],
        &[(Vmi, "volumes: [{name: a, containerDisk: {image: i, path: disk/a.img}}]")],
        &[
            "bad-container-disk-path spec.template.spec.volumes[0].containerDisk <- spec.template.spec.volumes[0].containerDisk.path",
        ],
    ),
    row(
        &[(Vmi, "volumes: [{name: a, containerDisk: {image: i, path: \"\"}}]")],
        &[(Vmi, "volumes: [{name: a, containerDisk: {image: i, path: /}}]")],
        &[
            "bad-container-disk-path spec.template.spec.volumes[0].containerDisk <- spec.template.spec.volumes[0].containerDisk.path",
        ],
    ),
    row(
        &[(Vmi, "volumes: [{name: a, serviceAccount: {serviceAccountName: x}}]")],
        &[(
            Vmi,
            "volumes: [{name: a, serviceAccount: {serviceAccountName: x}}, {name: b, serviceAccount: {serviceAccountName: z}}]",
        )],
        &[
            "too-many-of-a-volume spec.template.spec.volumes <- spec.template.spec.volumes[1]",
        ],
    ),
    row(
        &[(Vmi, "utilityVolumes: []")],
        &[(Vmi, "utilityVolumes: [{name: u, claimName: c}]")],
        &["utility-volumes spec.template.spec.utilityVolumes"],
    ),
    // DataVolumes.
    row(
        &[USES_D, (Vm, "dataVolumeTemplates: [{metadata: {name: d}, spec: {storage: {}, source: {blank: {}}}}]")],
        &[(Vm, "dataVolumeTemplates: [{metadata: {name: d}, spec: {storage: {}, source: {blank: {}}}}]")],
        &[
            "data-volume-template-unused spec.dataVolumeTemplate[0] <- spec.dataVolumeTemplates[0].metadata.name",
        ],
    ),
    row(
        &[
            (Vmi, "volumes: [{name: a, persistentVolumeClaim: {claimName: d}}]"),
            (
                Vm,
                "dataVolumeTemplates: [{metadata: {name: d}, spec: {storage: {}, sourceRef: {kind: DataSource, name: x}}}]",
            ),
        ],
        &[
            USES_D,
            (
                Vm,
                "dataVolumeTemplates: [{spec: {storage: {}, source: {blank: {}}}}, {metadata: {name: d}, spec: {source: {blank: {}}}}, {metadata: {name: d}, spec: {pvc: {}, storage: {}, source: {blank: {}}}}]",
            ),
        ],
        &[
            "bad-data-volume-template spec.dataVolumeTemplate[0].name <- spec.dataVolumeTemplates[0].metadata.name",
            "bad-data-volume-template spec.dataVolumeTemplate[1].PVC.Storage <- spec.dataVolumeTemplates[1].spec",
            "bad-data-volume-template spec.dataVolumeTemplate[2].PVC.Storage <- spec.dataVolumeTemplates[2].spec",
        ],
    ),
    row(
        &[
            USES_D,
            (
                Vm,
                "dataVolumeTemplates: [{metadata: {name: d}, spec: {pvc: {dataSource: {apiGroup: \"\", kind: PersistentVolumeClaim, name: x}}}}]",
            ),
        ],
        &[
            USES_D,
            (
                Vm,
                "dataVolumeTemplates: [{metadata: {name: d}, spec: {storage: {}}}, {metadata: {name: d}, spec: {storage: {}, source: {}}}, {metadata: {name: d}, spec: {storage: {}, source: {blank: {}, http: {url: u}}}}, {metadata: {name: d}, spec: {pvc: {dataSource: {apiGroup: \"\", kind: PersistentVolumeClaim, name: x}}, source: {blank: {}}}}]",
            ),
        ],
        &[
            "bad-data-volume-template spec.dataVolumeTemplate[0].source.sourceRef <- spec.dataVolumeTemplates[0].spec",
            "bad-data-volume-template spec.dataVolumeTemplate[1].source <- spec.dataVolumeTemplates[1].spec.source",
            "bad-data-volume-template spec.dataVolumeTemplate[2].source <- spec.dataVolumeTemplates[2].spec.source",
            "bad-data-volume-template spec.dataVolumeTemplate[3].source <- spec.dataVolumeTemplates[3].spec.source",
        ],
    ),
    row(
        &[],
        &[
            USES_D,
            (
                Vm,
                "dataVolumeTemplates: [{metadata: {name: d}, spec: {pvc: {dataSource: {kind: PersistentVolumeClaim, name: x}}}}]",
            ),
        ],
        &["data-source-without-api-group spec.dataVolumeTemplates[0].spec.pvc.dataSource.apiGroup"],
    ),
    // File systems.
    later(
        &[(Vmi, "volumes: [{name: a, configMap: {name: c}}]"), (Devices, "filesystems: [{name: a, virtiofs: {}}]")],
        &[
            (Vmi, "volumes: [{name: a_b, configMap: {name: c}}, {name: c, emptyDisk: {capacity: 1Gi}}]"),
            (Devices, "filesystems: [{name: a_b, virtiofs: {}}, {name: c, virtiofs: {}}]"),
        ],
        &[
            "filesystem-cannot-be-shown spec.containers[1].name <- spec.template.spec.volumes[0].name",
            "filesystem-cannot-be-shown spec.containers[2].volumeMounts[1].name <- spec.template.spec.volumes[1].emptyDisk",
        ],
    ),
    later(
        &[(Vmi, "volumes: [{name: d, containerDisk: {image: \"a b\"}}]")],
        &[
            (Vmi, "volumes: [{name: c, emptyDisk: {capacity: 1Gi}}, {name: d, containerDisk: {image: \"a \"}}]"),
            (Domain, "firmware: {kernelBoot: {container: {image: \" k\", kernelPath: /k}}}"),
        ],
        &[
            "image-between-blanks spec.initContainers[1].image <- spec.template.spec.volumes[1].containerDisk.image",
            "image-between-blanks spec.initContainers[2].image <- spec.template.spec.domain.firmware.kernelBoot.container.image",
        ],
    ),
    // The downward API.
    later(
        &[(
            Vmi,
            "volumes: [{name: d, downwardAPI: {fields: [{path: a/b, mode: 0777, fieldRef: {apiVersion: v1, fieldPath: metadata.uid}}, {path: a, fieldRef: {fieldPath: \"metadata.annotations['X/y']\"}}]}}]",
        )],
        &[(
            Vmi,
            "volumes: [{name: d, downwardAPI: {fields: [{path: /a, mode: 01000, fieldRef: {apiVersion: v2, fieldPath: metadata.uid}}, {path: a/../b, fieldRef: {fieldPath: spec.nodeName}}, {path: ..a, fieldRef: {fieldPath: \"metadata.labels['a b']\"}}, {fieldRef: {}}, {path: a, fieldRef: {fieldPath: \"spec['a']\"}}]}}]",
        )],
        &[
            "bad-downward-api spec.volumes[*].downwardAPI.path <- spec.template.spec.volumes[0].downwardAPI.fields[0].path",
            "bad-downward-api spec.volumes[*].downwardAPI.mode <- spec.template.spec.volumes[0].downwardAPI.fields[0].mode",
            "bad-downward-api spec.volumes[*].downwardAPI.fieldRef.fieldPath <- spec.template.spec.volumes[0].downwardAPI.fields[0].fieldRef.fieldPath",
            "bad-downward-api spec.volumes[*].downwardAPI.path <- spec.template.spec.volumes[0].downwardAPI.fields[1].path",
            "bad-downward-api spec.volumes[*].downwardAPI.fieldRef.fieldPath <- spec.template.spec.volumes[0].downwardAPI.fields[1].fieldRef.fieldPath",
            "bad-downward-api spec.volumes[*].downwardAPI.path <- spec.template.spec.volumes[0].downwardAPI.fields[2].path",
            "bad-downward-api spec.volumes[*].downwardAPI.fieldRef.fieldPath <- spec.template.spec.volumes[0].downwardAPI.fields[2].fieldRef.fieldPath",
            "bad-downward-api spec.volumes[*].downwardAPI.path <- spec.template.spec.volumes[0].downwardAPI.fields[3].path",
            "bad-downward-api spec.volumes[*].downwardAPI.fieldRef.fieldPath <- spec.template.spec.volumes[0].downwardAPI.fields[3].fieldRef.fieldPath",
            "bad-downward-api spec.volumes[*].downwardAPI.fieldRef.fieldPath <- spec.template.spec.volumes[0].downwardAPI.fields[4].fieldRef.fieldPath",
        ],
    ),
    later(
        &[(
            Vmi,
            "volumes: [{name: d, downwardAPI: {fields: [{path: a, resourceFieldRef: {containerName: compute, resource: limits.cpu, divisor: 1m}}, {path: b, resourceFieldRef: {containerName: compute, resource: requests.memory, divisor: 1024Ki}}, {path: c, resourceFieldRef: {containerName: compute, resource: limits.hugepages-2Mi, divisor: 1000}}]}}]",
        )],
        &[(
            Vmi,
            "volumes: [{name: d, downwardAPI: {fields: [{path: a}, {path: b, fieldRef: {fieldPath: metadata.uid}, resourceFieldRef: {}}, {path: c, resourceFieldRef: {resource: limits.cpu}}, {path: d, resourceFieldRef: {containerName: compute}}, {path: e, resourceFieldRef: {containerName: compute, resource: limits.cpu, divisor: 2}}, {path: f, resourceFieldRef: {containerName: compute, resource: limits.memory, divisor: 1024}}]}}]",
        )],
        &[
            "bad-downward-api spec.volumes[*].downwardAPI <- spec.template.spec.volumes[0].downwardAPI.fields[0]",
            "bad-downward-api spec.volumes[*].downwardAPI <- spec.template.spec.volumes[0].downwardAPI.fields[1].resourceFieldRef",
            "bad-downward-api spec.volumes[*].downwardAPI.resourceFieldRef.containerName <- spec.template.spec.volumes[0].downwardAPI.fields[2].resourceFieldRef.containerName",
            "bad-downward-api spec.volumes[*].downwardAPI.resourceFieldRef.resource <- spec.template.spec.volumes[0].downwardAPI.fields[3].resourceFieldRef.resource",
            "bad-downward-api spec.volumes[*].downwardAPI.resourceFieldRef.divisor <- spec.template.spec.volumes[0].downwardAPI.fields[4].resourceFieldRef.divisor",
            "bad-downward-api spec.volumes[*].downwardAPI.resourceFieldRef.divisor <- spec.template.spec.volumes[0].downwardAPI.fields[5].resourceFieldRef.divisor",
        ],
    ),
    // Access credentials.
    row(
        &[
            USER,
            (Vmi, "volumes: [{name: c, cloudInitNoCloud: {userData: x}}]"),
        ],
        &[(Vmi, "accessCredentials: [{userPassword: {source: {}, propagationMethod: {}}}, {}]")],
        &[
            "bad-access-credential spec.template.spec.accessCredentials[0].userPassword.source",
            "bad-access-credential spec.template.spec.accessCredentials[0].userPassword.propagationMethod",
            "bad-access-credential spec.template.spec.accessCredentials[1]",
        ],
    ),
    row(
        &[(
            Vmi,
            "accessCredentials: [{sshPublicKey: {source: {secret: {secretName: s}}, propagationMethod: {qemuGuestAgent: {users: [root]}}}}, {sshPublicKey: {source: {secret: {secretName: t}}, propagationMethod: {noCloud: {}}}}]",
        )],
        &[(
            Vmi,
            "accessCredentials: [{sshPublicKey: {source: {secret: {secretName: s}}, propagationMethod: {qemuGuestAgent: {users: []}}}}, {sshPublicKey: {source: {secret: {secretName: t}}, propagationMethod: {configDrive: {}}}}]",
        )],
        &[
            "bad-access-credential spec.template.spec.accessCredentials[0].sshPublicKey.propagationMethod.qemuGuestAgent.users",
            "bad-access-credential spec.template.spec.accessCredentials[1].sshPublicKey.propagationMethod",
        ],
    ),
    later(
        &[USER],
        &[(
            Vmi,
            "accessCredentials: [{userPassword: {source: {secret: {secretName: a.b}}, propagationMethod: {qemuGuestAgent: {}}}}]",
        )],
        &[
            "credential-secret-is-no-label spec.volumes <- spec.template.spec.accessCredentials[0].userPassword.source.secret.secretName",
        ],
    ),
    later(
        &[USER],
        &[(
            Vmi,
            "accessCredentials: [{sshPublicKey: {source: {secret: {secretName: s}}, propagationMethod: {qemuGuestAgent: {users: [root]}}}}, {userPassword: {source: {secret: {secretName: s}}, propagationMethod: {qemuGuestAgent: {}}}}]",
        )],
        &[
            "credential-secret-twice spec.volumes <- spec.template.spec.accessCredentials[1].userPassword.source.secret.secretName",
        ],
    ),
    // An annotation's key may have capitals, and a divisor of 0 is none.
    later(
        &[(
            Vmi,
            "volumes: [{name: d, downwardAPI: {fields: [{path: a, fieldRef: {fieldPath: \"metadata.labels['app']\"}}, {path: b, resourceFieldRef: {containerName: compute, resource: limits.memory, divisor: 0}}]}}]",
        )],
        &[(
            Vmi,
            "volumes: [{name: d, downwardAPI: {fields: [{path: a, fieldRef: {fieldPath: \"metadata.annotations['A b']\"}}]}}]",
        )],
        &[
            "bad-downward-api spec.volumes[*].downwardAPI.fieldRef.fieldPath <- spec.template.spec.volumes[0].downwardAPI.fields[0].fieldRef.fieldPath",
        ],
    ),
];

#[test]
fn volumes() {
    hold(ROWS);
}

/// A DataVolume is made in the VM's namespace.
#[test]
fn a_data_volume_of_another_namespace() {
    use crate::manifest::{errors, manifest, one};
    let vm = manifest(&[
        USES_D,
        (Vm, "dataVolumeTemplates: [{metadata: {name: d, namespace: a}, spec: {storage: {}, source: {blank: {}}}}]"),
    ]);
    for (metadata, is_fine) in
        [("{name: vm}", true), ("{name: vm, namespace: a}", true), ("{name: vm, namespace: b}", false)]
    {
        let found = errors(&one(&vm.replace("{name: vm}", metadata)));
        let code = "data-volume-of-another-namespace spec.dataVolumeTemplates[0] <- spec.dataVolumeTemplates[0].metadata.namespace";
        assert_eq!(found, if is_fine { vec![] } else { vec![code] }, "{metadata}");
    }
    // No VM is there, wherever kubectl puts it.
    let nowhere = errors(&one(&vm.replace("namespace: a}", "namespace: a_b}")));
    assert!(nowhere.iter().any(|error| error.starts_with("data-volume-of-another-namespace ")), "{nowhere:?}");
}

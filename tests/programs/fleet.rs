//! A list of many VirtualMachines as a cluster serves it: `kubectl get vm -A --show-managed-fields -o yaml` (or `-o json`).

use serde_json::{Value, json};
use std::fmt::Write as _;

/// The list as `-o yaml` prints it.
pub(crate) fn yaml(vms: usize) -> String {
    let mut out = "apiVersion: v1\nitems:\n".to_owned();
    for number in 0..vms {
        let begin = out.len();
        mapping(&vm(number), 1, &mut out);
        out.replace_range(begin..begin + 2, "- ");
    }
    out + "kind: List\nmetadata:\n  resourceVersion: \"\"\n"
}

/// The list as `-o json` prints it.
pub(crate) fn json(vms: usize) -> String {
    let item = |number| format!("        {}", format!("{:#}", vm(number)).replace('\n', "\n        "));
    let items: Vec<String> = (0..vms).map(item).collect();
    format!(
        "{{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n{}\n    ],\n    \"kind\": \"List\",\n    \"metadata\": {{}}\n}}\n",
        items.join(",\n")
    )
}

/// One of a fleet; every tenth has a probe that KubeVirt refuses.
fn vm(number: usize) -> Value {
    let (name, disk) = (format!("vm-{number:05}"), format!("vm-{number:05}-root"));
    let threshold = if number % 10 == 3 { 2 } else { 1 };
    let time = "2026-10-01T09:30:00Z";
    let condition = |kind: &str, status: &str| json!({"lastProbeTime": null, "lastTransitionTime": time, "status": status, "type": kind});
    let own = json!({"f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/last-applied-configuration": {}},
        "f:labels": {".": {}, "f:app": {}, "f:team": {}}}, "f:spec": {".": {}, "f:runStrategy": {}, "f:template": {".": {},
        "f:metadata": {".": {}, "f:labels": {".": {}, "f:kubevirt.io/domain": {}}}, "f:spec": {".": {}, "f:domain": {".": {},
        "f:devices": {".": {}, "f:disks": {}, "f:interfaces": {}, "f:watchdog": {}}, "f:memory": {".": {}, "f:guest": {}}},
        "f:livenessProbe": {}, "f:networks": {}, "f:readinessProbe": {}, "f:terminationGracePeriodSeconds": {}, "f:volumes": {}}}}});
    let controller = json!({"f:metadata": {"f:annotations": {"f:kubevirt.io/latest-observed-api-version": {},
        "f:kubevirt.io/storage-observed-api-version": {}}, "f:finalizers": {".": {}, "v:\"kubevirt.io/virtualMachineControllerFinalize\"": {}}}});
    let status = json!({"f:status": {".": {}, "f:conditions": {".": {}, "k:{\"type\":\"Ready\"}": {".": {}, "f:lastTransitionTime": {},
        "f:status": {}, "f:type": {}}}, "f:created": {}, "f:desiredGeneration": {}, "f:observedGeneration": {},
        "f:printableStatus": {}, "f:ready": {}, "f:runStrategy": {}, "f:volumeSnapshotStatuses": {}}});
    let managed = |fields: Value, manager: &str, sub: Option<&str>| {
        let mut entry = json!({"apiVersion": "kubevirt.io/v1", "fieldsType": "FieldsV1", "fieldsV1": fields, "manager": manager,
            "operation": "Update", "time": time});
        if let Some(sub) = sub {
            entry["subresource"] = json!(sub);
        }
        entry
    };
    json!({
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration":
                    format!("{{\"apiVersion\":\"kubevirt.io/v1\",\"kind\":\"VirtualMachine\",\"metadata\":{{\"name\":\"{name}\"}}}}\n"),
                "kubevirt.io/latest-observed-api-version": "v1",
                "kubevirt.io/storage-observed-api-version": "v1"
            },
            "creationTimestamp": if number.is_multiple_of(2) { json!(time) } else { Value::Null },
            "finalizers": ["kubevirt.io/virtualMachineControllerFinalize"],
            "generation": 2,
            "labels": {"app": "shop", "team": format!("team-{}", number % 40)},
            "managedFields": [managed(own, "kubectl-client-side-apply", None), managed(controller, "virt-controller", None),
                managed(status, "virt-controller", Some("status"))],
            "name": name,
            "namespace": format!("shop-{}", number % 40),
            "resourceVersion": format!("{}", 1_000_000 + number),
            "uid": format!("6f1c2d3e-0000-4000-8000-{number:012}")
        },
        "spec": {
            "dataVolumeTemplates": [{
                "metadata": {"creationTimestamp": null, "name": disk},
                "spec": {
                    "source": {"registry": {"url": "docker://quay.io/containerdisks/debian:12"}},
                    "storage": {"resources": {"requests": {"storage": "30Gi"}}}
                }
            }],
            "runStrategy": "Always",
            "template": {
                "metadata": {"creationTimestamp": null, "labels": {"kubevirt.io/domain": name}},
                "spec": {
                    "architecture": "amd64",
                    "domain": {
                        "cpu": {"cores": 2},
                        "devices": {
                            "disks": [{"disk": {"bus": "virtio"}, "name": "root"}, {"disk": {"bus": "virtio"}, "name": "seed"}],
                            "interfaces": [{"masquerade": {}, "name": "default", "ports": [{"name": "http", "port": 8080}]}],
                            "rng": {},
                            "watchdog": {"i6300esb": {"action": "reset"}, "name": "dog"}
                        },
                        "machine": {"type": "q35"},
                        "memory": {"guest": "2Gi"},
                        "resources": {}
                    },
                    "livenessProbe": {"failureThreshold": 6, "initialDelaySeconds": 180, "periodSeconds": 20, "successThreshold": threshold,
                        "tcpSocket": {"port": 8080}, "timeoutSeconds": 5},
                    "networks": [{"name": "default", "pod": {}}],
                    "readinessProbe": {"failureThreshold": 3, "httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10,
                        "timeoutSeconds": 3},
                    "terminationGracePeriodSeconds": 60,
                    "volumes": [
                        {"dataVolume": {"name": disk}, "name": "root"},
                        {"cloudInitNoCloud": {"userData": "#cloud-config\npackages: [qemu-guest-agent, watchdog]\nwrite_files:\n- path: /etc/watchdog.conf\n  content: |\n    watchdog-device = /dev/watchdog\n    watchdog-timeout = 60\n"}, "name": "seed"}
                    ]
                }
            }
        },
        "status": {
            "conditions": [condition("Ready", "True"), condition("LiveMigratable", "True"), condition("StorageLiveMigratable", "True"),
                condition("AgentConnected", "True")],
            "created": true,
            "desiredGeneration": 2,
            "observedGeneration": 2,
            "printableStatus": "Running",
            "ready": true,
            "runStrategy": "Always",
            "volumeSnapshotStatuses": [
                {"enabled": false, "name": "root", "reason": "No VolumeSnapshotClass: Volume snapshots are not configured for this StorageClass"},
                {"enabled": false, "name": "seed", "reason": "Snapshot is not supported for this volumeSource type [seed]"}
            ]
        }
    })
}

/// Block style, two columns a level, lists at their key's column: as sigs.k8s.io/yaml writes.
fn mapping(value: &Value, level: usize, out: &mut String) {
    for (key, member) in value.as_object().into_iter().flatten() {
        let _ = write!(out, "{:1$}{key}:", "", 2 * level);
        below(member, level, out);
    }
}

fn below(value: &Value, level: usize, out: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            out.push('\n');
            mapping(value, level + 1, out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            for item in items {
                let begin = out.len() + 2 * level;
                match item {
                    Value::Object(_) => mapping(item, level + 1, out),
                    _ => {
                        let _ = write!(out, "{:1$}", "", 2 * level + 1);
                        below(item, level, out);
                    }
                }
                out.replace_range(begin..begin + 2, "- ");
            }
        }
        Value::String(text) if text.contains('\n') => {
            out.push_str(" |\n");
            text.lines().for_each(|line| _ = writeln!(out, "{:1$}{line}", "", 2 * level + 2));
        }
        Value::String(text) if is_plain(text) => _ = writeln!(out, " {text}"),
        _ => _ = writeln!(out, " {value}"),
    }
}

/// Whether a text is one without quotes, too.
fn is_plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.contains(": ")
        && !text.contains(" #")
        && !["true", "false", "True", "False", "null"].contains(&text)
}

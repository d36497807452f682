//! Texts that nobody has rendered: a placeholder is no reason to refuse a manifest, and none to accept it.

use serde_json::Value;
use vmhealth_sim::check::{Options, Verdict, check};

/// A VM that is accepted, in which as many things as possible are compared with each other.
const FULL: &str = r#"{
  "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine",
  "metadata": {"name": "full", "namespace": "web", "labels": {"app": "web"}, "annotations": {"a": "b"},
    "finalizers": ["example.com/f"], "managedFields": [{"manager": "kubectl", "operation": "Update", "fieldsType": "FieldsV1"}],
    "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "1"}]},
  "spec": {
    "runStrategy": "Always",
    "dataVolumeTemplates": [{"metadata": {"name": "root", "namespace": "web"},
      "spec": {"storage": {"resources": {"requests": {"storage": "9Gi"}}}, "source": {"http": {"url": "https://example.com/x"}}}}],
    "template": {
      "metadata": {"labels": {"app": "web"}, "annotations": {"a": "b"}},
      "spec": {
        "hostname": "web", "subdomain": "web", "nodeSelector": {"disk": "ssd"}, "terminationGracePeriodSeconds": 30,
        "schedulerName": "s", "priorityClassName": "p", "evictionStrategy": "LiveMigrate",
        "tolerations": [{"key": "a", "operator": "Equal", "value": "b", "effect": "NoSchedule"}],
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
          {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "web"},
           "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}}]}},
        "dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.1"], "searches": ["example.com"]},
        "readinessProbe": {"httpGet": {"path": "/", "port": 80, "scheme": "HTTP", "httpHeaders": [{"name": "A", "value": "b"}]},
          "initialDelaySeconds": 30, "periodSeconds": 10, "timeoutSeconds": 2, "failureThreshold": 3, "successThreshold": 1},
        "livenessProbe": {"exec": {"command": ["/bin/true", "a"]},
          "initialDelaySeconds": 300, "periodSeconds": 10, "timeoutSeconds": 2, "failureThreshold": 3},
        "networks": [{"name": "default", "pod": {"vmNetworkCIDR": "10.0.2.0/24"}}, {"name": "other", "multus": {"networkName": "web/other"}}],
        "volumes": [{"name": "root", "dataVolume": {"name": "root"}}, {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
          {"name": "image", "containerDisk": {"image": "example.com/x:1", "path": "/disk/x.img"}},
          {"name": "scratch", "emptyDisk": {"capacity": "1Gi"}},
          {"name": "seed", "cloudInitNoCloud": {"userData": "packages: [qemu-guest-agent], watchdog-device = /dev/watchdog"}}],
        "domain": {
          "machine": {"type": "q35"}, "cpu": {"cores": 2, "sockets": 1, "threads": 1, "model": "host-model"},
          "memory": {"guest": "1Gi"}, "resources": {"requests": {"memory": "1Gi", "cpu": "1"}, "limits": {"memory": "2Gi", "cpu": "2"}},
          "firmware": {"serial": "s", "uuid": "5d307ca9-b3ef-428c-8861-06e72d69f223", "bootloader": {"efi": {"secureBoot": false}}},
          "features": {"acpi": {"enabled": true}}, "clock": {"timezone": "UTC"},
          "devices": {
            "rng": {}, "watchdog": {"name": "w", "i6300esb": {"action": "reset"}},
            "interfaces": [{"name": "default", "model": "virtio", "macAddress": "02:00:00:00:00:01", "masquerade": {},
               "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}, {"name": "other", "bridge": {}}],
            "disks": [{"name": "root", "bootOrder": 1, "cache": "none", "serial": "a", "disk": {"bus": "virtio"}},
              {"name": "data", "lun": {"bus": "sata"}}, {"name": "image", "disk": {"bus": "virtio"}},
              {"name": "scratch", "disk": {"bus": "virtio"}}, {"name": "seed", "cdrom": {"bus": "sata", "readonly": true, "tray": "closed"}}]
          }
        }
      }
    }
  }
}"#;

/// The JSON pointers of all its scalars.
fn scalars(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, v)| scalars(v, &format!("{at}/{}", key.replace('/', "~1")), found))
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(i, v)| scalars(v, &format!("{at}/{i}"), found)),
        _ => found.push(at.to_owned()),
    }
}

#[test]
fn no_placeholder_is_refused() {
    let full: Value = serde_json::from_str(FULL).unwrap();
    let whole = check(FULL, &Options::default()).unwrap();
    assert_eq!(whole.manifests[0].verdict, Verdict::Accepted, "{:#?}", whole.manifests[0].findings);
    let mut all = Vec::new();
    scalars(&full, "", &mut all);
    assert!(all.len() > 90, "{}", all.len());
    let mut refused = Vec::new();
    for pointer in all.iter().filter(|pointer| !["/apiVersion", "/kind"].contains(&pointer.as_str())) {
        for placeholder in ["${VALUE}", "{{ .Values.value }}", "{{ value }}"] {
            let mut one = full.clone();
            *one.pointer_mut(pointer).unwrap() = Value::String(placeholder.to_owned());
            let checks = check(&one.to_string(), &Options::default()).unwrap();
            let wrong = checks.manifests.iter().filter(|m| m.verdict != Verdict::Accepted);
            let errors = wrong.flat_map(crate::manifest::errors).collect::<Vec<_>>();
            if !errors.is_empty() {
                refused.push(format!("{pointer} {placeholder}: {errors:?}"));
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

//! What only the pod is checked for, and names (kubevirt-health.md 2.9).

use crate::manifest::In::{Domain, Vmi};
use crate::row::{self, Row, later, row};

pub(crate) const ROWS: &[Row] = &[
    later(
        &[(Domain, "resources: {requests: {memory: 1Gi, cpu: 1, ephemeral-storage: 1Gi}}")],
        &[(Domain, "resources: {requests: {memory: 1Gi, cpus: 1}, limits: {storage: 1Gi}}")],
        &[
            "unknown-resource spec.containers[0].resources.requests[cpus] <- spec.template.spec.domain.resources.requests.cpus",
            "unknown-resource spec.containers[0].resources.limits[storage] <- spec.template.spec.domain.resources.limits.storage",
        ],
    ),
    later(
        &[(Domain, "resources: {requests: {memory: 1Gi, n/g: 1, ephemeral-storage: 1Gi}, limits: {n/g: 1}}")],
        &[(
            Domain,
            "resources: {requests: {memory: 1Gi, n/g: 1, n/h: 1, ephemeral-storage: 2Gi}, limits: {n/h: 2, ephemeral-storage: 1Gi}}",
        )],
        &[
            "resource-and-limit-differ spec.containers[0].resources.limits <- spec.template.spec.domain.resources.requests.n/g",
            "resource-and-limit-differ spec.containers[0].resources.requests <- spec.template.spec.domain.resources.requests.n/h",
            "resource-and-limit-differ spec.containers[0].resources.requests <- spec.template.spec.domain.resources.requests.ephemeral-storage",
        ],
    ),
    later(
        &[(Vmi, "nodeSelector: {kubernetes.io/hostname: node-1, disk: \"\"}")],
        &[(Vmi, "nodeSelector: {disk type: ssd}")],
        &["bad-node-selector spec.nodeSelector <- spec.template.spec.nodeSelector"],
    ),
    later(
        &[(
            Domain,
            "cpu: {dedicatedCpuPlacement: true}\nresources: {requests: {memory: 1Gi, cpu: 1}, limits: {memory: 0}}",
        )],
        &[(Domain, "resources: {requests: {memory: 1Gi}, limits: {memory: 0, cpu: \"0\"}}")],
        &[
            "limit-of-nothing spec.containers[0].resources.requests <- spec.template.spec.domain.resources.limits.cpu",
            "limit-of-nothing spec.containers[0].resources.requests <- spec.template.spec.domain.resources.limits.memory",
        ],
    ),
    later(
        &[(Vmi, "subdomain: a")],
        &[(Vmi, "subdomain: a.b")],
        &["subdomain-with-dots spec.subdomain <- spec.template.spec.subdomain"],
    ),
    later(
        &[(Vmi, "priorityClassName: high.1")],
        &[(Vmi, "priorityClassName: High")],
        &["bad-priority-class spec.priorityClassName <- spec.template.spec.priorityClassName"],
    ),
    later(
        &[(
            Vmi,
            "tolerations: [{operator: Exists}, {key: a, value: b, effect: NoSchedule}, {key: a, operator: Exists, effect: NoExecute, tolerationSeconds: 5}]",
        )],
        &[(
            Vmi,
            "tolerations: [{operator: Exists, value: b}, {value: b}, {key: a, tolerationSeconds: 5}, {key: \"a b\", value: \"-\"}]",
        )],
        &[
            "bad-toleration spec.tolerations[0].operator <- spec.template.spec.tolerations[0].value",
            "bad-toleration spec.tolerations[1].operator <- spec.template.spec.tolerations[1]",
            "bad-toleration spec.tolerations[2].effect <- spec.template.spec.tolerations[2]",
            "bad-toleration spec.tolerations[3].key <- spec.template.spec.tolerations[3].key",
            "bad-toleration spec.tolerations[3].operator <- spec.template.spec.tolerations[3].value",
        ],
    ),
    row(
        &[(Vmi, "hostname: web-1\nsubdomain: a\nserviceAccountName: a.b")],
        &[(Vmi, "hostname: web.1\nsubdomain: A\nserviceAccountName: a_b")],
        &[
            "bad-host-name spec.template.spec.hostname",
            "bad-host-name spec.template.spec.subdomain",
            "bad-host-name spec.template.spec.serviceAccountName",
        ],
    ),
    row(
        &[(
            Vmi,
            "dnsPolicy: None\ndnsConfig: {nameservers: [10.0.0.1, \"::1\"], searches: [a.b], options: [{name: x}]}",
        )],
        &[(Vmi, "dnsPolicy: None")],
        &["bad-dns-config spec.template.spec.dnsConfig <- spec.template.spec.dnsConfig.nameservers"],
    ),
    row(
        &[(Vmi, "dnsConfig: {searches: [a, b, c, d, e, f]}")],
        &[(
            Vmi,
            "dnsConfig: {nameservers: [10.0.0.1, 10.0.0.2, 10.0.0.3, ns], searches: [a, b, c, d, e, f, G], options: [{value: x}]}",
        )],
        &[
            "bad-dns-config nameservers <- spec.template.spec.dnsConfig.nameservers",
            "bad-dns-config nameservers <- spec.template.spec.dnsConfig.nameservers",
            "bad-dns-config searchDomains <- spec.template.spec.dnsConfig.searches",
            "bad-dns-config searchDomains <- spec.template.spec.dnsConfig.searches",
            "bad-dns-config options <- spec.template.spec.dnsConfig.options",
        ],
    ),
];

#[test]
fn pod_spec() {
    row::hold(ROWS);
}

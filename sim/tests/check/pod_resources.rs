//! Resources that only the pod is checked for (kubevirt-health.md 2.9).

use crate::manifest::In::{Devices, Domain};
use crate::row::{Row, hold, later};

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
        &[(Devices, "gpus: [{name: a, deviceName: n.com/G_1}]")],
        &[(Devices, "gpus: [{name: a, deviceName: N.com/g}]")],
        &[
            "device-is-no-resource spec.containers[0].resources.limits[N.com/g] <- spec.template.spec.domain.devices.gpus[0].deviceName",
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
        &[(Domain, "resources: {requests: {memory: 1Gi, ephemeral-storage: 500m}, limits: {n/g: 2000m}}")],
        &[(Domain, "resources: {requests: {memory: 1Gi, ephemeral-storage: -1}, limits: {n/g: 500m, n/h: 1Ei}}")],
        &[
            "bad-resource-amount spec.containers[0].resources.requests[ephemeral-storage] <- spec.template.spec.domain.resources.requests.ephemeral-storage",
            "bad-resource-amount spec.containers[0].resources.limits[n/g] <- spec.template.spec.domain.resources.limits.n/g",
            "bad-resource-amount spec.containers[0].resources.limits[n/h] <- spec.template.spec.domain.resources.limits.n/h",
        ],
    ),
    later(
        &[(Domain, "memory: {guest: 1Gi, hugepages: {pageSize: 2Mi}}")],
        &[(Domain, "memory: {guest: 1Gi, hugepages: {pageSize: 100m}}")],
        &[
            "broken-huge-pages spec.containers[0].resources.limits[hugepages-100m] <- spec.template.spec.domain.memory.hugepages.pageSize",
        ],
    ),
    later(
        &[(Domain, "resources: {requests: {memory: 1Gi, hugepages-2Mi: 4Mi}, limits: {hugepages-2Mi: 4Mi}}")],
        &[(
            Domain,
            "resources: {requests: {memory: 1Gi, hugepages-2Mi: 3Mi}, limits: {hugepages-2Mi: 3Mi, hugepages-x: 1}}",
        )],
        &[
            "broken-huge-pages spec.containers[0].resources.requests[hugepages-2Mi] <- spec.template.spec.domain.resources.requests.hugepages-2Mi",
            "broken-huge-pages spec.containers[0].resources.limits[hugepages-2Mi] <- spec.template.spec.domain.resources.limits.hugepages-2Mi",
            "broken-huge-pages spec.containers[0].resources.limits[hugepages-x] <- spec.template.spec.domain.resources.limits.hugepages-x",
        ],
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
    // Nothing of a resource is a whole amount of it; pages of nothing or of a part of a byte are none.
    later(
        &[(
            Domain,
            "resources: {requests: {memory: 1Gi, hugepages-2Mi: 0, n/g: 0}, limits: {hugepages-2Mi: 0, n/g: 0}}",
        )],
        &[(
            Domain,
            "resources: {requests: {memory: 1Gi}, limits: {hugepages-2Mi: -2Mi, hugepages-0: 1, hugepages-1500m: 2}}",
        )],
        &[
            "broken-huge-pages spec.containers[0].resources.limits[hugepages-2Mi] <- spec.template.spec.domain.resources.limits.hugepages-2Mi",
            "broken-huge-pages spec.containers[0].resources.limits[hugepages-0] <- spec.template.spec.domain.resources.limits.hugepages-0",
            "broken-huge-pages spec.containers[0].resources.limits[hugepages-1500m] <- spec.template.spec.domain.resources.limits.hugepages-1500m",
        ],
    ),
    later(
        &[(Domain, "resources: {requests: {memory: 1Gi, cpu: 0}, limits: {cpu: \"0\"}}")],
        &[(Domain, "resources: {requests: {memory: 1Gi, cpu: 1}, limits: {cpu: \"0\"}}")],
        &["limit-of-nothing spec.containers[0].resources.requests <- spec.template.spec.domain.resources.limits.cpu"],
    ),
];

#[test]
fn pod_resources() {
    hold(ROWS);
}

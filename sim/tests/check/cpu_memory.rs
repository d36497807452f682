//! CPUs and memory (kubevirt-health.md 2.9).

use crate::manifest::In::{Domain, Vmi};
use crate::manifest::{errors, one};
use crate::row::{Row, hold, later, row};

pub(crate) const ROWS: &[Row] = &[
    // Thousandths of a CPU do not fit any more.
    row(
        &[(Domain, "resources: {requests: {memory: 1Gi}, limits: {cpu: 10E}}")],
        &[(Domain, "resources: {requests: {memory: 1Gi}, limits: {cpu: 8Ei}}")],
        &["negative-resource spec.template.spec.domain.resources.limits.cpu"],
    ),
    row(
        &[(Domain, "resources: {requests: {memory: 1Gi, cpu: 0}}")],
        &[(Domain, "resources: {requests: {memory: -1Gi, cpu: -1}, limits: {cpu: \"-1\"}}")],
        &[
            "negative-resource spec.template.spec.domain.resources.requests.memory",
            "negative-resource spec.template.spec.domain.resources.requests.cpu",
            "negative-resource spec.template.spec.domain.resources.limits.cpu",
        ],
    ),
    // Nothing but virt-launcher and libvirt looks at it.
    later(
        &[(Domain, "memory: {guest: 1Gi}")],
        &[(Domain, "memory: {guest: -1Gi}")],
        &["no-size-for-the-guest spec.template.spec.domain.memory.guest"],
    ),
    later(
        &[(Domain, "memory: {guest: 1Gi}\nresources: {requests: {memory: 1Gi}}")],
        &[(Domain, "memory: {guest: 0}\nresources: {requests: {memory: 1Gi}}")],
        &["no-size-for-the-guest spec.template.spec.domain.memory.guest"],
    ),
    later(
        &[(Domain, "memory: {guest: 1Gi}")],
        &[(Domain, "memory: {guest: \"0\"}")],
        &["no-size-for-the-guest spec.template.spec.domain.memory.guest"],
    ),
    row(
        &[(Domain, "memory: {guest: 2Mi, hugepages: {pageSize: 2Mi}}")],
        &[(Domain, "memory: {guest: -2Mi, hugepages: {pageSize: 2Mi}}")],
        &[
            "huge-pages-do-not-fit spec.template.spec.domain.resources.requests.memory <- spec.template.spec.domain.memory.hugepages.pageSize",
            "no-size-for-the-guest spec.template.spec.domain.memory.guest",
        ],
    ),
    row(
        &[(Domain, "resources: {requests: {memory: 1M}}")],
        &[(Domain, "resources: {requests: {memory: 999999}}")],
        &["memory-request-below-1m spec.template.spec.domain.resources.requests.memory"],
    ),
    row(
        &[(Domain, "resources: {requests: {memory: 1Gi, cpu: 500m}, limits: {memory: 1024Mi, cpu: 0.5}}")],
        &[(Domain, "resources: {requests: {memory: 1Gi, cpu: 501m}, limits: {memory: 1G, cpu: 0.5}}")],
        &[
            "request-above-limit spec.template.spec.domain.resources.requests.memory",
            "request-above-limit spec.template.spec.domain.resources.requests.cpu",
        ],
    ),
    row(
        &[(Domain, "memory: {guest: 1Gi, hugepages: {pageSize: 1Gi}}")],
        &[(Domain, "memory: {guest: 1025Mi, hugepages: {pageSize: 2Mi}}")],
        &[
            "huge-pages-do-not-fit spec.template.spec.domain.resources.requests.memory <- spec.template.spec.domain.memory.hugepages.pageSize",
        ],
    ),
    // The request counts first, without any it is the limit, and a page by itself is a guest.
    row(
        &[(Domain, "memory: {guest: 62Mi, hugepages: {pageSize: 2Mi}}\nresources: {requests: {memory: 64Mi}}")],
        &[(Domain, "memory: {hugepages: {pageSize: 1Gi}}\nresources: {limits: {memory: 512Mi}}")],
        &[
            "huge-pages-do-not-fit spec.template.spec.domain.resources.requests.memory <- spec.template.spec.domain.memory.hugepages.pageSize",
        ],
    ),
    row(
        &[(Domain, "memory: {hugepages: {pageSize: 1Gi}}")],
        &[(Domain, "memory: {guest: 1Gi, hugepages: {pageSize: 2MB}}")],
        &["huge-pages-do-not-fit spec.template.spec.domain.memory.hugepages.pageSize"],
    ),
    // The pod asks for pages of the guest's size if the request is larger.
    later(
        &[(Domain, "memory: {guest: 62Mi, hugepages: {pageSize: 2Mi}}\nresources: {requests: {memory: 64Mi}}")],
        &[(Domain, "memory: {guest: 63Mi, hugepages: {pageSize: 2Mi}}\nresources: {requests: {memory: 64Mi}}")],
        &[
            "guest-in-broken-huge-pages spec.containers[0].resources.limits[hugepages-2Mi] <- spec.template.spec.domain.memory.guest",
        ],
    ),
    row(
        &[(Domain, "memory: {guest: 1Gi, maxGuest: 4Gi}")],
        &[(Domain, "memory: {guest: 4Gi, maxGuest: 2Gi}")],
        &["bad-max-guest spec.template.spec.domain.memory.guest <- spec.template.spec.domain.memory.maxGuest"],
    ),
    row(
        &[(Domain, "memory: {maxGuest: 4Gi}\nresources: {requests: {memory: 1Gi}}")],
        &[(Domain, "memory: {guest: 512Mi, maxGuest: 2Gi}")],
        &["bad-max-guest spec.template.spec.domain.memory.guest <- spec.template.spec.domain.memory.maxGuest"],
    ),
    row(
        &[(Domain, "memory: {guest: 1026Mi, maxGuest: 1028Mi}")],
        &[(Domain, "memory: {guest: 1Gi, maxGuest: 2049Mi}")],
        &["bad-max-guest spec.template.spec.domain.memory.guest <- spec.template.spec.domain.memory.maxGuest"],
    ),
    row(
        &[(Vmi, "architecture: arm64"), (Domain, "memory: {guest: 1Gi}")],
        &[(Vmi, "architecture: arm64"), (Domain, "memory: {guest: 1Gi, maxGuest: 2Gi}")],
        &["bad-max-guest spec.template.spec.domain.memory.guest <- spec.template.spec.domain.memory.maxGuest"],
    ),
    // With pages of 1Gi memory is plugged by the Gi.
    row(
        &[(Domain, "memory: {guest: 2Gi, maxGuest: 5Gi, hugepages: {pageSize: 1Gi}}")],
        &[(Domain, "memory: {guest: 2Gi, maxGuest: 4608Mi, hugepages: {pageSize: 1Gi}}")],
        &["bad-max-guest spec.template.spec.domain.memory.guest <- spec.template.spec.domain.memory.maxGuest"],
    ),
    row(
        &[(Domain, "cpu: {sockets: 4, maxSockets: 4}")],
        &[(Domain, "cpu: {sockets: 5, maxSockets: 4}")],
        &["sockets-above-maximum spec.template.spec.domain.cpu.sockets"],
    ),
    // Without a topology the limit is one.
    row(
        &[(Domain, "cpu: {cores: 8, maxSockets: 4}\nresources: {limits: {cpu: 5}}")],
        &[(Domain, "cpu: {maxSockets: 4}\nresources: {requests: {cpu: 1}, limits: {cpu: 5}}")],
        &["sockets-above-maximum spec.template.spec.domain.cpu.sockets"],
    ),
    row(
        &[(Domain, "cpu: {isolateEmulatorThread: true, dedicatedCpuPlacement: true}")],
        &[(Domain, "cpu: {isolateEmulatorThread: true, dedicatedCpuPlacement: false}")],
        &["cpu-setting-needs-another spec.template.spec.domain.cpu.isolateEmulatorThread"],
    ),
    row(
        &[
            (Domain, "memory: {guest: 1Gi, hugepages: {pageSize: 2Mi}}"),
            (Domain, "cpu: {dedicatedCpuPlacement: true, numa: {guestMappingPassthrough: {}}, realtime: {}}"),
        ],
        &[(Domain, "cpu: {numa: {guestMappingPassthrough: {}}}")],
        &[
            "cpu-setting-needs-another spec.template.spec.domain.cpu.numa.guestMappingPassthrough",
            "cpu-setting-needs-another spec.template.spec.domain.cpu.numa.guestMappingPassthrough",
        ],
    ),
    row(
        &[(Domain, "cpu: {isolateEmulatorThread: false}")],
        &[(Domain, "cpu: {realtime: {mask: \"0\"}}")],
        &[
            "cpu-setting-needs-another spec.template.spec.domain.cpu.dedicatedCpuPlacement <- spec.template.spec.domain.cpu.realtime",
            "cpu-setting-needs-another spec.template.spec.domain.cpu.numa.guestMappingPassthrough <- spec.template.spec.domain.cpu.realtime",
        ],
    ),
    row(
        &[(Domain, "cpu: {dedicatedCpuPlacement: true}\nresources: {limits: {cpu: 2}}")],
        &[(Domain, "cpu: {dedicatedCpuPlacement: true}\nresources: {limits: {cpu: 1500m}}")],
        &["dedicated-cpus-do-not-add-up spec.template.spec.domain.resources.limits.cpu"],
    ),
    row(
        &[(Domain, "cpu: {cores: 2, threads: 2, dedicatedCpuPlacement: true}\nresources: {requests: {cpu: 4}}")],
        &[(Domain, "cpu: {cores: 4, threads: 2, dedicatedCpuPlacement: true}\nresources: {requests: {cpu: 4}}")],
        &[
            "dedicated-cpus-do-not-add-up spec.template.spec.domain.cpu.dedicatedCpuPlacement <- spec.template.spec.domain.resources",
        ],
    ),
    row(
        &[(Domain, "cpu: {cores: 2, dedicatedCpuPlacement: true}\nresources: {requests: {cpu: 2}, limits: {cpu: 2}}")],
        &[(Domain, "cpu: {cores: 2, dedicatedCpuPlacement: true}\nresources: {requests: {cpu: 1}, limits: {cpu: 2}}")],
        &[
            "dedicated-cpus-do-not-add-up spec.template.spec.domain.cpu.dedicatedCpuPlacement <- spec.template.spec.domain.resources.limits.cpu",
        ],
    ),
    row(
        &[(
            Domain,
            "cpu: {cores: 2, dedicatedCpuPlacement: true}\nresources: {requests: {memory: 1Gi}, limits: {memory: 1024Mi}}",
        )],
        &[(
            Domain,
            "cpu: {cores: 2, dedicatedCpuPlacement: true}\nresources: {requests: {memory: 1Gi}, limits: {memory: 2Gi}}",
        )],
        &["dedicated-cpus-do-not-add-up spec.template.spec.domain.resources.requests.memory"],
    ),
    row(
        &[(Domain, "cpu: {threads: 2, dedicatedCpuPlacement: true}")],
        &[(Domain, "cpu: {threads: 3, dedicatedCpuPlacement: true}")],
        &[
            "dedicated-cpus-do-not-add-up spec.template.spec.domain.cpu.dedicatedCpuPlacement <- spec.template.spec.domain.cpu.threads",
        ],
    ),
    row(
        &[(Vmi, "architecture: arm64"), (Domain, "cpu: {threads: 2}")],
        &[(Vmi, "architecture: arm64"), (Domain, "cpu: {threads: 2, dedicatedCpuPlacement: true}")],
        &["dedicated-cpus-do-not-add-up spec.template.spec.architecture <- spec.template.spec.domain.cpu.threads"],
    ),
    row(
        &[(Domain, "ioThreadsPolicy: supplementalPool\nioThreads: {supplementalPoolThreadCount: 1}")],
        &[(Domain, "ioThreadsPolicy: supplementalPool\nioThreads: {supplementalPoolThreadCount: 0}")],
        &[
            "io-thread-pool-without-size spec.template.spec.domain.ioThreads.count <- spec.template.spec.domain.ioThreads.supplementalPoolThreadCount",
        ],
    ),
    // Pages of nothing are no pages, whatever the request.
    row(
        &[(Domain, "memory: {guest: 64Mi, hugepages: {pageSize: 2Mi}}\nresources: {requests: {memory: 64Mi}}")],
        &[(Domain, "memory: {guest: 62Mi, hugepages: {pageSize: \"0\"}}\nresources: {requests: {memory: 64Mi}}")],
        &["huge-pages-do-not-fit spec.template.spec.domain.memory.hugepages.pageSize"],
    ),
    row(
        &[(Domain, "memory: {guest: 2Mi, hugepages: {pageSize: 2Mi}}\nresources: {requests: {memory: 2Mi}}")],
        &[(Domain, "memory: {guest: 63Mi, hugepages: {pageSize: 2Mi}}\nresources: {requests: {memory: 63Mi}}")],
        &[
            "huge-pages-do-not-fit spec.template.spec.domain.resources.requests.memory <- spec.template.spec.domain.memory.hugepages.pageSize",
        ],
    ),
    row(
        &[(Domain, "memory: {guest: 2Gi, maxGuest: 2Gi}")],
        &[(Domain, "memory: {guest: 1025Mi, maxGuest: 2Gi}")],
        &["bad-max-guest spec.template.spec.domain.memory.guest <- spec.template.spec.domain.memory.maxGuest"],
    ),
    // With dedicated CPUs a request or a limit is a size, also beside a guest of 0; and a request of 0 is none.
    later(
        &[(Domain, "cpu: {dedicatedCpuPlacement: true}\nresources: {requests: {memory: 0}, limits: {memory: 2Gi}}")],
        &[(Domain, "memory: {guest: 0}\ncpu: {dedicatedCpuPlacement: true}\nresources: {requests: {memory: 1Gi}}")],
        &["no-size-for-the-guest spec.template.spec.domain.memory.guest"],
    ),
    later(
        &[(Vmi, "architecture: arm64"), (Domain, "cpu: {threads: 1, dedicatedCpuPlacement: true}")],
        &[(Domain, "memory: {guest: 0}\ncpu: {dedicatedCpuPlacement: true}\nresources: {limits: {memory: 1Gi}}")],
        &["no-size-for-the-guest spec.template.spec.domain.memory.guest"],
    ),
    // A limit is compared with the guest's CPUs whatever the request is; of CPUs whose product does not fit into 32 bits nobody knows.
    row(
        &[(
            Domain,
            "cpu: {sockets: 65536, cores: 65536, dedicatedCpuPlacement: true}\nresources: {requests: {cpu: 2}, limits: {cpu: 2}}",
        )],
        &[(Domain, "cpu: {cores: 3, dedicatedCpuPlacement: true}\nresources: {requests: {cpu: -1}, limits: {cpu: 2}}")],
        &[
            "negative-resource spec.template.spec.domain.resources.requests.cpu",
            "dedicated-cpus-do-not-add-up spec.template.spec.domain.cpu.dedicatedCpuPlacement <- spec.template.spec.domain.resources",
        ],
    ),
];

#[test]
fn cpus_and_memory() {
    hold(ROWS);
}

/// Of a bare VMI no webhook compares maxGuest with the guest's memory; below 0 virt-launcher writes no XML.
#[test]
fn the_most_memory_of_a_bare_vmi() {
    for (most, finds) in
        [("2Gi", &[][..]), ("\"0\"", &[]), ("-1Gi", &["no-size-for-the-guest spec.domain.memory.maxGuest"])]
    {
        let text = format!(
            "apiVersion: kubevirt.io/v1\nkind: VirtualMachineInstance\nmetadata: {{name: vmi}}\nspec: {{architecture: arm64, domain: {{devices: {{}}, memory: {{guest: 1Gi, maxGuest: {most}}}}}}}\n"
        );
        assert_eq!(errors(&one(&text)), finds, "{text}");
    }
}

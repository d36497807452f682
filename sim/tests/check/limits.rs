//! What may be so long, or so large, and no more: texts that no table has room for.

use crate::manifest::In::{self, Devices, Vmi};
use crate::manifest::{errors, manifest, one};

/// A manifest's line with a text, how long that may be, and what is found where it is longer.
type Limit = (In, fn(usize) -> String, usize, &'static str);

const LIMITS: &[Limit] = &[
    // KubeVirt pkg/storage/admitters/disks.go validateSerialNumLength.
    (
        Devices,
        |n| format!("disks: [{{name: seed, serial: {}, disk: {{}}}}]", "s".repeat(n)),
        256,
        "bad-serial spec.template.spec.domain.devices.disks[0].serial",
    ),
    // vmi-create-admitter.go: cloudInitUserMaxLen.
    (
        Vmi,
        |n| format!("volumes: [{{name: c, cloudInitNoCloud: {{userData: {}}}}}]", "s".repeat(n)),
        2048,
        "bad-cloud-init spec.template.spec.volumes[0].cloudInitNoCloud",
    ),
    // KubeVirt's own limit (vmi-create-admitter.go validatePodDNSConfig), the blanks between them included.
    (
        Vmi,
        |n| format!("dnsConfig: {{searches: [{}, {}]}}", "s".repeat(100), "s".repeat(n - 101)),
        256,
        "bad-dns-config searchDomains <- spec.template.spec.dnsConfig.searches",
    ),
    // The CRD's schema.
    (
        Vmi,
        |n| format!("volumes: [{{name: c, containerPath: {{path: /{}}}}}]", "s".repeat(n - 1)),
        4096,
        "too-much spec.template.spec.volumes[0].containerPath.path",
    ),
];

#[test]
fn so_long_and_no_longer() {
    for (place, line, most, found) in LIMITS {
        for (length, is_fine) in [(*most, true), (*most + 1, false), (*most + 2, false)] {
            let line = line(length);
            let text = manifest(&[(*place, line.as_str())]);
            let told = errors(&one(&text)).iter().any(|told| told == found);
            assert_eq!(told, !is_fine, "{found} {length}: {:?}", errors(&one(&text)));
        }
    }
}

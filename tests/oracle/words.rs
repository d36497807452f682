//! The values that are tried: what stands in real manifests, and what lies just beside it.

use crate::tree::Tree;
use fastrand::Rng;

/// In place of anything.
const HOSTILE: &[&str] = &[
    "null",
    "~",
    "",
    "\"\"",
    "0",
    "-1",
    "1",
    "2",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "-2147483649",
    "4294967295",
    "4294967296",
    "9007199254740991",
    "9007199254740993",
    "9223372036854775808",
    "1.5",
    "1e3",
    "0x10",
    "010",
    "+1",
    "-0",
    ".5",
    "1_000",
    "true",
    "True",
    "tRUE",
    "yes",
    "on",
    "OFF",
    "\"true\"",
    "\"60\"",
    "10s",
    "1Gi",
    "\"0\"",
    "100m",
    "[]",
    "{}",
    "[a]",
    "{a: b}",
    "[{name: a}]",
    "[null]",
    "Upper",
    "\"a b\"",
    "-a",
    "a_b",
    "a/b",
    "a.b",
    "\"é\"",
    "2006-01-02",
    "1:30",
    "=",
];
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "5",
    "8",
    "10",
    "30",
    "60",
    "100",
    "512",
    "1024",
    "4096",
    "65535",
    "65536",
    "-1",
    "-10",
    "2147483647",
    "2147483648",
];
const QUANTITIES: &[&str] = &[
    "1Gi", "512Mi", "\"1\"", "2", "100m", "0", "\"0\"", "-1", "-1Gi", "1.5", "1.5Gi", "1e3", "1E3", "1Ei", "9Ei",
    "64M", "1023k", "1000k", "2Mi", "4Mi", "1m", "1n", "0.5", "1Gib", "1 Gi", "\"\"", "10Gi", "3", "4",
];
const PORTS: &[&str] =
    &["80", "8080", "\"80\"", "http", "HTTP", "0", "-1", "65535", "65536", "\"\"", "a-b", "\"-a\"", "22"];
const NAMES: &[&str] = &[
    "a",
    "default",
    "seed",
    "disk",
    "vm",
    "a-b",
    "A",
    "a_b",
    "a.b",
    "\"\"",
    "-a",
    "a-",
    "\"1\"",
    "a/b",
    "kubevirt.io/nodeName",
    "example.com/a",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];
/// The words of fields that have some.
const WORDS: &[(&str, &[&str])] = &[
    ("bus", &["virtio", "sata", "scsi", "usb", "ide", "\"\"", "pci"]),
    (
        "model",
        &[
            "virtio",
            "e1000",
            "e1000e",
            "host-model",
            "host-passthrough",
            "Haswell",
            "hyperv",
            "isa",
            "pvpanic",
            "x",
            "ne2k_pci",
            "rtl8139",
        ],
    ),
    (
        "type",
        &[
            "q35",
            "pc",
            "tablet",
            "keyboard",
            "virtio",
            "pvpanic",
            "Disk",
            "DiskOrCreate",
            "q35-rhel",
            "virt",
            "pseries",
            "pc-q35-8.2",
            "pc-i440fx",
        ],
    ),
    ("runStrategy", &["Always", "Halted", "Manual", "Once", "RerunOnFailure", "WaitAsReceiver", "always", "\"\""]),
    ("evictionStrategy", &["LiveMigrate", "None", "External", "LiveMigrateIfPossible", "x", "\"\""]),
    ("startStrategy", &["Paused", "paused", "\"\""]),
    ("rebootPolicy", &["Reboot", "Terminate", "terminate"]),
    ("action", &["poweroff", "reset", "shutdown", "none", "pause", "explode", "\"\""]),
    ("scheme", &["HTTP", "HTTPS", "http", "\"\""]),
    ("architecture", &["amd64", "arm64", "s390x", "ppc64le", "x"]),
    ("cache", &["none", "writeback", "writethrough", "x"]),
    ("io", &["native", "threads", "io_uring", "x"]),
    ("errorPolicy", &["stop", "ignore", "report", "enospace", "x"]),
    ("policy", &["require", "force", "optional", "disable", "forbid", "x"]),
    ("tickPolicy", &["delay", "catchup", "merge", "discard", "x"]),
    ("track", &["guest", "wall", "x"]),
    ("present", &["true", "false"]),
    ("ioThreadsPolicy", &["shared", "auto", "supplementalPool", "x"]),
    ("pageSize", &["2Mi", "1Gi", "1G", "0", "x", "64Ki"]),
    ("macAddress", &["02:00:00:00:00:01", "de-ad-00-00-be-af", "x", "02:00:00:00:00", "\"\""]),
    ("pciAddress", &["0000:81:01.0", "81:01.0", "x"]),
    ("state", &["up", "down", "absent", "x"]),
    ("protocol", &["TCP", "UDP", "SCTP", "tcp", "x"]),
    ("dnsPolicy", &["ClusterFirst", "Default", "None", "ClusterFirstWithHostNet", "x"]),
    ("nameservers", &["8.8.8.8", "x", "\"::1\""]),
    ("searches", &["example.com", "a_b"]),
    ("operator", &["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Equal", "x"]),
    ("effect", &["NoSchedule", "NoExecute", "PreferNoSchedule", "x"]),
    ("whenUnsatisfiable", &["DoNotSchedule", "ScheduleAnyway", "x"]),
    ("topologyKey", &["kubernetes.io/hostname", "\"\"", "a b"]),
    ("networkName", &["net", "a/b", "\"\"", "a/b/c"]),
    ("kind", &["VirtualMachineClusterInstancetype", "VirtualMachineInstancetype", "DataSource", "x"]),
    ("apiVersion", &["v1", "kubevirt.io/v1", "kubevirt.io/v1alpha3", "x"]),
    ("image", &["quay.io/a/b:c", "\"\"", "a b"]),
    ("path", &["/a", "a", "/", "\"\"", "/a/../b", "/disk.img"]),
    ("imagePullPolicy", &["Always", "Never", "IfNotPresent", "x"]),
    ("userData", &["\"#cloud-config\"", "\"\""]),
    ("userDataBase64", &["I2Nsb3VkLWNvbmZpZw==", "\"*\"", "\"\""]),
    ("vncUser", &["a"]),
    ("command", &["\"/bin/true\"", "\"\"", "uname"]),
    ("uuid", &["5d307ca9-b3ef-428c-8861-06e72d69f223", "x", "\"\""]),
    ("vendorid", &["KVM Hv", "\"0123456789abc\"", "\"\""]),
    ("hostname", &["vm", "a.b", "A", "\"\""]),
    ("subdomain", &["a", "a.b", "A", "-a"]),
];

pub(crate) fn hostile(random: &mut Rng) -> Tree {
    spelled(HOSTILE, random)
}

pub(crate) fn number(random: &mut Rng) -> Tree {
    spelled(NUMBERS, random)
}

pub(crate) fn quantity(random: &mut Rng) -> Tree {
    spelled(QUANTITIES, random)
}

pub(crate) fn port(random: &mut Rng) -> Tree {
    spelled(PORTS, random)
}

/// A word of the field `name`, or a name.
pub(crate) fn word(name: &str, random: &mut Rng) -> Tree {
    let own = WORDS.iter().find(|(field, _)| *field == name).map(|(_, words)| *words);
    spelled(own.filter(|_| random.u8(..) > 12).unwrap_or(NAMES), random)
}

pub(crate) fn key(random: &mut Rng) -> String {
    random.choice(NAMES).copied().unwrap_or("a").trim_matches('"').to_owned()
}

fn spelled(words: &[&str], random: &mut Rng) -> Tree {
    Tree::Scalar(random.choice(words).copied().unwrap_or("a").to_owned())
}

//! The codes: one for each kind of finding, with its story. Codes are stable; `check --explain CODE` prints the story.

use super::finding::{Layer, Rank};
pub(super) use super::hazard_code::*;

/// A kind of finding.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// Its stable name.
    pub word: &'static str,
    /// Who refuses.
    pub layer: Layer,
    /// How bad it is.
    pub rank: Rank,
    /// What happens and why, for `--explain`.
    pub story: &'static str,
    /// Where the rule comes from.
    pub source: &'static str,
    /// Scenarios that show it on a real guest; sim/tests/demonstrations.rs shows each in the virtual world.
    pub shown_by: &'static [&'static str],
}

/// The code of that name.
pub fn explain(word: &str) -> Option<&'static Code> {
    CODES.iter().copied().find(|c| c.word == word)
}

/// All codes, in the order of the layers.
pub fn codes() -> &'static [&'static Code] {
    CODES
}

pub(super) static UNKNOWN_FIELD: Code = Code {
    word: "unknown-field",
    layer: Layer::ClientDecode,
    rank: Rank::Error,
    story: "kubectl asks the API server for strict decoding, so a misspelt or misplaced field is refused. A client \
            that does not ask (older kubectl, many controllers, `--validate=ignore`) has it pruned silently: the \
            probe or watchdog that you wrote is then simply not there.",
    source: "kubevirt-health.md 2.1",
    shown_by: &[],
};

pub(super) static WRONG_TYPE: Code = Code {
    word: "wrong-type",
    layer: Layer::Schema,
    rank: Rank::Error,
    story: "The mutating webhook holds every object against the OpenAPI schema before it looks at anything else, and \
            the CRD's schema does so again. An unquoted number is not a text, and a text is not a number.",
    source: "kubevirt-health.md 2.1",
    shown_by: &[],
};

pub(super) static MISSING_FIELD: Code = Code {
    word: "missing-field",
    layer: Layer::Schema,
    rank: Rank::Error,
    story: "A field that the schema requires is absent. A bare `field:` is null, and nulls are dropped before \
            anything looks, so it counts as absent too.",
    source: "kubevirt-health.md 2.1",
    shown_by: &[],
};

pub(super) static API_VERSION: Code = Code {
    word: "unknown-api-version",
    layer: Layer::Schema,
    rank: Rank::Error,
    story: "The API server serves VirtualMachine under kubevirt.io/v1 (and the deprecated kubevirt.io/v1alpha3). \
            Under any other version kubectl finds no such kind.",
    source: "KubeVirt API",
    shown_by: &[],
};

pub(super) static UNKNOWN_WORD: Code = Code {
    word: "unknown-word",
    layer: Layer::Schema,
    rank: Rank::Error,
    story: "The schema lists the words that this field takes, in exactly this case. `scheme` must be HTTP or HTTPS, \
            `rebootPolicy` Reboot or Terminate.",
    source: "kubevirt-health.md 2.2",
    shown_by: &[],
};

pub(super) static BAD_NAME: Code = Code {
    word: "bad-name",
    layer: Layer::Schema,
    rank: Rank::Error,
    story: "The API server takes RFC 1123 names (lowercase letters, digits, dashes, dots) and label keys and values of at most \
            63 characters.",
    source: "Kubernetes apimachinery validation",
    shown_by: &[],
};

pub(super) static SEVERAL_HANDLERS: Code = Code {
    word: "several-handlers",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "A probe asks in one way. Two questions need two probes, and a VMI has one readiness and one liveness \
            probe: put both questions behind one endpoint of the guest.",
    source: "kubevirt-health.md 2.2",
    shown_by: &[],
};

pub(super) static NO_HANDLER: Code = Code {
    word: "no-handler",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "A probe without httpGet, tcpSocket, exec or guestAgentPing. Often a bare `guestAgentPing:`, which is \
            null and dropped before validation: it must be written `guestAgentPing: {}`.",
    source: "kubevirt-health.md 1.2, 2.2",
    shown_by: &[],
};

pub(super) static NO_POD_NETWORK: Code = Code {
    word: "network-probe-without-pod-network",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "The kubelet reaches the guest through the pod's own address, so an httpGet or tcpSocket probe needs a \
            `networks[]` entry with `pod`. A Multus network does not count, not even as the default one, although \
            the VM may be reachable there.",
    source: "kubevirt-health.md 2.2",
    shown_by: &[],
};

pub(super) static PAUSED_WITH_LIVENESS: Code = Code {
    word: "paused-start-with-liveness",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "A VMI that starts paused would fail its liveness probe at once. KubeVirt refuses the pair for every \
            handler, guestAgentPing too.",
    source: "kubevirt-health.md 2.2",
    shown_by: &[],
};

pub(super) static BAD_START_STRATEGY: Code = Code {
    word: "bad-start-strategy",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "`startStrategy` knows one word, Paused.",
    source: "kubevirt-health.md 2.2",
    shown_by: &[],
};

pub(super) static RUNNING_AND_STRATEGY: Code = Code {
    word: "running-and-run-strategy",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "`running` is the old form of `runStrategy`: true is Always, false is Halted. KubeVirt wants exactly one \
            of them.",
    source: "kubevirt-health.md 1.5, 2.2",
    shown_by: &[],
};

pub(super) static NO_STRATEGY: Code = Code {
    word: "no-run-strategy",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "Every VM says when it runs: `runStrategy`, or the deprecated `running`. Many published examples leave it \
            out and are refused.",
    source: "kubevirt-health.md 1.5, 2.2",
    shown_by: &[],
};

pub(super) static BAD_STRATEGY: Code = Code {
    word: "bad-run-strategy",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "The words are Always, RerunOnFailure, Manual, Halted, Once and WaitAsReceiver, case-sensitive.",
    source: "kubevirt-health.md 1.5",
    shown_by: &[],
};

pub(super) static BAD_EVICTION: Code = Code {
    word: "bad-eviction-strategy",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "The words are None, LiveMigrate, LiveMigrateIfPossible and External, case-sensitive.",
    source: "kubevirt-health.md 1.1",
    shown_by: &[],
};

pub(super) static BAD_PANIC_MODEL: Code = Code {
    word: "bad-panic-model",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "The models are hyperv, isa and pvpanic; absent lets the hypervisor choose.",
    source: "kubevirt-health.md 1.4",
    shown_by: &[],
};

pub(super) static PANIC_ON_S390X: Code = Code {
    word: "panic-device-on-s390x",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "s390x reports a disabled wait by itself; a panic device is refused there.",
    source: "kubevirt-health.md 2.2",
    shown_by: &[],
};

pub(super) static REBOOT_POLICY_GATE: Code = Code {
    word: "reboot-policy-without-its-gate",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "rebootPolicy is behind the feature gate RebootPolicy, which is on by default since v1.8; a cluster may have it \
            off (`--without-gate RebootPolicy`).",
    source: "kubevirt-health.md 1.4, 2.2",
    shown_by: &[],
};

pub(super) static BAD_MACHINE: Code = Code {
    word: "machine-type-not-supported",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "KubeVirt takes the machine types that its configuration lists; on amd64 that is q35, with a version or \
            without, unless the cluster's administrator has listed others.",
    source: "KubeVirt vmi-create-admitter.go; its default emulatedMachines",
    shown_by: &[],
};

pub(super) static SECURE_BOOT_WITHOUT_SMM: Code = Code {
    word: "secure-boot-without-smm",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "`bootloader: {efi: {}}` means secure boot, unless secureBoot is false, and the firmware that enforces it keeps \
            its variables in system management mode: features.smm must be there and not disabled.",
    source: "KubeVirt vmi-create-admitter.go validateDomainSpec",
    shown_by: &[],
};

pub(super) static LONELY_NETWORK: Code = Code {
    word: "network-without-interface",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "Every network needs an interface of the same name.",
    source: "kubevirt-health.md 2.2",
    shown_by: &[],
};

pub(super) static LONELY_INTERFACE: Code = Code {
    word: "interface-without-network",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "Every interface needs a network of the same name.",
    source: "kubevirt-health.md 2.2",
    shown_by: &[],
};

pub(super) static LONELY_DISK: Code = Code {
    word: "disk-without-volume",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "Every disk needs a volume of the same name.",
    source: "kubevirt-health.md 2.2",
    shown_by: &[],
};

pub(super) static VOLUME_SOURCE: Code = Code {
    word: "not-one-volume-source",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "Every volume has exactly one source.",
    source: "KubeVirt vmi-create-admitter.go",
    shown_by: &[],
};

pub(super) static CLOUD_INIT: Code = Code {
    word: "bad-cloud-init",
    layer: Layer::VmWebhook,
    rank: Rank::Error,
    story: "A cloud-init volume brings its user data in exactly one way, its network data in at most one, base64 \
            must be base64, and what is inline must not be larger than 2048 bytes; larger data goes into a Secret.",
    source: "KubeVirt vmi-create-admitter.go",
    shown_by: &[],
};

pub(super) static WATCHDOG_ARCHITECTURE: Code = Code {
    word: "watchdog-of-another-architecture",
    layer: Layer::VmiWebhook,
    rank: Rank::Error,
    story: "i6300esb is a PCI device of x86, diag288 an instruction of s390x, and arm64 has no watchdog. KubeVirt \
            adds the architecture's own device when it is missing, so diag288 on amd64 becomes both, which is \
            refused. Only the VMI is held against this: the VM itself is created.",
    source: "kubevirt-health.md 1.3, 2.3; 11.2 row 33",
    shown_by: &[],
};

pub(super) static BAD_ARCHITECTURE: Code = Code {
    word: "unknown-architecture",
    layer: Layer::VmiWebhook,
    rank: Rank::Error,
    story: "KubeVirt runs amd64, arm64 and s390x.",
    source: "kubevirt-health.md 2.3",
    shown_by: &[],
};

pub(super) static NO_MEMORY: Code = Code {
    word: "no-memory",
    layer: Layer::VmiWebhook,
    rank: Rank::Error,
    story: "No guest memory, no huge pages, no memory request or limit, and no instance type that would bring it. \
            The VM is created, its VMI is refused, with an empty field in the message.",
    source: "kubevirt-health.md 2.3",
    shown_by: &[],
};

pub(super) static CONTAINER_PATH: Code = Code {
    word: "container-path-without-filesystem",
    layer: Layer::VmiWebhook,
    rank: Rank::Error,
    story: "A containerPath volume needs a file system of its name; a disk, also the one that KubeVirt adds for a \
            volume without one, is refused.",
    source: "KubeVirt vmi-create-admitter.go",
    shown_by: &[],
};

pub(super) static LIVENESS_SUCCESS: Code = Code {
    word: "liveness-success-threshold",
    layer: Layer::PodValidation,
    rank: Rank::Error,
    story: "Kubernetes wants a liveness probe's successThreshold to be 1. KubeVirt does not look at it, so VM and \
            VMI are created and no pod ever is.",
    source: "kubevirt-health.md 2.4; 11.2 row 34",
    shown_by: &[],
};

pub(super) static PORT_RANGE: Code = Code {
    word: "port-out-of-range",
    layer: Layer::PodValidation,
    rank: Rank::Error,
    story: "Ports are 1 to 65535. Only the pod is held against this.",
    source: "kubevirt-health.md 2.4; 11.2 row 34",
    shown_by: &[],
};

pub(super) static PORT_NAME: Code = Code {
    word: "bad-port-name",
    layer: Layer::PodValidation,
    rank: Rank::Error,
    story: "A port's name is a service name: lowercase letters, digits and single dashes, at least one letter, at \
            most 15 characters. `\"8080\"` in quotes is such a name, and not a legal one.",
    source: "kubevirt-health.md 2.4",
    shown_by: &[],
};

pub(super) static EMPTY_COMMAND: Code = Code {
    word: "empty-command",
    layer: Layer::PodValidation,
    rank: Rank::Error,
    story: "An exec probe without a command.",
    source: "kubevirt-health.md 2.4",
    shown_by: &[],
};

pub(super) static HEADER_NAME: Code = Code {
    word: "bad-header-name",
    layer: Layer::PodValidation,
    rank: Rank::Error,
    story: "A header's name is letters, digits and dashes.",
    source: "kubevirt-health.md 2.4",
    shown_by: &[],
};

pub(super) static NEGATIVE_DELAY: Code = Code {
    word: "negative-delay",
    layer: Layer::PodValidation,
    rank: Rank::Error,
    story: "KubeVirt adds 10 s to initialDelaySeconds; what is still below 0 is refused with the pod.",
    source: "kubevirt-health.md 2.4, 3.1",
    shown_by: &[],
};

pub(super) static WATCHDOG_ACTION: Code = Code {
    word: "unknown-watchdog-action",
    layer: Layer::Libvirt,
    rank: Rank::Error,
    story: "The action is plain text to KubeVirt and goes to libvirt verbatim. libvirt knows poweroff, reset, \
            shutdown, pause, none (and dump and inject-nmi); with any other word it cannot define the domain. The \
            VMI stays Scheduled until virt-launcher gives up after 240 to 360 s, then it is Failed without ever \
            having run, and the VM backs off.",
    source: "kubevirt-health.md 2.6; 11.2 rows 31 and 32",
    shown_by: &["none/unknown-watchdog-action/crash-loop"],
};

pub(super) static UNDECLARED_PORT: Code = Code {
    word: "undeclared-port",
    layer: Layer::Runtime,
    rank: Rank::Error,
    story: "A named port is looked up among the compute container's ports, which come from interfaces[].ports. A \
            name that is not there is an error to the kubelet, not a failure, and errors are thrown away: a liveness \
            probe then never fails, a readiness probe never succeeds.",
    source: "kubevirt-health.md 2.7; 11.2 row 16",
    shown_by: &["none/readiness-http/undeclared-port", "service-stopped/liveness-http/undeclared-port"],
};

pub(super) static NOT_FORWARDED: Code = Code {
    word: "port-not-forwarded",
    layer: Layer::Runtime,
    rank: Rank::Error,
    story: "With masquerade, interfaces[].ports is an allow list: what it does not name is not forwarded to the \
            guest, and a probe of it is refused for ever. Readiness never comes; liveness stops the guest as soon as its \
            delay is over.",
    source: "kubevirt-health.md 3.2",
    shown_by: &["none/readiness-tcp/port-not-forwarded"],
};

pub(super) static UNESCAPED: Code = Code {
    word: "unescaped-exec-argument",
    layer: Layer::Runtime,
    rank: Rank::Error,
    story: "virt-launcher builds the agent's JSON by joining texts without escaping them. A quote, or a backslash \
            that begins no escape of JSON's, breaks it: every attempt fails.",
    source: "kubevirt-health.md 3.3",
    shown_by: &[],
};

static CODES: &[&Code] = &[
    &UNKNOWN_FIELD,
    &WRONG_TYPE,
    &MISSING_FIELD,
    &API_VERSION,
    &UNKNOWN_WORD,
    &BAD_NAME,
    &SEVERAL_HANDLERS,
    &NO_HANDLER,
    &NO_POD_NETWORK,
    &PAUSED_WITH_LIVENESS,
    &BAD_START_STRATEGY,
    &RUNNING_AND_STRATEGY,
    &NO_STRATEGY,
    &BAD_STRATEGY,
    &BAD_EVICTION,
    &BAD_PANIC_MODEL,
    &BAD_MACHINE,
    &SECURE_BOOT_WITHOUT_SMM,
    &PANIC_ON_S390X,
    &REBOOT_POLICY_GATE,
    &LONELY_NETWORK,
    &LONELY_INTERFACE,
    &LONELY_DISK,
    &VOLUME_SOURCE,
    &CLOUD_INIT,
    &WATCHDOG_ARCHITECTURE,
    &BAD_ARCHITECTURE,
    &NO_MEMORY,
    &CONTAINER_PATH,
    &LIVENESS_SUCCESS,
    &PORT_RANGE,
    &PORT_NAME,
    &EMPTY_COMMAND,
    &HEADER_NAME,
    &NEGATIVE_DELAY,
    &WATCHDOG_ACTION,
    &UNDECLARED_PORT,
    &NOT_FORWARDED,
    &UNESCAPED,
    &PERIOD_NOT_ABOVE_TIMEOUT,
    &SHUTDOWN_ACTION,
    &ACTION_MENDS_NOTHING,
    &RERUN_WITH_TERMINATE,
    &RESET_OUTLASTS_LIVENESS,
    &KILL_LOOP,
    &RERUN_WITH_LIVENESS,
    &GRACE_ZERO,
    &TCP_OUTLIVES_HANG,
    &LIVENESS_ALONE,
    &SAME_QUESTION,
    &ARGUMENT_CHANGED,
    &PINGS_PAUSED,
    &EXEC_PILES_UP,
    &NO_AGENT,
    &WINDOWS_WATCHDOG,
    &NO_DAEMON,
    &SECOND_WATCHDOG,
    &SLOW_HEARTBEAT,
    &KEPT_AFTER_FAILURE,
    &RUNNING_DEPRECATED,
    &OTHER_HOST,
    &DEFAULT_DISK,
    &NOT_SIMULATED,
    &LEFT_OUT,
    &TEMPLATE_PARAMETER,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_ordered_and_told() {
        for pair in CODES.windows(2) {
            assert!(pair[0].layer <= pair[1].layer, "{}", pair[1].word);
        }
        for code in CODES {
            assert_eq!(explain(code.word), Some(*code), "two codes are {}", code.word);
            assert!(!code.story.is_empty() && !code.source.is_empty());
            assert_eq!(code.rank == Rank::Error, code.layer < Layer::Hazard, "{}", code.word);
        }
    }
}

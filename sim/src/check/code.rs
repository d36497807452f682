//! The codes: one for each kind of finding, with its story. Codes are stable; `check --explain CODE` prints the story.

use super::finding::{Layer, Rank};

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

pub(super) static PERIOD_NOT_ABOVE_TIMEOUT: Code = Code {
    word: "period-not-above-timeout",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "The documentation demands that periodSeconds be greater than timeoutSeconds; nothing enforces it. \
            Attempts of one probe never overlap: one that hangs for longer than the period delays the next one, so \
            detection takes timeouts, not periods.",
    source: "seed document; kubevirt-health.md 2.5, 3.5",
    shown_by: &[],
};

pub(super) static SHUTDOWN_ACTION: Code = Code {
    word: "shutdown-needs-a-guest-that-lives",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "`shutdown` presses the ACPI power button. A hung or panicked guest does not see it and stays Running for \
            ever, and the watchdog does not fire again: the fault it is there for is the one it cannot mend. Use \
            reset or poweroff.",
    source: "seed document; kubevirt-health.md 7.2; 11.2 row 21",
    shown_by: &["kernel-panic/watchdog/shutdown"],
};

pub(super) static ACTION_MENDS_NOTHING: Code = Code {
    word: "action-mends-nothing",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "libvirt takes `none` and `pause`, KubeVirt does not list them, and neither brings a broken guest back: of \
            `none` only QEMU's own event tells, and a guest that `pause` has stopped is resumed by virt-handler's next \
            sync, because no user paused it.",
    source: "kubevirt-health.md 7.2",
    shown_by: &["killed-daemon/watchdog/none", "killed-daemon/watchdog/pause"],
};

pub(super) static RERUN_WITH_TERMINATE: Code = Code {
    word: "rerun-on-failure-with-terminate",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "With rebootPolicy Terminate every reboot ends the VMI, the watchdog's reset too, and such an end counts as \
            Succeeded. RerunOnFailure starts only what Failed: the VM stays stopped.",
    source: "kubevirt-health.md 7.2; 11.2 row 28",
    shown_by: &["killed-daemon/watchdog/reset-terminate-rerun", "guest-reboot/terminate/rerun-on-failure"],
};

pub(super) static RESET_OUTLASTS_LIVENESS: Code = Code {
    word: "reset-outlasts-liveness",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "A watchdog reset reboots the guest inside the same pod, so the liveness probe's initial delay is long \
            over while the guest boots. If the probe's budget is shorter than the boot, liveness stops the VM that \
            the watchdog had just mended.",
    source: "seed document; kubevirt-health.md 11.2 row 20",
    shown_by: &["killed-daemon/watchdog-and-liveness/reset"],
};

pub(super) static KILL_LOOP: Code = Code {
    word: "liveness-before-boot",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "The initial delay counts from the start of the compute container, not from the guest's. If the first \
            failures reach the threshold before the guest answers, the kubelet stops it in the middle of its boot, \
            the next one too, and there is no backoff, because each of them had reached Running.",
    source: "kubevirt-health.md 3.1, 6.1; 11.2 row 23",
    shown_by: &[],
};

pub(super) static RERUN_WITH_LIVENESS: Code = Code {
    word: "rerun-on-failure-with-liveness",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "A failed liveness probe stops the guest gracefully. A guest whose operating system is healthy obeys, its \
            VMI ends Succeeded, and RerunOnFailure replaces only Failed ones: the VM stays down.",
    source: "kubevirt-health.md 5.2, 6; 11.2 row 4",
    shown_by: &["service-stopped/liveness-http/rerun-on-failure"],
};

pub(super) static GRACE_ZERO: Code = Code {
    word: "grace-period-zero",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "terminationGracePeriodSeconds: 0 destroys the guest at once, whatever it is writing. The VMI then counts \
            as Succeeded, also when it had hung, so RerunOnFailure does not replace it.",
    source: "kubevirt-health.md 5.1, 5.2; 11.2 rows 8 and 9",
    shown_by: &["kernel-panic/liveness-http/grace-0-rerun"],
};

pub(super) static TCP_OUTLIVES_HANG: Code = Code {
    word: "tcp-probe-outlives-a-hang",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "A tcpSocket probe succeeds when the guest's kernel completes the handshake. A service that hangs keeps \
            its listening socket, and the kernel goes on accepting for it: the hang is never seen. Use httpGet, or a \
            command that asks for an answer.",
    source: "kubevirt-health.md 3.2; 11.2 row 15",
    shown_by: &["http-hang/liveness-tcp/never-detected"],
};

pub(super) static LIVENESS_ALONE: Code = Code {
    word: "liveness-without-readiness",
    layer: Layer::Hazard,
    rank: Rank::Note,
    story: "Without a readiness probe the VM is Ready as soon as it runs: a Service sends it traffic while it boots, \
            and until the moment that liveness stops it.",
    source: "kubevirt-health.md 4",
    shown_by: &[],
};

pub(super) static SAME_QUESTION: Code = Code {
    word: "same-question-same-threshold",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "Both probes ask the same question with the same numbers. They fail together: the VM is not taken out of \
            service before it is stopped, so nothing is gained by the readiness probe when the service breaks.",
    source: "kubevirt-health.md 3.5, 4",
    shown_by: &[],
};

pub(super) static ARGUMENT_CHANGED: Code = Code {
    word: "exec-argument-changed",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "virt-launcher puts a command's arguments into JSON without escaping them. What looks like an escape in \
            JSON is taken for one: the guest receives another text.",
    source: "KubeVirt agent/exec.go",
    shown_by: &[],
};

pub(super) static PINGS_PAUSED: Code = Code {
    word: "agent-probes-paused",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "The annotation kubevirt.io/pause-guest-agent-probes answers every agent ping with success without asking \
            the guest: the probe cannot fail until it is removed.",
    source: "kubevirt-health.md 3.4; 11.2 row 13",
    shown_by: &["agent-stopped/liveness-ping/annotation"],
};

pub(super) static EXEC_PILES_UP: Code = Code {
    word: "timed-out-commands-pile-up",
    layer: Layer::Hazard,
    rank: Rank::Note,
    story: "A command that outlasts timeoutSeconds counts as failed and goes on running in the guest; the next \
            period starts another one.",
    source: "kubevirt-health.md 3.3",
    shown_by: &["none/readiness-exec/timeout"],
};

pub(super) static NO_AGENT: Code = Code {
    word: "agent-not-in-user-data",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "exec and guestAgentPing go through the QEMU guest agent, and nothing checks that there is one. No user \
            data of this manifest installs or mentions it; unless the image brings it, every attempt fails.",
    source: "kubevirt-health.md 2.5; 11.2 row 14",
    shown_by: &["agent-stopped/liveness-ping/always"],
};

pub(super) static WINDOWS_WATCHDOG: Code = Code {
    word: "watchdog-on-windows",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "Watchdog is not available for Windows VMs: there is no driver that arms the device, so it never fires.",
    source: "seed document",
    shown_by: &[],
};

pub(super) static NO_DAEMON: Code = Code {
    word: "watchdog-daemon-not-in-user-data",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "The device does nothing until something in the guest opens /dev/watchdog and pets it. No user data of \
            this manifest sets up the watchdog daemon or systemd's RuntimeWatchdogSec; unless the image does, the \
            watchdog never fires.",
    source: "seed document; kubevirt-health.md 7.3",
    shown_by: &["kernel-panic/unarmed-watchdog/running"],
};

pub(super) static SECOND_WATCHDOG: Code = Code {
    word: "q35-second-watchdog",
    layer: Layer::Hazard,
    rank: Rank::Note,
    story: "KubeVirt runs amd64 guests on q35, which has an iTCO watchdog of its own; libvirt (9.1 and later) gives it the \
            manifest's action. Which of the two is /dev/watchdog is a race of their drivers in the guest. A daemon that \
            got the iTCO is protected as well, but it fires after about twice the heartbeat.",
    source: "kubevirt-health.md 7.1; qemu-watchdog.md 4",
    shown_by: &["killed-daemon/q35-i6300esb/poweroff", "killed-daemon/q35-itco/poweroff"],
};

pub(super) static SLOW_HEARTBEAT: Code = Code {
    word: "liveness-before-watchdog",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "When the guest hangs, liveness and the watchdog both count. The liveness budget is shorter than the \
            watchdog's heartbeat, so the graceful stop begins first, waits out the grace period on a guest that \
            cannot obey, and the watchdog fires into it.",
    source: "kubevirt-health.md 5, 7",
    shown_by: &[],
};

pub(super) static KEPT_AFTER_FAILURE: Code = Code {
    word: "nothing-restarts",
    layer: Layer::Hazard,
    rank: Rank::Note,
    story: "Under Manual and Once a VMI that ended is kept in its final phase; nobody starts a new one.",
    source: "kubevirt-health.md 6; 11.2 rows 5, 7 and 18",
    shown_by: &["killed-daemon/watchdog/poweroff-once"],
};

pub(super) static RUNNING_DEPRECATED: Code = Code {
    word: "running-is-deprecated",
    layer: Layer::Hazard,
    rank: Rank::Note,
    story: "`running` still works and is deprecated: true is runStrategy Always, false is Halted.",
    source: "kubevirt-health.md 1.5",
    shown_by: &[],
};

pub(super) static OTHER_HOST: Code = Code {
    word: "probe-of-another-host",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "With `host` the kubelet asks that host and not this VM: the VM is restarted or taken out of service for \
            somebody else's health.",
    source: "kubevirt-health.md 2.5",
    shown_by: &[],
};

pub(super) static DEFAULT_DISK: Code = Code {
    word: "volume-without-disk",
    layer: Layer::Hazard,
    rank: Rank::Note,
    story: "KubeVirt adds a disk for every volume that no disk and no file system names.",
    source: "KubeVirt pkg/util/util.go SetDefaultVolumeDisk",
    shown_by: &[],
};

pub(super) static NOT_SIMULATED: Code = Code {
    word: "not-simulated",
    layer: Layer::Hazard,
    rank: Rank::Note,
    story: "vmhealth has no guest for this: neither its hazards nor its named ports were looked at.",
    source: "vmhealth",
    shown_by: &[],
};

pub(super) static LEFT_OUT: Code = Code {
    word: "left-out",
    layer: Layer::Hazard,
    rank: Rank::Note,
    story: "A line `# ...` marks an excerpt, as documentation prints them: what is absent is taken to be there in \
            the whole manifest. Without that line it would be an error.",
    source: "seed document",
    shown_by: &[],
};

pub(super) static TEMPLATE_PARAMETER: Code = Code {
    word: "template-parameter-without-value",
    layer: Layer::Hazard,
    rank: Rank::Note,
    story: "An OpenShift Template is checked with its parameters' own values. This one has none; give it one with \
            `oc process -p`.",
    source: "OpenShift templates",
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

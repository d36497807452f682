//! The codes of what works and surprises.

use super::code::Code;
use super::finding::{Layer, Rank};

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

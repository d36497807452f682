//! What `check` says that the virtual world does not show, and why.

const NETWORK: &str = "the model's network has neither meshes nor plugins";
const RELEASE: &str = "it is about the release that a cluster has";
const SHELL: &str = "the model knows a handful of programs";
const XML: &str =
    "the model defines no domain; none/unknown-watchdog-action/crash-loop shows what becomes of such a VM";
const TEXT: &str = "it is about the text";
const USER_DATA: &str = "what is installed in the guest, the model is told by the scenario and not by the manifest";

/// What nothing here can show, and why.
pub(crate) const NOT_SHOWN: &[(&str, &str)] = &[
    ("binding-plugin-not-seen", "it is about what the check could not see, not about what happens"),
    ("instancetype-not-seen", "it is about what the check could not see, not about what happens"),
    ("exec-argument-changed", "the model knows a handful of programs"),
    ("timed-out-commands-pile-up", "the model has no processes; none/readiness-exec/timeout runs one"),
    ("probe-of-another-host", "how that host is, no manifest says"),
    ("agent-not-in-user-data", USER_DATA),
    ("image-must-bring-the-agent", USER_DATA),
    ("image-must-arm-the-watchdog", USER_DATA),
    ("watchdog-on-windows", USER_DATA),
    ("watchdog-daemon-not-in-user-data", USER_DATA),
    ("nothing-restarts", "what it says is what the run strategies mean: killed-daemon/watchdog/poweroff-once shows it"),
    ("running-is-deprecated", "it behaves as runStrategy does"),
    ("volume-without-disk", "the model has no disks"),
    ("not-simulated", "the model has nothing to show it with"),
    ("duplicate-key", "it is about the text, and no manifest with one is run"),
    ("field-without-effect", "what it says is that nothing happens"),
    ("left-out", TEXT),
    ("allows-nothing", TEXT),
    ("template-parameter-without-value", TEXT),
    ("unrendered-template", TEXT),
    ("callout-of-a-document", TEXT),
    ("looks-like-a-patch", TEXT),
    ("petted-too-seldom", USER_DATA),
    ("no-size-for-the-guest", "no such guest runs anywhere"),
    ("empty-disk-too-small", "the model has no disks"),
    ("command-without-a-program", SHELL),
    ("instancetype-brings-nothing", "it is about what VMs name, and the model runs VMs"),
    ("armed-from-the-next-boot", USER_DATA),
    ("two-to-pet-one-watchdog", USER_DATA),
    ("panic-timer-from-the-next-boot", USER_DATA),
    ("driver-does-not-load", USER_DATA),
    ("what-the-image-brings", USER_DATA),
    ("guest-exec-not-allowed", USER_DATA),
    ("grace-beyond-systemds-limit", USER_DATA),
    ("blank-in-program-path", SHELL),
    ("same-name-twice", TEXT),
    ("multicast-mac-address", XML),
    ("bad-firmware-uuid", XML),
    ("agent-has-one-second", "the model's agent answers at once, or never"),
    ("shell-words-without-a-shell", SHELL),
    ("shell-without-its-script", SHELL),
    ("line-end-in-exec-argument", RELEASE),
    ("line-end-breaks-exec", RELEASE),
    ("pause-annotation-not-heeded", RELEASE),
    ("pause-annotation-on-the-vm", "the model is told of the VMI's annotations only"),
    ("pause-annotation-without-pings", "what it says is that nothing is otherwise"),
    ("binding-without-a-way-to-the-guest", NETWORK),
    ("istio-answers-the-probe", NETWORK),
    ("ambient-mesh-swallows-probes", NETWORK),
    ("nobody-brings-a-bare-vmi-back", "a bare VMI runs here as Once does"),
    ("liveness-stops-the-migration-target", "a migration here has no target pod"),
];

//! Every hazard with a manifest that has it, and its numbers.

use crate::manifest::In::{Devices, Domain, Vm, Vmi};
use crate::manifest::{NET, NIC, Parts, manifest, one};
use vmhealth_sim::check::{Checked, Layer, Verdict};

const NO_AGENT: &str = "volumes: [{name: c, cloudInitNoCloud: {userData: \"#cloud-config\"}}]";
const HEARTBEAT_30: &str = "volumes: [{name: c, cloudInitNoCloud: {userData: \"watchdog-device=/dev/watchdog; watchdog-timeout = 30 # qemu-guest-agent\"}}]";
const BY_IDENTITY: &str =
    "volumes: [{name: c, cloudInitNoCloud: {userData: 'watchdog-device=/dev/wd ATTR{identity}==\"i6300ESB timer\"'}}]";
const DISK: (crate::manifest::In, &str) = (Devices, "disks: [{name: c, disk: {}}]");
const QUIET_LIVENESS: &str = "livenessProbe: {guestAgentPing: {}, initialDelaySeconds: 120, periodSeconds: 20, failureThreshold: 5}\nreadinessProbe: {httpGet: {port: 80}}";

const Q35: &str = "q35-second-watchdog";

/// The manifest, and its hazards with a part of what is said of each.
const ROWS: &[(Parts, &[(&str, &str)])] = &[
    (&[], &[]),
    (&[(Vmi, "readinessProbe: {httpGet: {port: 80}}")], &[]),
    (&[(Vmi, QUIET_LIVENESS)], &[]),
    (
        &[(Vmi, "readinessProbe: {httpGet: {port: 80}, periodSeconds: 5, timeoutSeconds: 5}")],
        &[(
            "period-not-above-timeout",
            "periodSeconds 5 is not greater than timeoutSeconds 5: a guest that hangs is detected after up to 20 s",
        )],
    ),
    // Below 1 is the default: 10 and 1.
    (
        &[(Vmi, "readinessProbe: {httpGet: {port: 80}, periodSeconds: 0, timeoutSeconds: -3}")],
        &[
            ("probe-number-below-one", "periodSeconds 0 counts as 10"),
            ("probe-number-below-one", "timeoutSeconds -3 counts as 1"),
        ],
    ),
    (
        &[(
            Vmi,
            "livenessProbe: {guestAgentPing: {}, initialDelaySeconds: 120, periodSeconds: 70, failureThreshold: 1}\nreadinessProbe: {httpGet: {port: 80}}",
        )],
        &[
            ("liveness-without-patience", "a single attempt that fails stops the guest"),
            ("reboot-outlasts-liveness", "a reboot of the guest takes about 60 s"),
        ],
    ),
    (
        &[(
            Vmi,
            "livenessProbe: {guestAgentPing: {}, initialDelaySeconds: 120, periodSeconds: 60, failureThreshold: 5}\nreadinessProbe: {httpGet: {port: 80}}",
        )],
        &[("liveness-notices-late", "noticed after up to 302 s")],
    ),
    (
        &[(
            Vmi,
            "livenessProbe: {guestAgentPing: {}, initialDelaySeconds: 120, periodSeconds: 59, failureThreshold: 5}\nreadinessProbe: {httpGet: {port: 80}}",
        )],
        &[],
    ),
    (
        &[(Vmi, QUIET_LIVENESS), (Vmi, "terminationGracePeriodSeconds: 601")],
        &[("grace-holds-a-hung-guest", "stays for 601 s")],
    ),
    (&[(Vmi, QUIET_LIVENESS), (Vmi, "terminationGracePeriodSeconds: 600")], &[]),
    // Nobody stops it.
    (&[(Vmi, "readinessProbe: {httpGet: {port: 80}}\nterminationGracePeriodSeconds: 601")], &[]),
    (
        &[(Devices, "watchdog: {name: w, i6300esb: {action: shutdown}}")],
        &[("shutdown-needs-a-guest-that-lives", "does nothing to a guest that hangs"), (Q35, "twice the heartbeat")],
    ),
    (&[(Devices, "watchdog: {name: w, i6300esb: {action: poweroff}}")], &[(Q35, "may become /dev/watchdog")]),
    (
        &[
            (Devices, "watchdog: {name: w}"),
            (
                Vmi,
                "livenessProbe: {guestAgentPing: {}, initialDelaySeconds: 120, failureThreshold: 4}\nreadinessProbe: {httpGet: {port: 80}}",
            ),
        ],
        &[
            (Q35, "twice the heartbeat"),
            (
                "reset-outlasts-liveness",
                "after a reset the guest is away for about 60 s, and liveness stops it after 30 to 42 s",
            ),
            (
                "liveness-before-watchdog",
                "liveness acts after 32 to 42 s, the watchdog after 60 s (the daemon's default)",
            ),
        ],
    ),
    (
        &[
            (Devices, "watchdog: {name: w}"),
            DISK,
            (Vmi, HEARTBEAT_30),
            (
                Vmi,
                "livenessProbe: {httpGet: {port: 80}, initialDelaySeconds: 120, periodSeconds: 20, failureThreshold: 5}\nreadinessProbe: {httpGet: {port: 81}}",
            ),
        ],
        &[(Q35, "twice the heartbeat")],
    ),
    (
        &[(Vmi, "livenessProbe: {guestAgentPing: {}, initialDelaySeconds: 20}\nreadinessProbe: {httpGet: {port: 80}}")],
        &[
            (
                "liveness-before-boot",
                "liveness can stop the guest 50 s after its container's start, 10 s before a boot of 60 s is over",
            ),
            ("reboot-outlasts-liveness", "a reboot of the guest takes about 60 s"),
        ],
    ),
    (
        &[(Vmi, "livenessProbe: {guestAgentPing: {}, initialDelaySeconds: 30}\nreadinessProbe: {httpGet: {port: 80}}")],
        &[("reboot-outlasts-liveness", "a reboot of the guest takes about 60 s")],
    ),
    (
        &[(Vm, "runStrategy: RerunOnFailure"), (Vmi, QUIET_LIVENESS)],
        &[
            ("rerun-on-failure-with-liveness", "ends Succeeded, and RerunOnFailure does not start it again"),
            ("rerun-on-failure-after-a-drain", "when its node is drained"),
        ],
    ),
    (
        &[(Vm, "runStrategy: RerunOnFailure"), (Vmi, QUIET_LIVENESS), (Vmi, "terminationGracePeriodSeconds: 0")],
        &[
            ("rerun-on-failure-with-liveness", "ends Succeeded here, and RerunOnFailure never starts it again"),
            ("grace-period-zero", "counts as Succeeded"),
            ("rerun-on-failure-after-a-drain", "when its node is drained"),
        ],
    ),
    (
        &[
            (Vm, "runStrategy: RerunOnFailure"),
            (Domain, "rebootPolicy: Terminate"),
            (Devices, "watchdog: {name: w}"),
            (
                Vmi,
                "livenessProbe: {guestAgentPing: {}, initialDelaySeconds: 120, periodSeconds: 20, failureThreshold: 5}",
            ),
            (Vmi, "readinessProbe: {httpGet: {port: 80}}"),
        ],
        &[
            ("rerun-on-failure-with-liveness", "RerunOnFailure does not start it again"),
            (Q35, "twice the heartbeat"),
            ("rerun-on-failure-with-terminate", "also the watchdog's reset, ends the VMI Succeeded"),
            ("rerun-on-failure-after-a-drain", "when its node is drained"),
        ],
    ),
    // A reset that ends the VMI is no reboot that liveness could stop.
    (
        &[
            (Domain, "rebootPolicy: Terminate"),
            (Devices, "watchdog: {name: w}"),
            DISK,
            (Vmi, HEARTBEAT_30),
            (
                Vmi,
                "livenessProbe: {guestAgentPing: {}, initialDelaySeconds: 120, failureThreshold: 4}\nreadinessProbe: {httpGet: {port: 80}}",
            ),
        ],
        &[(Q35, "twice the heartbeat")],
    ),
    (
        &[(Devices, "watchdog: {name: w, i6300esb: {action: none}}")],
        &[("action-mends-nothing", "nothing in a cluster acts on that"), (Q35, "twice the heartbeat")],
    ),
    (
        &[(Devices, "watchdog: {name: w, i6300esb: {action: pause}}")],
        &[("action-mends-nothing", "virt-handler resumes"), (Q35, "twice the heartbeat")],
    ),
    (&[(Devices, "watchdog: {name: w, i6300esb: {action: dump}}")], &[("not-simulated", "dump is not simulated")]),
    (
        &[
            DISK,
            (Vmi, "volumes: [{name: c, cloudInitNoCloud: {userData: \"packages: [watchdog]\"}}]"),
            (Devices, "watchdog: {name: w}"),
        ],
        &[(Q35, "twice the heartbeat"), ("watchdog-daemon-not-in-user-data", "never opens the device")],
    ),
    (
        &[(Vmi, "terminationGracePeriodSeconds: -1")],
        &[("grace-period-negative", "right after it was asked to shut down")],
    ),
    (
        &[(Vmi, "terminationGracePeriodSeconds: 0")],
        &[("grace-period-zero", "a guest that had hung counts as Succeeded")],
    ),
    (
        &[(
            Vmi,
            "livenessProbe: {tcpSocket: {port: 80}, initialDelaySeconds: 60}\nreadinessProbe: {httpGet: {port: 80}}",
        )],
        &[
            ("tcp-probe-outlives-a-hang", "does not notice"),
            ("reboot-outlasts-liveness", "a reboot of the guest takes about 60 s"),
        ],
    ),
    (
        &[(Vmi, "readinessProbe: {exec: {command: [printf, 'a\\n']}}")],
        &[("exec-argument-changed", "the guest receives"), ("timed-out-commands-pile-up", "longer than 1 s")],
    ),
    // Two arguments of one, and JSON for all that.
    (
        &[(Vmi, "readinessProbe: {exec: {command: [printf, 'a\",\"b']}}")],
        &[("exec-argument-changed", r#"receives "a" and "b""#), ("timed-out-commands-pile-up", "longer than 1 s")],
    ),
    (
        &[
            (Vmi, "volumes: [{name: d, containerDisk: {image: i}}, {name: e, emptyDisk: {capacity: 1Gi}}]"),
            (Devices, "disks: [{name: d, disk: {bus: virtio}}]"),
            (Vmi, "readinessProbe: {httpGet: {port: 80}}"),
        ],
        &[("volume-without-disk", "no disk names \"e\"; KubeVirt adds one")],
    ),
    // As `virtctl create vm` writes it.
    (&[(Vmi, "volumes: [{name: d, containerDisk: {image: i}}]"), (Vmi, "readinessProbe: {httpGet: {port: 80}}")], &[]),
    // A Secret's user data cannot be seen: nothing is said of it.
    (
        &[
            DISK,
            (Vmi, "volumes: [{name: c, cloudInitNoCloud: {secretRef: {name: s}}}]"),
            (Devices, "watchdog: {name: w}"),
        ],
        &[],
    ),
    // Told apart by its identity; one that has no second one.
    (&[DISK, (Vmi, BY_IDENTITY), (Devices, "watchdog: {name: w}")], &[]),
    (&[(Vmi, "architecture: s390x"), (Devices, "watchdog: {name: w}")], &[]),
    (&[(Vm, "runStrategy: WaitAsReceiver")], &[("not-simulated", "WaitAsReceiver")]),
    (
        &[(Vmi, "livenessProbe: {guestAgentPing: {}, initialDelaySeconds: 60}")],
        &[
            ("liveness-without-readiness", "while it boots"),
            ("reboot-outlasts-liveness", "a reboot of the guest takes about 60 s"),
        ],
    ),
    (
        &[(
            Vmi,
            "livenessProbe: {httpGet: {port: 80}, initialDelaySeconds: 60}\nreadinessProbe: {httpGet: {port: 80}}",
        )],
        &[
            ("same-question-same-threshold", "at the moment it is taken out of service"),
            ("reboot-outlasts-liveness", "a reboot of the guest takes about 60 s"),
        ],
    ),
    (
        &[(
            Vmi,
            "livenessProbe: {httpGet: {port: 80}, initialDelaySeconds: 60, failureThreshold: 7}\nreadinessProbe: {httpGet: {port: 80}}",
        )],
        &[],
    ),
    (
        &[(Vmi, "readinessProbe: {exec: {command: [uname]}, timeoutSeconds: 3}")],
        &[(
            "timed-out-commands-pile-up",
            "longer than 3 s goes on running in the guest, and the next one starts 10 s later",
        )],
    ),
    (
        &[DISK, (Vmi, NO_AGENT), (Vmi, "readinessProbe: {guestAgentPing: {}}")],
        &[("agent-not-in-user-data", "no user data mentions qemu-guest-agent")],
    ),
    (
        &[DISK, (Vmi, NO_AGENT), (Devices, "watchdog: {name: w}")],
        &[(Q35, "twice the heartbeat"), ("watchdog-daemon-not-in-user-data", "the device is never armed")],
    ),
    (
        &[(Vm, "preference: {name: windows.11}"), (Devices, "watchdog: {name: w}")],
        &[
            ("watchdog-on-windows", "preference windows.11"),
            ("instancetype-not-seen", "preference \"windows.11\" brings"),
        ],
    ),
    (&[(Vm, "runStrategy: Manual"), (Vmi, QUIET_LIVENESS)], &[("nothing-restarts", "under Manual")]),
    (
        &[(Vm, "runStrategy: Manual"), (Devices, "watchdog: {name: w, i6300esb: {action: poweroff}}")],
        &[(Q35, "twice the heartbeat"), ("nothing-restarts", "under Manual")],
    ),
    (
        &[(Vm, "runStrategy: Manual"), (Devices, "watchdog: {name: w, i6300esb: {action: reset}}")],
        &[(Q35, "twice the heartbeat")],
    ),
    // Noticed after exactly 5 minutes, which is not late.
    (
        &[(
            Vmi,
            "livenessProbe: {httpGet: {port: 80}, initialDelaySeconds: 120, periodSeconds: 23, failureThreshold: 13}\nreadinessProbe: {httpGet: {port: 80}}",
        )],
        &[],
    ),
    (&[(Vm, "running: false")], &[("running-is-deprecated", "deprecated")]),
    (
        &[NET, NIC, (Vmi, "readinessProbe: {httpGet: {port: 80, host: example.com}}")],
        &[("probe-of-another-host", "checks example.com")],
    ),
];

fn hazards(checked: &Checked) -> Vec<(&str, &str)> {
    let hazards = checked.findings.iter().filter(|f| f.rule.layer == Layer::Hazard);
    hazards.map(|f| (f.rule.code, f.message.as_str())).collect()
}

#[test]
fn each_hazard_is_found_where_it_is_and_nowhere_else() {
    for (parts, expected) in ROWS {
        let text = manifest(parts);
        let checked = one(&text);
        let found = hazards(&checked);
        assert_eq!(checked.verdict, Verdict::Accepted, "{text}{:?}", checked.findings);
        let words = |list: &[(&str, &str)]| list.iter().map(|(word, _)| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(words(&found), words(expected), "{text}");
        for ((_, message), (word, part)) in found.iter().zip(*expected) {
            assert!(message.contains(part), "{word}: {message:?} lacks {part:?}");
        }
    }
}

/// What a probe that always fails comes to depends on who would start the VM again.
#[test]
fn consequences_by_strategy() {
    const PROBE: &str = "livenessProbe: {exec: {command: [sh, -c, 'echo \"ok\"']}}";
    for (strategy, part) in [
        ("Always", "stopped again and again"),
        ("Halted", "stopped again and again"),
        ("RerunOnFailure", "stopped and stays so"),
        ("Once", "stopped and stays so"),
        ("Manual", "stopped and stays so"),
    ] {
        let checked =
            one(&manifest(&[(Vmi, PROBE)]).replace("runStrategy: Always", &format!("runStrategy: {strategy}")));
        let found = checked.findings.iter().find(|f| f.rule.code == "unescaped-exec-argument").expect(strategy);
        assert!(found.message.contains(part), "{strategy}: {}", found.message);
    }
}

/// The codes that a row of this table finds.
pub(crate) fn codes() -> impl Iterator<Item = &'static str> {
    ROWS.iter().flat_map(|(_, hazards)| *hazards).map(|(word, _)| *word)
}

/// The annotation stands outside of what the rows can say.
#[test]
fn a_paused_probe_cannot_fail() {
    let text = manifest(&[(Vmi, "livenessProbe: {guestAgentPing: {}}\nreadinessProbe: {httpGet: {port: 80}}")]);
    let paused = text.replace(
        "  template:\n",
        "  template:\n    metadata: {annotations: {kubevirt.io/pause-guest-agent-probes: \"true\"}}\n",
    );
    let words = |text: &str| hazards(&one(text)).iter().map(|(word, _)| (*word).to_owned()).collect::<Vec<_>>();
    assert_eq!(words(&text), ["liveness-before-boot", "reboot-outlasts-liveness"]);
    assert_eq!(words(&paused), ["agent-probes-paused"]);
}

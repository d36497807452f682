//! Each hazard that `check` warns of, in the virtual world: what it warns of happens with the hazard and not once it is mended
//! as the help says. A story that stops being true fails here.

mod not_shown;

use not_shown::NOT_SHOWN;
use std::time::Duration;
use vmhealth_sim::check::{Options, Rule, check, rules};
use vmhealth_sim::engine::Config;
use vmhealth_sim::fixture::{self, scenario};
use vmhealth_sim::manifest;
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{Entry, Event, VmStatus};
use vmhealth_sim::world::{self, Timings};

/// A VM and its guest.
struct Vm {
    strategy: &'static str,
    /// Of the VMI's metadata: its key and its value.
    annotation: Option<(&'static str, &'static str)>,
    /// Of `spec.template.spec`; `domain` is apart.
    spec: &'static [&'static str],
    /// Of its domain, one line.
    domain: &'static str,
    devices: &'static str,
    /// Of the guest profile.
    guest: &'static str,
}

const VM: Vm =
    Vm { strategy: "Always", annotation: None, spec: &[], domain: "", devices: "", guest: "healthServer: true" };

struct Demonstration {
    code: &'static str,
    hazard: Vm,
    mended: Vm,
    /// The timeline.
    steps: &'static str,
    /// What the hazard brings about.
    claim: fn(&[Entry]) -> bool,
}

const HTTP: &str = "livenessProbe: {httpGet: {port: 1500, path: /healthz}, initialDelaySeconds: 60}";
const PATIENT: &str =
    "livenessProbe: {httpGet: {port: 1500, path: /healthz}, initialDelaySeconds: 60, failureThreshold: 9}";
const HASTY: &str =
    "livenessProbe: {httpGet: {port: 1500, path: /healthz}, initialDelaySeconds: 60, failureThreshold: 1}";
const LATE: &str = "livenessProbe: {httpGet: {port: 1500, path: /healthz}, initialDelaySeconds: 60, periodSeconds: 60, failureThreshold: 5}";
const PING: &str = "livenessProbe: {guestAgentPing: {}, initialDelaySeconds: 60}";
const READY: &str = "readinessProbe: {httpGet: {port: 1500, path: /healthz}}";
const DAEMON: &str = "healthServer: true, watchdogDaemon: {heartbeatSeconds: 10, keepalive: masked}";
const RESET: &str = "watchdog: {name: w, i6300esb: {action: reset}}";
/// Cloud-init that mentions all that a guest can need.
const SET_UP: &str = "volumes: [{name: c, cloudInitNoCloud: {userData: \"qemu-guest-agent watchdog-device=/dev/watchdog watchdog-timeout = 10\"}}]";

const BY_IDENTITY: &str = "volumes: [{name: c, cloudInitNoCloud: {userData: 'watchdog-device=/dev/wd # ATTR{identity}==\"i6300ESB timer\"'}}]";

const STOP: &str = "{after: guest ready, plus: 60s, fault: {health: stop}}";
const PANIC: &str = "{after: guest ready, plus: 60s, fault: kernelPanic}";
const KILL: &str = "{after: guest ready, plus: 60s, fault: killWatchdog}";

fn has(trace: &[Entry], event: &str) -> bool {
    at(trace, event).is_some()
}

/// When an event is first seen.
fn at(trace: &[Entry], event: &str) -> Option<Time> {
    trace.iter().find(|e| e.event.to_string().starts_with(event)).map(|e| e.at)
}

fn fault(trace: &[Entry]) -> Time {
    trace.iter().rev().find(|e| matches!(e.event, Event::FaultBegun(_))).map_or(Time::ZERO, |e| e.at)
}

fn status(trace: &[Entry]) -> Option<VmStatus> {
    trace.iter().rev().find_map(|e| if let Event::VmStatus(s) = e.event { Some(s) } else { None })
}

const DEMONSTRATIONS: &[Demonstration] = &[
    Demonstration {
        code: "watchdog-of-another-architecture",
        hazard: Vm { devices: "watchdog: {name: w, diag288: {action: reset}}", spec: &[SET_UP], ..VM },
        mended: Vm { devices: RESET, spec: &[SET_UP], ..VM },
        steps: "",
        claim: |t| has(t, "vm event FailedCreate") && !has(t, "vmi"),
    },
    Demonstration {
        code: "liveness-success-threshold",
        hazard: Vm {
            spec: &["livenessProbe: {tcpSocket: {port: 1500}, initialDelaySeconds: 60, successThreshold: 2}"],
            ..VM
        },
        mended: Vm { spec: &["livenessProbe: {tcpSocket: {port: 1500}, initialDelaySeconds: 60}"], ..VM },
        steps: "",
        claim: |t| has(t, "vmi event FailedCreate") && !has(t, "qemu STARTED"),
    },
    Demonstration {
        code: "unknown-watchdog-action",
        hazard: Vm { devices: "watchdog: {name: w, i6300esb: {action: Reset}}", spec: &[SET_UP], ..VM },
        mended: Vm { devices: RESET, spec: &[SET_UP], ..VM },
        steps: "",
        claim: |t| has(t, "vm status CrashLoopBackOff") && !has(t, "qemu STARTED"),
    },
    Demonstration {
        code: "undeclared-port",
        hazard: Vm {
            spec: &["livenessProbe: {tcpSocket: {port: health}, initialDelaySeconds: 60}"],
            devices: "interfaces: [{name: default, masquerade: {}}]",
            ..VM
        },
        mended: Vm {
            spec: &["livenessProbe: {tcpSocket: {port: health}, initialDelaySeconds: 60}"],
            devices: "interfaces: [{name: default, masquerade: {}, ports: [{name: health, port: 1500}]}]",
            ..VM
        },
        steps: STOP,
        claim: |t| !has(t, "pod event Killing"),
    },
    Demonstration {
        code: "port-not-forwarded",
        hazard: Vm {
            spec: &[READY],
            devices: "interfaces: [{name: default, masquerade: {}, ports: [{port: 22}]}]",
            ..VM
        },
        mended: Vm {
            spec: &[READY],
            devices: "interfaces: [{name: default, masquerade: {}, ports: [{port: 1500}]}]",
            ..VM
        },
        steps: "",
        claim: |t| !has(t, "vmi ready True"),
    },
    Demonstration {
        code: "unescaped-exec-argument",
        hazard: Vm { spec: &["readinessProbe: {exec: {command: [/usr/bin/uname, '\"']}}"], ..VM },
        mended: Vm { spec: &["readinessProbe: {exec: {command: [/usr/bin/uname, -a]}}"], ..VM },
        steps: "",
        claim: |t| !has(t, "vmi ready True"),
    },
    Demonstration {
        code: "period-not-above-timeout",
        hazard: Vm {
            spec: &["readinessProbe: {httpGet: {port: 1500, path: /healthz}, periodSeconds: 5, timeoutSeconds: 10}"],
            ..VM
        },
        mended: Vm {
            spec: &["readinessProbe: {httpGet: {port: 1500, path: /healthz}, periodSeconds: 5, timeoutSeconds: 2}"],
            ..VM
        },
        steps: "{after: guest ready, plus: 60s, fault: {health: hang}}",
        // Three attempts a period apart would be over after 17 s.
        claim: |t| at(t, "endpoints out").is_some_and(|out| out.since(fault(t)) > Duration::from_secs(25)),
    },
    Demonstration {
        code: "shutdown-needs-a-guest-that-lives",
        hazard: Vm {
            devices: "watchdog: {name: w, i6300esb: {action: shutdown}}",
            spec: &[SET_UP],
            guest: DAEMON,
            ..VM
        },
        mended: Vm { devices: RESET, spec: &[SET_UP], guest: DAEMON, ..VM },
        steps: PANIC,
        claim: |t| has(t, "qemu WATCHDOG shutdown") && !has(t, "qemu RESET") && status(t) == Some(VmStatus::Running),
    },
    Demonstration {
        code: "action-mends-nothing",
        hazard: Vm { devices: "watchdog: {name: w, i6300esb: {action: none}}", spec: &[SET_UP], guest: DAEMON, ..VM },
        mended: Vm { devices: RESET, spec: &[SET_UP], guest: DAEMON, ..VM },
        steps: KILL,
        claim: |t| has(t, "qemu WATCHDOG none") && !has(t, "qemu RESET"),
    },
    Demonstration {
        code: "action-mends-nothing",
        hazard: Vm { devices: "watchdog: {name: w, i6300esb: {action: pause}}", spec: &[SET_UP], guest: DAEMON, ..VM },
        mended: Vm { devices: RESET, spec: &[SET_UP], guest: DAEMON, ..VM },
        steps: KILL,
        claim: |t| has(t, "qemu RESUME") && !has(t, "qemu RESET"),
    },
    Demonstration {
        code: "rerun-on-failure-with-terminate",
        hazard: Vm {
            strategy: "RerunOnFailure",
            devices: RESET,
            spec: &[SET_UP],
            domain: "rebootPolicy: Terminate",
            guest: DAEMON,
            ..VM
        },
        mended: Vm { devices: RESET, spec: &[SET_UP], domain: "rebootPolicy: Terminate", guest: DAEMON, ..VM },
        steps: KILL,
        claim: |t| status(t) == Some(VmStatus::Stopped),
    },
    Demonstration {
        code: "reset-outlasts-liveness",
        hazard: Vm {
            spec: &["livenessProbe: {guestAgentPing: {}, initialDelaySeconds: 60, periodSeconds: 2}"],
            devices: RESET,
            guest: DAEMON,
            ..VM
        },
        mended: Vm {
            spec: &["livenessProbe: {guestAgentPing: {}, initialDelaySeconds: 60, periodSeconds: 20}"],
            devices: RESET,
            guest: DAEMON,
            ..VM
        },
        steps: KILL,
        claim: |t| at(t, "qemu RESET").zip(at(t, "pod event Killing")).is_some_and(|(reset, killing)| killing > reset),
    },
    Demonstration {
        code: "liveness-before-boot",
        hazard: Vm {
            spec: &["livenessProbe: {httpGet: {port: 1500, path: /healthz}, periodSeconds: 1, failureThreshold: 1}"],
            ..VM
        },
        mended: Vm {
            spec: &[
                "livenessProbe: {httpGet: {port: 1500, path: /healthz}, periodSeconds: 1, failureThreshold: 1, initialDelaySeconds: 10}",
            ],
            ..VM
        },
        steps: "",
        // And the next one, and the next one, without backoff.
        claim: |t| t.iter().map(|e| e.vmi).max() > Some(10) && !has(t, "vm status CrashLoopBackOff"),
    },
    Demonstration {
        code: "rerun-on-failure-with-liveness",
        hazard: Vm { strategy: "RerunOnFailure", spec: &[HTTP], ..VM },
        mended: Vm { spec: &[HTTP], ..VM },
        steps: STOP,
        claim: |t| has(t, "vmi phase Succeeded") && status(t) == Some(VmStatus::Stopped),
    },
    Demonstration {
        code: "probe-number-below-one",
        hazard: Vm { spec: &["readinessProbe: {httpGet: {port: 1500, path: /healthz}, periodSeconds: -5}"], ..VM },
        mended: Vm { spec: &["readinessProbe: {httpGet: {port: 1500, path: /healthz}, periodSeconds: 5}"], ..VM },
        steps: STOP,
        // Three attempts five seconds apart would be over by then.
        claim: |t| at(t, "endpoints out").is_some_and(|out| out.since(fault(t)) > Duration::from_secs(16)),
    },
    Demonstration {
        code: "liveness-without-patience",
        hazard: Vm { spec: &[HASTY, READY], ..VM },
        mended: Vm { spec: &[HTTP, READY], ..VM },
        steps: "{after: guest ready, plus: 60s, fault: {health: stop}}, {plus: 11s, fault: {health: start}}",
        claim: |t| has(t, "pod event Killing"),
    },
    Demonstration {
        code: "liveness-notices-late",
        hazard: Vm { spec: &[LATE, READY], ..VM },
        mended: Vm { spec: &[HTTP, READY], ..VM },
        steps: PANIC,
        claim: |t| at(t, "pod event Killing").is_some_and(|stop| stop.since(fault(t)) > Duration::from_secs(240)),
    },
    Demonstration {
        code: "grace-holds-a-hung-guest",
        hazard: Vm { spec: &["terminationGracePeriodSeconds: 700", HTTP, READY], ..VM },
        mended: Vm { spec: &[HTTP, READY], ..VM },
        steps: PANIC,
        claim: |t| at(t, "vmi phase Failed").is_some_and(|end| end.since(fault(t)) > Duration::from_secs(600)),
    },
    Demonstration {
        code: "grace-period-zero",
        hazard: Vm { strategy: "Once", spec: &["terminationGracePeriodSeconds: 0", HTTP], ..VM },
        mended: Vm { strategy: "Once", spec: &[HTTP], ..VM },
        steps: PANIC,
        claim: |t| has(t, "vmi phase Succeeded"),
    },
    Demonstration {
        code: "grace-period-negative",
        hazard: Vm { strategy: "Once", spec: &["terminationGracePeriodSeconds: -5", HTTP], ..VM },
        mended: Vm { strategy: "Once", spec: &[HTTP], ..VM },
        steps: STOP,
        claim: |t| has(t, "vmi phase Failed"),
    },
    Demonstration {
        code: "tcp-probe-outlives-a-hang",
        hazard: Vm { spec: &["livenessProbe: {tcpSocket: {port: 1500}, initialDelaySeconds: 60}"], ..VM },
        mended: Vm { spec: &[HTTP], ..VM },
        steps: "{after: guest ready, plus: 60s, fault: {health: hang}}",
        claim: |t| !has(t, "pod event Killing"),
    },
    Demonstration {
        code: "liveness-without-readiness",
        hazard: Vm { spec: &[PING], ..VM },
        mended: Vm { spec: &[PING, READY], ..VM },
        steps: "",
        claim: |t| at(t, "endpoints in") < at(t, "qemu AGENT open"),
    },
    Demonstration {
        code: "same-question-same-threshold",
        hazard: Vm { spec: &[HTTP, READY], ..VM },
        mended: Vm { spec: &[PATIENT, READY], ..VM },
        steps: "{after: guest ready, plus: 60s, fault: {health: stop}}, {plus: 40s, fault: {health: start}}",
        claim: |t| has(t, "endpoints out") && has(t, "pod event Killing"),
    },
    Demonstration {
        code: "liveness-before-watchdog",
        hazard: Vm {
            spec: &[PING],
            devices: RESET,
            guest: "healthServer: true, watchdogDaemon: {heartbeatSeconds: 60, keepalive: masked}",
            ..VM
        },
        mended: Vm { spec: &[PING, SET_UP], devices: RESET, guest: DAEMON, ..VM },
        steps: PANIC,
        claim: |t| has(t, "pod event Killing") && !has(t, "qemu WATCHDOG"),
    },
    Demonstration {
        code: "q35-second-watchdog",
        hazard: Vm {
            domain: "machine: {type: q35}",
            devices: RESET,
            guest: "watchdogDaemon: {heartbeatSeconds: 10, keepalive: masked, device: itco}",
            ..VM
        },
        mended: Vm {
            domain: "machine: {type: q35}",
            spec: &[BY_IDENTITY],
            devices: RESET,
            guest: "watchdogDaemon: {heartbeatSeconds: 10, keepalive: masked, device: i6300esb}",
            ..VM
        },
        steps: KILL,
        claim: |t| {
            let fault = at(t, "fault killWatchdog begun").expect("it is a step");
            at(t, "qemu WATCHDOG").is_some_and(|fired| fired.since(fault) > Duration::from_secs(18))
        },
    },
    Demonstration {
        code: "command-line-in-one-string",
        hazard: Vm { spec: &["readinessProbe: {exec: {command: [/usr/bin/uname -a]}}"], ..VM },
        mended: Vm { spec: &["readinessProbe: {exec: {command: [/usr/bin/uname, -a]}}"], ..VM },
        steps: "",
        claim: |t| !has(t, "vmi ready True"),
    },
    Demonstration {
        code: "virt-probe-by-hand",
        hazard: Vm { spec: &["readinessProbe: {exec: {command: [virt-probe, --guestAgentPing]}}"], ..VM },
        mended: Vm { spec: &["readinessProbe: {guestAgentPing: {}}"], ..VM },
        steps: "",
        claim: |t| !has(t, "vmi ready True"),
    },
    Demonstration {
        code: "virt-probe-in-the-guest",
        hazard: Vm { spec: &["readinessProbe: {exec: {command: [/usr/bin/virt-probe, --guestAgentPing]}}"], ..VM },
        mended: Vm { spec: &["readinessProbe: {guestAgentPing: {}}"], ..VM },
        steps: "",
        claim: |t| !has(t, "vmi ready True"),
    },
    Demonstration {
        code: "reboot-outlasts-liveness",
        hazard: Vm {
            spec: &["livenessProbe: {guestAgentPing: {}, initialDelaySeconds: 60, periodSeconds: 3}", READY],
            ..VM
        },
        mended: Vm { spec: &[PING, READY], ..VM },
        steps: "{after: guest ready, plus: 60s, fault: guestReboot}",
        claim: |t| has(t, "pod event Killing"),
    },
    Demonstration {
        code: "rerun-on-failure-after-a-drain",
        hazard: Vm { strategy: "RerunOnFailure", ..VM },
        mended: VM,
        steps: "{after: guest ready, plus: 60s, user: deletePod}",
        claim: |t| status(t) == Some(VmStatus::Stopped),
    },
    Demonstration {
        code: "agent-probes-paused",
        hazard: Vm { annotation: Some(("kubevirt.io/pause-guest-agent-probes", "true")), spec: &[PING], ..VM },
        mended: Vm { spec: &[PING], ..VM },
        steps: "{after: guest ready, plus: 60s, fault: {stopAgent: {for: 1h}}}",
        claim: |t| !has(t, "pod event Killing"),
    },
];

impl Vm {
    fn text(&self) -> String {
        let mut vm = fixture::vm()
            .strategy(self.strategy)
            .spec(&self.spec.join("\n"))
            .domain(self.domain)
            .domain("memory: {guest: 1Gi}")
            .device("rng: {}")
            .device(self.devices);
        if self.devices.contains("interfaces") {
            vm = vm.spec("networks: [{name: default, pod: {}}]");
        }
        match self.annotation {
            Some((key, value)) => vm.annotation(key, value).yaml(),
            None => vm.yaml(),
        }
    }

    /// Whether `check` finds it.
    fn warned_of(&self, code: &str) -> bool {
        let text = self.text();
        // What the model's guest needs.
        let options = Options { boot: Duration::from_secs(19), ..Options::default() };
        let checks = check(&text, &options).unwrap_or_else(|e| panic!("{e}\n{text}"));
        checks.manifests[0].findings.iter().any(|f| f.rule.code == code)
    }

    fn run(&self, steps: &str) -> Vec<Entry> {
        let text = self.text();
        let vm = manifest::read("vm.yaml", &text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let scenario = scenario().guest(self.guest).steps(steps).observe("10m").build();
        let (_, trace, _) = world::run(&vm, &scenario.spec, Config::default(), Timings::default());
        trace.sorted()
    }
}

#[test]
fn what_check_warns_of_happens_and_its_mend_helps() {
    let mut wrong = Vec::new();
    for Demonstration { code, hazard, mended, steps, claim } in DEMONSTRATIONS {
        for (vm, is_hazard) in [(hazard, true), (mended, false)] {
            let what = if is_hazard { "the hazard" } else { "the mended VM" };
            if vm.warned_of(code) != is_hazard {
                wrong.push(format!("{code}: check is wrong about {what}\n{}", vm.text()));
            }
            let trace = vm.run(steps);
            if claim(&trace) != is_hazard {
                let shown: Vec<String> = trace.iter().map(|e| format!("{} {} {}", e.at, e.vmi, e.event)).collect();
                wrong.push(format!("{code}: what happens with {what} is not what is said\n{}", shown.join("\n")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Nothing of it ever runs: there is no VM, or one whose VMI or pod is refused again and again, which two of these layers' rules show.
fn is_refused(rule: &Rule) -> bool {
    rule.layer.refuses()
}

#[test]
fn every_rule_is_shown_or_there_is_a_reason() {
    for rule in rules() {
        let shown = DEMONSTRATIONS.iter().any(|d| d.code == rule.code);
        let excused = NOT_SHOWN.iter().any(|(word, why)| *word == rule.code && !why.is_empty());
        assert!(!(shown && excused), "{}: shown and excused", rule.code);
        assert!(shown || excused || is_refused(rule), "{}: neither shown nor excused", rule.code);
    }
}

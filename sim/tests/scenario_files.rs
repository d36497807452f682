//! Scenario files: unknown keys, unknown words and impossible values are refused with their place.

use std::time::Duration;
use vmhealth_sim::cluster::{DomainEvent, Exit};
use vmhealth_sim::fixture::{scenario, vm};
use vmhealth_sim::manifest::{Port, Probe};
use vmhealth_sim::scenario::{GuestProfile, Pattern, Scenario, UserRequest, json_schema};
use vmhealth_sim::trace::{Event, VmReady, VmStatus};

const GOOD: &str = "apiVersion: vmhealth.dev/v1alpha1
kind: Scenario
metadata: {id: a/b/c, summary: s}
spec:
  manifest: vm.yaml
  steps:
    - {after: guest ready, plus: 2s, fault: kernelPanic}
    - fault: {stopAgent: {for: 15s}}
  expect:
    - {see: qemu WATCHDOG reset, within: 8s..12s}
  final: {vm: Running}
";

#[test]
fn a_good_file_is_read() {
    Scenario::read(GOOD).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn what_is_refused() {
    let mut shown = String::new();
    for (from, to) in [
        ("v1alpha1", "v9"),
        ("kind: Scenario", "kind: Scene"),
        ("id: a/b/c", "id: A/b"),
        ("manifest: vm.yaml", "manifest: vm.yaml\n  manifset: x"),
        ("see: qemu WATCHDOG reset", "see: qemu WATCHDGO"),
        ("see: qemu WATCHDOG reset", "see: quemu WATCHDOG"),
        ("within: 8s..12s", "within: 12s..8s"),
        ("within: 8s..12s", "within: soon"),
        (", within: 8s..12s", ""),
        ("within: 8s..12s", "from: fault kernelPanic, within: 8s..12s"),
        ("fault: kernelPanic", "fault: kernelpanic"),
        ("fault: kernelPanic", "fault: kernelPanic, user: start"),
        ("plus: 2s", "plus: 2"),
        ("for: 15s", "until: 15s"),
        ("    - {see: qemu WATCHDOG reset, within: 8s..12s}\n", "    []\n"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let error = Scenario::read(&GOOD.replace(from, to)).expect_err(to);
        shown.push_str(&format!("{to:?}\n  {error}\n"));
    }
    insta::assert_snapshot!(shown);
}

/// Three words of small letters, digits and dashes.
#[test]
fn what_an_id_is() {
    for (id, is_taken) in [
        ("a/b/c", true),
        ("kernel-panic/http2/a-1", true),
        ("a/b", false),
        ("a/b/c/d", false),
        ("a//c", false),
        ("A/b/c", false),
        ("a/b/c_d", false),
    ] {
        let read = Scenario::read(&GOOD.replace("a/b/c", id));
        assert_eq!(read.is_ok(), is_taken, "{id}: {read:?}");
    }
}

#[test]
fn what_a_tag_says() {
    for (tags, is_slow) in [("", false), (", tags: [quick]", false), (", tags: [slow]", true)] {
        let text = GOOD.replace("summary: s", &format!("summary: s{tags}"));
        assert_eq!(Scenario::read(&text).map(|s| s.is_slow()).ok(), Some(is_slow), "{tags}");
    }
}

/// The words after `see:`, `after:` and `from:`, and what is said about them; empty: they can be seen.
const EVENTS: &[(&str, &str)] = &[
    // Only of what breaks outside of the guest is the end said.
    ("fault networkLoss over", ""),
    ("fault diskFull over", "expected one of begun, confirmed, failed"),
    ("vm", ""),
    ("vm status Migrating", ""),
    ("qemu WATCHDOG poweroff", ""),
    ("qemu EXIT status 137", ""),
    ("guest petter some-process", ""),
    ("vmi synchronized False Synchronizing with the Domain failed.", ""),
    ("vm ready False VMINotExists", ""),
    ("fault kernelPanic", ""),
    (
        "qemu WATCHDOG poweorff",
        "\"qemu WATCHDOG\" is never followed by \"poweorff\": did you mean \"poweroff\"? \
         expected one of poweroff, reset, shutdown, pause, none",
    ),
    ("quemu WATCHDOG", "no event begins with \"quemu\": did you mean \"qemu\"? expected one of vm, vmi, pod,"),
    ("QEMU", "no event begins with \"QEMU\": did you mean \"qemu\"?"),
    ("", "no event begins with \"\": expected one of vm, vmi, pod,"),
    ("vm status running", "did you mean \"Running\"?"),
    ("vmi ready False VMINotExists", "\"vmi ready False\" is never followed by \"VMINotExists\""),
    ("vm condition Paused False", "\"vm condition Paused\" is never followed by \"False\": expected one of True, gone"),
    ("vmi event ShutingDown", "did you mean \"ShuttingDown\"?"),
    ("user stop acepted", "did you mean \"accepted\"?"),
    ("traffic refused twice", "\"traffic refused\" is never followed by \"twice\": it ends there"),
    ("readiness attempt 4", "\"readiness attempt\" is never followed by \"4\": expected one of 1, 2, 3"),
    ("qemu EXIT signal KILL", "\"qemu EXIT signal\" is never followed by \"KILL\": expected a number"),
    ("fault kernelpanic begun", "did you mean \"kernelPanic\"?"),
    ("fault killQemu done", "expected one of begun, confirmed, failed"),
];

#[test]
fn every_word_of_an_event_is_checked() {
    for (words, expected) in EVENTS {
        for place in ["never:\n    - see: ", "never:\n    - see: guest ready\n      after: "] {
            let file = GOOD.replace("  final:", &format!("  {place}{words:?}\n  final:"));
            match Scenario::read(&file) {
                Ok(_) => assert_eq!(*expected, "", "{words:?} was taken"),
                Err(e) => {
                    let found = e.to_string();
                    assert!(!expected.is_empty() && found.contains(expected), "{words:?}: {found}");
                }
            }
        }
    }
}

/// Whatever the model shows can be named.
#[test]
fn events_are_named_by_the_beginning_of_their_texts() {
    let killed = Event::Qemu(DomainEvent::Exited(Exit::Signal(9)));
    let petter = Event::WatchdogHolder("wd_keepalive".into());
    for (pattern, event, matches) in [
        ("qemu", &killed, true),
        ("qemu EXIT", &killed, true),
        ("qemu EXIT signal 9", &killed, true),
        ("qemu EXIT signal 15", &killed, false),
        ("qemu EXIT status", &killed, false),
        ("guest petter", &petter, true),
        ("guest petter wd_keepalive", &petter, true),
        ("guest petter nobody", &petter, false),
        ("guest ready", &petter, false),
        ("vm ready False VMINotExists", &Event::VmReady(VmReady::NoVmi), true),
        ("vm status Migrating", &Event::VmStatus(VmStatus::Migrating), true),
    ] {
        let text = event.to_string();
        let pattern = Pattern::try_from(pattern.to_owned()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(pattern.matches(event), matches, "{pattern} and {text}");
    }
}

/// What is changed in the file, and how each problem begins that is said then, in the order of the file.
type Wrongs = (&'static [(&'static str, &'static str)], &'static [&'static str]);

const SEVERAL: &[Wrongs] = &[
    (
        &[("guest ready", "guest redy"), ("kernelPanic", "kernelpanic"), ("WATCHDOG reset", "WATCHDOG rest")],
        &[
            "7:15: \"guest\" is never",
            "7:44: unknown variant `kernelpanic`: did you mean `kernelPanic`?",
            "10:13: \"qemu WATCHDOG\" is never",
        ],
    ),
    (
        &[("id: a/b/c", "id: A"), ("fault: kernelPanic", "user: start, fault: kernelPanic"), ("vm: Running", "")],
        &["3:12: metadata.id: \"A\" is not", "7:7: spec.steps[0]: expected exactly one"],
    ),
    // Below a misspelt key, which a later one that is like none does not hide, and in what has the right shape.
    (
        &[
            ("id: a/b/c", "id: A"),
            ("  steps:", "  stepz:"),
            ("plus: 2s", "plus: 2"),
            ("  final:", "  nonsense: 1\n  final:"),
        ],
        &[
            "3:12: metadata.id:",
            "6:3: unknown field `stepz`: did you mean `steps`?",
            "7:34: \"2\" is not a span",
            "11:3: unknown",
        ],
    ),
    // A part that is wrong, and others that do not depend on it.
    (
        &[("id: a/b/c", "id: A"), ("within: 8s..12s", "within: soon"), ("fault: kernelPanic", "fault: killWatchdog")],
        &["3:12: metadata.id:", "7:7: spec.steps[0]: killWatchdog needs", "10:42: \"soon\" is not a window"],
    ),
    (
        &[("  steps:", "  traffic: {port: 80, every: 0s}\n  steps:"), ("plus: 2s", "plus: 2")],
        &["6:23: spec.traffic.every: a span longer than 0s is needed", "8:34: \"2\" is not a span"],
    ),
    // What only comes of what was taken out is not said: of a step without its fault, of a fault that lacks what the guest would have.
    (
        &[("kernelPanic", "{stopAgent: {for: soon}}"), ("{for: 15s}", "{for: never}")],
        &["7:63: \"soon\" is not a span", "8:32: \"never\" is not a span"],
    ),
    (
        &[
            ("  steps:", "  guest: {watchdogDaemon: {heartbeatSeconds: x}}\n  steps:"),
            ("kernelPanic", "killWatchdog"),
            ("vm: Running", "vn: Running"),
        ],
        &["6:46: ", "12:11: unknown field `vn`, expected one of vm,"],
    ),
    // What is not there, and a key that comes again.
    (
        &[("  manifest: vm.yaml\n", ""), ("vm: Running", "vm: Running, vm: Stopped, vmi: 1")],
        &["5:3: missing field `manifest`", "10:24: \"vm\" comes again", "10:42: \"1\" is no phase"],
    ),
    // What the key that nothing reads may have been meant for is not said to be missing.
    (&[("kernelPanic", "{stopAgent: {til: 3s}}")], &["7:58: unknown field `til`, expected one of for"]),
    // A list is no mapping, and a number that only its field can hold is none of the problems.
    (
        &[
            ("{id: a/b/c, summary: s}", "[a/b/c, s, []]"),
            ("  steps:", "  seed: 18446744073709551615\n  steps:"),
            ("vm: Running", "vn: Running"),
        ],
        &["3:11: expected a mapping, found a list", "12:11: unknown field `vn`"],
    ),
    // The problem of what was put right stands where the file has it.
    (
        &[("  steps:", "  gest: {servesProbes: true}\n  steps:"), ("WATCHDOG reset", "WATCHDOG rest")],
        &[
            "6:3: unknown field `gest`: did you mean `guest`?",
            "6:3: spec.guest: servesProbes",
            "11:13: \"qemu WATCHDOG\" is never",
        ],
    ),
    // Behind what is no YAML nobody knows what is what.
    (&[("id: a/b/c", "id: [a"), ("kernelPanic", "kernelpanic")], &["3:"]),
];

#[test]
fn all_problems_are_reported_at_once() {
    for (replaced, expected) in SEVERAL {
        let file = replaced.iter().fold(GOOD.to_owned(), |file, (from, to)| {
            assert!(file.contains(from), "{from}");
            file.replacen(from, to, 1)
        });
        let error = Scenario::read(&file).expect_err("it is wrong");
        let found: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
        let fits = found.iter().zip(*expected).all(|(found, expected)| found.starts_with(expected));
        assert!(fits && found.len() == expected.len(), "{file}{error}\nexpected {expected:#?}");
    }
}

/// A bounded number of them, and a word that there are more.
#[test]
fn not_everything_is_said_of_very_much() {
    let bad = "    - {plus: x}\n".repeat(150);
    let error = Scenario::read(&GOOD.replace("  expect:\n", &format!("{bad}  expect:\n"))).expect_err("it is wrong");
    let last = error.problems.last().map(ToString::to_string).unwrap_or_default();
    assert_eq!(error.problems.len(), 101, "{error}");
    assert!(last.ends_with("and perhaps more: these are the first that were found"), "{last}");
}

/// In place of the last step; empty: it can be. A disk that fails already cannot be made to fail, and nothing waits for ever.
#[test]
fn which_steps_cannot_be() {
    let overlap = |step| {
        let place = format!(
            "spec.steps[{step}].fault.ioError: the disk may still fail by that of spec.steps[0], which lasts 15s"
        );
        format!("{}: {place}: expected after: fault ioError over, or a plus of more than 15s", 7 + step)
    };
    let one = "fault: {ioError: {for: 15s}}";
    let after = |plus: &str| format!("{one}\n    - {{{plus}, fault: {{ioError: {{for: 5s, error: noSpace}}}}}}");
    for (step, expected) in [
        (after("plus: 15s"), overlap(1)),
        (after("after: vmi phase Running"), overlap(1)),
        (after("plus: 15001ms"), String::new()),
        (after("after: fault ioError over"), String::new()),
        (after("plus: 10s, user: pause}\n    - {plus: 5s"), overlap(2)),
        (after("plus: 10s, user: pause}\n    - {plus: 6s"), String::new()),
        ("fault: {slowBoot: {by: 1h}}".into(), String::new()),
        ("fault: {slowBoot: {by: 9000000000000000000s}}".into(), "expected at most 1h".into()),
        ("fault: {longReboot: {reboots: 2, each: 1h}}".into(), String::new()),
        ("user: {edit: {terminationGracePeriodSeconds: 5}}".into(), String::new()),
        ("user: {edit: {domain: {cpu: {sockets: 2}}}}".into(), "a live migration to its probes".into()),
        (
            "user: {edit: {readinessProbe: {}}}".into(),
            "expected one of httpGet, tcpSocket, exec, guestAgentPing".into(),
        ),
        ("fault: {networkLoss: {for: 5s, delay: 100ms}}".into(), String::new()),
        ("fault: {networkLoss: {for: 5s, delay: 99ms}}".into(), "networkLoss.delay: expected 100ms to 10m".into()),
        ("fault: {networkLoss: {for: 5s, delay: 10m}}".into(), String::new()),
        ("fault: {networkLoss: {for: 5s, delay: 10m1ms}}".into(), "networkLoss.delay: expected 100ms to 10m".into()),
        ("fault: {networkLoss: {for: 5s, delay: 1s, direction: in}}".into(), "a delay is of both directions".into()),
        ("fault: {networkLoss: {for: 5s, delay: 1s, direction: both}}".into(), String::new()),
        ("user: {scale: {replicas: 2}}".into(), "scale is of a VirtualMachinePool".into()),
        ("fault: {longReboot: {reboots: 2, each: 3601s}}".into(), "expected at most 1h".into()),
    ] {
        let steps = format!("    - {step}\n  expect:");
        let (head, rest) = GOOD.split_once("    - {after: guest ready").unwrap_or_default();
        let (_, rest) = rest.split_once("  expect:").unwrap_or_default();
        let said = Scenario::read(&format!("{head}{steps}{rest}")).err().map(|e| e.to_string()).unwrap_or_default();
        // Without the column.
        let [line, _, problem] = said.splitn(3, ':').collect::<Vec<_>>()[..] else {
            assert_eq!(said, expected, "{step}");
            continue;
        };
        let fits = if !expected.starts_with(char::is_numeric) {
            !expected.is_empty() && problem.contains(&expected)
        } else {
            format!("{line}:{problem}") == expected
        };
        assert!(fits, "{step}: {said}");
    }
}

/// What `spec.guest` says, and what is said about it; empty: it is taken. Which device there is, the manifest says: here the longest
/// heartbeat that any of them takes is the limit.
const GUESTS: &[(&str, &str)] = &[
    ("watchdogDaemon: {heartbeatSeconds: 2, keepalive: masked}", "watchdogDaemon.heartbeatSeconds: the daemon and the"),
    ("watchdogDaemon: {heartbeatSeconds: 3, keepalive: masked}", ""),
    ("watchdogDaemon: {heartbeatSeconds: 3600, keepalive: masked}", ""),
    ("watchdogDaemon: {heartbeatSeconds: 3601, keepalive: masked}", "the daemon and the devices take 3 to 3600"),
    ("watchdogBySystemd: {heartbeatSeconds: 0}", "watchdogBySystemd.heartbeatSeconds: the devices take 1 to 3600"),
    ("watchdogBySystemd: {heartbeatSeconds: 1}", ""),
    ("watchdogBySystemd: {heartbeatSeconds: 20, keepalive: masked}", "unknown field `keepalive`"),
    ("watchdogByBusybox: {heartbeatSeconds: 4}", ""),
    ("watchdogByBusybox: {heartbeatSeconds: 4, every: 3999ms}", ""),
    ("watchdogByBusybox: {heartbeatSeconds: 4, every: 1ms}", ""),
    ("watchdogByBusybox: {heartbeatSeconds: 4, every: 4s}", "watchdogByBusybox.every: expected 1ms or more, and less"),
    ("watchdogByBusybox: {heartbeatSeconds: 4, every: 0s}", "watchdogByBusybox.every: expected 1ms or more"),
    (
        "watchdogBySystemd: {heartbeatSeconds: 20}, watchdogByBusybox: {heartbeatSeconds: 4}",
        "watchdogBySystemd and watchdogByBusybox are set together: one pets the watchdog; keep one",
    ),
    (
        "watchdogBySystemd: {heartbeatSeconds: 20}, ownWatchdogDaemon: true",
        "watchdogBySystemd and ownWatchdogDaemon are set together",
    ),
    // Its last step stops the agent.
    ("noAgent: true", "spec.steps[1]: stopAgent needs spec.guest.noAgent: false, for there is no agent to break"),
    ("noAgent: false", ""),
    ("servesProbes: true", "servesProbes is about the health server"),
];

#[test]
fn what_a_guest_may_be() {
    for (guest, expected) in GUESTS {
        let file = GOOD.replace("  steps:", &format!("  guest: {{{guest}}}\n  steps:"));
        let said = Scenario::read(&file).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{guest}: {said}");
    }
}

/// Who pets the watchdog, with which heartbeat, and how often where that is known (qemu-watchdog.md 8): as it is given, and with another
/// heartbeat.
#[test]
fn who_pets() {
    let seconds = Duration::from_secs;
    for (guest, [given, other]) in [
        ("watchdogDaemon: {heartbeatSeconds: 20, keepalive: masked}", [None, None]),
        ("watchdogBySystemd: {heartbeatSeconds: 20}", [Some(seconds(10)), Some(seconds(4))]),
        ("watchdogByBusybox: {heartbeatSeconds: 20}", [Some(seconds(10)), Some(seconds(4))]),
        ("watchdogByBusybox: {heartbeatSeconds: 20, every: 3s}", [Some(seconds(3)); 2]),
    ] {
        let mut profile = scenario().guest(guest).build().spec.guest;
        let petting = |profile: &GuestProfile| profile.petting().map(|p| (p.heartbeat_seconds, p.every));
        assert_eq!(petting(&profile), Some((20, given)), "{guest}");
        profile.set_heartbeat(8);
        assert_eq!(petting(&profile), Some((8, other)), "{guest}");
    }
}

/// What an edit does not name stays as it is.
#[test]
fn what_an_edit_changes() {
    let before = vm().readiness_http(1).liveness_http(2).spec("terminationGracePeriodSeconds: 7").build().vmi;
    let port = |probe: &Option<Probe>| probe.as_ref().and_then(|p| p.handler.port().cloned());
    for (edit, readiness, liveness, grace) in [
        ("{terminationGracePeriodSeconds: 5}", Some(1), Some(2), 5),
        ("{livenessProbe: {tcpSocket: {port: 3}}}", Some(1), Some(3), 7),
        ("{livenessProbe: null}", Some(1), None, 7),
        ("{readinessProbe: {tcpSocket: {port: 3}}}", Some(3), Some(2), 7),
        ("{readinessProbe: null, terminationGracePeriodSeconds: 0}", None, Some(2), 0),
    ] {
        let steps = scenario().steps(&format!("{{user: {{edit: {edit}}}}}")).build().spec.steps;
        let Some(UserRequest::Edit(edit)) = &steps[0].user else { panic!("{steps:?}") };
        let after = edit.apply(&before).unwrap_or_else(|e| panic!("{e}"));
        let found = (port(&after.readiness), port(&after.liveness), after.grace.seconds);
        assert_eq!(found, (readiness.map(Port::Number), liveness.map(Port::Number), grace), "{edit:?}");
    }
}

/// A fault needs what it breaks, whoever pets the watchdog.
#[test]
fn which_faults_need_what() {
    let daemon = "needs spec.guest.watchdogDaemon or watchdogByBusybox";
    let agent = "needs spec.guest.noAgent: false";
    for (guest, fault, expected) in [
        ("", "killWatchdog", daemon),
        ("watchdogBySystemd: {heartbeatSeconds: 20}", "killWatchdog", daemon),
        ("watchdogBySystemd: {heartbeatSeconds: 20}", "{oomKill: {of: watchdog}}", daemon),
        ("watchdogBySystemd: {heartbeatSeconds: 20}", "kernelPanic", ""),
        ("watchdogByBusybox: {heartbeatSeconds: 4}", "stopWatchdog", ""),
        ("noAgent: true", "killAgent", agent),
        ("noAgent: true", "{hangAgent: {for: 5s}}", agent),
        ("noAgent: true", "{fsFreeze: {for: 5s}}", agent),
        ("noAgent: true", "{oomKill: {of: agent}}", agent),
        ("noAgent: true", "{nmi: {unknownNmiPanic: true}}", ""),
        ("noAgent: true", "powerButton", ""),
        ("", "{health: stop}", "needs spec.guest.healthServer"),
        ("healthServer: true", "{health: stop}", ""),
    ] {
        let file = GOOD.replace("  steps:", &format!("  guest: {{{guest}}}\n  steps:"));
        let file = file.replace("fault: {stopAgent: {for: 15s}}", &format!("fault: {fault}"));
        let said = Scenario::read(&file).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{guest} {fault}: {said}");
    }
}

#[test]
fn the_schema_for_editors() {
    let schema = format!("{:#}", json_schema().to_value());
    insta::assert_snapshot!(schema);
}

//! What a VMI answers to a user in each of its states, and which events tell of its end (kubevirt-health.md 2.8, 5, 11); each row was
//! missing until a mutant survived.

use vmhealth_sim::engine::Config;
use vmhealth_sim::fixture::{self, scenario};
use vmhealth_sim::scenario::Verdict;
use vmhealth_sim::trace::Entry;
use vmhealth_sim::world::{self, Timings};

/// Runs the steps, and what is seen of VMI 1 and of users that begins with one of the words, a severity behind events.
fn seen(spec: &str, steps: &str, words: &[&str]) -> Vec<String> {
    seen_by("v1.9.0", spec, steps, words)
}

fn seen_by(version: &str, spec: &str, steps: &str, words: &[&str]) -> Vec<String> {
    let vm = spec.lines().fold(fixture::vm().strategy("Manual"), |vm, line| vm.spec(line)).build();
    let file = scenario().spec(&format!("kubevirtVersion: {version}")).observe("2m");
    let start = "{user: start}, ".to_owned();
    let file = file.steps(&(start + steps)).expect("{see: vm status, within: 0s..1h}").build();
    let (_, trace, _) = world::run(&vm, &file.spec, Config::default(), Timings::default());
    let mut lines = Vec::new();
    for entry in trace.sorted().iter().filter(|e| e.vmi <= 1) {
        let line = entry.event.to_string();
        let wanted = words.iter().any(|word| line.starts_with(word)) && !line.starts_with("user start");
        let severity = entry.detail.split(':').next().filter(|s| line.contains("event") && *s == "Warning");
        lines.extend(wanted.then(|| severity.map_or(line.clone(), |severity| format!("{line} {severity}"))));
    }
    lines
}

#[test]
fn what_a_user_is_answered() {
    for (steps, answers) in [
        ("{after: vmi phase Scheduled, user: pause}", &["user pause refused"][..]),
        (
            "{after: guest ready, user: pause}, {after: vmi paused True, user: pause}",
            &["user pause accepted", "user pause refused"],
        ),
        ("{after: guest ready, user: deleteVmi}, {user: pause}", &["user deleteVmi accepted", "user pause refused"]),
        ("{after: guest ready, user: unpause}", &["user unpause refused"]),
        (
            "{after: guest ready, user: pause}, {after: vmi paused True, user: unpause}",
            &["user pause accepted", "user unpause accepted"],
        ),
        ("{after: vmi phase Scheduled, user: {migrate: {for: 5s}}}", &["user migrate refused"]),
        (
            "{after: guest ready, user: {migrate: {for: 5s}}}, {user: {migrate: {for: 5s}}}",
            &["user migrate accepted", "user migrate refused"],
        ),
        (
            "{after: guest ready, fault: guestPoweroff}, {after: vmi phase Succeeded, user: deletePod}",
            &["user deletePod refused"],
        ),
        (
            "{after: guest ready, user: deletePod}, {user: deleteVmi}",
            &["user deletePod accepted", "user deleteVmi accepted"],
        ),
    ] {
        assert_eq!(seen("", steps, &["user"]), answers, "{steps}");
    }
}

/// A drain's migration that has failed and waits is the VMI's only one: a user's beside it, and that of a second drain, are refused
/// (KubeVirt admits one unfinished migration of a VMI), and the waits go on growing.
#[test]
fn a_migration_that_waits_is_the_only_one() {
    let vm = fixture::vm().strategy("Always").spec("evictionStrategy: LiveMigrate");
    let probe = "httpGet: {port: 1500, path: /healthz}, initialDelaySeconds: 40, periodSeconds: 2, failureThreshold: 4";
    let vm = vm.liveness(probe).build();
    let steps = "{after: liveness attempt 1, plus: 2s, user: {drain: {for: 3m}}}, \
                 {after: vm status Running, plus: 2s, user: {migrate: {for: 5s}}}, \
                 {after: vm status Running, plus: 2s, user: {drain: {for: 4m}}}";
    let file = scenario().guest("healthServer: true").steps(steps).observe("7m");
    let file = file.expect("{see: vm status, within: 0s..1h}").build();
    let (_, trace, _) = world::run(&vm, &file.spec, Config::default(), Timings::default());
    let said = |e: &Entry| Some((e.at, e.event.to_string())).filter(|(_, said)| said.starts_with("user"));
    let users: Vec<String> = trace.entries().iter().filter_map(said).map(|(_, said)| said).collect();
    assert_eq!(users, ["user drain refused", "user migrate refused", "user drain refused"]);
    let mut waits = Vec::new();
    let mut ended = None;
    for entry in trace.entries() {
        match entry.event.to_string().as_str() {
            "vm status Running" => ended = Some(entry.at),
            "vm status Migrating" => waits.extend(ended.map(|ended| entry.at.since(ended).as_secs())),
            _ => {}
        }
    }
    assert_eq!(waits[1..], [20, 40, 80], "the first is from the start on");
}

/// The cluster goes by what it knew last, and hears the rest when the node is back.
#[test]
fn what_is_known_of_a_node_that_is_lost() {
    let lost = "fault nodeLost confirmed";
    let over = "fault nodeLost over";
    let killed = ["pod event Killing", "vmi agent gone", "vmi phase Succeeded"];
    for (steps, news) in [
        ("{nodeLost: {for: 30s}}}", vec![lost, over]),
        ("{nodeLost: {}}}", vec![lost, "vmi ready False", "endpoints out", "vmi ready False PodTerminating"]),
        (
            "{nodeLost: {for: 70s}}}",
            vec![lost, "vmi ready False", "endpoints out", over, "vmi ready True", "endpoints in"],
        ),
        (
            "{nodeLost: {for: 30s}}}, {user: pause}, {user: unpause}, {user: {migrate: {for: 1s}}}",
            vec![lost, "user pause refused", "user unpause refused", "user migrate refused", over],
        ),
        (
            "{nodeLost: {for: 30s}}}, {user: deletePod}",
            [&[lost, "user deletePod accepted", "vmi ready False PodTerminating", "endpoints out", over][..], &killed]
                .concat(),
        ),
        (
            "{nodeLost: {for: 30s}}}, {fault: {stopAgent: {for: 5s}}}",
            vec![
                lost,
                "fault stopAgent begun",
                "fault stopAgent confirmed",
                over,
                "vmi agent gone",
                "vmi agent connected",
            ],
        ),
        (
            "{nodeLost: {for: 30s, by: powerLoss}}}",
            vec![lost, over, "vmi agent gone", "vmi phase Failed", "vmi ready False PodTerminating", "endpoints out"],
        ),
        (
            "{nodeLost: {}}}, {user: forceDeletePod}",
            vec![
                lost,
                "user forceDeletePod accepted",
                "vmi agent gone",
                "vmi phase Failed",
                "vmi ready False PodNotExists",
                "endpoints out",
            ],
        ),
    ] {
        let words = ["user", "pod event", "vmi phase", "vmi ready", "vmi agent", "endpoints", "fault"];
        let steps = format!("{{after: guest ready, fault: {steps}");
        let all = seen("", &steps, &words);
        let found: Vec<&str> = all.iter().map(String::as_str).skip_while(|line| *line != lost).collect();
        assert_eq!(found, news, "{steps}");
    }
}

/// Only what was ready with its gates stays so, a paused VM has none, and a pod that is being deleted is probed no more.
#[test]
fn a_kubelet_that_starts_anew() {
    let (pauses, goes_on) =
        ("{after: endpoints in, user: pause}", "{after: vmi paused True, user: {restartKubelet: {}}}, {user: unpause}");
    for (steps, seen_then) in [
        (
            "{after: endpoints in, user: {restartKubelet: {}}}".to_owned(),
            &["user restartKubelet accepted", "readiness result Success"][..],
        ),
        (
            format!("{pauses}, {goes_on}"),
            &[
                "user pause accepted",
                "endpoints out",
                "user restartKubelet accepted",
                "user unpause accepted",
                "readiness result Success",
                "endpoints in",
            ],
        ),
        (
            "{after: endpoints in, user: deletePod}, {user: {restartKubelet: {}}}".to_owned(),
            &["user deletePod accepted", "endpoints out", "user restartKubelet accepted"],
        ),
        (
            "{after: endpoints in, fault: guestPoweroff}, {after: vmi phase Succeeded, user: {restartKubelet: {}}}"
                .to_owned(),
            &["endpoints out", "user restartKubelet refused"],
        ),
    ] {
        let all = seen(
            "readinessProbe: {guestAgentPing: {}, periodSeconds: 5}",
            &steps,
            &["user", "endpoints", "readiness result"],
        );
        let then: Vec<&str> =
            all.iter().map(String::as_str).skip_while(|line| *line != "endpoints in").skip(1).collect();
        assert_eq!(then, seen_then, "{steps}");
    }
}

/// Once, and only of a container that runs.
#[test]
fn when_the_kubelet_kills() {
    for (steps, kills) in [
        ("{after: guest ready, user: deletePod}, {user: deleteVmi}", 1),
        ("{after: guest ready, user: deleteVmi}", 1),
        ("{after: vmi phase Scheduling, user: deleteVmi}", 0),
    ] {
        assert_eq!(seen("", steps, &["pod event Killing"]).len(), kills, "{steps}");
    }
}

/// virt-handler tells how a domain ended; of one that it only misses, and of a pod that never had one, it tells less.
#[test]
fn events_of_an_end() {
    let end = |steps: &str| {
        let mut events = seen("", steps, &["vmi event"]);
        events.retain(|event| ["Deleted", "Stopped"].iter().any(|word| event.contains(word)));
        events
    };
    for (steps, events) in [
        ("{after: guest ready, fault: guestPoweroff}", &["vmi event Deleted", "vmi event Stopped"][..]),
        ("{after: guest ready, fault: killQemu}", &["vmi event Deleted", "vmi event Stopped Warning"]),
        ("{after: guest ready, fault: killLauncher}", &["vmi event Stopped Warning"]),
        ("{after: vmi phase Scheduling, user: deleteVmi}", &[]),
    ] {
        assert_eq!(end(steps), events, "{steps}");
    }
}

/// KubeVirt tells of a panic that ends the guest, from v1.8.0 on.
#[test]
fn who_is_told_of_a_panic() {
    for (version, told) in [("v1.7.0", 0), ("v1.8.0", 1)] {
        let device = "domain: {devices: {panicDevices: [{model: isa}]}}";
        let panics = seen_by(version, device, "{after: guest ready, fault: kernelPanic}", &["vmi event GuestPanicked"]);
        assert_eq!(panics.len(), told, "{version}");
    }
}

/// While its guest shuts down the VM says so.
#[test]
fn a_stop_is_shown_while_it_lasts() {
    let statuses = seen("", "{after: guest ready, user: stop}", &["vm status"]);
    let expected = ["vm status Starting", "vm status Running", "vm status Stopping", "vm status Stopped"];
    assert!(statuses.ends_with(&expected.map(str::to_owned)), "{statuses:?}");
}

/// `ready` of a scenario's final state is the VMI's condition.
#[test]
fn a_final_state_is_ready_or_not() {
    for (readiness, ready) in
        [("readinessProbe: {tcpSocket: {port: 9}}", false), ("terminationGracePeriodSeconds: 5", true)]
    {
        for expected in [true, false] {
            let file = scenario().expect("{see: guest ready, within: 0s..2m}").end(&format!("ready: {expected}"));
            let vm = fixture::vm().spec(readiness).build();
            let (verdict, ..) = world::run(&vm, &file.build().spec, Config::default(), Timings::default());
            assert_eq!(verdict == Verdict::Pass, expected == ready, "{readiness}: {verdict:?}");
        }
    }
}

/// A VMI that somebody deletes goes once it is final, also where the run strategy would keep it.
#[test]
fn a_deleted_vmi_goes() {
    let file = scenario()
        .steps("{user: start}, {after: guest ready, user: deleteVmi}")
        .expect("{see: vm status Stopped, from: user deleteVmi, within: 0s..2m}")
        .observe("10s")
        .end("vmi: none");
    let vm = fixture::vm().strategy("Manual").build();
    let (verdict, trace, _) = world::run(&vm, &file.build().spec, Config::default(), Timings::default());
    let lines: Vec<String> = trace.sorted().iter().map(|e| e.event.to_string()).collect();
    assert_eq!(verdict, Verdict::Pass, "{lines:#?}");
}

#[test]
fn a_pause_ends_when_a_user_says_so() {
    let steps = "{after: guest ready, user: pause}, {after: vmi paused True, user: unpause}";
    assert_eq!(seen("", steps, &["vmi paused"]), ["vmi paused True PausedByUser", "vmi paused gone"]);
}

/// virt-controller says that it deletes the pod, if there is one.
#[test]
fn a_deleted_pod_is_told_of() {
    for (steps, told) in
        [("{after: guest ready, user: deleteVmi}", 1), ("{after: vmi phase Pending, user: deleteVmi}", 0)]
    {
        assert_eq!(seen("", steps, &["vmi event SuccessfulDelete"]).len(), told, "{steps}");
    }
}

/// A liveness of Success before the guest has booted is no answer of the guest's; nor is what a kubelet begins with that starts anew.
#[test]
fn what_no_attempt_has_said() {
    let panic = "{after: guest ready, plus: 20s, fault: kernelPanic}";
    let restart = "{after: guest ready, plus: 20s, user: {restartKubelet: {resetsReady: true}}}";
    let booted = ["readiness result Failure, initial", "liveness result Success, initial", "readiness result Success"];
    for (steps, then) in [
        (panic, &["readiness result Failure", "liveness result Failure"][..]),
        (
            restart,
            // After a random part of each period, which the seed decides.
            &["liveness result Success, initial", "readiness result Failure, initial", "readiness result Success"],
        ),
    ] {
        let vm = fixture::vm().readiness("guestAgentPing: {}, periodSeconds: 5");
        let vm = vm.liveness("guestAgentPing: {}, initialDelaySeconds: 60").build();
        let file = scenario().observe("2m").steps(steps).expect("{see: vm status, within: 0s..1h}").build();
        let (_, trace, _) = world::run(&vm, &file.spec, Config::default(), Timings::default());
        let published =
            trace.sorted().into_iter().filter(|e| e.vmi == 1 && e.event.to_string().contains("ness result"));
        let line = |e: Entry| match e.detail.as_str() {
            "" => e.event.to_string(),
            detail => format!("{}, {}", e.event, detail.split(' ').next().unwrap_or_default()),
        };
        let lines: Vec<String> = published.map(line).collect();
        assert_eq!(lines, [&booted[..], then].concat(), "{steps}");
    }
}

//! What users ask of a VM, where its state, the release of KubeVirt or the moment decides what comes of it (kubevirt-health.md 2.8, 3.4,
//! 7, 8).

use vmhealth_sim::engine::Config;
use vmhealth_sim::fixture::{Vm, scenario, vm};
use vmhealth_sim::world::{self, Timings};

const LATEST: &str = "v1.9.0";

/// Runs the steps of a guest with this profile; what is seen that begins with one of the words, in its order.
fn seen(version: &str, vm: &Vm, guest: &str, steps: &str, words: &[&str]) -> Vec<String> {
    let file = scenario().spec(&format!("kubevirtVersion: {version}")).guest(guest).steps(steps).observe("3m");
    let spec = file.expect("{see: guest ready, from: vm event SuccessfulCreate, within: 0s..1h}").build().spec;
    let (_, trace, _) = world::run(&vm.build(), &spec, Config::of(&spec, 1.0, false), Timings::default());
    let lines = trace.sorted().into_iter().map(|e| e.event.to_string());
    lines.filter(|line| words.iter().any(|word| line.starts_with(word))).collect()
}

/// `virtctl stop --force` of a VM that is being stopped already is accepted only if it has less time then than before.
#[test]
fn a_forced_stop_is_to_be_shorter() {
    let vm = vm().spec("terminationGracePeriodSeconds: 30");
    for (again, answer) in [(31, "refused"), (30, "refused"), (29, "accepted")] {
        let steps = format!(
            "{{after: guest ready, fault: kernelPanic}}, {{user: stop}}, {{user: {{forceStop: {{gracePeriod: {again}}}}}}}"
        );
        let answers = seen(LATEST, &vm, "", &steps, &["user"]);
        assert_eq!(answers, ["user stop accepted".to_owned(), format!("user forceStop {answer}")], "{again} s");
    }
}

/// It says that the VMI was made from another template; up to v1.7 it says so until there is another VMI.
#[test]
fn when_a_restart_is_required() {
    let (needed, gone) = ("vm condition RestartRequired True", "vm condition RestartRequired gone");
    let edit = "user: {edit: {terminationGracePeriodSeconds: 5}}}";
    let back = "{user: {edit: {terminationGracePeriodSeconds: 30}}}";
    let start = "{user: start}, {after: guest ready, ";
    for (version, steps, shown) in [
        (LATEST, format!("{start}{edit}, {back}"), &[needed, gone][..]),
        ("v1.7.4", format!("{start}{edit}, {back}"), &[needed]),
        ("v1.7.4", format!("{start}{edit}, {back}, {{user: restart}}"), &[needed, gone]),
        // Nothing was edited, or there is no VMI yet.
        (LATEST, format!("{start}user: pause}}"), &[]),
        ("v1.7.4", format!("{start}user: pause}}"), &[]),
        (LATEST, format!("{{{edit}, {{user: start}}"), &[]),
    ] {
        let vm = vm().strategy("Manual").spec("terminationGracePeriodSeconds: 30");
        assert_eq!(seen(version, &vm, "", &steps, &["vm condition RestartRequired"]), shown, "{version} {steps}");
    }
}

/// Pings of a VMI that is annotated are answered without its guest, from v1.9 on and until the annotation is gone.
#[test]
fn whose_pings_are_paused() {
    let annotation = "kubevirt.io/pause-guest-agent-probes";
    let annotated = |value: &str| format!("{{after: guest ready, user: {{annotate: {{{annotation}: '{value}'}}}}}}");
    for (version, steps, fails) in [
        (LATEST, annotated("true"), false),
        (LATEST, annotated("false"), true),
        (LATEST, format!("{}, {{user: {{removeAnnotation: {annotation}}}}}", annotated("true")), true),
        ("v1.8.2", annotated("true"), true),
    ] {
        let vm = vm().readiness("guestAgentPing: {}, periodSeconds: 5");
        let steps = format!("{steps}, {{plus: 10s, fault: {{stopAgent: {{for: 1m}}}}}}");
        let results = seen(version, &vm, "", &steps, &["readiness result", "fault stopAgent begun"]);
        let after = results.iter().skip_while(|line| !line.starts_with("fault"));
        assert_eq!(after.into_iter().any(|line| line == "readiness result Failure"), fails, "{version} {steps}");
    }
}

/// A guest that moves cannot answer its agent's pings, which is forgiven; whoever connects to it meets what there is.
#[test]
fn only_pings_are_forgiven() {
    for (probe, answer) in [("guestAgentPing: {}", "Success"), ("tcpSocket: {port: 9}", "Failure")] {
        let vm = vm().readiness(&format!("{probe}, periodSeconds: 5"));
        let steps = "{after: guest ready, fault: killAgent}, {user: {migrate: {for: 30s}}}";
        let words = ["readiness answer", "user migrate", "vm status"];
        let all = seen(LATEST, &vm, "", steps, &words);
        let meanwhile = all.iter().skip_while(|line| *line != "user migrate accepted").skip(2);
        let answers: Vec<&String> = meanwhile.take_while(|line| line.starts_with("readiness")).collect();
        assert!(answers.len() > 3 && answers.iter().all(|line| line.ends_with(answer)), "{probe}: {all:?}");
    }
}

/// A drain's migration that waits to be tried again goes with its VMI: the next one stays where it is.
#[test]
fn a_migration_that_waits_ends_with_its_vmi() {
    let probe = "httpGet: {port: 1500, path: /healthz}, initialDelaySeconds: 40, periodSeconds: 2, failureThreshold: 4";
    let vm = vm().spec("evictionStrategy: LiveMigrate").liveness(probe);
    let drain = "{after: liveness attempt 1, plus: 2s, user: {drain: {for: 3m}}}";
    for (then, migrations) in [("", 2), (", {after: vm status Running, plus: 2s, user: deleteVmi}", 1)] {
        let statuses = seen(LATEST, &vm, "healthServer: true", &format!("{drain}{then}"), &["vm status Migrating"]);
        assert_eq!(statuses.len(), migrations, "{then}");
    }
}

/// What was broken of a VMI that is gone is not said to be whole again, of its successor even less.
#[test]
fn no_fault_is_over_without_its_guest() {
    let loss = "{after: guest ready, fault: {networkLoss: {for: 1m}}}";
    let over = "fault networkLoss over";
    for (steps, said) in [
        (loss.to_owned(), &[over][..]),
        (format!("{loss}, {{fault: guestPoweroff}}"), &[]),
        (format!("{loss}, {{user: deleteVmi}}"), &[]),
    ] {
        assert_eq!(seen(LATEST, &vm(), "", &steps, &[over]), said, "{steps}");
    }
}

/// A VM whose node is lost hears nothing of it, whatever state it was in.
#[test]
fn a_lost_node_lets_no_guest_go_on() {
    let steps =
        "{after: guest ready, user: pause}, {after: vmi paused True, fault: {nodeLost: {for: 30s}}}, {user: unpause}";
    assert_eq!(seen(LATEST, &vm(), "", steps, &["user"]), ["user pause accepted", "user unpause refused"]);
}

/// The VM's own Ready is its VMI's, and False without one.
#[test]
fn when_a_vm_is_ready() {
    let expected = [
        "vm ready False PodNotExists",
        "vm ready False GuestNotRunning",
        "vm ready True",
        "vm ready False PodTerminating",
        "vm ready False VMINotExists",
    ];
    let steps = "{user: start}, {after: guest ready, user: stop}";
    assert_eq!(seen(LATEST, &vm().strategy("Manual"), "", steps, &["vm ready"]), expected);
}

/// What vmhealth itself has at the agent's port is none of the cluster's, which knows of no agent then.
#[test]
fn a_guest_without_an_agent_is_ready_all_the_same() {
    for (guest, shown) in [("noAgent: true", &["guest ready"][..]), ("", &["vmi agent connected", "guest ready"])] {
        assert_eq!(seen(LATEST, &vm(), guest, "", &["vmi agent", "guest ready", "guest not-ready"]), shown, "{guest}");
    }
}

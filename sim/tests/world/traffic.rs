//! What becomes of the connections of a Service's clients, and of what a paused guest is asked.

use std::time::Duration;
use vmhealth_sim::engine::{Config, Connection};
use vmhealth_sim::fixture::{ScenarioFile, Vm, scenario, vm};
use vmhealth_sim::kubelet::{ProbeKind, Verdict};
use vmhealth_sim::trace::{Entry, Event};
use vmhealth_sim::world::{self, Timings};

fn run(vm: &Vm, file: ScenarioFile) -> Vec<Entry> {
    let spec = file.expect("{see: guest ready, withinGuest: 0s..5m}").build().spec;
    let (_, trace, _) = world::run(&vm.build(), &spec, Config::default(), Timings::default());
    trace.entries().to_vec()
}

/// Clients of port 1500 of a VM that forwards these ports, once the guest is ready and the fault is there. They wait for 2 s; without
/// a readiness probe nothing takes the pod out of the endpoints.
#[test]
fn who_reaches_the_service() {
    use Connection::{Delivered, Lost};
    let (server, all) = ("healthServer: true", "");
    for (guest, ports, fault, expected) in [
        (server, all, "{unit: {stop: cron.service}}", Delivered),
        (server, "ports: [{port: 1500}]", "{unit: {stop: cron.service}}", Delivered),
        (server, "ports: [{port: 22}]", "{unit: {stop: cron.service}}", Lost),
        ("", all, "{unit: {stop: cron.service}}", Lost),
        (server, all, "{health: stop}", Lost),
        (server, all, "{cpuHog: {for: 30s}}", Lost),
        (server, all, "kernelHang", Lost),
        (server, all, "{networkLoss: {for: 30s}}", Lost),
        // A request and its answer take three and a half of such spans on average.
        (server, all, "{networkLoss: {for: 30s, delay: 570ms}}", Delivered),
        (server, all, "{networkLoss: {for: 30s, delay: 572ms}}", Lost),
        (server, all, "{nodeLost: {for: 30s}}", Lost),
        (server, all, "{dropPort: {port: 1500, for: 30s}}", Lost),
        (server, all, "{dropPort: {port: 22, for: 30s}}", Delivered),
        (server, all, "{forkBomb: {for: 30s, limit: slice}}", Lost),
    ] {
        let vm = vm().device(&format!("interfaces: [{{name: default, masquerade: {{}}, {ports}}}]"));
        let vm = vm.spec("networks: [{name: default, pod: {}}]");
        let file = scenario().guest(guest).spec("traffic: {every: 1s, port: 1500}").observe("15s");
        let file = file.steps(&format!("{{after: guest ready, plus: 5s, fault: {fault}}}"));
        let entries = run(&vm, file);
        let begun = entries.iter().find(|e| matches!(e.event, Event::FaultConfirmed(_)));
        let then = begun.unwrap_or_else(|| panic!("{fault}")).at + Duration::from_secs(10);
        let last = entries.iter().rev().filter(|e| e.at <= then).find_map(|e| match e.event {
            Event::Traffic(outcome) => Some(outcome),
            _ => None,
        });
        assert_eq!(last, Some(expected), "{guest:?}, {ports:?}, {fault}");
    }
}

/// What was asked of a paused guest over the network is late, although the guest goes on before that.
#[test]
fn what_a_paused_guest_was_asked_over_the_network_is_late() {
    let vm = vm().readiness("httpGet: {port: 1500, path: /healthz}, periodSeconds: 10, timeoutSeconds: 8");
    let steps = "{after: readiness result Success, plus: 8s, user: pause}, {after: user pause accepted, plus: 5s, user: unpause}";
    let entries = run(&vm, scenario().guest("healthServer: true").steps(steps).observe("30s"));
    let answers = entries.iter().skip_while(|e| !matches!(e.event, Event::User(..))).filter_map(|e| match e.event {
        Event::Answered(ProbeKind::Readiness, verdict) => Some(verdict),
        _ => None,
    });
    assert_eq!(answers.take(2).collect::<Vec<_>>(), [Verdict::Failure, Verdict::Success]);
}

//! A fleet file to what comes of it: VMs that boot beside each other on one node.

use std::time::Duration;
use vmhealth_sim::fixture::vm;
use vmhealth_sim::fleet::{FleetFile, Outcome, Plan, Resolved, run_node, tip};
use vmhealth_sim::manifest::VirtualMachine;
use vmhealth_sim::scenario::GuestProfile;

fn plan(text: &str, manifest: &VirtualMachine) -> Plan {
    let file = FleetFile::read("fleet.yaml", text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let guest = GuestProfile { health_server: true, ..GuestProfile::default() };
    let resolved = Resolved { vm: manifest.clone(), guest };
    let groups = vec![resolved; file.spec.groups.len()];
    Plan::new(&file, groups).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn run(plan: &Plan, nodes: impl IntoIterator<Item = u32>) -> Outcome {
    let mut all = Outcome::new(plan.horizon(), plan.causes().len());
    nodes.into_iter().for_each(|node| all.add(&run_node(plan, node, &mut |_, _, _| ())));
    all
}

#[test]
fn look() {
    let manifest = vm()
        .readiness("httpGet: {port: 1500, path: /healthz}, initialDelaySeconds: 120, periodSeconds: 20, timeoutSeconds: 10, failureThreshold: 3, successThreshold: 3")
        .liveness("httpGet: {port: 1500, path: /healthz}, initialDelaySeconds: 120, periodSeconds: 20, timeoutSeconds: 10")
        .build();
    let text = "{apiVersion: vmhealth.dev/v1alpha1, kind: Fleet, metadata: {name: x}, spec: {for: 6h, nodes: {count: 2, bootsAtFullSpeed: 12}, groups: [{name: web, manifest: m, count: 120, boot: {from: 50s, to: 70s}}], incidents: [{at: 30m, nodeDown: {for: 5m}, nodes: 1}]}}";
    let plan = plan(text, &manifest);
    let begun = std::time::Instant::now();
    let o = run(&plan, 0..2);
    eprintln!("{:?} {:?}", begun.elapsed(), Outcome{down: vec![], minutes: Default::default(), recovery: Default::default(), ..o.clone()});
    eprintln!("{:?} {:?}", plan.causes(), o.recovery);
    eprintln!("{:?}", o.minutes);
    if o.settling.unsettled > 0 { eprintln!("{:?}", tip(&plan, 0)); }
    let _ = Duration::ZERO;
}

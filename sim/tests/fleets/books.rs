//! The books of a node.
use super::{plan, watched, run};
use vmhealth_sim::fixture::{Vm, vm};
use vmhealth_sim::fleet::{Outcome, run_node};
use vmhealth_sim::manifest::WatchdogAction;

fn show(name: &str, o: &Outcome) {
    let f = o.failures;
    eprintln!("FOUND {name}: faults {} restarts {} minutes {:?} kills {} false {} det {} pass {} never {} harmless {} rec {:?} down {} lost {:?} mis {} after {:?} unsettled {} worst {:?} storm {:?} changes {} steps {}",
        o.faults, o.restarts, o.minutes, o.kills, o.false_restarts, f.detected, f.passed, f.never, f.harmless, o.recovery, o.still_down, o.lost.iter().map(|n| n/1_000_000).collect::<Vec<_>>(), o.misrouted/1_000_000, o.settling.after, o.settling.unsettled, o.settling.worst, o.storm, o.changes, o.steps);
}

fn one(count: u32, nodes: &str, boot: &str, incidents: &str, vm: &Vm, trace: bool) -> Outcome {
    let p = plan(&format!("for: 2h, nodes: {{count: 1{nodes}}}, groups: [{{name: a, manifest: m, count: {count}, boot: {{{boot}}}}}], incidents: [{incidents}]"), vm);
    if trace { run_node(&p, 0, &mut |vm, at, e| eprintln!("FOUND   {vm} {:?} vmi{} {:?}", at, e.vmi, e.event)); }
    run(&p)
}

#[test]
fn explore() {
    let bare = vm();
    let jump = "fault: {clockJump: {forward: 1h}}";
    let live = vm().liveness("httpGet: {port: 1500, path: /healthz}, initialDelaySeconds: 120");
    for (name, vm, incidents) in [
        ("panic+reset", watched(), "{at: 30m, fault: kernelPanic}".to_owned()),
        ("jump", bare.clone(), format!("{{at: 30m, {jump}}}")),
        ("jump twice", bare.clone(), format!("{{at: 30m, {jump}}}, {{at: 31m, {jump}}}")),
        ("poweroff bare", bare.clone(), "{at: 30m, fault: guestPoweroff}".into()),
        ("killQemu bare", bare.clone(), "{at: 30m, fault: killQemu}".into()),
        ("no guest", bare.clone(), "{at: 30m, nodeDown: {for: 5m}}, {at: 32m, fault: kernelPanic}".into()),
        ("hang bare", bare.clone(), "{at: 30m, fault: {health: hang}}".into()),
        ("hang bare late", bare.clone(), "{at: 30m, fault: kernelHang}".into()),
        ("loss bare", bare.clone(), "{at: 30m, networkBlip: {for: 20s}}".into()),
        ("loss ready", watched(), "{at: 30m, networkBlip: {for: 20s}}".into()),
        ("live hang", live.clone(), "{at: 30m, fault: {health: hang}}".into()),
        ("live loss", live.clone(), "{at: 30m, networkBlip: {for: 90s}}".into()),
        ("slow ready twice", vm().readiness("httpGet: {port: 1500, path: /healthz}, periodSeconds: 1, successThreshold: 120"),
           "{at: 30m, networkBlip: {for: 10s}}, {at: 31m, networkBlip: {for: 10s}}".into()),
        ("drain live", watched().spec("evictionStrategy: LiveMigrate"), "{at: 30m, drain: {migration: 30s}}".into()),
        ("drain", watched(), "{at: 30m, drain: {migration: 30s}}".into()),
    ] {
        show(name, &one(1, "", "is: 60s", &incidents, &vm, false));
    }
    let _ = WatchdogAction::Reset;
    one(1, "", "is: 60s", "{at: 30m, fault: guestPoweroff}", &bare, true);
}

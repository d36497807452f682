//! Sequences that once went wrong: each runs a small scenario in the model and looks at the verdict and the trace.

use vmhealth_sim::engine::Config;
use vmhealth_sim::manifest;
use vmhealth_sim::scenario::{Scenario, Verdict};
use vmhealth_sim::world::{self, Timings};

/// Runs steps and expectations against a VM with a poweroff watchdog; the verdict, the trace's lines, the seconds it took.
fn run(strategy: &str, steps: &str, expect: &str) -> (Verdict, Vec<String>, f64) {
    let vm = format!(
        "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {{name: vm}}\nspec:\n  runStrategy: {strategy}\n  template:\n    spec:\n      domain: {{devices: {{watchdog: {{name: w, i6300esb: {{action: poweroff}}}}}}}}\n"
    );
    let scenario = format!(
        "apiVersion: vmhealth.dev/v1alpha1\nkind: Scenario\nmetadata: {{id: a/b/c, summary: s}}\nspec:\n  manifest: x\n  steps: [{steps}]\n  expect: [{expect}]\n  final: {{}}\n"
    );
    let vm = manifest::read("vm.yaml", &vm).unwrap_or_else(|e| panic!("{e}"));
    let scenario = Scenario::read(&scenario).unwrap_or_else(|e| panic!("{e}\n{scenario}"));
    let (verdict, trace, end) = world::run(&vm, &scenario.spec, Config::default(), Timings::default());
    let lines = trace.sorted().iter().map(|e| e.event.to_string()).collect();
    (verdict, lines, end.as_secs_f64())
}

#[test]
fn a_final_vmi_stays_final_whatever_its_domain_still_says() {
    let (verdict, lines, _) = run(
        "Always",
        "{after: vmi phase Scheduled, user: stop}",
        "{see: vmi phase Failed, within: 0s..9s}, {see: vm status Stopped, within: 0s..9s}",
    );
    assert_eq!(verdict, Verdict::Pass, "{lines:#?}");
    assert!(!lines.contains(&"vmi phase Running".to_owned()), "{lines:#?}");
}

#[test]
fn a_run_at_rest_ends_at_once() {
    let (verdict, _, seconds) = run(
        "RerunOnFailure",
        "{after: guest ready, fault: guestPoweroff}",
        "{see: vmi phase Succeeded, within: 0s..9s}, {see: qemu WATCHDOG, from: qemu RESET, within: 0s..9s}",
    );
    assert!(matches!(&verdict, Verdict::Fail(reason) if reason.contains("impossible now")), "{verdict:?}");
    assert!(seconds < 60.0, "{seconds}");
}

#[test]
fn what_a_fault_causes_before_it_is_confirmed_counts() {
    for strategy in ["Once", "Manual"] {
        let start = if strategy == "Manual" { "{user: start}, " } else { "" };
        let (verdict, lines, _) = run(
            strategy,
            &format!("{start}{{after: guest ready, fault: killQemu}}, {{after: vmi phase Failed, user: stop}}"),
            "{see: vmi phase Failed, within: 0s..9s}, {see: user stop refused, within: 0s..9s}",
        );
        assert_eq!(verdict, Verdict::Pass, "{strategy}: {lines:#?}");
    }
}

#[test]
fn a_deletion_is_one_event() {
    let (_, lines, _) = run(
        "Always",
        "{after: guest ready, user: stop}",
        "{see: vmi phase Succeeded, within: 0s..60s}, {see: vm status Stopped, within: 0s..60s}",
    );
    assert_eq!(lines.iter().filter(|l| *l == "vm event SuccessfulDelete").count(), 1, "{lines:#?}");
}

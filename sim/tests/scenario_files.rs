//! Scenario files: unknown keys, unknown words and impossible values are refused with their place.

use vmhealth_sim::scenario::{Scenario, json_schema};

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

/// Which device there is, the manifest says: here the longest that any of them takes is the limit.
#[test]
fn heartbeats() {
    for (seconds, fine) in [(2, false), (3, true), (2047, true), (3600, true), (3601, false)] {
        let guest =
            format!("  guest: {{watchdogDaemon: {{heartbeatSeconds: {seconds}, keepalive: masked}}}}\n  steps:");
        let read = Scenario::read(&GOOD.replace("  steps:", &guest));
        assert_eq!(read.is_ok(), fine, "{seconds}: {:?}", read.err());
    }
}

#[test]
fn the_schema_for_editors() {
    let schema = format!("{:#}", json_schema().to_value());
    insta::assert_snapshot!(schema);
}

//! What `check` prints, and that its stories can be seen happening.

use std::path::Path;
use vmhealth_sim::budget::Given;
use vmhealth_sim::check::{Options, check, rules};
use xtask::check::{CheckReport, render, render_budgets};
use xtask::run::catalogue;

const MANIFESTS: &str = "\
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: broken}
spec:
  running: true
  readinessProbe: {guestAgentPing: {}}
  template:
    spec:
      livenessProbe:
        guestAgentPing:
        successThreshold: 2
      terminationGracePeriodSeconds: 0
      domain:
        devices:
          watchdog:
            name: w
            diag288: {action: Reset}
---
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: fine}
spec:
  runStrategy: Always
  template:
    spec:
      readinessProbe:
        tcpSocket: {port: 22}
      domain:
        memory: {guest: 1Gi}
        devices: {}
---
kind: ConfigMap
";

#[test]
fn text() {
    let checks = check(MANIFESTS, &Options::default()).unwrap();
    let text: String = checks.manifests.iter().map(|m| render("vm.yaml", MANIFESTS, m, false)).collect();
    insta::assert_snapshot!(text);
}

#[test]
fn json() {
    let mut report = CheckReport::new();
    report.add("vm.yaml", (1, MANIFESTS), &check(MANIFESTS, &Options::default()).unwrap(), Some(&Given::default()));
    insta::assert_json_snapshot!(report);
}

#[test]
fn budgets() {
    const MANIFEST: &str = "\
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: vm}
spec:
  runStrategy: RerunOnFailure
  template:
    spec:
      readinessProbe: {httpGet: {port: 80}, periodSeconds: 5}
      livenessProbe: {tcpSocket: {port: 80}, initialDelaySeconds: 120, timeoutSeconds: 2}
      domain:
        memory: {guest: 1Gi}
        devices:
          watchdog: {name: w, i6300esb: {action: poweroff}}
";
    let checks = check(MANIFEST, &Options::default()).unwrap();
    insta::assert_snapshot!(render_budgets(&checks.manifests[0], &Given { panic_timer: Some(40), ..Given::default() }));
}

/// Why a probe never notices: its port does not reach the guest, its command is its own business, another host is asked.
#[test]
fn budgets_of_probes_that_cannot_notice() {
    const MANIFEST: &str = "\
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: vm}
spec:
  runStrategy: Always
  template:
    spec:
      readinessProbe: {PROBE}
      domain:
        memory: {guest: 1Gi}
        devices: {interfaces: [{name: default, masquerade: {}, ports: [{port: 80}]}]}
      networks: [{name: default, pod: {}}]
";
    let table = |probe| {
        let checks = check(&MANIFEST.replace("{PROBE}", probe), &Options::default()).unwrap();
        let text = render_budgets(&checks.manifests[0], &Given::default());
        text.lines()
            .skip_while(|l| !l.starts_with("fault "))
            .skip(1)
            .take(5)
            .map(|l| format!("{l}\n"))
            .collect::<String>()
    };
    let probes = [
        "{tcpSocket: {port: 81}}",
        "{exec: {command: [check]}}",
        "{httpGet: {port: 80, host: other}}",
        "{tcpSocket: {port: 80}}",
    ];
    insta::assert_snapshot!(probes.map(|p| format!("{p}\n{}", table(p))).join("\n"));
}

#[test]
fn what_is_said_to_be_shown_is_in_the_catalogue() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let cases = catalogue::read(None).unwrap();
    for (code, id) in rules().iter().flat_map(|c| c.shown_by.iter().map(move |id| (c.code, *id))) {
        let case = cases.iter().find(|c| c.id() == id).unwrap_or_else(|| panic!("{code} names {id}"));
        let text =
            std::fs::read_to_string(repository.join(&case.file).with_file_name(&case.scenario.spec.manifest)).unwrap();
        let checks = check(&text, &Options::default()).unwrap();
        let found: Vec<&str> = checks.manifests[0].findings.iter().map(|f| f.rule.code).collect();
        assert!(found.contains(&code), "{code} names {id}, in whose manifest check finds {found:?}");
    }
}

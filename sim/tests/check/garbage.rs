//! Whatever comes in, `check` ends with an answer.

use crate::manifest::In::{Devices, Vm, Vmi};
use crate::manifest::manifest;
use proptest::prelude::*;
use vmhealth_sim::check::{Options, Rank, Verdict, check};

/// A manifest with everything in it that a rule looks at.
fn full() -> String {
    manifest(&[
        (Vm, "runStrategy: RerunOnFailure"),
        (Vmi, "architecture: amd64\nterminationGracePeriodSeconds: 30\nevictionStrategy: None"),
        (
            Vmi,
            "readinessProbe:\n  httpGet: {port: web, path: /, scheme: HTTP, httpHeaders: [{name: A, value: b}]}\n  periodSeconds: 5",
        ),
        (Vmi, "livenessProbe:\n  exec: {command: [uname, -a]}\n  initialDelaySeconds: 120\n  failureThreshold: 3"),
        (Vmi, "networks: [{name: default, pod: {}}]\nvolumes: [{name: c, cloudInitNoCloud: {userData: x}}]"),
        (Devices, "watchdog: {name: w, i6300esb: {action: reset}}\npanicDevices: [{model: pvpanic}]"),
        (
            Devices,
            "interfaces: [{name: default, masquerade: {}, ports: [{name: web, port: 80}]}]\ndisks: [{name: c, disk: {}}]",
        ),
    ])
}

/// Lines of the full manifest moved, dropped, doubled; words replaced.
fn mutated() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[a-zA-Z0-9:{}\\[\\]&*!|>'\"%@` -]{0,12}",
        Just("~".into()),
        Just("-1".into()),
        Just("99999999999999999999".into())
    ];
    let change = (0..60_usize, 0..60_usize, 0..4_u8, word);
    proptest::collection::vec(change, 1..6).prop_map(|changes| {
        let mut lines: Vec<String> = full().lines().map(str::to_owned).collect();
        for (from, to, kind, word) in changes {
            let (from, to) = (from % lines.len(), to % lines.len());
            match kind {
                0 if lines.len() > 1 => drop(lines.remove(from)),
                1 => lines.swap(from, to),
                2 => lines.insert(to, lines[from].clone()),
                _ => {
                    let (head, _) =
                        lines[from].split_once(": ").map(|(h, t)| (h.to_owned(), t.to_owned())).unwrap_or_default();
                    lines[from] = format!("{head}: {word}");
                }
            }
        }
        lines.join("\n")
    })
}

fn holds(text: &str) {
    let Ok(checks) = check(text, &Options::default()) else { return };
    for checked in checks.manifests {
        let errors = checked.findings.iter().any(|f| f.rule.rank == Rank::Error);
        assert_eq!(errors, checked.verdict != Verdict::Accepted, "{text}");
        assert!(checked.created || checked.verdict == Verdict::Refused, "{text}");
        for finding in &checked.findings {
            let lines = text.lines().count() as u64;
            assert!(finding.pos.line <= lines + 1, "{finding:?}\n{text}");
        }
        // What the cluster would run, we can.
        assert!(
            checked.verdict == Verdict::Refused || checked.vm.is_some() || errors,
            "{:?}\n{text}",
            checked.findings
        );
    }
}

#[test]
fn the_full_manifest_is_accepted() {
    let checks = check(&full(), &Options::default()).unwrap();
    assert_eq!(checks.manifests[0].verdict, Verdict::Accepted, "{:?}", checks.manifests[0].findings);
}

proptest! {
    // PROPTEST_CASES=1000000 makes it a million.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(2000), ..ProptestConfig::default() })]

    #[test]
    fn mutated_manifests(text in mutated()) {
        holds(&text);
    }

    #[test]
    fn garbage(text in "\\PC{0,200}|[a-z:\\- \\n\\[\\]{}&*#|>]{0,200}") {
        holds(&text);
    }
}

//! Manifests made of parts, whose fate is known from the parts: the most important rules of admission a second time, as data
//! (kubevirt-health.md 2.1 to 2.4), and not from the predicates of `check`.
//!
//! The first choice of each row is harmless, so a failing case shrinks to the parts that matter.

use Place::{Devices, Domain, Meta, Vm, Vmi};
use proptest::prelude::*;
use vmhealth_sim::check::Layer::{self, ClientDecode, PodValidation, Schema, VmWebhook, VmiWebhook};
use vmhealth_sim::check::{Checked, Options, Rank, Verdict, check};

/// Where a part's line goes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Meta,
    Vm,
    Vmi,
    Domain,
    Devices,
}

/// One of the things that can stand in a place, with what it is in [`PAIRS`], and who refuses it by itself.
#[derive(Debug)]
struct Part(Place, &'static str, &'static [&'static str], Option<Layer>);

const fn fine(place: Place, line: &'static str, is: &'static [&'static str]) -> Part {
    Part(place, line, is, None)
}

const fn bad(place: Place, line: &'static str, is: &'static [&'static str], by: Layer) -> Part {
    Part(place, line, is, Some(by))
}

/// Of each row a manifest has one.
const ROWS: &[&[Part]] = &[
    &[
        fine(Meta, "name: vm", &[]),
        fine(Meta, "name: vm.a-1", &[]),
        fine(Meta, "generateName: vm-", &[]),
        fine(Meta, "{name: vm, creationTimestamp: null, resourceVersion: \"7\", uid: u, namespace: shop}", &[]),
    ],
    &[
        fine(Vm, "runStrategy: Always", &[]),
        fine(Vm, "runStrategy: Halted", &[]),
        fine(Vm, "runStrategy: Manual", &[]),
        fine(Vm, "runStrategy: Once", &[]),
        fine(Vm, "runStrategy: RerunOnFailure", &[]),
        fine(Vm, "running: true", &[]),
        fine(Vm, "running: no", &[]),
        bad(Vm, "runStrategy: always", &[], VmWebhook),
        bad(Vm, "{running: true, runStrategy: Always}", &[], VmWebhook),
        bad(Vm, "", &[], VmWebhook),
        bad(Vm, "running: \"true\"", &[], Schema),
        bad(Vm, "{runStrategy: Always, livenessProbe: {guestAgentPing: {}}}", &[], ClientDecode),
    ],
    &[
        fine(Domain, "memory: {guest: 1Gi}", &[]),
        fine(Domain, "resources: {requests: {memory: 512M}}", &[]),
        fine(Domain, "resources: {limits: {memory: 512M}}", &[]),
        bad(Domain, "", &[], VmiWebhook),
        bad(Domain, "memory: {guest: 1GB}", &[], Schema),
        bad(Domain, "memory: {guest: 1Gi, size: 1Gi}", &[], ClientDecode),
    ],
    &[
        fine(Vmi, "", &["amd64"]),
        fine(Vmi, "architecture: amd64", &["amd64"]),
        fine(Vmi, "architecture: s390x", &["s390x"]),
        bad(Vmi, "architecture: x86_64", &[], VmiWebhook),
    ],
    &[
        fine(Devices, "", &[]),
        fine(Devices, "watchdog: {name: w, i6300esb: {action: reset}}", &["i6300esb"]),
        fine(Devices, "watchdog: {name: w, diag288: {action: reset}}", &["diag288"]),
        bad(Devices, "watchdog: {name: w, i6300ESB: {action: reset}}", &[], ClientDecode),
        bad(Devices, "watchdog: {name: 1, i6300esb: {}}", &[], Schema),
    ],
    &[
        fine(Devices, "", &[]),
        fine(Devices, "panicDevices: [{model: pvpanic}]", &["panic device"]),
        fine(Devices, "panicDevices: [{model: hyperv}]", &["panic device"]),
        bad(Devices, "panicDevices: [{model: pvpanic-pci}]", &["panic device"], VmWebhook),
    ],
    &[
        fine(Vmi, "", &[]),
        fine(Vmi, "startStrategy: Paused", &["paused"]),
        bad(Vmi, "startStrategy: paused", &[], VmWebhook),
    ],
    &[
        fine(Vmi, "", &[]),
        fine(Vmi, "evictionStrategy: LiveMigrate", &[]),
        bad(Vmi, "evictionStrategy: Migrate", &[], VmWebhook),
    ],
    &[
        fine(Vmi, "", &[]),
        fine(Vmi, "terminationGracePeriodSeconds: 0", &[]),
        bad(Vmi, "terminationGracePeriodSeconds: 1m", &[], Schema),
    ],
    &[
        fine(Devices, "", &[]),
        fine(Devices, "autoattachPodInterface: true", &[]),
        fine(Devices, "autoattachPodInterface: false", &["no pod network"]),
        fine(
            Devices,
            "interfaces: [{name: net, masquerade: {}, ports: [{name: web, port: 80}]}]\n  networks: [{name: net, pod: {}}]",
            &[],
        ),
        fine(
            Devices,
            "interfaces: [{name: net, bridge: {}}]\n  networks: [{name: net, multus: {networkName: lan, default: true}}]",
            &["no pod network"],
        ),
        bad(Devices, "interfaces: [{name: net, masquerade: {}}]\n  networks: [{name: other, pod: {}}]", &[], VmWebhook),
    ],
];

/// What a probe is made of: its handlers, and its numbers.
const HANDLERS: &[Part] = &[
    fine(Vmi, "guestAgentPing: {}", &[]),
    fine(Vmi, "exec: {command: [uname, -a]}", &[]),
    fine(Vmi, "tcpSocket: {port: 22}", &["network probe"]),
    fine(Vmi, "httpGet: {port: 80}", &["network probe"]),
    fine(Vmi, "httpGet: {port: web, path: /, scheme: HTTPS, httpHeaders: [{name: A, value: b}]}", &["network probe"]),
    bad(Vmi, "httpGet: {port: 80, scheme: https}", &["network probe"], Schema),
    bad(Vmi, "httpGet: {port: 80, httpHeaders: [{name: A, value: 1}]}", &["network probe"], Schema),
    bad(Vmi, "httpGet: {port: 80, httpHeaders: [{name: \"a b\", value: c}]}", &["network probe"], PodValidation),
    bad(Vmi, "httpGet: {path: /}", &["network probe"], Schema),
    bad(Vmi, "httpGet: {port: 80, timeoutSeconds: 3}", &["network probe"], ClientDecode),
    bad(Vmi, "tcpSocket: {port: 65536}", &["network probe"], PodValidation),
    bad(Vmi, "tcpSocket: {port: 0}", &["network probe"], PodValidation),
    bad(Vmi, "tcpSocket: {port: \"8080\"}", &["network probe"], PodValidation),
    bad(Vmi, "tcpSocket: {port: Web}", &["network probe"], PodValidation),
    bad(Vmi, "tcpSocket: {port: 22}, exec: {command: [a]}", &["network probe"], VmWebhook),
    bad(Vmi, "exec: {command: []}", &[], PodValidation),
    bad(Vmi, "exec: {command: uname}", &[], Schema),
];
const NUMBERS: &[Part] = &[
    fine(Vmi, "", &[]),
    fine(Vmi, ", periodSeconds: 5, timeoutSeconds: 30", &[]),
    fine(Vmi, ", initialDelaySeconds: 120, failureThreshold: 1, successThreshold: 1", &[]),
    fine(Vmi, ", initialDelaySeconds: -10", &[]),
    fine(Vmi, ", successThreshold: 2", &["two successes"]),
    bad(Vmi, ", initialDelaySeconds: -11", &[], PodValidation),
    bad(Vmi, ", periodSeconds: 2147483648", &[], Schema),
    bad(Vmi, ", periodSeconds: \"5\"", &[], Schema),
    bad(Vmi, ", periodseconds: 5", &[], ClientDecode),
];

/// What does not go together, and who says so.
const PAIRS: &[(&str, &str, Layer)] = &[
    ("network probe", "no pod network", VmWebhook),
    ("liveness", "paused", VmWebhook),
    ("panic device", "s390x", VmWebhook),
    ("i6300esb", "s390x", VmiWebhook),
    ("diag288", "amd64", VmiWebhook),
    ("liveness", "two successes", PodValidation),
];

/// Which part of each row; of each probe whether it is there, its handler, its numbers.
#[derive(Debug, Clone)]
struct Made {
    rows: Vec<usize>,
    probes: [Option<(usize, usize)>; 2],
}

fn part(parts: &'static [Part]) -> impl Strategy<Value = usize> {
    prop_oneof![3 => Just(0), 2 => 0..parts.len()]
}

fn made() -> impl Strategy<Value = Made> {
    let rows: Vec<_> = ROWS.iter().map(|row| part(row)).collect();
    let probe = || prop::option::of((part(HANDLERS), part(NUMBERS)));
    (rows, [probe(), probe()]).prop_map(|(rows, probes)| Made { rows, probes })
}

impl Made {
    fn parts(&self) -> impl Iterator<Item = &'static Part> {
        ROWS.iter().zip(&self.rows).map(|(row, at)| &row[*at])
    }

    fn text(&self) -> String {
        let probe = |name: &str, probe: Option<(usize, usize)>| match probe {
            Some((handler, numbers)) => format!("      {name}: {{{}{}}}\n", HANDLERS[handler].1, NUMBERS[numbers].1),
            None => String::new(),
        };
        let lines = |place: Place, indent: usize| -> String {
            // A part of a whole mapping is taken out of its braces; one of two places has a second line for the VMI.
            let own = self.parts().filter(|p| p.0 == place).filter_map(|p| p.1.split('\n').next());
            let own = own.flat_map(|line| match line.strip_prefix('{').and_then(|l| l.strip_suffix('}')) {
                Some(inner) => members(inner),
                None => vec![line],
            });
            let second = self.parts().filter(|_| place == Vmi).filter_map(|p| p.1.split('\n').nth(1)).map(str::trim);
            own.chain(second).filter(|l| !l.is_empty()).map(|l| format!("{:indent$}{l}\n", "")).collect()
        };
        format!(
            "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata:\n{}spec:\n{}  template:\n    spec:\n{}{}{}      domain:\n{}        devices:\n          rng: {{}}\n{}",
            lines(Meta, 2),
            lines(Vm, 2),
            lines(Vmi, 6),
            probe("readinessProbe", self.probes[0]),
            probe("livenessProbe", self.probes[1]),
            lines(Domain, 8),
            lines(Devices, 10)
        )
    }

    /// The first layer that refuses it.
    fn refused_by(&self) -> Option<Layer> {
        let probes = self.probes.iter().zip([&[][..], &["liveness"]]);
        let probes: Vec<(Vec<&Part>, &[&str])> = probes
            .filter_map(|(probe, is)| probe.map(|(handler, numbers)| (vec![&HANDLERS[handler], &NUMBERS[numbers]], is)))
            .collect();
        let rows: Vec<&Part> = self.parts().collect();
        let alone = rows.iter().chain(probes.iter().flat_map(|(parts, _)| parts)).filter_map(|part| part.3);
        let words = |parts: &[&Part]| parts.iter().flat_map(|part| part.2).copied().collect::<Vec<&str>>();
        let of_rows = words(&rows);
        // A probe meets itself and the rest, not the other probe.
        let groups = probes.iter().map(|(parts, is)| [words(parts), is.to_vec(), of_rows.clone()].concat());
        let groups: Vec<Vec<&str>> = groups.chain([of_rows.clone()]).collect();
        let pairs = PAIRS.iter().filter(|(a, b, _)| groups.iter().any(|g| g.contains(a) && g.contains(b)));
        alone.chain(pairs.map(|(.., layer)| *layer)).min()
    }
}

/// `a: {b: c, d: e}, f: g` at its outer commas.
fn members(inner: &str) -> Vec<&str> {
    let mut depth = 0;
    let split = inner.split(|c: char| {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    });
    split.map(str::trim).collect()
}

fn first_refusal(checked: &Checked) -> Option<Layer> {
    let errors = checked.findings.iter().filter(|f| f.rule.rank == Rank::Error && f.rule.layer.refuses());
    errors.map(|f| f.rule.layer).min()
}

fn holds(made: &Made) -> Result<(), TestCaseError> {
    let text = made.text();
    let checks = check(&text, &Options::default()).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
    let (checked, expected) = (&checks.manifests[0], made.refused_by());
    let found: Vec<String> = checked.findings.iter().map(|f| format!("{} {}", f.rule.code, f.vm_field)).collect();
    prop_assert_eq!(first_refusal(checked), expected, "{:?}\n{}", found, text);
    prop_assert_eq!(checked.verdict == Verdict::Refused, expected.is_some(), "{:?}\n{}", found, text);
    prop_assert_eq!(checked.created, expected.is_none_or(|layer| layer > VmWebhook), "{:?}\n{}", found, text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    /// `check` says of a whole what is known of its parts.
    #[test]
    fn a_manifest_is_what_its_parts_are(made in made()) {
        holds(&made)?;
    }
}

/// Each part once among harmless ones, so that no row depends on luck.
#[test]
fn every_part_alone() {
    let harmless = Made { rows: vec![0; ROWS.len()], probes: [None, None] };
    let mut all = vec![harmless.clone()];
    for (row, parts) in ROWS.iter().enumerate() {
        for at in 1..parts.len() {
            let mut made = harmless.clone();
            made.rows[row] = at;
            all.push(made);
        }
    }
    for which in [0, 1] {
        let handlers = (0..HANDLERS.len()).map(|handler| (handler, 0));
        for probe in handlers.chain((1..NUMBERS.len()).map(|numbers| (0, numbers))) {
            let mut made = harmless.clone();
            made.probes[which] = Some(probe);
            all.push(made);
        }
    }
    let wrong: Vec<String> = all.iter().filter_map(|made| Some(holds(made).err()?.to_string())).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

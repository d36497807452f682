//! What an attempt of a probe comes to, decided from the manifest.

use std::time::Duration;
use vmhealth_sim::cluster::ProbeRequest;
use vmhealth_sim::fixture::vm;
use vmhealth_sim::kubelet::{Attempt, Verdict};
use vmhealth_sim::manifest::{self, Destination, PodProbe, Scheme, VmiSpec};

const DECLARED: &str = "interfaces: [{name: d, masquerade: {}, ports: [{name: web, port: 8080}, {port: 1500}]}]";
const ALL: &str = "interfaces: [{name: d, masquerade: {}}]";

fn read(interfaces: &str, probe: &str) -> (VmiSpec, PodProbe) {
    let text = format!(
        "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {{name: vm}}\nspec:\n  runStrategy: Always\n  template:\n    spec:\n      readinessProbe: {probe}\n      domain: {{devices: {{{interfaces}}}}}\n      networks: [{{name: d, pod: {{}}}}]\n"
    );
    let vm = manifest::read("vm.yaml", &text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let probe = vm.vmi.readiness.as_ref().map(PodProbe::from).unwrap_or_else(|| panic!("{text}"));
    (vm.vmi, probe)
}

fn answer(after: u64, verdict: Verdict, text: &str) -> ProbeRequest {
    ProbeRequest::Answer { after: Duration::from_secs(after), attempt: Attempt { verdict, text: text.into() } }
}

#[test]
fn what_a_probe_asks_for() {
    use Destination::{Elsewhere, Guest, NotForwarded};
    use ProbeRequest::{Http, Tcp};
    let tcp = |to| ProbeRequest::Tcp { to };
    let exec =
        |command: &str| ProbeRequest::Exec { command: vec![command.into()], inner_timeout: Duration::from_secs(1) };
    let rows = [
        (DECLARED, "{tcpSocket: {port: 8080}}", tcp(Guest { port: 8080 })),
        (DECLARED, "{tcpSocket: {port: web}}", tcp(Guest { port: 8080 })),
        (DECLARED, "{tcpSocket: {port: 22}}", tcp(NotForwarded { port: 22 })),
        (ALL, "{tcpSocket: {port: 22}}", tcp(Guest { port: 22 })),
        (DECLARED, "{tcpSocket: {port: 22, host: h}}", tcp(Elsewhere { host: "h".into(), port: 22 })),
        (DECLARED, "{tcpSocket: {port: ssh}}", answer(0, Verdict::Error, "couldn't find port: \"ssh\" in pod")),
        (
            DECLARED,
            "{httpGet: {port: web, path: /a, scheme: HTTPS, httpHeaders: [{name: X, value: v}]}}",
            ProbeRequest::Http {
                to: Guest { port: 8080 },
                scheme: Scheme::Https,
                path: "/a".into(),
                headers: vec![("X".into(), "v".into())],
            },
        ),
        (ALL, "{guestAgentPing: {}}", ProbeRequest::Ping),
        (ALL, "{exec: {command: [a]}}", exec("a")),
        (
            ALL,
            "{exec: {command: ['a\"']}}",
            answer(0, Verdict::Failure, "panic: invalid character in the agent's command"),
        ),
    ];
    for (interfaces, probe, expected) in rows {
        let (spec, read) = read(interfaces, probe);
        let request = ProbeRequest::of(&read, &spec, false);
        assert_eq!(request.destination().is_some(), matches!(request, Http { .. } | Tcp { .. }), "{probe}");
        let host = request.destination().and_then(Destination::host);
        assert_eq!(host, probe.contains("host: h").then_some("h"), "{probe}");
        assert_eq!(request, expected, "{probe}");
    }
}

#[test]
fn what_it_comes_to_without_a_domain_or_an_agent_that_may_be_asked() {
    let late = answer(2, Verdict::Failure, "the domain does not exist yet");
    let rows = [
        ("{tcpSocket: {port: 22}, timeoutSeconds: 2}", None, late.clone()),
        ("{exec: {command: [a]}}", None, late),
        (
            "{guestAgentPing: {}}",
            Some(answer(0, Verdict::Success, "")),
            answer(0, Verdict::Failure, "the domain does not exist"),
        ),
        ("{tcpSocket: {port: ssh}}", None, answer(0, Verdict::Error, "couldn't find port: \"ssh\" in pod")),
    ];
    for (probe, paused, without_domain) in rows {
        let (spec, read) = read(DECLARED, probe);
        let request = ProbeRequest::of(&read, &spec, false);
        assert_eq!(ProbeRequest::of(&read, &spec, true), paused.unwrap_or_else(|| request.clone()), "{probe}");
        assert_eq!(request.without_domain(read.timings.timeout()), without_domain, "{probe}");
    }
}

/// Masquerade forwards what is declared, whatever its protocol, and only TCP is of use to a probe (kubevirt-health.md 3.2).
#[test]
fn which_ports_are_forwarded() {
    for (port, forwarded) in [
        ("{port: 80}", true),
        ("{port: 80, protocol: ''}", true),
        ("{port: 80, protocol: TCP}", true),
        ("{port: 80, protocol: UDP}", false),
        ("{port: 81}", false),
    ] {
        let (spec, _) = read(&format!("interfaces: [{{name: d, masquerade: {{}}, ports: [{port}]}}]"), "{exec: {}}");
        assert_eq!(spec.forwards(80), forwarded, "{port}");
    }
}

/// Of the guest, and each once; what is not forwarded or is elsewhere is none of them.
#[test]
fn which_ports_of_the_guest_are_asked() {
    for (readiness, liveness, ports, by_https) in [
        ("tcpSocket: {port: 8080}", "httpGet: {port: 1500}", &[8080, 1500][..], &[][..]),
        ("tcpSocket: {port: web}", "httpGet: {port: 8080, scheme: HTTPS}", &[8080], &[8080]),
        ("httpGet: {port: 1500, scheme: HTTPS}", "httpGet: {port: 8080}", &[1500, 8080], &[1500]),
        ("httpGet: {port: 22, scheme: HTTPS}", "httpGet: {port: 1500, host: h, scheme: HTTPS}", &[], &[]),
        ("guestAgentPing: {}", "tcpSocket: {port: ssh}", &[], &[]),
    ] {
        let vm = vm().device(DECLARED).readiness(readiness).liveness(liveness).build();
        assert_eq!(vm.vmi.asked_ports(), ports, "{readiness}, {liveness}");
        assert_eq!(vm.vmi.asked_by_https(), by_https, "{readiness}, {liveness}");
    }
}

//! What the modelled guest answers to a probe's attempt, and after how long: the health server's pages (guests/assets/health.pl), its
//! redirects as the kubelet's client follows them (kubelet-prober.md 9.3, 9.4), the few programs that scenarios run
//! (kubevirt-health.md 3.3), and a slow network.

use std::time::Duration;
use vmhealth_sim::engine::Config;
use vmhealth_sim::fixture::{scenario, vm};
use vmhealth_sim::kubelet::{ProbeKind, Verdict};
use vmhealth_sim::trace::Event;
use vmhealth_sim::world::{self, Timings};

/// How long the agent, or the service, takes for an answer.
const ANSWER: Duration = Duration::from_millis(200);

/// The first attempt of a readiness probe with `timeoutSeconds: 5` that begins once the guest is ready and the fault is there: what it
/// came to, and after how long. Ports 1500 and 1501 are forwarded, and 22 is not.
fn answer_to(probe: &str, fault: &str) -> (Verdict, Duration) {
    let vm = vm()
        .readiness(&format!("{probe}, periodSeconds: 10, timeoutSeconds: 5"))
        .device("interfaces: [{name: default, masquerade: {}, ports: [{port: 1500}, {port: 1501}]}]")
        .spec("networks: [{name: default, pod: {}}]")
        .build();
    let scenario =
        scenario().guest("healthServer: true").expect("{see: guest ready, withinGuest: 0s..5m}").observe("25s");
    let steps = format!("{{after: guest ready, fault: {fault}}}");
    let spec = if fault.is_empty() { scenario } else { scenario.steps(&steps) }.build().spec;
    let timings = Timings { answer: ANSWER, fault: (Duration::ZERO, Duration::ZERO), ..Timings::default() };
    let (_, trace, _) = world::run(&vm, &spec, Config::default(), timings);
    let is_begun = |event: &Event| match event {
        Event::GuestReady => fault.is_empty(),
        event => matches!(event, Event::FaultConfirmed(_)),
    };
    let mut entries = trace.entries().iter().skip_while(|e| !is_begun(&e.event));
    let asked = entries.find(|e| matches!(e.event, Event::Attempt(ProbeKind::Readiness, _)));
    let answered = entries.find_map(|e| match e.event {
        Event::Answered(ProbeKind::Readiness, verdict) => Some((verdict, e.at)),
        _ => None,
    });
    let (Some(asked), Some((verdict, at))) = (asked, answered) else { panic!("{probe}, {fault:?}: no attempt") };
    (verdict, at.since(asked.at))
}

fn check(rows: &[(&str, &str, Verdict, u64)]) {
    for (probe, fault, verdict, millis) in rows {
        assert_eq!(answer_to(probe, fault), (*verdict, Duration::from_millis(*millis)), "{probe}, {fault:?}");
    }
}

#[test]
fn pages_of_the_health_server() {
    use Verdict::{Failure, Success};
    check(&[
        ("httpGet: {port: 1500, path: /healthz}", "", Success, 200),
        ("httpGet: {port: 1500, path: /healthz/ready}", "", Success, 200),
        ("httpGet: {port: 1500, path: '/healthz?full'}", "", Success, 200),
        ("httpGet: {port: 1500, path: /healthzz}", "", Failure, 200),
        ("httpGet: {port: 1500, path: /other}", "", Failure, 200),
        // What is not there is not there, whatever is wrong with the page.
        ("httpGet: {port: 1500, path: /other}", "{health: {status: 200}}", Failure, 200),
        ("httpGet: {port: 1500, path: /other}", "{health: {redirect: /healthz/ready}}", Failure, 200),
        ("httpGet: {port: 1500, path: /healthz}", "{health: {status: 204}}", Success, 200),
        ("httpGet: {port: 1500, path: /healthz}", "{health: {status: 503}}", Failure, 200),
        ("httpGet: {port: 1500, path: /healthz}", "{health: hang}", Failure, 5000),
        ("httpGet: {port: 1500, path: /healthz}", "{health: {slow: 4900ms}}", Success, 4900),
        ("httpGet: {port: 1500, path: /healthz}", "{health: {slow: 5s}}", Failure, 5000),
        ("httpGet: {port: 1500, path: /healthz}", "{health: {slow: 30s}}", Failure, 5000),
        ("httpGet: {port: 1500, path: /healthz}", "{health: stop}", Failure, 200),
        ("tcpSocket: {port: 1500}", "{health: hang}", Success, 200),
    ]);
}

#[test]
fn redirects() {
    use Verdict::{Failure, Success, Warning};
    let at = |to: &str| format!("{{health: {{redirect: {to:?}}}}}");
    let probe = "httpGet: {port: 1500, path: /healthz}";
    let by_host = "httpGet: {port: 1500, path: /healthz, host: web.example}";
    check(&[
        // Two answers: the redirect's and the page's.
        (probe, &at("/healthz/ready"), Success, 400),
        (probe, &at("/nowhere"), Failure, 400),
        // To itself, ten times.
        (probe, &at("/healthz"), Failure, 2000),
        (probe, &at("http://login.example/"), Warning, 200),
        (probe, &at("http://login.example:8080/healthz/ready"), Warning, 200),
        (probe, &at("https://login.example"), Warning, 200),
        (probe, &at("//login.example/"), Warning, 200),
        (probe, &at("mailto:admin"), Warning, 200),
        // A colon behind a slash or a question mark is no scheme's.
        (probe, &at("/healthz/ready?next=http://login.example/"), Success, 400),
        // A probe with a host of its own is sent on within that host.
        (by_host, &at("http://web.example:1500/healthz/ready"), Success, 400),
        (by_host, &at("//web.example:1500/healthz/nowhere"), Success, 400),
        (by_host, &at("http://web.example:1500/healthz"), Failure, 2000),
        (by_host, &at("http://web.example:1500"), Failure, 400),
        (by_host, &at("http://login.example:1500/healthz/ready"), Warning, 200),
        // Nobody is at its other ports, and nobody speaks TLS.
        (by_host, &at("http://web.example/healthz/ready"), Failure, 400),
        (by_host, &at("https://web.example:1500/healthz/ready"), Failure, 400),
    ]);
}

#[test]
fn programs() {
    use Verdict::{Failure, Success};
    check(&[
        ("exec: {command: [/usr/bin/true]}", "", Success, 200),
        ("exec: {command: [/usr/bin/false]}", "", Failure, 200),
        ("exec: {command: [/usr/bin/unknown]}", "", Failure, 200),
        // virt-launcher's limit for the program is timeoutSeconds; the pod's probe has a second more.
        ("exec: {command: [/usr/bin/sleep, '60']}", "", Failure, 5000),
        ("exec: {command: [/usr/bin/systemctl, is-active, vmhealth-health.service]}", "", Success, 200),
        ("exec: {command: [/usr/bin/systemctl, is-active, vmhealth-health.service]}", "{health: stop}", Failure, 200),
    ]);
}

/// Frames that take a second each way: a connection takes one and a half on average, a request three and a half.
#[test]
fn a_slow_network() {
    use Verdict::{Failure, Success};
    let slow = "{networkLoss: {for: 2m, delay: 1s}}";
    let slower = "{networkLoss: {for: 2m, delay: 3200ms}}";
    check(&[
        ("tcpSocket: {port: 1500}", slow, Success, 1700),
        ("httpGet: {port: 1500, path: /healthz}", slow, Success, 3700),
        // 4.8 s and the answer's 0.2: at the limit it is too late.
        ("tcpSocket: {port: 1500}", slower, Failure, 5000),
        ("httpGet: {port: 1500, path: /healthz}", slower, Failure, 5000),
        // Nobody listens there, which the kernel says to the first frame.
        ("httpGet: {port: 1501, path: /healthz}", slow, Failure, 1700),
        // Refused by the launcher, which is on this side of it.
        ("tcpSocket: {port: 22}", slow, Failure, 200),
        ("guestAgentPing: {}", slow, Success, 200),
    ]);
}

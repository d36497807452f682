//! What the model shows of each cause: the signs that a cluster has after it, at whichever moment it came.

use vmhealth_sim::fixture::{scenario, vm};
use vmhealth_sim::kubelet::ProbeKind::{Liveness, Readiness};
use vmhealth_sim::manifest::{VirtualMachine, WatchdogAction};
use vmhealth_sim::trace::{NotReady, Phase, VmStatus};
use vmhealth_sim::why::Sign::{self, *};
use vmhealth_sim::why::{Course, Fact, Facts, Said, Source, Suspect, Victim, courses, judge};
use vmhealth_sim::world::Timings;

/// Every sign that there is.
fn signs() -> Vec<Sign> {
    let said = [Said::Refused, Said::TimedOut, Said::Status, Said::NoAgent];
    let probes = [Readiness, Liveness].into_iter();
    let of_probes = probes.flat_map(|kind| [Unhealthy(kind)].into_iter().chain(said.map(|said| Said(kind, said))));
    let others = [
        Killing,
        Terminated,
        ShuttingDown,
        AgentPingFailed,
        GuestPanicked,
        IoError,
        PausedByUser,
        Destroyed,
        Ended(Phase::Succeeded),
        Ended(Phase::Failed),
        DomainCrashed,
        DomainShutdown,
        VmiDeleted,
        VmiCreated,
        Replaced,
        Evicted,
        NodeLost,
        OomKilled,
        LauncherDied,
        Migrated,
        ConsolePanic,
        ConsoleOom(Victim::Agent),
        ConsoleOom(Victim::Watchdog),
        ConsoleOom(Victim::Other),
        ConsoleLockup,
        ConsoleHungTask,
        ConsoleIoError,
        ConsoleShutdown,
        ConsoleReboot,
        WatchdogReset,
    ];
    let not_ready = NotReady::ALL.iter().map(|reason| Sign::NotReady(*reason));
    let statuses = VmStatus::ALL.iter().map(|status| Sign::VmStatus(*status));
    of_probes.chain(others).chain(not_ready).chain(statuses).collect()
}

/// Evidence of these, of whose sources all were looked at.
fn seen(signs: &[Sign]) -> Facts {
    let mut facts = Facts::default();
    facts.covered.extend(Source::ALL);
    facts.facts.extend(signs.iter().map(|sign| Fact {
        sign: *sign,
        when: None,
        file: "a".to_owned(),
        line: 1,
        text: String::new(),
        times: 1,
        also: Vec::new(),
        also_more: 0,
    }));
    facts
}

/// The signs of a course; with a `!` those that are missed where the others are seen.
fn shown(suspect: &Suspect, course: &Course) -> String {
    let judged = |signs: &[Sign]| {
        let suspect = Suspect { cause: suspect.cause.clone(), courses: vec![course.clone()] };
        judge(&seen(signs), vec![suspect]).candidates.remove(0)
    };
    let there: Vec<Sign> = signs().into_iter().filter(|sign| !judged(&[*sign]).speaks_for.is_empty()).collect();
    let words = there.iter().map(|sign| {
        let others: Vec<Sign> = there.iter().filter(|other| *other != sign).copied().collect();
        let missed = judged(&others).against.iter().any(|w| w.text.ends_with(&format!(": {sign}")));
        format!("{sign:?}{}", if missed { "!" } else { "" })
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The signs of the commonest course of a cause.
fn shown_of(cause: &str, suspects: &[Suspect]) -> String {
    let suspect = suspects.iter().find(|s| s.cause.name == cause).expect(cause);
    shown(suspect, &suspect.courses[0])
}

/// As `vmhealth why` asks: a VM that is given long to boot, and ten minutes after it.
pub(crate) fn suspects(vm: &VirtualMachine, guest: &str, steps: &str) -> Vec<Suspect> {
    let ready = "{see: guest ready, from: vm event SuccessfulCreate, withinGuest: 0s..55m}";
    let scenario = scenario().spec("bootDeadline: 50m").guest(guest).steps(steps).expect(ready).observe("10m").build();
    courses(vm, &scenario.spec, Timings::default())
}

/// Each cause and, by how many of the moments go so, what it shows.
fn table(vm: &VirtualMachine, guest: &str, steps: &str) -> String {
    let courses =
        |s: &Suspect| s.courses.iter().map(|c| format!("  {}: {}\n", c.moments, shown(s, c))).collect::<String>();
    let found = suspects(vm, guest, steps);
    found.iter().map(|s| format!("{} ({}): {}\n{}", s.cause.name, s.cause.step, s.cause.what, courses(s))).collect()
}

const PETTED: &str = "watchdogDaemon: {heartbeatSeconds: 10, keepalive: masked}, healthServer: true";

/// A VM that has everything; its guest's agent is its liveness.
fn guarded() -> VirtualMachine {
    vm().watchdog(WatchdogAction::Poweroff)
        .device("panicDevices: [{model: isa}]")
        .readiness("tcpSocket: {port: 1500}")
        .liveness("guestAgentPing: {}, initialDelaySeconds: 60")
        .build()
}

#[test]
fn of_a_vm_that_has_everything() {
    insta::assert_snapshot!("guarded", table(&guarded(), PETTED, ""));
}

/// The watchdog resets it, its kernel panics of what it notices, and it has three seconds to shut down.
#[test]
fn of_a_vm_that_is_reset() {
    let panics = "sysctl -w kernel.softlockup_panic=1 kernel.hung_task_panic=1";
    let volume = format!("{{name: c, cloudInitNoCloud: {{userData: \"#cloud-config\\nruncmd: [{panics}]\"}}}}");
    let vm = vm()
        .strategy("RerunOnFailure")
        .watchdog(WatchdogAction::Reset)
        .spec(&format!("volumes: [{volume}]\nterminationGracePeriodSeconds: 3"))
        .readiness_http(1500)
        .build();
    insta::assert_snapshot!("reset", table(&vm, PETTED, ""));
}

/// Probes that are asked late and seldom: at some moments they notice, at others they do not. KubeVirt pauses no VM with such a
/// liveness probe (kubevirt-health.md 3).
#[test]
fn of_a_vm_that_is_seldom_asked() {
    let vm = vm()
        .strategy("Halted")
        .liveness(
            "httpGet: {port: 1500, path: /healthz}, initialDelaySeconds: 280, periodSeconds: 50, failureThreshold: 1",
        )
        .readiness("tcpSocket: {port: 1500}, periodSeconds: 40, failureThreshold: 1")
        .build();
    insta::assert_snapshot!("seldom_asked", table(&vm, "healthServer: true, noAgent: true", "{user: start}"));
}

fn names(vm: &VirtualMachine) -> Vec<String> {
    suspects(vm, "", "").into_iter().map(|s| s.cause.name).collect()
}

/// Nothing can have happened to a VM that nobody starts.
#[test]
fn of_a_vm_that_never_runs() {
    assert_eq!(names(&vm().strategy("Halted").build()), [""; 0]);
}

/// Who waits for longer than forty minutes waits for any boot.
#[test]
fn a_boot_may_be_too_slow() {
    for (delay, too_slow) in [(60, true), (2370, true), (2371, false)] {
        let vm = vm().liveness(&format!("guestAgentPing: {{}}, initialDelaySeconds: {delay}")).build();
        assert_eq!(names(&vm).contains(&"slow-boot".to_owned()), too_slow, "{delay}");
    }
}

/// A guest that boots for a minute longer than is waited for can still shut down, where it is given five.
#[test]
fn of_a_slow_boot() {
    let vm =
        vm().liveness("guestAgentPing: {}, initialDelaySeconds: 60").spec("terminationGracePeriodSeconds: 300").build();
    let signs = "Unhealthy(Readiness) Said(Readiness, Refused) Said(Readiness, TimedOut) Said(Readiness, NoAgent) \
                 Unhealthy(Liveness)! Said(Liveness, NoAgent) Killing! Terminated! ShuttingDown! AgentPingFailed! \
                 Ended(Succeeded)! DomainShutdown! VmiDeleted! VmiCreated Replaced! ConsoleShutdown! \
                 NotReady(PodTerminating) NotReady(GuestNotRunning) VmStatus(Running)";
    assert_eq!(shown_of("slow-boot", &suspects(&vm, "", "")), signs);
}

/// What came of a VMI does not count for the one that is made after it: here every one is killed sooner or later, since its
/// liveness probe asks for a page that there is not, and none has the time to shut down.
#[test]
fn of_the_next_vmi() {
    let vm = vm()
        .spec("terminationGracePeriodSeconds: 3")
        .liveness("httpGet: {port: 1500, path: /none}, initialDelaySeconds: 200")
        .build();
    let signs = "Unhealthy(Readiness) Said(Readiness, Refused) Said(Readiness, TimedOut) Said(Readiness, NoAgent) \
                 Unhealthy(Liveness)! Said(Liveness, Status) Killing! Terminated! ShuttingDown! Destroyed! Ended(Failed)! \
                 DomainCrashed! VmiDeleted! VmiCreated Replaced! NotReady(PodTerminating) NotReady(GuestNotRunning) \
                 VmStatus(Running)";
    assert_eq!(shown_of("qemu-killed", &suspects(&vm, "healthServer: true", "")), signs);
}

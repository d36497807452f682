//! Sequences that once went wrong: each runs a small scenario in the model and looks at the verdict and the trace.

use std::time::Duration;
use vmhealth_sim::cluster::{DomainEvent, ProbeRequest, VmiCommand};
use vmhealth_sim::engine::{Command, Config, Engine, FaultNews, Input, Request, VmiInput};
use vmhealth_sim::fixture::{self, ScenarioFile, scenario};
use vmhealth_sim::kubelet::{self, Attempt, ProbeKind};
use vmhealth_sim::manifest::{VirtualMachine, WatchdogAction};
use vmhealth_sim::scenario::{Span, Spec, Verdict};
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{Connection, Entry, Event, ShutdownCause};
use vmhealth_sim::world::{self, Driver, Model, Timings};

/// A VM with a poweroff watchdog that answers pings.
fn vm(strategy: &str) -> VirtualMachine {
    fixture::vm().strategy(strategy).readiness("guestAgentPing: {}").watchdog(WatchdogAction::Poweroff).build()
}

/// An engine of its own, that nobody answers.
fn engine(steps: &str) -> Engine {
    engine_with(steps, |_| Config::default())
}

fn engine_with(steps: &str, config: fn(&Spec) -> Config) -> Engine {
    let spec = spec(steps);
    Engine::new(vm("Always"), &spec, config(&spec))
}

fn spec(steps: &str) -> Spec {
    let expect = "{see: vm status Stopped, from: vm status Running, within: 0s..99s}";
    scenario().steps(steps).expect(expect).build().spec
}

/// Lets it run to `until`; what it asked for.
fn advance(engine: &mut Engine, until: Time) -> Vec<Command> {
    while let Some(t) = engine.next_wakeup().filter(|t| *t <= until) {
        engine.advance(t);
    }
    engine.advance(until);
    std::iter::from_fn(|| engine.next_command()).collect()
}

fn lines(engine: &Engine) -> Vec<String> {
    engine.trace().entries().iter().map(|e| e.event.to_string()).collect()
}

/// Runs steps and expectations in the model; the verdict, the trace's lines, the seconds it took.
fn run(strategy: &str, steps: &str, expect: &str) -> (Verdict, Vec<String>, f64) {
    run_with(Timings::default(), scenario(), strategy, steps, expect)
}

/// As [`run`], with a guest of this speed and more of the scenario.
fn run_with(
    timings: Timings,
    more: ScenarioFile,
    strategy: &str,
    steps: &str,
    expect: &str,
) -> (Verdict, Vec<String>, f64) {
    let scenario = more.steps(steps).expect(expect).build();
    let (verdict, trace, end) = world::run(&vm(strategy), &scenario.spec, Config::default(), timings);
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
    assert!(matches!(&verdict, Verdict::Fail(reason) if reason.contains("cannot happen any more")), "{verdict:?}");
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

/// It answers a ping of a guest that is not there itself, as virt-launcher does, and that counts as success.
#[test]
fn a_ping_needs_a_domain() {
    let mut engine = engine("");
    let commands = advance(&mut engine, Time::from_secs(15));
    assert!(!commands.iter().any(|c| matches!(c.what, Request::Cluster(VmiCommand::Probe { .. }))), "{commands:?}");
    assert!(lines(&engine).contains(&"readiness result Success".to_owned()), "{:#?}", lines(&engine));
}

/// Where nothing answers, the attempt takes its timeout: the world is asked to wait that long.
#[test]
fn a_connection_to_a_missing_domain_times_out() {
    let vm = fixture::vm().readiness("tcpSocket: {port: 1500}, timeoutSeconds: 3").build();
    let mut engine = Engine::new(vm, &spec(""), Config::default());
    let commands = advance(&mut engine, Time::from_secs(15));
    let waits = commands.iter().find_map(|c| match &c.what {
        Request::Cluster(VmiCommand::Probe { request: ProbeRequest::Answer { after, .. }, .. }) => {
            Some(after.as_secs())
        }
        _ => None,
    });
    assert_eq!(waits, Some(3), "{commands:?}");
}

/// What comes from a VMI that is gone does not concern the present one.
#[test]
fn answers_of_another_vmi_are_dropped() {
    let mut engine = engine("");
    advance(&mut engine, Time::from_secs(5));
    let before = lines(&engine);
    let attempt = Attempt { verdict: kubelet::Verdict::Failure, text: "late".into() };
    engine.handle(Time::from_secs(5), VmiInput::Probe { kind: ProbeKind::Readiness, attempt }.of(7));
    let started = DomainEvent::Started;
    engine.handle(Time::from_secs(5), VmiInput::Domain { at: Time::from_secs(5), event: started }.of(7));
    assert_eq!(lines(&engine), before);
}

/// A VMI that was deleted before its domain came up stays Failed when it does.
#[test]
fn a_domain_that_comes_too_late_changes_no_phase() {
    let mut engine = engine("{after: vmi phase Scheduled, user: stop}");
    advance(&mut engine, Time::from_millis(1500));
    assert!(lines(&engine).contains(&"vmi phase Failed".to_owned()), "{:#?}", lines(&engine));
    let at = Time::from_millis(1600);
    engine.handle(at, VmiInput::Domain { at, event: DomainEvent::Started }.of(1));
    assert!(!lines(&engine).contains(&"vmi phase Running".to_owned()), "{:#?}", lines(&engine));
}

/// Until the guest was seen to be what its profile says nothing is broken.
#[test]
fn a_fault_waits_for_the_guest() {
    let mut engine = engine("{after: vmi phase Running, fault: kernelPanic}");
    advance(&mut engine, Time::from_secs(1));
    let at = Time::from_secs(2);
    engine.handle(at, VmiInput::Domain { at, event: DomainEvent::Started }.of(1));
    let injects = |commands: &[Command]| commands.iter().any(|c| matches!(c.what, Request::Inject { .. }));
    assert!(!injects(&advance(&mut engine, Time::from_secs(10))));
    let report = vmhealth_sim::engine::GuestReport::default();
    engine.handle(Time::from_secs(10), VmiInput::GuestReady(report).of(1));
    assert!(injects(&advance(&mut engine, Time::from_secs(10))));
}

/// A guest whose kernel crashes by itself has failed, whatever was expected of it; one that is not there any more has not.
#[test]
fn a_crash_of_its_own_is_a_failure() {
    let mut engine = engine("");
    advance(&mut engine, Time::from_secs(5));
    let crash = |vmi| VmiInput::GuestCrashed { reason: "Attempted to kill init!".into() }.of(vmi);
    engine.handle(Time::from_secs(6), crash(0));
    assert_eq!(engine.verdict(), None);
    engine.handle(Time::from_secs(7), crash(1));
    assert_eq!(engine.verdict(), Some(&Verdict::Fail("Attempted to kill init!".into())));
}

/// What an image of ours lacks is our doing, what the user's lacks is its own failure.
#[test]
fn whose_image_it_is_decides_what_a_lack_is() {
    let conclude = |config: fn(&Spec) -> Config, input: Input| {
        let mut engine = engine_with("{after: guest ready, fault: killQemu}", config);
        advance(&mut engine, Time::from_secs(5));
        engine.handle(Time::from_secs(6), input);
        engine.verdict().cloned()
    };
    let lacks = || VmiInput::GuestNotReady { reason: "no daemon".into() }.of(1);
    let fault = || Input::Fault { step: 0, news: FaultNews::Failed("no daemon".into()) };
    for (input, reason) in [(lacks as fn() -> Input, "no daemon"), (fault, "killQemu could not be injected: no daemon")]
    {
        assert_eq!(conclude(|spec| Config::of(spec, 4.0, true), input()), Some(Verdict::Fail(reason.into())));
        let ours = conclude(|spec| Config::of(spec, 4.0, false), input());
        assert!(matches!(&ours, Some(Verdict::Infra(why)) if why.ends_with(reason)), "{ours:?}");
    }
    let host = Input::Fault { step: 0, news: FaultNews::HostFailed("QEMU is still there".into()) };
    let theirs = conclude(|spec| Config::of(spec, 4.0, true), host);
    assert!(matches!(&theirs, Some(Verdict::Infra(why)) if why.ends_with("QEMU is still there")), "{theirs:?}");
}

/// A fault that somebody only asks for is no part of the scenario: what cannot be broken then is said, and the run goes on.
#[test]
fn what_is_asked_for_and_cannot_be_broken_is_only_said() {
    let mut engine = engine("");
    advance(&mut engine, Time::from_secs(1));
    let at = Time::from_secs(2);
    engine.handle(at, VmiInput::Domain { at, event: DomainEvent::Started }.of(1));
    engine.handle(at, VmiInput::GuestReady(vmhealth_sim::engine::GuestReport::default()).of(1));
    engine.handle(at, asked("killWatchdog"));
    engine.handle(at, Input::Fault { step: 0, news: FaultNews::Failed("no daemon".into()) });
    assert_eq!(engine.verdict(), None);
    assert!(lines(&engine).contains(&"fault killWatchdog failed".to_owned()), "{:#?}", lines(&engine));
}

/// QEMU is asked to go once its guest has ended and stands still (`-no-shutdown`: SHUTDOWN, then STOP), and once only.
#[test]
fn when_a_domain_is_reaped() {
    let shutdown = DomainEvent::Shutdown { reason: ShutdownCause::GuestShutdown };
    let (started, stop) = (DomainEvent::Started, DomainEvent::Stop);
    for (events, reaps) in [
        (vec![started, stop], 0),
        (vec![started, shutdown], 0),
        (vec![started, shutdown, stop], 1),
        (vec![started, shutdown, stop, stop], 1),
    ] {
        let mut engine = engine("");
        let mut asked = advance(&mut engine, Time::from_secs(1));
        for event in &events {
            let at = Time::from_secs(2);
            engine.handle(at, VmiInput::Domain { at, event: *event }.of(1));
            asked.extend(advance(&mut engine, at));
        }
        let found = asked.iter().filter(|c| c.what == Request::Cluster(VmiCommand::Reap)).count();
        assert_eq!(found, reaps, "{events:?}");
    }
}

/// A minute for an image of ours, two for the user's, or what the scenario says; stretched by the guest's slowness.
#[test]
fn boot_deadlines() {
    let mut spec = spec("");
    let seconds = |spec: &Spec, users| Config::of(spec, 4.0, users).scaled_boot_deadline().as_secs();
    assert_eq!((seconds(&spec, false), seconds(&spec, true)), (240, 480));
    spec.boot_deadline = Some(Span(Duration::from_secs(15)));
    assert_eq!((seconds(&spec, false), seconds(&spec, true)), (60, 60));
}

/// The daemon that a shutdown stops closes the device in order: however long the rest takes, it does not fire.
#[test]
fn a_long_shutdown_is_not_cut_short() {
    let slow = Timings { shutdown: (Duration::from_secs(1), Duration::from_secs(25)), ..Timings::default() };
    let (verdict, lines, _) = run_with(
        slow,
        scenario().guest("watchdogDaemon: {heartbeatSeconds: 10, keepalive: masked}"),
        "Once",
        "{after: guest ready, fault: guestPoweroff}",
        "{see: vmi phase Succeeded, within: 20s..30s}",
    );
    assert_eq!(verdict, Verdict::Pass, "{lines:#?}");
}

/// What KubeVirt leaves to chance is the seed's: other seeds, other delays, all within their bounds; the same seed, the same.
#[test]
fn chance_is_the_seed_s() {
    let noticed = |seed: u32| {
        let (verdict, lines, seconds) = run_with(
            Timings::default(),
            scenario().spec(&format!("seed: {seed}")),
            "Once",
            "{after: guest ready, fault: killLauncher}",
            "{see: vmi phase Failed, within: 33s..44s}",
        );
        assert_eq!(verdict, Verdict::Pass, "{lines:#?}");
        (seconds * 1000.0) as u64
    };
    let all: std::collections::BTreeSet<u64> = (0..10).map(noticed).collect();
    assert!(all.len() > 5, "{all:?}");
    assert_eq!(noticed(3), noticed(3));
}

/// A step may be due long after all that was expected was seen and watched: until then nothing wakes the engine in vain.
#[test]
fn a_step_later_than_the_end_of_the_watch_is_waited_for() {
    let (verdict, lines, seconds) =
        run("Always", "{after: guest ready, plus: 300s, user: stop}", "{see: guest ready, within: 0s..60s}");
    assert_eq!(verdict, Verdict::Pass, "{lines:#?}");
    assert!((310.0..400.0).contains(&seconds), "{seconds}");
}

/// Without a readiness probe the pod is an endpoint before its VMI runs: the pod's Ready knows nothing of the VMI's phase
/// (kubevirt-health.md 4).
#[test]
fn an_endpoint_does_not_wait_for_the_phase() {
    let vm = fixture::vm().strategy("Always").build();
    let scenario =
        scenario().steps("{after: guest ready, user: stop}").expect("{see: vm status Stopped, within: 0s..99s}");
    let (verdict, trace, _) = world::run(&vm, &scenario.build().spec, Config::default(), Timings::default());
    assert_eq!(verdict, Verdict::Pass);
    let order = ["endpoints in", "vmi phase Running", "vmi ready True"];
    let seen = trace.sorted().into_iter().map(|e| e.event.to_string()).filter(|line| order.contains(&line.as_str()));
    assert_eq!(seen.collect::<Vec<_>>(), order);
}

/// The next VMI takes an edit over, and then there is nothing to restart for.
#[test]
fn a_restart_takes_an_edit_over() {
    let edit = "{after: guest ready, user: {edit: {readinessProbe: {tcpSocket: {port: 9}}}}}";
    let restart = "{after: vm condition RestartRequired True, user: restart}";
    let expect = "{see: vmi phase Running, vmi: 2, from: user restart, within: 0s..60s}";
    let (verdict, lines, _) = run("Always", &format!("{edit}, {restart}"), expect);
    assert_eq!(verdict, Verdict::Pass, "{lines:#?}");
    let seen = lines.iter().filter(|line| line.contains("RestartRequired"));
    assert_eq!(seen.collect::<Vec<_>>(), ["vm condition RestartRequired True", "vm condition RestartRequired gone"]);
}

/// A connection is judged by what the VMI was when it was decided, however late that is told.
#[test]
fn a_connection_counts_at_its_time() {
    for (at, fails) in [(4, true), (6, false)] {
        let mut engine = Engine::new(fixture::vm().build(), &spec(""), Config::default());
        let started = Time::from_secs(5);
        advance(&mut engine, started);
        engine.handle(started, VmiInput::Domain { at: started, event: DomainEvent::Started }.of(1));
        advance(&mut engine, Time::from_secs(6));
        let connection = Input::Connection { at: Time::from_secs(at), outcome: Connection::Delivered };
        engine.handle(Time::from_secs(6), connection);
        assert_eq!(engine.verdict().is_some(), fails, "decided at {at} s");
    }
}

/// Runs the model until `moment`, tells the engine `input` there, and goes on to the end.
fn interfered(vm: &VirtualMachine, spec: &Spec, moments: &[(u64, Input)]) -> (Verdict, Engine) {
    let mut driver = Driver::new(Engine::new(vm.clone(), spec, Config::default()));
    for (second, input) in moments {
        driver.tell(Time::from_secs(*second), input.clone());
    }
    let verdict = driver.run(&mut Model::new(&vm.vmi, spec, Timings::default()));
    (verdict, driver.into_engine())
}

fn asked(text: &str) -> Input {
    Input::Asked { fault: text.parse().expect("a fault") }
}

#[test]
fn what_is_asked_for_begins_at_once_and_is_watched_like_the_scenario_s_own() {
    let vm = vm("Always");
    let more = scenario().observe("30s").end("ready: true, answers: true, waitUpTo: 15m");
    let spec = more.expect("{see: guest ready, within: 0s..9m}").build().spec;
    let (verdict, engine) = interfered(&vm, &spec, &[(40, asked("guestReboot")), (65, asked("killAgent"))]);
    assert_eq!(verdict, Verdict::Pass, "{:#?}", lines(&engine));
    let begun = engine.trace().entries().iter().find(|e| e.event.to_string() == "fault guestReboot begun").unwrap();
    assert_eq!(begun.at, Time::from_secs(40));
    let begun = lines(&engine).iter().filter(|line| line.ends_with(" begun")).count();
    assert_eq!(begun, 2, "it is watched on for as long as after a fault of the scenario's: {:#?}", lines(&engine));
    // The same again as a scenario that nobody interferes with.
    let alone = Spec { steps: engine.steps_as_they_went(), ..spec.clone() };
    let (verdict, trace, _) = world::run(&vm, &alone, Config::default(), Timings::default());
    assert_eq!(verdict, Verdict::Pass);
    let times = |entries: &[Entry]| entries.iter().map(|e| format!("{} {}", e.at, e.event)).collect::<Vec<_>>();
    let (alone, before) = (times(trace.entries()), times(engine.trace().entries()));
    assert_eq!(alone[..before.len().min(alone.len())], before[..before.len().min(alone.len())]);
}

#[test]
fn what_is_asked_for_changes_nothing_of_what_the_scenario_does_next() {
    let vm = vm("Always");
    let steps = "{after: guest ready, plus: 2s, fault: killAgent}, {plus: 60s, fault: kernelPanic}";
    let spec = scenario().steps(steps).expect("{see: fault kernelPanic confirmed, from: guest ready, within: 0s..9m}");
    let spec = spec.build().spec;
    let begins = |moments: &[(u64, Input)]| {
        let (verdict, engine) = interfered(&vm, &spec, moments);
        assert_eq!(verdict, Verdict::Pass, "{:#?}", lines(&engine));
        let entries = engine.trace().entries().iter().filter(|e| matches!(e.event, Event::FaultBegun(_)));
        entries.map(|e| format!("{} {}", e.at.since_origin().as_secs(), e.event)).collect::<Vec<_>>()
    };
    let mut expected = begins(&[]);
    let found = begins(&[(50, asked("{networkLoss: {for: 5s}}"))]);
    expected.insert(1, "50 fault networkLoss begun".to_owned());
    assert_eq!(found, expected);
}

#[test]
fn what_cannot_be_broken_does_not_end_the_run() {
    let vm = vm("RerunOnFailure");
    let spec = scenario()
        .steps("{after: guest ready, fault: guestPoweroff}, {after: vm status Stopped, plus: 60s, user: start}");
    let spec = spec.expect("{see: guest ready, from: user start accepted, within: 0s..9m}").build().spec;
    let (verdict, engine) = interfered(&vm, &spec, &[(50, asked("kernelPanic"))]);
    assert_eq!(verdict, Verdict::Pass, "{:#?}", lines(&engine));
    assert!(lines(&engine).contains(&"fault kernelPanic failed".to_owned()), "{:#?}", lines(&engine));
}

#[test]
fn who_has_seen_enough_ends_the_run() {
    let vm = vm("Always");
    let more = || scenario().observe("1h").end("ready: true, waitUpTo: 15m");
    let check = |second, more: ScenarioFile, expected: fn(&Verdict) -> bool| {
        let spec = more.expect("{see: guest ready, from: vm event SuccessfulCreate, within: 0s..9m}").build().spec;
        let (verdict, engine) = interfered(&vm, &spec, &[(second, Input::Enough)]);
        assert!(expected(&verdict), "{second}: {verdict:?} {:#?}", lines(&engine));
        assert!(engine.trace().entries().last().unwrap().at <= Time::from_secs(second));
    };
    check(90, more(), |v| *v == Verdict::Pass);
    check(3, more(), |v| matches!(v, Verdict::Infra(why) if why == "ended by its user while guest ready was awaited"));
    let panics = more().steps("{after: guest ready, fault: kernelPanic}");
    check(50, panics, |v| matches!(v, Verdict::Fail(why) if why == "at the end ready is false, expected true"));
}

//! When a steady VM may be skipped, and what is said of what was skipped: an engine that is driven by hand until only its probes go on.

use std::time::Duration;
use vmhealth_sim::cluster::{Churn, Cycle, DomainEvent, VmiCommand};
use vmhealth_sim::engine::{Command, Config, Engine, FaultNews, GuestReport, Input, Request, VmiInput};
use vmhealth_sim::fixture::{ScenarioFile, scenario, vm};
use vmhealth_sim::kubelet::{Attempt, Verdict as Answer};
use vmhealth_sim::scenario::Verdict;
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::Keeps;

/// Where the engine stands once it is steady, and between two ticks.
const STEADY: Time = Time::from_secs(35);
const PERIOD: Duration = Duration::from_secs(10);

fn says(verdict: Answer) -> Attempt {
    Attempt { verdict, text: String::new() }
}

/// An engine whose guest is ready, and whose probes have all succeeded so far.
fn steady(file: ScenarioFile, keeps: Keeps) -> Engine {
    steady_with([10, 10], file, keeps)
}

/// With the periods of liveness and readiness, seconds.
fn steady_with(periods: [u32; 2], file: ScenarioFile, keeps: Keeps) -> Engine {
    let [liveness, readiness] =
        periods.map(|period| format!("tcpSocket: {{port: 1500}}, periodSeconds: {period}, timeoutSeconds: 30"));
    let vm = vm().readiness(&readiness).liveness(&liveness).build();
    let spec = file.guest("healthServer: true").build().spec;
    // The container runs as soon as the pod has its workers, so that both tick together.
    let churn = Churn { container_start: Duration::ZERO, ..Churn::default() };
    let mut engine = Engine::new(vm, &spec, Config { keeps, churn, ..Config::of(&spec, 1.0, false) });
    let domain = |second, event| (Time::from_secs(second), VmiInput::Domain { at: Time::from_secs(second), event });
    for (at, input) in [
        domain(2, DomainEvent::Started),
        domain(3, DomainEvent::AgentPort { open: true }),
        (Time::from_secs(4), VmiInput::GuestReady(GuestReport::default())),
    ] {
        run(&mut engine, at);
        engine.handle(at, input.of(1));
    }
    run(&mut engine, STEADY);
    engine
}

/// Goes on to `until`; each probe succeeds at once.
fn run(engine: &mut Engine, until: Time) {
    let mut now = Time::ZERO;
    loop {
        while let Some(command) = engine.next_command() {
            if let Request::Cluster(VmiCommand::Probe { kind, .. }) = command.what {
                engine.handle(now, VmiInput::Probe { kind, attempt: says(Answer::Success) }.of(1));
            }
        }
        let Some(at) = engine.next_wakeup().filter(|at| *at <= until) else { return };
        now = at;
        engine.advance(now);
    }
}

/// The probes' cycles in a world that answers each attempt so, after so long.
fn cycles(engine: &Engine, after: Duration, answer: Answer) -> Option<Vec<Cycle>> {
    engine.cycles(&mut |at, _: &Command| Some((at + after, says(answer))))
}

/// Nobody may be told anything between two ticks that are skipped, nor be shown each of them.
#[test]
fn when_nothing_but_probes_goes_on() {
    type Then = fn(&mut Engine);
    let keeps = Keeps::Changes;
    for (name, keeps, then, only_probes) in [
        ("a steady VM", keeps, (|_| {}) as Then, true),
        ("every entry is kept", Keeps::Everything, |_| {}, false),
        ("a boot is replayed", keeps, |engine| engine.set_replaying(true), false),
        (
            "something is asked of the world",
            keeps,
            |engine| engine.handle(STEADY, Input::Asked { fault: "kernelPanic".parse().expect("a fault") }),
            false,
        ),
        ("it is over", keeps, |engine| engine.handle(STEADY, Input::HostFailed { reason: "no memory".into() }), false),
    ] {
        let mut engine = steady(scenario().observe("1h"), keeps);
        then(&mut engine);
        assert_eq!(engine.probes_only().is_some(), only_probes, "{name}");
    }
}

/// An attempt that is made again at once, or lasts until the next tick, is none that comes again as it was; and what somebody waits
/// for is not skipped.
#[test]
fn which_answers_repeat_themselves() {
    let (soon, nobody) = (Duration::from_millis(50), scenario());
    let expects = || scenario().expect("{see: liveness answer Warning, within: 0s..1h}");
    for (name, file, after, answer, repeats) in [
        ("as before", nobody.clone(), soon, Answer::Success, true),
        ("an error, which is tried again", nobody.clone(), soon, Answer::Error, false),
        ("as late as can be", nobody.clone(), PERIOD - Duration::from_nanos(1), Answer::Success, true),
        ("at the next tick", nobody.clone(), PERIOD, Answer::Success, false),
        ("after the next tick", nobody.clone(), PERIOD + soon, Answer::Success, false),
        ("a warning, which is a success", nobody.clone(), soon, Answer::Warning, true),
        ("the first of some failures", nobody, soon, Answer::Failure, false),
        ("a warning that is expected", expects(), soon, Answer::Warning, false),
        (
            "a warning that a step waits for",
            scenario().steps("{after: liveness answer Warning, user: stop}"),
            soon,
            Answer::Warning,
            false,
        ),
    ] {
        let engine = steady(file.observe("1h"), Keeps::Changes);
        assert_eq!(cycles(&engine, after, answer).is_some(), repeats, "{name}");
    }
}

/// What only the node knows is told when it is back, as often as it came about.
#[test]
fn what_a_lost_node_will_tell_is_not_skipped() {
    let mut engine = steady(scenario().observe("1h"), Keeps::Changes);
    engine.handle(STEADY, Input::Asked { fault: "{nodeLost: {}}".parse().expect("a fault") });
    engine.handle(STEADY, Input::Fault { step: 0, news: FaultNews::Confirmed(String::new()) });
    for (answer, repeats) in [(Answer::Success, true), (Answer::Warning, false)] {
        assert_eq!(cycles(&engine, Duration::ZERO, answer).is_some(), repeats, "{answer:?}");
    }
}

/// Of two answers at one moment the readiness probe's was seen last: its worker has its turn after liveness's.
#[test]
fn what_was_seen_last_of_what_was_skipped() {
    for (periods, until, last) in [
        ([7, 25], 49, "42.550 liveness answer Success"),
        ([25, 7], 49, "42.550 readiness answer Success"),
        ([10, 15], 52, "50.550 liveness answer Success"),
        ([10, 15], 79, "75.550 readiness answer Success"),
        ([10, 10], 62, "60.550 readiness answer Success"),
    ] {
        let file = scenario().expect(&format!("{{see: qemu WATCHDOG, within: 0s..{until}s}}"));
        let mut engine = steady_with(periods, file, Keeps::Changes);
        let until = Time::from_nanos(1) + Duration::from_secs(until);
        let all = cycles(&engine, Duration::from_millis(50), Answer::Success).expect("they repeat themselves");
        let ticks = all.into_iter().map(|cycle| (cycle.ticks_before(until).expect("a number"), cycle));
        engine.skip(&ticks.map(|(ticks, cycle)| (cycle, ticks)).collect::<Vec<_>>());
        engine.advance(until);
        let verdict = engine.verdict();
        let said = format!("deadline; last seen: {last}");
        assert!(matches!(verdict, Some(Verdict::Fail(why)) if why.ends_with(&said)), "{periods:?}: {verdict:?}");
    }
}

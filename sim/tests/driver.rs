//! The driver against a world of our own making: what comes first, what ends a run, and a fault that finds no guest.

use std::collections::VecDeque;
use std::time::Duration;
use vmhealth_sim::cluster::{DomainEvent, Exit, VmiCommand};
use vmhealth_sim::engine::{Command, Config, Connection, Engine, FaultNews, GuestReport, Input, Request, VmiInput};
use vmhealth_sim::manifest;
use vmhealth_sim::scenario::{Scenario, Verdict};
use vmhealth_sim::time::Time;
use vmhealth_sim::world::{self, Driver, Step, Timings, World};

const VM: &str = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: vm}\nspec: {runStrategy: Once, template: {spec: {domain: {devices: {}}}}}\n";

/// Starts a guest at once, finds it good, confirms every fault, and has it end when told to.
#[derive(Default)]
struct Fake {
    news: VecDeque<(Time, Input)>,
    ends: Option<Time>,
    /// The guest is gone when a fault comes to it, and the engine does not know yet.
    gone_unseen: bool,
    faults: usize,
}

impl World for Fake {
    fn next_wakeup(&self) -> Option<Time> {
        self.news.iter().map(|(at, _)| *at).chain(self.ends).min()
    }

    fn step(&mut self) -> Option<(Time, Input)> {
        let next = self.next_wakeup();
        if let Some(at) = self.ends.take_if(|at| Some(*at) == next) {
            return Some((at, VmiInput::Domain { at, event: DomainEvent::Exited(Exit::Status(0)) }.of(1)));
        }
        self.news.pop_front()
    }

    fn execute(&mut self, now: Time, command: Command) {
        let input = match command.what {
            Request::Cluster(VmiCommand::StartDomain { .. }) => {
                self.news.push_back((now, VmiInput::Domain { at: now, event: DomainEvent::Started }.of(1)));
                VmiInput::Domain { at: now, event: DomainEvent::AgentPort { open: true } }.of(1)
            }
            Request::Verify => VmiInput::GuestReady(GuestReport::default()).of(1),
            Request::Inject { step, .. } => {
                self.faults += 1;
                let news = if self.gone_unseen { FaultNews::NoGuest } else { FaultNews::Confirmed("fake".into()) };
                Input::Fault { step, news }
            }
            _ => return,
        };
        self.news.push_back((now, input));
    }
}

fn spec(steps: &str) -> vmhealth_sim::scenario::Spec {
    let text = format!(
        "apiVersion: vmhealth.dev/v1alpha1\nkind: Scenario\nmetadata: {{id: a/b/c, summary: s}}\nspec:\n  manifest: x\n  steps: [{steps}]\n  expect: [{{see: vm status Stopped, from: vm status Running, within: 0s..99s}}]\n  final: {{}}\n"
    );
    Scenario::read(&text).unwrap_or_else(|e| panic!("{e}\n{text}")).spec
}

fn driver(steps: &str) -> Driver {
    let vm = manifest::read("vm.yaml", VM).unwrap_or_else(|e| panic!("{e}"));
    Driver::new(Engine::new(vm, &spec(steps), Config::default()))
}

/// Whatever breaks, and whichever world it is: who is gone cannot be broken, and the scenario is to blame.
#[test]
fn a_fault_that_finds_no_guest_is_a_failure_in_every_world() {
    for (steps, step, fault, state) in [
        (
            "{after: guest ready, fault: killQemu}, {after: vmi phase Failed, fault: killAgent}",
            2,
            "killAgent",
            "Failed",
        ),
        ("{after: guest ready, fault: killQemu}, {after: vmi phase Failed, fault: killQemu}", 2, "killQemu", "Failed"),
        (
            "{after: guest ready, fault: guestPoweroff}, {after: vmi phase Succeeded, fault: killLauncher}",
            2,
            "killLauncher",
            "Succeeded",
        ),
    ] {
        let reason = format!("step {step} (fault {fault}): there is no guest to break: VMI 1 is {state}");
        let vm = manifest::read("vm.yaml", VM).unwrap_or_else(|e| panic!("{e}"));
        let (verdict, trace, _) = world::run(&vm, &spec(steps), Config::default(), Timings::default());
        assert_eq!(verdict, Verdict::Fail(reason.clone()), "model");
        assert_eq!(trace.entries().last().map(|e| e.event.to_string()), Some(format!("fault {fault} failed")));
        if state == "Failed" {
            // A fake's guest ends by a bare exit, which is a crash.
            let mut fake = Fake { ends: Some(Time::from_secs(9)), ..Fake::default() };
            assert_eq!(driver(steps).run(&mut fake), Verdict::Fail(reason), "fake");
            assert_eq!(fake.faults, 1);
        }
    }
}

/// Whose launcher is gone has a VMI that still says Running; without a VMI there is nothing either.
#[test]
fn what_there_is_instead_of_a_guest() {
    for (steps, reason) in [
        (
            "{after: guest ready, fault: killLauncher}, {plus: 5s, fault: kernelPanic}",
            "step 2 (fault kernelPanic): there is no guest to break: the domain of VMI 1 has ended",
        ),
        (
            "{after: guest ready, fault: {nodeLost: {}}}, {plus: 5s, fault: {nodeLost: {by: powerLoss}}}",
            "step 2 (fault nodeLost): there is no guest to break: its node is lost already",
        ),
        (
            "{after: guest ready, fault: {nodeLost: {by: powerLoss}}}, {plus: 5s, fault: kernelPanic}",
            "step 2 (fault kernelPanic): there is no guest to break: the domain of VMI 1 has ended",
        ),
        (
            "{after: guest ready, user: delete}, {after: vm status Terminating, plus: 60s, fault: kernelPanic}",
            "step 2 (fault kernelPanic): there is no guest to break: there is no VMI",
        ),
    ] {
        let vm = manifest::read("vm.yaml", VM).unwrap_or_else(|e| panic!("{e}"));
        let (verdict, ..) = world::run(&vm, &spec(steps), Config::default(), Timings::default());
        assert_eq!(verdict, Verdict::Fail(reason.into()));
    }
}

/// The guest may end between the order and its being carried out: that is no other case.
#[test]
fn a_guest_that_ends_before_its_fault_is_carried_out() {
    let mut fake = Fake { gone_unseen: true, ..Fake::default() };
    let reason = "step 1 (fault kernelPanic): there is no guest to break: it has just ended";
    assert_eq!(driver("{after: guest ready, fault: kernelPanic}").run(&mut fake), Verdict::Fail(reason.into()));
    // The model's guest powers off while the fault is on its way.
    let slow = Timings { fault: (Duration::from_secs(5), Duration::from_secs(6)), ..Timings::default() };
    let vm = manifest::read("vm.yaml", VM).unwrap_or_else(|e| panic!("{e}"));
    let steps = "{after: guest ready, user: stop}, {fault: killAgent}";
    let (verdict, ..) = world::run(&vm, &spec(steps), Config::default(), slow);
    let reason = "step 2 (fault killAgent): there is no guest to break: there is no VMI";
    assert_eq!(verdict, Verdict::Fail(reason.into()));
}

/// What was reported comes before what is due at the same time, and both in the order of their times.
#[test]
fn each_thing_happens_at_its_own_time() {
    let mut driver = driver("");
    assert_eq!(driver.step(Time::ZERO), Step::WaitUntil(Some(Time::from_millis(500))));
    for (millis, outcome) in [(700, Connection::Lost), (500, Connection::Refused)] {
        let at = Time::from_millis(millis);
        driver.tell(at, Input::Connection { at, outcome });
    }
    assert_eq!(driver.step(Time::from_millis(800)), Step::WaitUntil(Some(Time::from_secs(1))));
    assert_eq!(driver.now(), Time::from_millis(700));
    let lines: Vec<_> = driver.engine().trace().entries().iter().map(|e| format!("{} {}", e.at, e.event)).collect();
    let place = |line: &str| lines.iter().position(|l| l == line).unwrap_or_else(|| panic!("{line}: {lines:#?}"));
    assert!(place("0.500 traffic refused") < place("0.500 vmi phase Scheduling"), "{lines:#?}");
    assert!(place("0.500 vmi phase Scheduling") < place("0.700 traffic lost"), "{lines:#?}");
}

/// In a world whose time goes on by itself, what is overdue happens late.
#[test]
fn what_is_overdue_happens_now() {
    let mut driver = driver("");
    driver.step_at(Time::from_millis(900));
    let last = driver.engine().trace().entries().last().map(|e| e.at);
    assert_eq!((driver.now(), last), (Time::from_millis(900), Some(Time::from_millis(900))));
}

/// A world that is asked and never answers does not keep the run for ever.
#[test]
fn a_run_ends_without_an_answer() {
    struct Silent;
    impl World for Silent {
        fn next_wakeup(&self) -> Option<Time> {
            None
        }
        fn step(&mut self) -> Option<(Time, Input)> {
            None
        }
        fn execute(&mut self, _: Time, _: Command) {}
    }
    let verdict = driver("").run(&mut Silent);
    assert_eq!(verdict, Verdict::Fail("longer than 3600 s".into()));
}

/// A world that is never done with one moment does not keep the run for ever; one that has as many steps in a longer time goes on.
#[test]
fn a_run_whose_time_stands_still_ends() {
    struct Busy {
        next: Time,
        every: Duration,
        left: u64,
    }
    impl World for Busy {
        fn next_wakeup(&self) -> Option<Time> {
            (self.left > 0).then_some(self.next)
        }
        fn step(&mut self) -> Option<(Time, Input)> {
            self.left -= 1;
            self.next = self.next + self.every;
            None
        }
        fn execute(&mut self, _: Time, _: Command) {}
    }
    for (every, left, verdict) in [
        (Duration::ZERO, u64::MAX, Verdict::Infra("more than 1000000 steps within a second, at 1.000 s".into())),
        (Duration::from_micros(2), 1_600_000, Verdict::Fail("longer than 3600 s".into())),
    ] {
        let mut driver = driver("");
        assert_eq!(driver.run(&mut Busy { next: Time::from_secs(1), every, left }), verdict, "{every:?}");
        assert!(driver.steps_taken() > 1_000_000, "{}", driver.steps_taken());
    }
}

//! Edges of the prober worker that no worked timeline turns on (kubelet-prober.md 3 and 6); found by mutants.

use std::time::Duration;
use vmhealth_sim::kubelet::*;
use vmhealth_sim::manifest::Timings;
use vmhealth_sim::time::Time;

fn timings(initial_delay: i32, failure_threshold: u32) -> Timings {
    Timings { initial_delay, timeout: 1, period: 1, success_threshold: 1, failure_threshold }
}

fn view(id: u32, started_at: Time) -> PodView {
    let container = Container { id, started_at, state: ContainerState::Running, started: true };
    PodView { container: Some(container), terminal: false }
}

fn attempts(actions: &[Action]) -> usize {
    actions.iter().filter(|a| matches!(a, Action::Attempt(_))).count()
}

/// The start is cut to whole seconds before the delay is counted from it: up to a second early.
#[test]
fn the_delay_counts_from_the_start_s_whole_second() {
    for (millis, first) in [(10_000, 15), (10_001, 15), (10_900, 15), (11_000, 16)] {
        let mut worker = Worker::new(ProbeKind::Readiness, timings(5, 1), Time::ZERO, Duration::ZERO);
        let pod = view(1, Time::from_millis(millis));
        let begins = (0..30).find(|second| attempts(&worker.poll(Time::from_secs(*second), &pod)) > 0);
        assert_eq!(begins, Some(first), "started at {millis} ms");
    }
}

/// After a liveness failure the run begins anew with the new container: one failure is not three.
#[test]
fn a_new_container_needs_its_own_failures() {
    let mut worker = Worker::new(ProbeKind::Liveness, timings(0, 2), Time::ZERO, Duration::ZERO);
    let mut fail = |second: u64, id: u32| {
        worker.poll(Time::from_secs(second), &view(id, Time::ZERO));
        let actions = worker.finish(Attempt { verdict: Verdict::Failure, text: String::new() });
        actions.contains(&Action::Publish { result: ProbeResult::Failure, initial: false })
    };
    assert_eq!([fail(0, 1), fail(1, 1)], [false, true]);
    assert_eq!([fail(2, 2), fail(3, 2)], [false, true], "the second container");
}

/// A container that will not come back takes its worker with it.
#[test]
fn the_worker_ends_with_a_container_that_does_not_restart() {
    for (restarts, exits) in [(false, true), (true, false)] {
        let mut worker = Worker::new(ProbeKind::Readiness, timings(0, 1), Time::ZERO, Duration::ZERO);
        let ended =
            Container { id: 1, started_at: Time::ZERO, state: ContainerState::Terminated { restarts }, started: true };
        let actions = worker.poll(Time::ZERO, &PodView { container: Some(ended), terminal: false });
        assert!(actions.contains(&Action::Publish { result: ProbeResult::Failure, initial: true }));
        assert_eq!(actions.contains(&Action::Exited), exits, "restarts: {restarts}");
        assert_eq!(worker.next_wakeup(Time::from_secs(1)).is_none(), exits);
    }
}

/// From the beginning of a pod's termination on liveness is silent, and readiness is not.
#[test]
fn liveness_ends_when_the_pod_terminates() {
    for (terminating, kinds) in
        [(false, vec![ProbeKind::Liveness, ProbeKind::Readiness]), (true, vec![ProbeKind::Readiness])]
    {
        let mut pod = LauncherPod::new(Some(timings(0, 1)), Some(timings(0, 1)), Time::ZERO);
        pod.container_started(Time::ZERO);
        if terminating {
            pod.terminating();
        }
        let actions = pod.poll(Time::from_secs(1));
        let attempts = actions.iter().filter_map(|(kind, a)| matches!(a, Action::Attempt(_)).then_some(*kind));
        assert_eq!(attempts.collect::<Vec<_>>(), kinds, "terminating: {terminating}");
    }
}

/// One attempt at a time: a tick or a stop that comes meanwhile has to wait for the answer.
#[test]
fn never_two_attempts_in_flight() {
    for stopped in [false, true] {
        let mut worker = Worker::new(ProbeKind::Readiness, timings(0, 1), Time::ZERO, Duration::ZERO);
        let (pod, later) = (view(1, Time::ZERO), Time::from_secs(5));
        assert_eq!(attempts(&worker.poll(Time::ZERO, &pod)), 1);
        if stopped {
            worker.stop();
        }
        assert_eq!(worker.next_wakeup(later), None, "stopped: {stopped}");
        assert_eq!(worker.poll(later, &pod), [], "stopped: {stopped}");
        worker.finish(Attempt { verdict: Verdict::Success, text: String::new() });
        assert!(worker.next_wakeup(later).is_some_and(|at| at <= later), "stopped: {stopped}");
        assert_eq!(worker.poll(later, &pod).contains(&Action::Exited), stopped);
    }
}

/// A liveness failure that comes in after the container's end stops nothing: there is nothing left to stop.
#[test]
fn a_late_liveness_failure_stops_nothing() {
    for (ended, stops) in [(false, true), (true, false)] {
        let mut pod = LauncherPod::new(None, Some(timings(0, 1)), Time::ZERO);
        pod.container_started(Time::ZERO);
        assert!(pod.poll(Time::ZERO).iter().any(|(_, action)| matches!(action, Action::Attempt(_))));
        if ended {
            pod.container_ended();
        }
        let actions = pod.finish(ProbeKind::Liveness, Attempt { verdict: Verdict::Failure, text: String::new() });
        assert_eq!(actions.contains(&(ProbeKind::Liveness, Action::StopContainer)), stops, "ended: {ended}");
    }
}

/// A container that becomes not ready is probed at once, not a period later (kubelet-prober.md 8). It becomes so first when it
/// is new.
#[test]
fn a_container_that_is_not_ready_any_more_is_probed_at_once() {
    let slow = Timings { period: 10, ..timings(0, 1) };
    let mut pod = LauncherPod::new(Some(slow), None, Time::ZERO);
    pod.container_started(Time::ZERO);
    let answers = [(Verdict::Success, 0), (Verdict::Success, 10), (Verdict::Failure, 10), (Verdict::Failure, 20)];
    let mut now = Time::ZERO;
    for (verdict, next) in answers {
        pod.poll(now);
        pod.finish(ProbeKind::Readiness, Attempt { verdict, text: String::new() });
        assert_eq!(pod.next_wakeup(now), Some(Time::from_secs(next)), "{verdict:?} at {now}");
        now = Time::from_secs(next);
    }
}

/// Its next tick is like every later one only where nothing waits to be done before it, and its delay is over.
#[test]
fn when_a_worker_is_idle() {
    type Then = fn(&mut Worker, &PodView);
    let second = Time::from_secs;
    let answered = |worker: &mut Worker, pod: &PodView| {
        worker.poll(Time::from_secs(5), pod);
        worker.finish(Attempt { verdict: Verdict::Success, text: String::new() });
    };
    for (name, has_answered, then, idle) in [
        ("its delay is not over", false, (|_, _| {}) as Then, None),
        ("it has answered", true, |_, _| {}, Some(second(6))),
        ("its attempt is under way", true, |worker, pod| drop(worker.poll(Time::from_secs(6), pod)), None),
        ("it is triggered", true, |worker, _| worker.trigger(), None),
        ("it is about to end", true, |worker, _| worker.stop(), None),
        (
            "it has ended",
            true,
            |worker, pod| {
                worker.stop();
                worker.poll(Time::from_secs(6), pod);
            },
            None,
        ),
        (
            "its kubelet has started anew",
            true,
            |worker, _| worker.restart(Time::from_secs(6), Duration::from_millis(500), true),
            None,
        ),
    ] {
        let mut worker = Worker::new(ProbeKind::Readiness, timings(5, 1), Time::ZERO, Duration::ZERO);
        let pod = view(1, Time::ZERO);
        if has_answered {
            answered(&mut worker, &pod);
        }
        then(&mut worker, &pod);
        assert_eq!(worker.idle_until(&pod), idle, "{name}");
    }
}

//! A kubelet that starts anew (kubelet-prober.md 8, 4.): what its workers forget, when they begin again, and whether the pod stays ready.

use std::time::Duration;
use vmhealth_sim::kubelet::*;
use vmhealth_sim::manifest::Timings;
use vmhealth_sim::time::Time;

const PERIOD: u32 = 4;

fn timings(failure_threshold: u32) -> Timings {
    Timings { initial_delay: 0, timeout: 1, period: PERIOD, success_threshold: 1, failure_threshold }
}

/// A pod with both probes whose guest answers as `answer` says, second by second; the kubelet starts anew at `restart`, and each
/// worker after half a period. What was seen from then on, up to `end`.
fn seen(restart: u64, end: u64, keeps_ready: bool, answer: impl Fn(u64) -> Verdict) -> Vec<String> {
    let mut pod = LauncherPod::new(Some(timings(2)), Some(timings(3)), Time::ZERO);
    pod.container_started(Time::ZERO);
    let (mut lines, mut ready) = (Vec::new(), false);
    for second in 0..end {
        let now = Time::from_secs(second);
        if second == restart {
            let pod_ready = pod.ready();
            pod.kubelet_restarts(now, keeps_ready, pod_ready, || 0.5);
        }
        let mut note = |line: String| lines.extend((second >= restart).then_some(format!("{second} {line}")));
        let mut all = pod.poll(now);
        // What is due within the second, each answer at once.
        loop {
            let mut more = Vec::new();
            for (kind, action) in all {
                match action {
                    Action::Attempt(_) => {
                        note(format!("{kind} attempt"));
                        more.extend(pod.finish(kind, Attempt { verdict: answer(second), text: String::new() }));
                    }
                    Action::Publish { result, .. } => note(format!("{kind} {result:?}")),
                    Action::StopContainer => note("stop".into()),
                    Action::Event(..) | Action::Exited => {}
                }
            }
            if ready != pod.ready() {
                ready = pod.ready();
                note(format!("ready {ready}"));
            }
            all = if more.is_empty() { pod.poll(now) } else { more };
            if all.is_empty() {
                break;
            }
        }
    }
    lines
}

#[test]
fn what_a_restart_of_the_kubelet_changes() {
    let healthy = |_| Verdict::Success;
    // Until the restart, and after it.
    let broken_from = |from: u64| move |second| if second >= from { Verdict::Failure } else { Verdict::Success };
    for (name, restart, end, keeps_ready, answer, expected) in [
        (
            "it stays ready, and says so once more; a sync asks at once again as long as nothing is said",
            20,
            26,
            true,
            &healthy as &dyn Fn(u64) -> Verdict,
            "22 Liveness attempt, 22 Readiness attempt, 22 Liveness Success, 22 Readiness Success, 22 Readiness attempt",
        ),
        (
            "it is not ready until the probe has answered",
            20,
            26,
            false,
            &healthy,
            "20 ready false, 22 Liveness Success, 22 Liveness attempt, 22 Readiness Failure, 22 Readiness attempt, 22 ready true, \
             22 Readiness Success, 22 Readiness attempt",
        ),
        (
            "one failure of three is forgotten by liveness; readiness has its two at once",
            17,
            28,
            true,
            &broken_from(16),
            "19 Liveness attempt, 19 Readiness attempt, 19 Readiness attempt, 19 ready false, 19 Readiness Failure, 19 Readiness attempt, \
             23 Liveness attempt, 23 Readiness attempt, 27 Liveness attempt, 27 Readiness attempt, 27 Liveness Failure, 27 stop",
        ),
        (
            "a container that has run for less than 10 s has its initial value",
            9,
            12,
            true,
            &healthy,
            "9 ready false, 11 Liveness Success, 11 Liveness attempt, 11 Readiness Failure, 11 Readiness attempt, 11 ready true, \
             11 Readiness Success, 11 Readiness attempt",
        ),
        (
            "and one that has run for 10 s to the moment has it too",
            10,
            13,
            true,
            &healthy,
            "10 ready false, 12 Liveness Success, 12 Liveness attempt, 12 Readiness Failure, 12 Readiness attempt, 12 ready true, \
             12 Readiness Success, 12 Readiness attempt",
        ),
    ] {
        assert_eq!(seen(restart, end, keeps_ready, answer).join(", "), expected, "{name}");
    }
}

/// What the former kubelet had asked is answered to nobody, and counts for nothing.
#[test]
fn an_answer_that_nobody_waits_for() {
    let mut pod = LauncherPod::new(Some(timings(1)), None, Time::ZERO);
    pod.container_started(Time::ZERO);
    let failure = || Attempt { verdict: Verdict::Failure, text: String::new() };
    assert!(pod.poll(Time::ZERO).iter().any(|(_, action)| *action == Action::Attempt(1)));
    assert!(!pod.drops_answer(ProbeKind::Readiness), "nothing was restarted");
    pod.kubelet_restarts(Time::from_secs(20), true, true, || 0.0);
    assert_eq!(pod.poll(Time::from_secs(20)), vec![], "the former attempt is still under way");
    assert!(pod.drops_answer(ProbeKind::Readiness));
    assert!(pod.poll(Time::from_secs(21)).iter().any(|(_, action)| *action == Action::Attempt(1)));
    assert!(!pod.drops_answer(ProbeKind::Readiness), "its own");
    let said = pod.finish(ProbeKind::Readiness, failure());
    assert!(
        said.contains(&(ProbeKind::Readiness, Action::Publish { result: ProbeResult::Failure, initial: false })),
        "{said:?}"
    );
}

/// A kubelet that starts anew makes no worker for a pod that terminates, and none begins again that has ended or is about to.
#[test]
fn who_does_not_begin_again() {
    let mut pod = LauncherPod::new(Some(timings(1)), Some(timings(1)), Time::ZERO);
    pod.container_started(Time::ZERO);
    pod.lose_workers();
    assert_eq!(pod.next_wakeup(Time::ZERO), None);
    assert_eq!(pod.poll(Time::from_secs(60)), vec![]);

    let view = PodView::default();
    for (name, exited, exits) in [("it is about to end", false, true), ("it has ended", true, false)] {
        let mut worker = Worker::new(ProbeKind::Readiness, timings(1), Time::ZERO, Duration::ZERO);
        worker.stop();
        if exited {
            assert_eq!(worker.poll(Time::ZERO, &view), vec![Action::Exited]);
        }
        worker.restart(Time::from_secs(20), Duration::ZERO, true);
        let done = worker.poll(Time::from_secs(20), &view);
        assert_eq!(done == vec![Action::Exited], exits, "{name}: {done:?}");
        assert_eq!(worker.next_wakeup(Time::from_secs(20)), None, "{name}");
    }
}

//! Invariants that hold for any input.

use proptest::prelude::*;
use std::time::Duration;
use vmhealth_sim::kubelet::*;
use vmhealth_sim::manifest::{self, Timings};
use vmhealth_sim::scenario::Scenario;
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{PanicAction, ShutdownCause};

proptest! {
    /// A result flips only at the end of a run of at least its threshold, counting what is not an error.
    #[test]
    fn thresholds_are_runs(success in 1_u32..5, failure in 1_u32..5, outcomes in prop::collection::vec(0_u8..3, 1..60)) {
        let timings = Timings { initial_delay: 0, timeout: 1, period: 1, success_threshold: success, failure_threshold: failure };
        let mut worker = Worker::new(ProbeKind::Readiness, timings, Time::ZERO, Duration::ZERO);
        let container = Container { id: 1, started_at: Time::ZERO, state: ContainerState::Running, started: true };
        let view = PodView { container: Some(container), terminal: false };
        let (mut run, mut last) = (0, None);
        for (i, outcome) in outcomes.into_iter().enumerate() {
            worker.poll(Time::from_secs(i as u64), &view);
            let before = worker.published();
            let verdict = [Verdict::Success, Verdict::Failure, Verdict::Error][usize::from(outcome)];
            for _ in 0..if verdict == Verdict::Error { 3 } else { 1 } {
                worker.finish(Attempt { verdict, text: String::new() });
            }
            if verdict != Verdict::Error {
                run = if last == Some(verdict) { run + 1 } else { 1 };
                last = Some(verdict);
            }
            let (result, threshold) = match verdict {
                Verdict::Success => (ProbeResult::Success, success),
                _ => (ProbeResult::Failure, failure),
            };
            let expected = if verdict != Verdict::Error && run >= threshold { Some(result) } else { before };
            prop_assert_eq!(worker.published(), expected);
        }
    }

    /// Any text is read or refused, never a panic.
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}", value in "[-0-9a-zA-Z{}\\[\\]:., '\"&*~]{0,40}") {
        let _ = manifest::read("x", &text);
        let _ = Scenario::read(&text);
        let vm = format!("apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nspec:\n  runStrategy: Always\n  template:\n    spec:\n      readinessProbe: {value}\n      domain: {value}\n");
        let _ = manifest::read("x", &vm);
    }
}

/// QMP's words are read as they are written, and one that is new to us is no other.
#[test]
fn every_word_of_qemu_is_read_as_itself() {
    for cause in ShutdownCause::ALL {
        assert_eq!(ShutdownCause::from(cause.as_str()), *cause);
    }
    for action in PanicAction::ALL {
        assert_eq!(PanicAction::from(action.as_str()), *action);
    }
    assert_eq!(
        (ShutdownCause::from("brand-new"), PanicAction::from("brand-new")),
        (ShutdownCause::Other, PanicAction::Other)
    );
}

//! The 18 worked timelines of kubelet-prober.md 16, as data. Written from the reference, not from the engine.

use std::time::Duration;
use vmhealth_sim::kubelet::*;
use vmhealth_sim::manifest::Timings;
use vmhealth_sim::time::Time;

/// What becomes of the container, and when (seconds).
#[derive(Clone, Copy)]
enum Step {
    /// Container `id` runs and is `started`.
    Runs(f64, u32),
    /// Container `id` runs but is not marked started.
    RunsUnstarted(f64, u32),
    /// It is marked started.
    MarkedStarted(f64),
    /// It has ended and will be restarted.
    Ends(f64),
    /// A manual trigger.
    Trigger(f64),
}
use Step::*;

struct Row {
    number: u8,
    kind: ProbeKind,
    /// initial delay, timeout, period, success threshold, failure threshold
    config: (i32, u32, u32, u32, u32),
    /// Worker made at, and the jitter before its first iteration.
    made: (f64, f64),
    steps: &'static [Step],
    /// `S`, `F`, `W`, `E` per probe (E: three attempts that err), `T` takes the whole timeout; a number is its length.
    outcomes: &'static str,
    probes: &'static [f64],
    /// `S` or `F` and when.
    publishes: &'static [(char, f64)],
}

const R: ProbeKind = ProbeKind::Readiness;
const L: ProbeKind = ProbeKind::Liveness;

#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row { number: 1, kind: R, config: (0, 1, 10, 1, 3), made: (0., 0.), steps: &[Runs(0., 1)], outcomes: "S S F F F F S",
          probes: &[0., 10., 20., 30., 40., 50., 60.], publishes: &[('F', 0.), ('S', 0.2), ('F', 40.2), ('S', 60.2)] },
    Row { number: 2, kind: R, config: (25, 1, 10, 1, 3), made: (0., 0.), steps: &[Runs(0., 1)], outcomes: "S S",
          probes: &[30., 40.], publishes: &[('F', 0.), ('S', 30.2)] },
    Row { number: 3, kind: L, config: (5, 4, 20, 1, 2), made: (0., 0.), steps: &[Runs(1.5, 1)], outcomes: "S T T",
          probes: &[20., 40., 60.], publishes: &[('S', 20.), ('F', 64.)] },
    Row { number: 4, kind: L, config: (0, 1, 6, 1, 4), made: (0., 0.), steps: &[Runs(0., 1)], outcomes: "F F F S F F F F",
          probes: &[0., 6., 12., 18., 24., 30., 36., 42.], publishes: &[('S', 0.), ('F', 42.2)] },
    Row { number: 5, kind: R, config: (0, 1, 4, 2, 2), made: (0., 0.), steps: &[Runs(0., 1)], outcomes: "S S F S F F S S",
          probes: &[0., 4., 8., 12., 16., 20., 24., 28.], publishes: &[('F', 0.), ('S', 4.2), ('F', 20.2), ('S', 28.2)] },
    Row { number: 6, kind: R, config: (0, 1, 8, 1, 3), made: (0., 0.), steps: &[Runs(0., 1)], outcomes: "S E F E F F S",
          probes: &[0., 8., 16., 24., 32., 40., 48.], publishes: &[('F', 0.), ('S', 0.2), ('F', 40.2), ('S', 48.2)] },
    Row { number: 7, kind: L, config: (0, 1, 15, 1, 1), made: (0., 0.), steps: &[Runs(0., 1)], outcomes: "E E E",
          probes: &[0., 15., 30.], publishes: &[('S', 0.)] },
    Row { number: 8, kind: R, config: (0, 1, 10, 1, 2), made: (0., 0.), steps: &[Runs(0., 1)], outcomes: "F W F W F F",
          probes: &[0., 10., 20., 30., 40., 50.], publishes: &[('F', 0.), ('S', 10.2), ('F', 50.2)] },
    Row { number: 9, kind: R, config: (0, 9, 3, 1, 3), made: (0., 0.), steps: &[Runs(0., 1)], outcomes: "S7.5 S S S S",
          probes: &[0., 7.5, 9., 12., 15.], publishes: &[('F', 0.), ('S', 7.5)] },
    Row { number: 10, kind: L, config: (0, 7, 2, 1, 3), made: (0., 0.), steps: &[Runs(0., 1)], outcomes: "S2.5 T T T",
          probes: &[0., 2.5, 9.5, 16.5], publishes: &[('S', 0.), ('F', 23.5)] },
    Row { number: 11, kind: L, config: (15, 1, 10, 1, 3), made: (0., 0.), steps: &[Runs(0., 1), Runs(71.4, 2)], outcomes: "S S F F F S S",
          probes: &[20., 30., 40., 50., 60., 90., 100.], publishes: &[('S', 0.), ('F', 60.2), ('S', 80.)] },
    Row { number: 12, kind: L, config: (0, 1, 7, 1, 3), made: (0., 0.), steps: &[Runs(0., 1), Runs(16., 2)], outcomes: "S F F F",
          probes: &[0., 7., 14., 21.], publishes: &[('S', 0.), ('S', 21.), ('F', 21.2)] },
    Row { number: 13, kind: R, config: (0, 1, 6, 2, 3), made: (0., 0.), steps: &[Runs(0., 1), Runs(20., 2)], outcomes: "S S S S S",
          probes: &[0., 6., 12., 18., 24.], publishes: &[('F', 0.), ('S', 6.2), ('F', 24.), ('S', 24.2)] },
    Row { number: 14, kind: R, config: (0, 1, 30, 1, 3), made: (0., 0.), steps: &[Runs(3., 1), Trigger(3.2)], outcomes: "S S",
          probes: &[3.2, 33.2], publishes: &[('F', 3.2), ('S', 3.4)] },
    Row { number: 15, kind: R, config: (20, 1, 15, 1, 3), made: (0., 0.), steps: &[Runs(0., 1), Trigger(6.)], outcomes: "S S",
          probes: &[21., 36.], publishes: &[('F', 0.), ('S', 21.2)] },
    Row { number: 16, kind: L, config: (0, 1, 20, 1, 1), made: (5., 5.), steps: &[Runs(5., 1)], outcomes: "S F",
          probes: &[10., 30.], publishes: &[('S', 10.), ('F', 30.2)] },
    Row { number: 17, kind: R, config: (0, 1, 5, 1, 3), made: (0., 0.), steps: &[RunsUnstarted(0., 1), MarkedStarted(17.)], outcomes: "S S",
          probes: &[20., 25.], publishes: &[('F', 0.), ('S', 20.2)] },
    Row { number: 18, kind: R, config: (0, 1, 5, 1, 10), made: (0., 0.), steps: &[Runs(0., 1), Ends(12.), Runs(23., 2)], outcomes: "S S S S S",
          probes: &[0., 5., 10., 25., 30.], publishes: &[('F', 0.), ('S', 0.2), ('F', 15.), ('F', 25.), ('S', 25.2)] },
];

fn at(seconds: f64) -> Time {
    Time::from_millis((seconds * 1000.).round() as u64)
}

/// What one replay shows.
struct Seen {
    probes: Vec<Time>,
    publishes: Vec<(char, Time)>,
    attempts: usize,
    events: usize,
}

fn replay(row: &Row) -> Seen {
    let (initial_delay, timeout, period, success_threshold, failure_threshold) = row.config;
    let timings = Timings { initial_delay, timeout, period, success_threshold, failure_threshold };
    let mut worker = Worker::new(row.kind, timings, at(row.made.0), Duration::from_secs_f64(row.made.1));
    let mut view = PodView::default();
    let mut outcomes = row.outcomes.split(' ');
    let mut steps = row.steps.iter().peekable();
    let mut answer: Option<(Time, Attempt)> = None;
    let mut present: Option<Attempt> = None;
    let mut seen = Seen { probes: Vec::new(), publishes: Vec::new(), attempts: 0, events: 0 };
    let mut now = Time::ZERO;
    for _ in 0..10_000 {
        while let Some(step) = steps.next_if(|s| step_time(s) <= now) {
            apply(step, &mut view, &mut worker);
        }
        let actions = match answer.take_if(|(t, _)| *t <= now) {
            Some((_, attempt)) => worker.finish(attempt),
            None => worker.poll(now, &view),
        };
        let idle = actions.is_empty();
        for action in actions {
            match action {
                Action::Attempt(n) => {
                    if n == 1 {
                        let Some(word) = outcomes.next() else { return seen };
                        seen.probes.push(now);
                        present = Some(attempt(word));
                        let length = length(word, timeout);
                        answer = Some((now + length, attempt(word)));
                    } else {
                        answer = present.clone().map(|a| (now, a));
                    }
                    seen.attempts += 1;
                }
                Action::Publish { result: ProbeResult::Success, .. } => seen.publishes.push(('S', now)),
                Action::Publish { result: ProbeResult::Failure, .. } => seen.publishes.push(('F', now)),
                Action::Event(..) => seen.events += 1,
                Action::Exited => return seen,
                Action::StopContainer => panic!("only a pod stops its container"),
            }
        }
        if idle {
            let wake = worker
                .next_wakeup(now)
                .into_iter()
                .chain(answer.iter().map(|(t, _)| *t))
                .chain(steps.peek().map(|s| step_time(s)));
            now = wake.map(|t| t.max(now)).min().expect("something is always due");
        }
        // A worker on hold ticks for ever.
        if now > Time::from_secs(300) {
            return seen;
        }
    }
    panic!("row {} spins", row.number)
}

fn step_time(step: &Step) -> Time {
    match *step {
        Runs(t, _) | RunsUnstarted(t, _) | MarkedStarted(t) | Ends(t) | Trigger(t) => at(t),
    }
}

fn apply(step: &Step, view: &mut PodView, worker: &mut Worker) {
    let container = |t, id, started| Container { id, started_at: at(t), state: ContainerState::Running, started };
    match (*step, &mut view.container) {
        (Runs(t, id), slot) => *slot = Some(container(t, id, true)),
        (RunsUnstarted(t, id), slot) => *slot = Some(container(t, id, false)),
        (MarkedStarted(_), Some(c)) => c.started = true,
        (Ends(_), Some(c)) => c.state = ContainerState::Terminated { restarts: true },
        (Trigger(_), _) => worker.trigger(),
        (MarkedStarted(_) | Ends(_), None) => panic!("no container"),
    }
}

fn attempt(word: &str) -> Attempt {
    let verdict = match word.as_bytes()[0] {
        b'S' => Verdict::Success,
        b'W' => Verdict::Warning,
        b'E' => Verdict::Error,
        _ => Verdict::Failure,
    };
    Attempt { verdict, text: String::new() }
}

fn length(word: &str, timeout: u32) -> Duration {
    match &word[1..] {
        "" if word == "T" => Duration::from_secs(timeout.into()),
        "" => Duration::from_millis(200),
        seconds => Duration::from_secs_f64(seconds.parse().expect("a length")),
    }
}

#[test]
fn the_worked_timelines() {
    assert_eq!(ROWS.len(), 18);
    for row in ROWS {
        let seen = replay(row);
        let probes: Vec<Time> = row.probes.iter().map(|t| at(*t)).collect();
        let publishes: Vec<(char, Time)> = row.publishes.iter().map(|(c, t)| (*c, at(*t))).collect();
        assert_eq!(seen.probes, probes, "row {}: probes start at", row.number);
        assert_eq!(seen.publishes, publishes, "row {}: publishes", row.number);
    }
}

#[test]
fn row_7_errs_nine_times_and_says_so_three_times() {
    let seen = replay(&ROWS[6]);
    assert_eq!((seen.attempts, seen.events), (9, 3));
}

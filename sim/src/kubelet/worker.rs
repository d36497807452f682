//! One prober worker (kubelet `pkg/kubelet/prober/worker.go`, `prober.go`; kubelet-prober.md 2-6).
//!
//! Contract: call [`Worker::poll`] at [`Worker::next_wakeup`] or after any change; when it returns
//! [`Action::Attempt`], run the handler and bring the answer to [`Worker::finish`]. Never two attempts in flight.
//! The caller owns the clock and the handler, so the worked timelines replay under any of them.

use crate::manifest::Timings;
use crate::time::Time;
use std::fmt;
use std::time::Duration;

/// `maxProbeRetries`: attempts per probe when each of them errs.
pub const MAX_ATTEMPTS: u8 = 3;

/// `kubeletRestartGracePeriod`.
const RESTART_GRACE: Duration = Duration::from_secs(10);

/// The two kinds that a VMI can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProbeKind {
    /// `readinessProbe`.
    Readiness,
    /// `livenessProbe`.
    Liveness,
}

impl ProbeKind {
    /// Both, in the order in which a pod's workers have their turns.
    pub const ALL: [ProbeKind; 2] = [ProbeKind::Liveness, ProbeKind::Readiness];
}

impl fmt::Display for ProbeKind {
    /// As in the kubelet's events: `Readiness`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What one execution of the handler says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Healthy.
    Success,
    /// Healthy, with an event: a redirect that was not followed.
    Warning,
    /// Not healthy.
    Failure,
    /// The probe itself did not work; repeated, then thrown away.
    Error,
}

/// The answer of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its verdict.
    pub verdict: Verdict,
    /// The text the kubelet would show.
    pub text: String,
}

/// What is published per container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeResult {
    /// At or above successThreshold, or liveness's initial value.
    Success,
    /// At or above failureThreshold, or readiness's initial value.
    Failure,
}

/// The container as the status cache shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Container {
    /// Changes with every new container.
    pub id: u32,
    /// When it began to run; the worker cuts it to whole seconds as the API does.
    pub started_at: Time,
    /// Whether it runs.
    pub state: ContainerState,
    /// The status field `started`.
    pub started: bool,
}

impl Container {
    /// Whether a kubelet that starts then leaves it ready (`kubeletRestartGracePeriod`).
    pub(super) fn is_kept_from(&self, restart: Time) -> bool {
        self.started_at + RESTART_GRACE < restart
    }
}

/// Whether a container runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerState {
    /// Not yet.
    Waiting,
    /// It does.
    Running,
    /// No more.
    Terminated {
        /// The restart policy brings it back.
        restarts: bool,
    },
}

/// The pod as the worker sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PodView {
    /// The container, once the status cache knows it.
    pub container: Option<Container>,
    /// The pod's phase is Failed or Succeeded.
    pub terminal: bool,
}

/// Which Kubernetes event a probe leaves on the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// `Unhealthy`: the probe failed or erred.
    Unhealthy,
    /// `ProbeWarning`.
    ProbeWarning,
}

/// What the caller must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Run the handler; this is attempt n, from 1.
    Attempt(u8),
    /// The published result changed.
    Publish {
        /// To this.
        result: ProbeResult,
        /// It is the worker's initial value, which no attempt has said.
        initial: bool,
    },
    /// An event for the container.
    Event(EventKind, String),
    /// The worker is gone and its result with it.
    Exited,
    /// The kubelet stops the container: SIGTERM to virt-launcher. The pod says so of a worker's result, no worker by itself.
    StopContainer,
}

/// One worker: all counters of one probe of one pod.
#[derive(Debug, Clone, PartialEq)]
pub struct Worker {
    kind: ProbeKind,
    timings: Timings,
    /// The next tick that was not taken yet; keeps the grid's phase.
    due: Time,
    triggered: bool,
    /// Its first iteration comes at `due` and not sooner, whatever triggers it.
    asleep: bool,
    /// The number of the attempt in flight, from 1.
    in_flight: Option<u8>,
    /// The attempt in flight is a former prober's: nobody waits for its answer.
    abandoned: bool,
    /// The kubelet has started anew then, and publishes no initial value of a container that has run for longer.
    no_initial_value_from: Option<Time>,
    container: Option<u32>,
    published: Option<ProbeResult>,
    // Carried over to a new container on purpose (kubelet-prober.md 6.3).
    last: Option<ProbeResult>,
    run: u32,
    on_hold: bool,
    stopping: bool,
    exited: bool,
}

impl Worker {
    /// A worker made at `now`, whose first iteration comes after `jitter` (zero unless the prober has just started).
    pub fn new(kind: ProbeKind, timings: Timings, now: Time, jitter: Duration) -> Self {
        Worker {
            kind,
            timings,
            due: now + jitter,
            triggered: false,
            asleep: false,
            in_flight: None,
            abandoned: false,
            no_initial_value_from: None,
            container: None,
            published: None,
            last: None,
            run: 0,
            on_hold: false,
            stopping: false,
            exited: false,
        }
    }

    /// When [`Worker::poll`] has something to do next; `None` while an attempt is in flight or after the exit.
    pub fn next_wakeup(&self, now: Time) -> Option<Time> {
        if self.exited || self.in_flight.is_some() {
            None
        } else if self.stopping || self.triggered && !self.asleep {
            Some(now)
        } else {
            Some(self.due)
        }
    }

    /// From one tick to the next.
    pub fn period(&self) -> Duration {
        self.timings.period()
    }

    /// The published result of the present container.
    pub fn published(&self) -> Option<ProbeResult> {
        self.published
    }

    /// The kubelet starts anew at `now`, and this worker with it: what was counted and published is forgotten, and the first iteration
    /// comes after `jitter`. Without an initial value nothing is published before a threshold is reached, of a container that has run
    /// for more than 10 s (kubelet-prober.md 8, 4.). An attempt in flight delays the first one until it ends, at most its timeout.
    pub fn restart(&mut self, now: Time, jitter: Duration, initial_value: bool) {
        if self.exited || self.stopping {
            return;
        }
        let in_flight = self.in_flight;
        *self = Worker::new(self.kind, self.timings, now, jitter);
        self.asleep = true;
        (self.in_flight, self.abandoned) = (in_flight, in_flight.is_some());
        self.no_initial_value_from = (!initial_value).then_some(now);
    }

    /// Whether the answer that comes now is nobody's; it is thrown away.
    pub fn drops_answer(&mut self) -> bool {
        let dropped = std::mem::take(&mut self.abandoned);
        if dropped {
            self.in_flight = None;
        }
        dropped
    }

    /// Asks for an extra iteration; a second request before it runs is dropped.
    pub fn trigger(&mut self) {
        self.triggered = true;
    }

    /// Ends the worker between iterations; a probe in flight is finished and published first.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// Runs the iteration that is due, if any.
    pub fn poll(&mut self, now: Time, pod: &PodView) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.exited || self.in_flight.is_some() {
            return actions;
        }
        if self.stopping {
            self.exit(&mut actions);
        } else if self.triggered && !self.asleep {
            // A trigger resets the ticker: the next tick is one period from here.
            self.triggered = false;
            self.due = now + self.timings.period();
            self.iterate(now, pod, &mut actions);
        } else if self.due <= now {
            // Go's ticker: one missed tick is remembered, the others are lost, the phase stays.
            self.asleep = false;
            let period = self.timings.period();
            let missed = now.since(self.due).as_nanos() / period.as_nanos();
            self.due = self.due + period * (1 + u32::try_from(missed).unwrap_or(u32::MAX - 1));
            self.iterate(now, pod, &mut actions);
        }
        actions
    }

    /// Takes the answer of the attempt in flight.
    pub fn finish(&mut self, attempt: Attempt) -> Vec<Action> {
        let mut actions = Vec::new();
        let Some(n) = self.in_flight.take() else { return actions };
        if attempt.verdict == Verdict::Error {
            if n < MAX_ATTEMPTS {
                self.in_flight = Some(n + 1);
                actions.push(Action::Attempt(n + 1));
            } else {
                // Thrown away: no counter, no publication; the run of results goes on after it.
                let text = format!("{} probe errored and resulted in failure state: {}", self.kind, attempt.text);
                actions.push(Action::Event(EventKind::Unhealthy, text));
            }
            return actions;
        }
        let result = match attempt.verdict {
            Verdict::Success => ProbeResult::Success,
            Verdict::Warning => {
                let text = format!("{} probe warning: {}", self.kind, attempt.text);
                actions.push(Action::Event(EventKind::ProbeWarning, text));
                ProbeResult::Success
            }
            Verdict::Failure | Verdict::Error => {
                let text = format!("{} probe failed: {}", self.kind, attempt.text);
                actions.push(Action::Event(EventKind::Unhealthy, text));
                ProbeResult::Failure
            }
        };
        self.count(result, &mut actions);
        actions
    }

    fn count(&mut self, result: ProbeResult, actions: &mut Vec<Action>) {
        if self.last == Some(result) {
            self.run = self.run.saturating_add(1);
        } else {
            (self.last, self.run) = (Some(result), 1);
        }
        if self.run < self.threshold(result) {
            return;
        }
        self.publish(result, actions);
        if self.kind == ProbeKind::Liveness && result == ProbeResult::Failure {
            self.on_hold = true;
            self.run = 0;
        }
    }

    fn threshold(&self, result: ProbeResult) -> u32 {
        match result {
            ProbeResult::Success => self.timings.success_threshold,
            ProbeResult::Failure => self.timings.failure_threshold,
        }
    }

    /// Its next tick, where every later one finds the worker as this one does: idle, and its delay over.
    pub fn idle_until(&self, pod: &PodView) -> Option<Time> {
        let idle = !self.exited && !self.stopping && !self.triggered && !self.asleep && self.in_flight.is_none();
        let probing = pod.container.is_some_and(|container| self.delay_is_over(self.due, &container));
        Some(self.due).filter(|_| idle && probing)
    }

    /// Goes on by so many ticks at once; each has `counted` towards the run of results.
    pub fn skip(&mut self, ticks: u32, counted: bool) {
        self.due = self.due + self.timings.period().saturating_mul(ticks);
        if counted {
            self.run = self.run.saturating_add(ticks);
        }
    }

    /// Whether `later` is this worker a tick later, changed in nothing that a further tick could go by; and whether that tick
    /// counted.
    pub fn repeats(&self, later: &Worker) -> Option<bool> {
        let counted = self.run != later.run;
        let mut same = self.clone();
        same.skip(1, counted);
        // Below its threshold a run is on its way to something.
        let settled = !counted || self.last.is_some_and(|result| self.run >= self.threshold(result));
        (settled && same == *later).then_some(counted)
    }

    /// It has no tick any more.
    pub fn postpone(&mut self) {
        self.due = Time::from_nanos(u64::MAX);
    }

    /// One pass of the loop body: the table of kubelet-prober.md 3, in its order.
    fn iterate(&mut self, now: Time, pod: &PodView, actions: &mut Vec<Action>) {
        if pod.terminal {
            return self.exit(actions);
        }
        let Some(container) = pod.container else { return };
        if self.container != Some(container.id) {
            self.container = Some(container.id);
            self.published = None;
            self.on_hold = false;
            if self.no_initial_value_from.is_none_or(|from| !container.is_kept_from(from)) {
                self.publish_as(self.initial_value(), true, actions);
            }
        }
        if self.on_hold {
            return;
        }
        match container.state {
            ContainerState::Running => {}
            ContainerState::Waiting => return self.publish(ProbeResult::Failure, actions),
            ContainerState::Terminated { restarts } => {
                self.publish(ProbeResult::Failure, actions);
                if !restarts {
                    self.exit(actions);
                }
                return;
            }
        }
        if self.delay_is_over(now, &container) && container.started {
            self.in_flight = Some(1);
            actions.push(Action::Attempt(1));
        }
    }

    /// In whole seconds since the floor of the start: up to one second early.
    fn delay_is_over(&self, now: Time, container: &Container) -> bool {
        let elapsed = now.since(container.started_at.floor_secs()).as_secs();
        i64::try_from(elapsed).unwrap_or(i64::MAX) >= i64::from(self.timings.initial_delay)
    }

    fn initial_value(&self) -> ProbeResult {
        match self.kind {
            ProbeKind::Readiness => ProbeResult::Failure,
            ProbeKind::Liveness => ProbeResult::Success,
        }
    }

    fn publish(&mut self, result: ProbeResult, actions: &mut Vec<Action>) {
        self.publish_as(result, false, actions);
    }

    fn publish_as(&mut self, result: ProbeResult, initial: bool, actions: &mut Vec<Action>) {
        if self.published != Some(result) {
            self.published = Some(result);
            actions.push(Action::Publish { result, initial });
        }
    }

    fn exit(&mut self, actions: &mut Vec<Action>) {
        self.exited = true;
        self.published = None;
        actions.push(Action::Exited);
    }
}

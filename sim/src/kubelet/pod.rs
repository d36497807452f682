//! The virt-launcher pod on its node: two workers around one `compute` container.
//!
//! Couples the workers to the pod's readiness (kubelet-prober.md 8, 14) and to the liveness kill (13). The pod has
//! restartPolicy Never: a liveness failure stops it, nothing is restarted in place.

use super::worker::*;
use crate::manifest::Timings;
use crate::time::{Time, earliest};
use std::time::Duration;

/// The pod of one VMI.
#[derive(Debug, Clone, PartialEq)]
pub struct LauncherPod {
    readiness: Option<Worker>,
    liveness: Option<Worker>,
    view: PodView,
    /// The container was ready when the kubelet started anew, and stays so until readiness says something.
    kept_ready: bool,
}

impl LauncherPod {
    /// The pod reaches its node at `now`: workers are made before the container runs.
    pub fn new(readiness: Option<Timings>, liveness: Option<Timings>, now: Time) -> Self {
        let worker = |kind, timings: Option<Timings>| timings.map(|t| Worker::new(kind, t, now, Duration::ZERO));
        LauncherPod {
            readiness: worker(ProbeKind::Readiness, readiness),
            liveness: worker(ProbeKind::Liveness, liveness),
            view: PodView::default(),
            kept_ready: false,
        }
    }

    /// The kubelet starts anew at `now`: each worker begins again after its share (0 to 1) of its period, at random because otherwise
    /// all pods of the node were probed at once. `keeps`: a pod that was ready, its gates too, stays so until its probe says something,
    /// as from 1.35 on.
    pub fn kubelet_restarts(&mut self, now: Time, keeps: bool, pod_ready: bool, mut share: impl FnMut() -> f64) {
        self.kept_ready = keeps && pod_ready && self.view.container.is_some_and(|c| c.is_kept_from(now));
        for worker in self.liveness.iter_mut().chain(&mut self.readiness) {
            worker.restart(now, worker.period().mul_f64(share()), !keeps);
        }
        self.sync();
    }

    /// A kubelet that starts anew makes none for a pod that terminates.
    pub fn lose_workers(&mut self) {
        (self.readiness, self.liveness) = (None, None);
    }

    /// The `compute` container runs; it has no startup probe, so it is `started` at once.
    pub fn container_started(&mut self, now: Time) {
        let container = Container { id: 1, started_at: now, state: ContainerState::Running, started: true };
        self.view.container = Some(container);
        self.sync();
    }

    /// virt-launcher has exited: the pod's phase is terminal.
    pub fn container_ended(&mut self) {
        if let Some(container) = &mut self.view.container {
            container.state = ContainerState::Terminated { restarts: false };
        }
        self.view.terminal = true;
    }

    /// The pod begins to terminate: liveness stops before the kill, readiness goes on (kubelet-prober.md 7).
    pub fn terminating(&mut self) {
        if let Some(worker) = &mut self.liveness {
            worker.stop();
        }
    }

    /// Whether the container runs.
    pub fn running(&self) -> bool {
        self.view.container.is_some_and(|c| c.state == ContainerState::Running)
    }

    /// The container has run and runs no more, or never will.
    pub fn terminated(&self) -> bool {
        self.view.terminal
    }

    /// The container's `ready` flag.
    pub fn ready(&self) -> bool {
        let says = |worker: &Worker| worker.published().map_or(self.kept_ready, |said| said == ProbeResult::Success);
        self.running() && self.readiness.as_ref().is_none_or(says)
    }

    /// When [`LauncherPod::poll`] has something to do next.
    pub fn next_wakeup(&self, now: Time) -> Option<Time> {
        earliest(self.workers().map(|w| w.next_wakeup(now)))
    }

    /// Runs what is due: what the workers want done, each with the probe that it concerns.
    pub fn poll(&mut self, now: Time) -> Vec<(ProbeKind, Action)> {
        let mut all = Vec::new();
        for kind in ProbeKind::ALL {
            let view = self.view;
            if let Some(worker) = self.worker(kind) {
                let actions = worker.poll(now, &view);
                self.take(kind, actions, &mut all);
            }
        }
        all
    }

    /// As [`Worker::drops_answer`].
    pub fn drops_answer(&mut self, kind: ProbeKind) -> bool {
        self.worker(kind).is_none_or(Worker::drops_answer)
    }

    /// Takes the answer of the attempt in flight.
    pub fn finish(&mut self, kind: ProbeKind, attempt: Attempt) -> Vec<(ProbeKind, Action)> {
        let mut all = Vec::new();
        if let Some(worker) = self.worker(kind) {
            let actions = worker.finish(attempt);
            self.take(kind, actions, &mut all);
        }
        all
    }

    /// As [`Worker::idle_until`], of one of its workers.
    pub fn idle_until(&self, kind: ProbeKind) -> Option<Time> {
        self.probe(kind)?.idle_until(&self.view)
    }

    /// As [`Worker::skip`].
    pub fn skip(&mut self, kind: ProbeKind, ticks: u32, counted: bool) {
        if let Some(worker) = self.worker(kind) {
            worker.skip(ticks, counted);
        }
    }

    /// As [`Worker::repeats`].
    pub fn repeats(&self, kind: ProbeKind, later: &LauncherPod) -> Option<bool> {
        self.probe(kind)?.repeats(later.probe(kind)?)
    }

    /// No worker but this kind's has a tick any more.
    pub fn keep_only(&mut self, kind: ProbeKind) {
        for other in ProbeKind::ALL.into_iter().filter(|k| *k != kind) {
            if let Some(worker) = self.worker(other) {
                worker.postpone();
            }
        }
    }

    /// Whether there is such a probe.
    pub fn has(&self, kind: ProbeKind) -> bool {
        self.probe(kind).is_some()
    }

    fn probe(&self, kind: ProbeKind) -> Option<&Worker> {
        match kind {
            ProbeKind::Readiness => self.readiness.as_ref(),
            ProbeKind::Liveness => self.liveness.as_ref(),
        }
    }

    fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.readiness.iter().chain(&self.liveness)
    }

    fn worker(&mut self, kind: ProbeKind) -> Option<&mut Worker> {
        match kind {
            ProbeKind::Readiness => self.readiness.as_mut(),
            ProbeKind::Liveness => self.liveness.as_mut(),
        }
    }

    fn take(&mut self, kind: ProbeKind, actions: Vec<Action>, all: &mut Vec<(ProbeKind, Action)>) {
        for action in actions {
            let published = match action {
                Action::Publish { result, .. } => Some(result),
                _ => None,
            };
            all.push((kind, action));
            match (kind, published) {
                (ProbeKind::Readiness, Some(_)) => self.sync(),
                (ProbeKind::Liveness, Some(ProbeResult::Failure)) if self.running() => {
                    all.push((kind, Action::StopContainer));
                }
                _ => {}
            }
        }
    }

    /// A pod sync: a container whose readiness says anything but Success, or nothing yet, is probed at once
    /// (prober_manager.go UpdatePodStatus).
    fn sync(&mut self) {
        if self.running()
            && let Some(worker) = &mut self.readiness
            && worker.published() != Some(ProbeResult::Success)
        {
            worker.trigger();
        }
    }
}

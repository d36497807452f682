//! A VMI's life: from Pending to a final phase, with what each state waits for.

use super::super::Churn;
use super::super::launcher::{RefusedDomain, Retried};
use super::super::retries::Retries;
use super::super::stop::{GracefulStop, StopAction};
use super::{NORMAL, Vmi, VmiCommand, WARNING};
use crate::kubelet::LauncherPod;
use crate::manifest::PodProbe;
use crate::time::Time;
use crate::trace::{Event, Phase, SyncFailure, VmiReason};

/// Where a VMI is in its life, and what belongs to that.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Life {
    /// Its pod is created at this time.
    Pending { pod_at: Time },
    /// Kubernetes refuses its pod; KubeVirt's VMI controller asks again and again (kubevirt-health.md 11.2 row 34).
    PodRefused { why: String, retries: Retries },
    /// Its pod is on its node; its container runs at this time.
    Scheduling { container_at: Time },
    /// Its domain is being started.
    Scheduled,
    /// libvirt refuses its domain.
    DomainRefused(RefusedDomain),
    /// Its domain runs.
    Running {
        stop: Option<GracefulStop>,
        /// A domain that ended in order was asked to go.
        reaped: bool,
    },
    /// virt-launcher is gone, and with it the container and QEMU; virt-handler sees that at this time.
    LauncherLost { phase: Phase, noticed_at: Time },
    /// Succeeded or Failed, for good.
    Final(Phase),
}

impl Life {
    /// Of a VMI created at `now`.
    pub(super) fn new(pod_refusal: Option<String>, churn: Churn, now: Time) -> Self {
        match pod_refusal {
            Some(why) => Life::PodRefused { why, retries: Retries::new(now) },
            None => Life::Pending { pod_at: now + churn.schedule },
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match self {
            Life::Pending { .. } | Life::PodRefused { .. } => Phase::Pending,
            Life::Scheduling { .. } => Phase::Scheduling,
            Life::Scheduled | Life::DomainRefused(_) => Phase::Scheduled,
            Life::Running { .. } => Phase::Running,
            Life::LauncherLost { phase, .. } | Life::Final(phase) => *phase,
        }
    }

    /// When it goes on by itself.
    pub(super) fn next_wakeup(&self) -> Option<Time> {
        match self {
            Life::Pending { pod_at: at }
            | Life::Scheduling { container_at: at }
            | Life::LauncherLost { noticed_at: at, .. } => Some(*at),
            Life::PodRefused { retries, .. } => Some(retries.next_wakeup()),
            Life::DomainRefused(refused) => Some(refused.next_wakeup()),
            Life::Running { stop, .. } => stop.as_ref().and_then(GracefulStop::next_wakeup),
            Life::Scheduled | Life::Final(_) => None,
        }
    }
}

/// Who saw a VMI's end; decides which events tell of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndSeenBy {
    /// virt-handler, by its domain.
    Domain,
    /// virt-handler, by virt-launcher's silence.
    DeadLauncher,
    /// virt-controller, by its pod.
    Pod,
}

impl Vmi {
    /// The state changes, and the phase with it.
    pub(super) fn enter(&mut self, life: Life) {
        self.life = life;
        self.show(Event::Phase(self.life.phase()));
    }

    /// What is due before the kubelet looks at the pod: the way to Scheduled.
    pub(super) fn before_the_pod(&mut self, now: Time) {
        if let Life::PodRefused { why, retries } = &mut self.life
            && retries.due(now)
        {
            let message = format!("Error creating pod: Pod is invalid: {why}");
            self.tell(VmiReason::FailedCreate, WARNING, &message);
            self.sync_failure = Some(SyncFailure::FailedCreate);
        }
        match self.life {
            Life::Pending { pod_at } if pod_at <= now => self.create_pod(now),
            Life::Scheduling { container_at } if container_at <= now => self.start_container(now),
            _ => {}
        }
    }

    /// What is due after the kubelet has looked at the pod: what virt-handler and virt-launcher do.
    pub(super) fn after_the_pod(&mut self, now: Time) {
        match &mut self.life {
            Life::DomainRefused(refused) => match refused.poll(now) {
                Some(Retried::GaveUp) => self.lose_launcher(now),
                Some(Retried::Refused) => {
                    let why = self.settings.domain_refusal.as_deref().unwrap_or_default();
                    let message = format!("server error. command SyncVMI failed: {why:?}");
                    self.tell(VmiReason::SyncFailed, WARNING, &message);
                    self.sync_failure = Some(SyncFailure::Domain);
                }
                None => {}
            },
            Life::LauncherLost { noticed_at, .. } if *noticed_at <= now => {
                self.end(Phase::Failed, EndSeenBy::DeadLauncher);
            }
            Life::Running { stop: Some(stop), .. } => {
                for action in stop.poll(now) {
                    self.stop_action(action);
                }
            }
            _ => {}
        }
    }

    fn create_pod(&mut self, now: Time) {
        let timings = |probe: &Option<PodProbe>| probe.as_ref().map(|p| p.timings);
        let (readiness, liveness) = (timings(&self.settings.readiness), timings(&self.settings.liveness));
        self.pod = Some(LauncherPod::new(readiness, liveness, now));
        self.tell(VmiReason::SuccessfulCreate, NORMAL, "Created virtual machine pod");
        self.enter(Life::Scheduling { container_at: now + self.settings.churn.container_start });
    }

    fn start_container(&mut self, now: Time) {
        if let Some(pod) = &mut self.pod {
            pod.container_started(now);
        }
        if self.settings.domain_refusal.is_some() {
            return self.enter(Life::DomainRefused(RefusedDomain::new(now, self.settings.chance)));
        }
        self.enter(Life::Scheduled);
        let paused = self.settings.start_paused;
        if paused {
            self.domain.user_pauses();
        }
        self.command(VmiCommand::StartDomain { paused });
    }

    fn stop_action(&mut self, action: StopAction) {
        match action {
            StopAction::Ask { first } => {
                if first {
                    self.tell(VmiReason::ShuttingDown, NORMAL, "Signaled Graceful Shutdown");
                }
                self.command(VmiCommand::AskToShutDown);
            }
            StopAction::Destroy | StopAction::Kill => {
                if self.domain.destroyed() {
                    self.tell(VmiReason::Deleted, NORMAL, "VirtualMachineInstance stopping");
                }
                self.command(VmiCommand::Destroy);
            }
        }
    }

    /// It becomes final.
    pub(super) fn end(&mut self, phase: Phase, seen_by: EndSeenBy) {
        if let Some(pod) = &mut self.pod {
            pod.container_ended();
        }
        if self.agent_connected {
            self.set_agent(false);
        }
        if seen_by == EndSeenBy::Domain {
            self.tell(VmiReason::Deleted, NORMAL, "Signaled Deletion");
        }
        match (seen_by, phase) {
            (EndSeenBy::Pod, _) => {}
            (_, Phase::Succeeded) => {
                self.tell(VmiReason::Stopped, NORMAL, "The VirtualMachineInstance was shut down.");
            }
            _ => self.tell(VmiReason::Stopped, WARNING, "The VirtualMachineInstance crashed."),
        }
        self.enter(Life::Final(phase));
    }
}

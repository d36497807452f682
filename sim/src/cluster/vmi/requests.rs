//! What is asked of a VMI: by a user, by the VM controller, by the kubelet; and what the API answers.

use super::super::probe_request::ProbeRequest;
use super::super::stop::GracefulStop;
use super::life::{EndSeenBy, Life};
use super::{Deleted, NORMAL, Vmi, VmiCommand};
use crate::kubelet::ProbeKind;
use crate::manifest::{Grace, Handler, PodProbe, VmiSpec};
use crate::time::Time;
use crate::trace::{Answer, Phase, VmiReason};

impl Vmi {
    /// A user's `virtctl pause`. 403 with a liveness probe that a paused guest would fail (kubevirt-health.md 2.8); where
    /// pings are not suppressed that is any.
    pub fn pause(&mut self) -> Answer {
        let version = self.settings.version;
        let forgiven = |p: &PodProbe| p.handler == Handler::GuestAgentPing && version.suppresses_pings();
        let allowed = self.probe(ProbeKind::Liveness).is_none_or(forgiven);
        let running = self.phase() == Phase::Running && !self.node_is_lost();
        if !running || self.deleting() || self.paused() || !allowed {
            return Answer::Refused;
        }
        if version.tells_panics_and_pauses() {
            self.tell(VmiReason::Paused, NORMAL, "VirtualMachineInstance paused");
        }
        self.domain.user_pauses();
        self.command(VmiCommand::Pause);
        Answer::Accepted
    }

    /// A user's `virtctl unpause`.
    pub fn unpause(&mut self) -> Answer {
        if self.phase() != Phase::Running || self.node_is_lost() || !self.paused() {
            return Answer::Refused;
        }
        if self.settings.version.tells_panics_and_pauses() {
            self.tell(VmiReason::Unpaused, NORMAL, "VirtualMachineInstance unpaused");
        }
        self.command(VmiCommand::Resume);
        Answer::Accepted
    }

    /// Another grace period, also for a stop that is under way; whether it is shorter. The pod and its virt-launcher keep theirs.
    pub fn set_grace(&mut self, grace: Grace) -> bool {
        let before = std::mem::replace(&mut self.settings.grace, grace);
        if let Life::Running { stop: Some(stop), .. } = &mut self.life {
            stop.set_handler_grace(grace);
        }
        grace.seconds < before.seconds
    }

    /// Its annotation about pings has changed; `spec` is what it was made from.
    pub fn pause_pings(&mut self, spec: &VmiSpec, paused: bool) -> Answer {
        let paused = paused && self.settings.version.heeds_probe_annotation();
        for kind in [ProbeKind::Readiness, ProbeKind::Liveness] {
            if let Some(probe) = self.probe(kind) {
                let request = ProbeRequest::of(probe, spec, paused);
                self.settings.requests.insert(kind, request);
            }
        }
        Answer::Accepted
    }

    /// Its migration begins. Of the pod that it would go on in only the liveness is modelled: from outside it is the same guest.
    pub fn begin_migration(&mut self) -> Answer {
        if self.phase() != Phase::Running || self.node_is_lost() || self.deleting() || self.migrating {
            return Answer::Refused;
        }
        self.migrating = true;
        Answer::Accepted
    }

    /// Its migration is over.
    pub fn end_migration(&mut self) {
        self.migrating = false;
    }

    /// Deletes it: its pod leaves the endpoints at once and is stopped gracefully, unless that has ended already. Refused if
    /// it is being deleted.
    pub fn delete(&mut self, now: Time) -> Answer {
        if self.deleting() {
            return Answer::Refused;
        }
        if self.pod.is_some() {
            self.tell(VmiReason::SuccessfulDelete, NORMAL, "Deleted virtual machine pod");
        }
        self.terminate_pod(now, Deleted::Vmi);
        Answer::Accepted
    }

    /// Somebody deletes its pod, or evicts it and nothing migrates it: the VMI itself is not being deleted.
    pub fn delete_pod(&mut self, now: Time) -> Answer {
        if self.phase().is_final() || self.pod.is_none() {
            return Answer::Refused;
        }
        self.terminate_pod(now, self.deleted.max(Deleted::Pod));
        Answer::Accepted
    }

    /// The kubelet of its node starts anew; `keeps`: what was ready stays so for now. One that does not reach the cluster learns of
    /// no pods, and one that learns of a pod with a deletion time begins no probes of it.
    pub fn kubelet_restarts(&mut self, now: Time, keeps: bool, share: impl FnMut() -> f64) -> Answer {
        let (pod_ready, terminates) = (self.conditions().endpoint, self.deleted != Deleted::Nothing);
        let is_final = self.life.phase().is_final();
        match self.pod.as_mut().filter(|_| !is_final && self.lost.is_none()) {
            None => return Answer::Refused,
            Some(pod) if terminates => pod.lose_workers(),
            Some(pod) => pod.kubelet_restarts(now, keeps, pod_ready, share),
        }
        Answer::Accepted
    }

    fn terminate_pod(&mut self, now: Time, deleted: Deleted) {
        let before = std::mem::replace(&mut self.deleted, deleted);
        // The node does not hear of it.
        if self.node_is_lost() {
            return;
        }
        if before == Deleted::Nothing && self.container_runs() {
            self.show_killing();
        }
        self.stop(now);
    }

    /// Its pod is stopped gracefully; without a domain that runs, that is its end.
    pub(super) fn stop(&mut self, now: Time) {
        let grace = self.settings.grace;
        match &mut self.life {
            Life::Running { stop: Some(_), .. } | Life::LauncherLost { .. } | Life::Final(_) => return,
            Life::Running { stop, .. } => *stop = Some(GracefulStop::new(now, grace, self.settings.pod_grace)),
            // Its domain may be on its way already.
            Life::Scheduled => self.command(VmiCommand::Destroy),
            Life::Pending { .. } | Life::PodRefused { .. } | Life::Scheduling { .. } | Life::DomainRefused(_) => {}
        }
        if let Some(pod) = &mut self.pod {
            pod.terminating();
        }
        if !matches!(self.life, Life::Running { .. }) {
            self.end(Phase::Failed, EndSeenBy::Pod);
        }
    }

    /// virt-launcher dies, and with it the container and QEMU; virt-handler will see that later.
    pub fn lose_launcher(&mut self, now: Time) {
        if matches!(self.life, Life::LauncherLost { .. } | Life::Final(_)) {
            return;
        }
        if let Some(pod) = &mut self.pod {
            pod.container_ended();
        }
        let noticed_at = now + self.settings.chance.launcher_noticed;
        self.life = Life::LauncherLost { phase: self.life.phase(), noticed_at };
    }
}

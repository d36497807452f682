//! What the kubelet's workers ask of a VMI, and what it answers for its guest.

use super::super::probe_request::ProbeRequest;
use super::{NORMAL, Vmi, VmiCommand, WARNING};
use crate::kubelet::{Action, Attempt, LauncherPod, ProbeKind, Verdict};
use crate::manifest::{Handler, PodProbe};
use crate::time::Time;
use crate::trace::{Event, VmiReason};

impl Vmi {
    /// Takes a probe's answer.
    pub fn probe_answer(&mut self, now: Time, kind: ProbeKind, attempt: Attempt) {
        // Nobody is there any more who asked.
        if self.without_power() || self.pod.as_mut().is_some_and(|pod| pod.drops_answer(kind)) {
            return;
        }
        let ping = self.probe(kind).is_some_and(|p| p.handler == Handler::GuestAgentPing);
        let failed = attempt.verdict == Verdict::Failure;
        // The same (kubevirt-health.md 3.4): a guest that is not there, or that the user paused, cannot answer.
        let excused = self.migrating || self.domain.paused_by_user() || !self.domain.running();
        let forgiven = ping && failed && excused && self.settings.version.suppresses_pings();
        let attempt = if forgiven { Attempt { verdict: Verdict::Success, text: String::new() } } else { attempt };
        self.show_with(Event::Answered(kind, attempt.verdict), attempt.text.clone());
        let Some(pod) = &mut self.pod else { return };
        let actions = pod.finish(kind, attempt);
        if ping && failed && !forgiven && self.settings.version.tells_failed_pings() {
            self.tell(VmiReason::GuestAgentPingFailed, WARNING, "GuestAgentPing probe failed");
        }
        self.kubelet(now, actions);
    }

    pub(super) fn kubelet(&mut self, now: Time, actions: Vec<(ProbeKind, Action)>) {
        for (kind, action) in actions {
            match action {
                Action::Attempt(n) => {
                    self.show(Event::Attempt(kind, n));
                    self.attempt(now, kind);
                }
                Action::Publish { result, initial } => {
                    // A liveness of Success before the guest has booted surprises whoever reads it.
                    let detail = if initial { "initial value, no answer" } else { "" };
                    self.show_with(Event::Published(kind, result), detail.to_owned());
                }
                Action::Event(event, text) => self.show_with(Event::of_probe(kind, event), text),
                Action::Exited => {}
                Action::StopContainer => {
                    self.show_killing();
                    self.stop(now);
                }
            }
        }
    }

    fn attempt(&mut self, now: Time, kind: ProbeKind) {
        let Some(timeout) = self.probe(kind).map(|p| p.timings.timeout()) else { return };
        let Some(request) = self.settings.requests.get(&kind).cloned() else { return };
        match if self.domain.running() { request } else { request.without_domain(timeout) } {
            ProbeRequest::Answer { after, attempt } if after.is_zero() => self.probe_answer(now, kind, attempt),
            request => self.command(VmiCommand::Probe { kind, request, timeout }),
        }
    }

    pub(super) fn probe(&self, kind: ProbeKind) -> Option<&PodProbe> {
        match kind {
            ProbeKind::Readiness => self.settings.readiness.as_ref(),
            ProbeKind::Liveness => self.settings.liveness.as_ref(),
        }
    }

    /// The kubelet stops the pod's only container.
    pub(super) fn show_killing(&mut self) {
        self.show_with(Event::Killing, format!("{NORMAL}: Stopping container compute"));
    }

    /// Whether the pod's container runs.
    pub(super) fn container_runs(&self) -> bool {
        self.pod.as_ref().is_some_and(LauncherPod::running)
    }
}

//! What the kubelet's workers ask of a VMI, and what it answers for its guest.

use super::{NORMAL, Vmi, VmiCommand, WARNING};
use crate::kubelet::{Attempt, Effect, LauncherPod, ProbeKind, Verdict};
use crate::manifest::{Handler, PodProbe};
use crate::time::Time;
use crate::trace::{Event, VmiReason};

impl Vmi {
    /// Takes a probe's answer.
    pub fn probe_answer(&mut self, now: Time, kind: ProbeKind, attempt: Attempt) {
        let ping = self.probe(kind).is_some_and(|p| p.handler == Handler::GuestAgentPing);
        let failed = attempt.verdict == Verdict::Failure;
        // The same (kubevirt-health.md 3.4): a guest that is not there, or that the user paused, cannot answer.
        let excused = self.migrating || self.domain.paused() || !self.domain.running();
        let forgiven = ping && failed && excused && self.settings.version.suppresses_pings();
        let attempt = if forgiven { Attempt { verdict: Verdict::Success, text: String::new() } } else { attempt };
        self.show_with(Event::Answered(kind, attempt.verdict), attempt.text.clone());
        let Some(pod) = &mut self.pod else { return };
        let effects = pod.finish(kind, attempt);
        if ping && failed && !forgiven && self.settings.version.tells_failed_pings() {
            self.tell(VmiReason::GuestAgentPingFailed, WARNING, "GuestAgentPing probe failed");
        }
        self.take_effects(now, effects);
    }

    pub(super) fn take_effects(&mut self, now: Time, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Attempt(kind, n) => {
                    self.show(Event::Attempt(kind, n));
                    self.attempt(now, kind);
                }
                Effect::Published(kind, result) => self.show(Event::Published(kind, result)),
                Effect::Event(kind, event, text) => {
                    self.show_with(Event::of_probe(kind, event), text);
                }
                Effect::StopContainer => {
                    self.show_killing();
                    self.stop(now);
                }
            }
        }
    }

    /// virt-launcher's manager.go GuestPing answers for a guest that it is told not to ask, and for none.
    fn attempt(&mut self, now: Time, kind: ProbeKind) {
        let Some(probe) = self.probe(kind) else { return };
        let ping = probe.handler == Handler::GuestAgentPing;
        let (verdict, text) = if probe.breaks_json() {
            (Verdict::Failure, "panic: invalid character in the agent's command")
        } else if ping && self.settings.agent_probes_paused {
            (Verdict::Success, "")
        } else if ping && !self.domain.running() {
            (Verdict::Failure, "the domain does not exist")
        } else {
            return self.command(VmiCommand::Probe(kind, probe.clone()));
        };
        self.probe_answer(now, kind, Attempt { verdict, text: text.to_owned() });
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

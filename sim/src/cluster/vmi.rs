//! One VirtualMachineInstance: its phase, its conditions, its pod, its stop (kubevirt-health.md 4, 5, 8).
//!
//! Fed with what the domain did and what the kubelet's workers say; answers with commands. It decides nothing about
//! what comes after it: that is the VM controller's.

mod conditions;
mod refused;

use super::command::{VmiCommand, VmiOutput};
use super::domain::{Domain, DomainEvent, final_phase};
use super::launcher::{Chance, RefusedDomain};
use super::phase::Phase;
use super::probe_request::ProbeRequest;
use super::retries::Retries;
use super::stop::{GracefulStop, StopAction};
use super::{Churn, KubevirtVersion};
use crate::kubelet::{Action, Attempt, LauncherPod, ProbeKind, Verdict};
use crate::manifest::{Handler, PodProbe, VmiSpec};
use crate::time::{Time, earliest};
use crate::trace::Event;
use std::collections::BTreeMap;
use std::time::Duration;

const NORMAL: &str = "Normal";
const WARNING: &str = "Warning";
/// The kubelet's words for the last container of a pod.
const KILLING: &str = "Normal: Stopping container compute";

/// Conditions beside Ready, with their status; `None`: absent.
pub type Conditions = [(&'static str, Option<&'static str>); 3];

/// Who saw a VMI's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Witness {
    /// virt-handler, by its domain.
    Domain,
    /// virt-handler, by virt-launcher's silence.
    DeadLauncher,
    /// virt-controller, by its pod.
    Pod,
}

/// One VMI.
#[derive(Debug, Clone)]
pub struct Vmi {
    version: KubevirtVersion,
    chance: Chance,
    grace: Duration,
    acpi: bool,
    start_paused: bool,
    /// What libvirt says to the domain, if it refuses it.
    refusal: Option<String>,
    refused: Option<RefusedDomain>,
    /// What Kubernetes says to its pod, if it refuses it, and when it is asked again.
    refused_pod: Option<(String, Retries)>,
    /// It is being migrated.
    migrating: bool,
    /// virt-launcher is gone; when virt-handler notices.
    launcher_lost: Option<Time>,
    /// The pod has a deletion time of its own.
    pod_deleted: bool,
    ever_ran: bool,
    readiness: Option<PodProbe>,
    liveness: Option<PodProbe>,
    /// What they ask of a domain that runs.
    requests: BTreeMap<ProbeKind, ProbeRequest>,
    churn: Churn,
    phase: Phase,
    pod: Option<LauncherPod>,
    domain: Domain,
    agent_connected: bool,
    stop: Option<GracefulStop>,
    /// The next step of the way to Scheduled, and when.
    next_step: Option<Time>,
    reaped: bool,
    /// The object has a deletion time.
    deleting: bool,
    // What was last made known.
    shown_ready: (bool, &'static str),
    shown_endpoint: bool,
    shown_paused: bool,
    shown_unsynchronized: bool,
    out: VmiOutput,
}

impl Vmi {
    /// The VMI created at `now`.
    pub fn new(spec: &VmiSpec, version: KubevirtVersion, churn: Churn, chance: Chance, now: Time) -> Self {
        let unknown_action = spec.watchdog.as_ref().and_then(|w| w.unknown_action.as_ref());
        let pings_paused = spec.agent_probes_paused && version.heeds_probe_annotation();
        let written = [(ProbeKind::Readiness, &spec.readiness), (ProbeKind::Liveness, &spec.liveness)];
        let mut probes: BTreeMap<ProbeKind, PodProbe> =
            written.into_iter().filter_map(|(kind, probe)| Some((kind, probe.as_ref()?.into()))).collect();
        let mut vmi = Vmi {
            version,
            chance,
            grace: spec.grace,
            acpi: spec.architecture.has_acpi(),
            start_paused: spec.start_paused,
            refusal: unknown_action.map(|action| format!("unknown watchdog action '{action}'")),
            refused: None,
            refused_pod: spec.pod_refusal().map(|why| (why, Retries::new(now))),
            migrating: false,
            launcher_lost: None,
            pod_deleted: false,
            ever_ran: false,
            requests: probes.iter().map(|(kind, p)| (*kind, ProbeRequest::of(p, spec, pings_paused))).collect(),
            readiness: probes.remove(&ProbeKind::Readiness),
            liveness: probes.remove(&ProbeKind::Liveness),
            churn,
            phase: Phase::Pending,
            pod: None,
            domain: Domain::default(),
            agent_connected: false,
            stop: None,
            next_step: spec.pod_refusal().is_none().then(|| now + churn.schedule),
            reaped: false,
            deleting: false,
            shown_ready: (false, "PodNotExists"),
            shown_endpoint: false,
            shown_paused: false,
            shown_unsynchronized: false,
            out: VmiOutput::default(),
        };
        vmi.show(Event::Phase(Phase::Pending));
        vmi
    }

    /// Its phase.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The domain.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The Ready condition.
    pub fn ready(&self) -> bool {
        self.shown_ready.0
    }

    /// The Ready condition with the reason that goes with False.
    pub fn ready_condition(&self) -> (bool, &'static str) {
        self.shown_ready
    }

    /// The conditions that the VM copies while it exists.
    pub fn copied_conditions(&self) -> Conditions {
        [
            ("AgentConnected", self.agent_connected.then_some("True")),
            ("Paused", self.shown_paused.then_some("True")),
            ("Synchronized", self.shown_unsynchronized.then_some("False")),
        ]
    }

    /// The AgentConnected condition.
    pub fn agent_connected(&self) -> bool {
        self.agent_connected
    }

    /// The Paused condition.
    pub fn paused(&self) -> bool {
        self.domain.paused()
    }

    /// It is not final but marked for deletion.
    pub fn stopping(&self) -> bool {
        self.deleting && !self.phase.is_final()
    }

    /// Its domain has run.
    pub fn ever_ran(&self) -> bool {
        self.ever_ran
    }

    /// It has a deletion time.
    pub fn deleting(&self) -> bool {
        self.deleting
    }

    /// When [`Vmi::poll`] has something to do next.
    pub fn next_wakeup(&self, now: Time) -> Option<Time> {
        let pod = self.pod.as_ref().and_then(|p| p.next_wakeup(now));
        let refused = self.refused.as_ref().map(RefusedDomain::next_wakeup);
        let stop = self.stop.as_ref().and_then(GracefulStop::next_wakeup);
        let refused_pod = self.refused_pod.as_ref().map(|(_, retries)| retries.next_wakeup());
        earliest([self.next_step, pod, stop, refused, refused_pod, self.launcher_lost])
    }

    /// Does what is due and hands out what has come up.
    pub fn poll(&mut self, now: Time) -> VmiOutput {
        self.create_refused_pod(now);
        if self.next_step.is_some_and(|t| t <= now) {
            self.step(now);
        }
        if let Some(pod) = &mut self.pod {
            let actions = pod.poll(now);
            self.kubelet(now, actions);
        }
        self.define_refused_domain(now);
        if self.launcher_lost.is_some_and(|t| t <= now) {
            self.end(Phase::Failed, Witness::DeadLauncher);
        }
        for action in self.stop.as_mut().map(|s| s.poll(now)).unwrap_or_default() {
            self.stop_action(action);
        }
        self.show_conditions();
        std::mem::take(&mut self.out)
    }

    /// Takes what the domain did at `at`; `false` if it only repeats a reset.
    pub fn domain_event(&mut self, at: Time, event: &DomainEvent) -> bool {
        // Final phases never change, whatever a domain that is being killed still says.
        if self.phase.is_final() || !self.domain.take(at, event) {
            return false;
        }
        // Nobody is left to report it.
        if self.launcher_lost.is_some() {
            return true;
        }
        match event {
            DomainEvent::Started => {
                self.ever_ran = true;
                self.tell("Created", NORMAL, "VirtualMachineInstance defined.");
                self.tell("Started", NORMAL, "VirtualMachineInstance started.");
                self.set_phase(Phase::Running);
            }
            DomainEvent::AgentPort { open } => {
                self.agent_connected = *open;
                self.show(Event::AgentConnected(*open));
            }
            DomainEvent::Panicked { action } if action != "run" && self.version.tells_panics_and_pauses() => {
                self.tell("GuestPanicked", WARNING, "GuestPanicked (details unavailable)");
            }
            DomainEvent::Stop if self.domain.to_be_resumed() => self.out.commands.push(VmiCommand::Resume),
            _ => {}
        }
        if self.domain.waits_to_be_reaped() && !self.reaped {
            self.reaped = true;
            self.out.commands.push(VmiCommand::Reap);
        }
        if let Some(end) = self.domain.ended().filter(|_| !self.phase.is_final()) {
            self.end(final_phase(end, self.grace, self.acpi), Witness::Domain);
        }
        true
    }

    /// Takes a probe's answer.
    pub fn probe_answer(&mut self, now: Time, kind: ProbeKind, attempt: Attempt) {
        let ping = self.probe(kind).is_some_and(|p| p.handler == Handler::GuestAgentPing);
        let failed = attempt.verdict == Verdict::Failure;
        // The same (kubevirt-health.md 3.4): a guest that is not there, or that the user paused, cannot answer.
        let excused = self.migrating || self.domain.paused() || !self.domain.running();
        let forgiven = ping && failed && excused && self.version.suppresses_pings();
        let attempt = if forgiven { Attempt { verdict: Verdict::Success, text: String::new() } } else { attempt };
        self.out.seen.push((Event::Answered(kind, attempt.verdict), attempt.text.clone()));
        let Some(pod) = &mut self.pod else { return };
        let actions = pod.finish(kind, attempt);
        if ping && failed && !forgiven && self.version.tells_failed_pings() {
            self.tell("GuestAgentPingFailed", WARNING, "GuestAgentPing probe failed");
        }
        self.kubelet(now, actions);
    }

    /// A user's `virtctl pause`. 403 with a liveness probe that a paused guest would fail (kubevirt-health.md 2.8); where
    /// pings are not suppressed that is any.
    pub fn pause(&mut self) -> &'static str {
        let forgiven = |p: &PodProbe| p.handler == Handler::GuestAgentPing && self.version.suppresses_pings();
        let allowed = self.probe(ProbeKind::Liveness).is_none_or(forgiven);
        if self.phase != Phase::Running || self.deleting || self.domain.paused() || !allowed {
            return "refused";
        }
        if self.version.tells_panics_and_pauses() {
            self.tell("Paused", NORMAL, "VirtualMachineInstance paused");
        }
        self.domain.user_pauses();
        self.out.commands.push(VmiCommand::Pause);
        "accepted"
    }

    /// A user's `virtctl unpause`.
    pub fn unpause(&mut self) -> &'static str {
        if self.phase != Phase::Running || !self.domain.paused() {
            return "refused";
        }
        if self.version.tells_panics_and_pauses() {
            self.tell("Unpaused", NORMAL, "VirtualMachineInstance unpaused");
        }
        self.out.commands.push(VmiCommand::Resume);
        "accepted"
    }

    /// Its migration begins or is over. The pod that it would go on in is not modelled: from outside it is the same guest.
    pub fn begin_migration(&mut self) -> &'static str {
        if self.phase != Phase::Running || self.deleting || self.migrating {
            return "refused";
        }
        self.migrating = true;
        "accepted"
    }

    /// Its migration is over.
    pub fn end_migration(&mut self) {
        self.migrating = false;
    }

    /// It is being migrated.
    pub fn migrating(&self) -> bool {
        self.migrating && self.phase == Phase::Running
    }

    /// Deletes it: its pod leaves the endpoints at once and is stopped gracefully, unless that has ended already. "refused" if
    /// it is being deleted.
    pub fn delete(&mut self, now: Time) -> &'static str {
        if std::mem::replace(&mut self.deleting, true) {
            return "refused";
        }
        if self.pod.is_some() {
            self.tell("SuccessfulDelete", NORMAL, "Deleted virtual machine pod");
        }
        self.terminate_pod(now);
        "accepted"
    }

    /// Somebody deletes its pod, or evicts it and nothing migrates it: the VMI itself is not being deleted.
    pub fn delete_pod(&mut self, now: Time) -> &'static str {
        if self.phase.is_final() || self.pod.is_none() {
            return "refused";
        }
        self.terminate_pod(now);
        "accepted"
    }

    fn terminate_pod(&mut self, now: Time) {
        let first = !std::mem::replace(&mut self.pod_deleted, true);
        if first && self.pod.as_ref().is_some_and(LauncherPod::running) {
            self.out.seen.push((Event::Killing, KILLING.to_owned()));
        }
        self.stop(now);
    }

    /// Stops it gracefully.
    fn stop(&mut self, now: Time) {
        if self.stop.is_some() || self.phase.is_final() || self.launcher_lost.is_some() {
            return;
        }
        if let Some(pod) = &mut self.pod {
            pod.terminating();
        }
        if self.domain.running() {
            self.stop = Some(GracefulStop::new(now, self.grace));
        } else {
            // Its domain may be on its way already.
            if self.phase == Phase::Scheduled && self.refused.is_none() {
                self.out.commands.push(VmiCommand::Destroy);
            }
            self.end(Phase::Failed, Witness::Pod);
        }
    }

    fn step(&mut self, now: Time) {
        if self.pod.is_none() {
            let timings = |p: &Option<PodProbe>| p.as_ref().map(|p| p.timings);
            self.pod = Some(LauncherPod::new(timings(&self.readiness), timings(&self.liveness), now));
            self.next_step = Some(now + self.churn.container_start);
            self.tell("SuccessfulCreate", NORMAL, "Created virtual machine pod");
            self.set_phase(Phase::Scheduling);
        } else {
            self.next_step = None;
            if let Some(pod) = &mut self.pod {
                pod.container_started(now);
            }
            self.set_phase(Phase::Scheduled);
            if self.refusal.is_some() {
                self.refused = Some(RefusedDomain::new(now, self.chance));
            } else {
                if self.start_paused {
                    self.domain.user_pauses();
                }
                self.out.commands.push(VmiCommand::StartDomain { paused: self.start_paused });
            }
        }
    }

    fn stop_action(&mut self, action: StopAction) {
        match action {
            StopAction::Ask { first } => {
                if first {
                    self.tell("ShuttingDown", NORMAL, "Signaled Graceful Shutdown");
                }
                self.out.commands.push(VmiCommand::AskToShutDown);
            }
            StopAction::Destroy | StopAction::Kill => {
                if self.domain.destroyed() {
                    self.tell("Deleted", NORMAL, "VirtualMachineInstance stopping");
                }
                self.out.commands.push(VmiCommand::Destroy);
            }
        }
    }

    fn kubelet(&mut self, now: Time, actions: Vec<(ProbeKind, Action)>) {
        for (kind, action) in actions {
            match action {
                Action::Attempt(n) => {
                    self.show(Event::Attempt(kind, n));
                    match self.request(kind) {
                        Some((ProbeRequest::Answer { after, attempt }, _)) if after.is_zero() => {
                            self.probe_answer(now, kind, attempt);
                        }
                        Some((request, timeout)) => {
                            self.out.commands.push(VmiCommand::Probe { kind, request, timeout });
                        }
                        None => {}
                    }
                }
                Action::Publish(result) => self.show(Event::Published(kind, result)),
                Action::Event(event, text) => {
                    self.out.seen.push((Event::of_probe(kind, event), text));
                }
                Action::Exited => {}
                Action::StopContainer => {
                    self.out.seen.push((Event::Killing, KILLING.to_owned()));
                    self.stop(now);
                }
            }
        }
    }

    /// What an attempt of a probe comes to now, and how long the kubelet waits for it.
    fn request(&self, kind: ProbeKind) -> Option<(ProbeRequest, Duration)> {
        let timeout = self.probe(kind)?.timings.timeout();
        let request = self.requests.get(&kind)?.clone();
        Some((if self.domain.running() { request } else { request.without_domain(timeout) }, timeout))
    }

    fn probe(&self, kind: ProbeKind) -> Option<&PodProbe> {
        match kind {
            ProbeKind::Readiness => self.readiness.as_ref(),
            ProbeKind::Liveness => self.liveness.as_ref(),
        }
    }

    fn end(&mut self, phase: Phase, witness: Witness) {
        self.stop = None;
        self.next_step = None;
        self.refused = None;
        self.refused_pod = None;
        self.launcher_lost = None;
        if let Some(pod) = &mut self.pod {
            pod.container_ended();
        }
        if self.agent_connected {
            self.agent_connected = false;
            self.show(Event::AgentConnected(false));
        }
        if witness == Witness::Domain {
            self.tell("Deleted", NORMAL, "Signaled Deletion");
        }
        match (witness, phase) {
            (Witness::Pod, _) => {}
            (_, Phase::Succeeded) => self.tell("Stopped", NORMAL, "The VirtualMachineInstance was shut down."),
            _ => self.tell("Stopped", WARNING, "The VirtualMachineInstance crashed."),
        }
        self.set_phase(phase);
    }

    fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
        self.show(Event::Phase(phase));
    }

    /// A Kubernetes event on the VMI: its reason, type and message (kubevirt-health.md 8.4).
    fn tell(&mut self, reason: &'static str, kind: &str, message: &str) {
        self.out.seen.push((Event::VmiEvent(reason), format!("{kind}: {message}")));
    }

    fn show(&mut self, event: Event) {
        self.out.seen.push((event, String::new()));
    }
}

//! One VirtualMachineInstance: its phase, its conditions, its pod, its stop (kubevirt-health.md 4, 5, 8).
//!
//! Fed with what the domain did and what the kubelet's workers say; answers with commands. It decides nothing about
//! what comes after it: that is the VM controller's.

mod conditions;
mod refused;

use super::domain::{Domain, final_phase};
use super::launcher::{Chance, RefusedDomain};
use super::retries::Retries;
use super::stop::{GracefulStop, StopAction};
use super::{Churn, KubevirtVersion};
use crate::kubelet::{Attempt, Effect, LauncherPod, ProbeKind, Verdict};
use crate::manifest::{Handler, PodProbe, VmiSpec};
use crate::time::{Time, earliest};
use crate::trace::{Answer, Condition, DomainEvent, Event, NotReady, PanicAction, Phase, Ready, VmiReason};
use std::time::Duration;

const NORMAL: &str = "Normal";
const WARNING: &str = "Warning";
/// The kubelet's words for the last container of a pod.
const KILLING: &str = "Normal: Stopping container compute";

/// Conditions beside Ready, and whether they are there.
pub type Conditions = [(Condition, bool); 3];

/// What a VMI wants done or makes known.
#[derive(Debug, Clone, PartialEq)]
pub enum VmiCommand {
    /// Put this into the trace.
    Trace(Event, String),
    /// Start the domain; its vCPUs stand still if `paused`.
    StartDomain {
        /// `startStrategy: Paused`.
        paused: bool,
    },
    /// Run an attempt of a probe.
    Probe(ProbeKind, PodProbe),
    /// Ask the guest to shut down: agent first when connected, else the ACPI button.
    AskToShutDown,
    /// Kill the domain.
    Destroy,
    /// The domain has ended in order: quit the process that waits.
    Reap,
    /// Stop the vCPUs.
    Pause,
    /// Let them go on.
    Resume,
    /// Whether the pod is among the ready endpoints.
    Endpoint(bool),
}

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
    /// The annotation `kubevirt.io/pause-guest-agent-probes`.
    agent_probes_paused: bool,
    readiness: Option<PodProbe>,
    liveness: Option<PodProbe>,
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
    shown_ready: Ready,
    shown_endpoint: bool,
    shown_paused: bool,
    shown_unsynchronized: bool,
    out: Vec<VmiCommand>,
}

impl Vmi {
    /// The VMI created at `now`.
    pub fn new(spec: &VmiSpec, version: KubevirtVersion, churn: Churn, chance: Chance, now: Time) -> Self {
        let unknown_action = spec.watchdog.as_ref().and_then(|w| w.unknown_action.as_ref());
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
            agent_probes_paused: spec.agent_probes_paused && version.heeds_probe_annotation(),
            readiness: spec.readiness.as_ref().map(PodProbe::from),
            liveness: spec.liveness.as_ref().map(PodProbe::from),
            churn,
            phase: Phase::Pending,
            pod: None,
            domain: Domain::default(),
            agent_connected: false,
            stop: None,
            next_step: spec.pod_refusal().is_none().then(|| now + churn.schedule),
            reaped: false,
            deleting: false,
            shown_ready: Ready::False(NotReady::PodNotExists),
            shown_endpoint: false,
            shown_paused: false,
            shown_unsynchronized: false,
            out: Vec::new(),
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
        self.shown_ready.is_true()
    }

    /// The Ready condition with the reason that goes with False.
    pub fn ready_condition(&self) -> Ready {
        self.shown_ready
    }

    /// The conditions that the VM copies while it exists.
    pub fn copied_conditions(&self) -> Conditions {
        [
            (Condition::AgentConnected, self.agent_connected),
            (Condition::Paused, self.shown_paused),
            (Condition::Synchronized, self.shown_unsynchronized),
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
    pub fn poll(&mut self, now: Time) -> Vec<VmiCommand> {
        self.create_refused_pod(now);
        if self.next_step.is_some_and(|t| t <= now) {
            self.step(now);
        }
        if let Some(pod) = &mut self.pod {
            let effects = pod.poll(now);
            self.kubelet(now, effects);
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
                self.tell(VmiReason::Created, NORMAL, "VirtualMachineInstance defined.");
                self.tell(VmiReason::Started, NORMAL, "VirtualMachineInstance started.");
                self.set_phase(Phase::Running);
            }
            DomainEvent::AgentPort { open } => {
                self.agent_connected = *open;
                self.show(Event::AgentConnected(*open));
            }
            DomainEvent::Panicked { action }
                if *action != PanicAction::Run && self.version.tells_panics_and_pauses() =>
            {
                self.tell(VmiReason::GuestPanicked, WARNING, "GuestPanicked (details unavailable)");
            }
            DomainEvent::Stop if self.domain.to_be_resumed() => self.out.push(VmiCommand::Resume),
            _ => {}
        }
        if self.domain.waits_to_be_reaped() && !self.reaped {
            self.reaped = true;
            self.out.push(VmiCommand::Reap);
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
        self.out.push(VmiCommand::Trace(Event::Answered(kind, attempt.verdict), attempt.text.clone()));
        let Some(pod) = &mut self.pod else { return };
        let effects = pod.finish(kind, attempt);
        if ping && failed && !forgiven && self.version.tells_failed_pings() {
            self.tell(VmiReason::GuestAgentPingFailed, WARNING, "GuestAgentPing probe failed");
        }
        self.kubelet(now, effects);
    }

    /// A user's `virtctl pause`. 403 with a liveness probe that a paused guest would fail (kubevirt-health.md 2.8); where
    /// pings are not suppressed that is any.
    pub fn pause(&mut self) -> Answer {
        let forgiven = |p: &PodProbe| p.handler == Handler::GuestAgentPing && self.version.suppresses_pings();
        let allowed = self.probe(ProbeKind::Liveness).is_none_or(forgiven);
        if self.phase != Phase::Running || self.deleting || self.domain.paused() || !allowed {
            return Answer::Refused;
        }
        if self.version.tells_panics_and_pauses() {
            self.tell(VmiReason::Paused, NORMAL, "VirtualMachineInstance paused");
        }
        self.domain.user_pauses();
        self.out.push(VmiCommand::Pause);
        Answer::Accepted
    }

    /// A user's `virtctl unpause`.
    pub fn unpause(&mut self) -> Answer {
        if self.phase != Phase::Running || !self.domain.paused() {
            return Answer::Refused;
        }
        if self.version.tells_panics_and_pauses() {
            self.tell(VmiReason::Unpaused, NORMAL, "VirtualMachineInstance unpaused");
        }
        self.out.push(VmiCommand::Resume);
        Answer::Accepted
    }

    /// Its migration begins or is over. The pod that it would go on in is not modelled: from outside it is the same guest.
    pub fn begin_migration(&mut self) -> Answer {
        if self.phase != Phase::Running || self.deleting || self.migrating {
            return Answer::Refused;
        }
        self.migrating = true;
        Answer::Accepted
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
    pub fn delete(&mut self, now: Time) -> Answer {
        if std::mem::replace(&mut self.deleting, true) {
            return Answer::Refused;
        }
        if self.pod.is_some() {
            self.tell(VmiReason::SuccessfulDelete, NORMAL, "Deleted virtual machine pod");
        }
        self.terminate_pod(now);
        Answer::Accepted
    }

    /// Somebody deletes its pod, or evicts it and nothing migrates it: the VMI itself is not being deleted.
    pub fn delete_pod(&mut self, now: Time) -> Answer {
        if self.phase.is_final() || self.pod.is_none() {
            return Answer::Refused;
        }
        self.terminate_pod(now);
        Answer::Accepted
    }

    fn terminate_pod(&mut self, now: Time) {
        let first = !std::mem::replace(&mut self.pod_deleted, true);
        if first && self.pod.as_ref().is_some_and(LauncherPod::running) {
            self.out.push(VmiCommand::Trace(Event::Killing, KILLING.to_owned()));
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
                self.out.push(VmiCommand::Destroy);
            }
            self.end(Phase::Failed, Witness::Pod);
        }
    }

    fn step(&mut self, now: Time) {
        if self.pod.is_none() {
            let timings = |p: &Option<PodProbe>| p.as_ref().map(|p| p.timings);
            self.pod = Some(LauncherPod::new(timings(&self.readiness), timings(&self.liveness), now));
            self.next_step = Some(now + self.churn.container_start);
            self.tell(VmiReason::SuccessfulCreate, NORMAL, "Created virtual machine pod");
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
                self.out.push(VmiCommand::StartDomain { paused: self.start_paused });
            }
        }
    }

    fn stop_action(&mut self, action: StopAction) {
        match action {
            StopAction::Ask { first } => {
                if first {
                    self.tell(VmiReason::ShuttingDown, NORMAL, "Signaled Graceful Shutdown");
                }
                self.out.push(VmiCommand::AskToShutDown);
            }
            StopAction::Destroy | StopAction::Kill => {
                if self.domain.destroyed() {
                    self.tell(VmiReason::Deleted, NORMAL, "VirtualMachineInstance stopping");
                }
                self.out.push(VmiCommand::Destroy);
            }
        }
    }

    fn kubelet(&mut self, now: Time, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Attempt(kind, n) => {
                    let probe = self.probe(kind).cloned();
                    self.show(Event::Attempt(kind, n));
                    // virt-launcher's manager.go GuestPing answers for a guest that it is told not to ask, and for none.
                    let ping = probe.as_ref().is_some_and(|p| p.handler == Handler::GuestAgentPing);
                    let told = |verdict, text: &str| Attempt { verdict, text: text.to_owned() };
                    let unreadable = probe.as_ref().is_some_and(PodProbe::breaks_json);
                    if unreadable {
                        let text = "panic: invalid character in the agent's command";
                        self.probe_answer(now, kind, told(Verdict::Failure, text));
                    } else if ping && self.agent_probes_paused {
                        self.probe_answer(now, kind, told(Verdict::Success, ""));
                    } else if ping && !self.domain.running() {
                        self.probe_answer(now, kind, told(Verdict::Failure, "the domain does not exist"));
                    } else {
                        self.out.extend(probe.map(|p| VmiCommand::Probe(kind, p)));
                    }
                }
                Effect::Published(kind, result) => self.show(Event::Published(kind, result)),
                Effect::Event(kind, event, text) => {
                    self.out.push(VmiCommand::Trace(Event::of_probe(kind, event), text));
                }
                Effect::StopContainer => {
                    self.out.push(VmiCommand::Trace(Event::Killing, KILLING.to_owned()));
                    self.stop(now);
                }
            }
        }
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
            self.tell(VmiReason::Deleted, NORMAL, "Signaled Deletion");
        }
        match (witness, phase) {
            (Witness::Pod, _) => {}
            (_, Phase::Succeeded) => self.tell(VmiReason::Stopped, NORMAL, "The VirtualMachineInstance was shut down."),
            _ => self.tell(VmiReason::Stopped, WARNING, "The VirtualMachineInstance crashed."),
        }
        self.set_phase(phase);
    }

    fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
        self.show(Event::Phase(phase));
    }

    /// A Kubernetes event on the VMI: its reason, type and message (kubevirt-health.md 8.4).
    fn tell(&mut self, reason: VmiReason, kind: &str, message: &str) {
        self.out.push(VmiCommand::Trace(Event::VmiEvent(reason), format!("{kind}: {message}")));
    }

    fn show(&mut self, event: Event) {
        self.out.push(VmiCommand::Trace(event, String::new()));
    }
}

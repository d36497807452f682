//! One VirtualMachineInstance: its phase, its conditions, its pod, its stop (kubevirt-health.md 4, 5, 8).
//!
//! Fed with what the domain did and what the kubelet's workers say; answers with commands. It decides nothing about
//! what comes after it: that is the VM controller's.

use super::Churn;
use super::domain::{Domain, DomainEvent, final_phase};
use super::stop::{GracefulStop, StopAction};
use crate::kubelet::{Attempt, Effect, LauncherPod, ProbeKind, Verdict};
use crate::manifest::{Handler, PodProbe, VmiSpec};
use crate::time::{Time, earliest};
use crate::trace::Event;
use std::fmt;
use std::time::Duration;

/// `status.phase`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The object was seen.
    Pending,
    /// Its pod exists.
    Scheduling,
    /// `compute` runs; handed to the node.
    Scheduled,
    /// The domain runs.
    Running,
    /// It ended in order.
    Succeeded,
    /// It ended otherwise.
    Failed,
}

impl Phase {
    /// Final phases never change.
    pub fn is_final(self) -> bool {
        matches!(self, Phase::Succeeded | Phase::Failed)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What a VMI wants done or makes known.
#[derive(Debug, Clone, PartialEq)]
pub enum VmiCommand {
    /// Put this into the trace.
    Trace(Event, String),
    /// Start the domain.
    StartDomain,
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

/// One VMI.
#[derive(Debug, Clone)]
pub struct Vmi {
    grace: Duration,
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
    shown_ready: (bool, &'static str),
    shown_endpoint: bool,
    shown_paused: bool,
    out: Vec<VmiCommand>,
}

impl Vmi {
    /// The VMI created at `now`.
    pub fn new(spec: &VmiSpec, churn: Churn, now: Time) -> Self {
        let mut vmi = Vmi {
            grace: spec.grace,
            agent_probes_paused: spec.agent_probes_paused,
            readiness: spec.readiness.as_ref().map(PodProbe::from),
            liveness: spec.liveness.as_ref().map(PodProbe::from),
            churn,
            phase: Phase::Pending,
            pod: None,
            domain: Domain::default(),
            agent_connected: false,
            stop: None,
            next_step: Some(now + churn.schedule),
            reaped: false,
            deleting: false,
            shown_ready: (false, "PodNotExists"),
            shown_endpoint: false,
            shown_paused: false,
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
        self.shown_ready.0
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

    /// It has a deletion time.
    pub fn deleting(&self) -> bool {
        self.deleting
    }

    /// When [`Vmi::poll`] has something to do next.
    pub fn next_wakeup(&self, now: Time) -> Option<Time> {
        let pod = self.pod.as_ref().and_then(|p| p.next_wakeup(now));
        earliest([self.next_step, pod, self.stop.as_ref().and_then(GracefulStop::next_wakeup)])
    }

    /// Does what is due and hands out what has come up.
    pub fn poll(&mut self, now: Time) -> Vec<VmiCommand> {
        if self.next_step.is_some_and(|t| t <= now) {
            self.step(now);
        }
        if let Some(pod) = &mut self.pod {
            let effects = pod.poll(now);
            self.kubelet(now, effects);
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
        match event {
            DomainEvent::Started => {
                self.show(Event::VmiEvent("Created"));
                self.show(Event::VmiEvent("Started"));
                self.set_phase(Phase::Running);
            }
            DomainEvent::AgentPort { open } => {
                self.agent_connected = *open;
                self.show(Event::AgentConnected(*open));
            }
            DomainEvent::Panicked { action } if action != "run" => self.show(Event::VmiEvent("GuestPanicked")),
            DomainEvent::Stop if self.domain.to_be_resumed() => self.out.push(VmiCommand::Resume),
            _ => {}
        }
        if self.domain.waits_to_be_reaped() && !self.reaped {
            self.reaped = true;
            self.out.push(VmiCommand::Reap);
        }
        if let Some(end) = self.domain.ended().filter(|_| !self.phase.is_final()) {
            self.end(final_phase(end, self.grace));
        }
        true
    }

    /// Takes a probe's answer.
    pub fn probe_answer(&mut self, now: Time, kind: ProbeKind, attempt: Attempt) {
        let ping = self.probe(kind).is_some_and(|p| p.handler == Handler::GuestAgentPing);
        let failed = attempt.verdict == Verdict::Failure;
        // The same (kubevirt-health.md 3.4): a guest that the user paused cannot answer.
        let forgiven = ping && failed && self.domain.paused();
        let attempt = if forgiven { Attempt { verdict: Verdict::Success, text: String::new() } } else { attempt };
        let Some(pod) = &mut self.pod else { return };
        let effects = pod.finish(kind, attempt);
        if ping && failed && !forgiven {
            self.show(Event::VmiEvent("GuestAgentPingFailed"));
        }
        self.kubelet(now, effects);
    }

    /// A user's `virtctl pause`. 403 with a liveness probe that a paused guest would fail (kubevirt-health.md 2.8).
    pub fn pause(&mut self) -> &'static str {
        let allowed = self.probe(ProbeKind::Liveness).is_none_or(|p| p.handler == Handler::GuestAgentPing);
        if self.phase != Phase::Running || self.deleting || self.domain.paused() || !allowed {
            return "refused";
        }
        self.domain.user_pauses();
        self.out.push(VmiCommand::Pause);
        "accepted"
    }

    /// A user's `virtctl unpause`.
    pub fn unpause(&mut self) -> &'static str {
        if self.phase != Phase::Running || !self.domain.paused() {
            return "refused";
        }
        self.out.push(VmiCommand::Resume);
        "accepted"
    }

    /// Deletes it: its pod leaves the endpoints at once and is stopped gracefully.
    pub fn delete(&mut self, now: Time) {
        self.deleting = true;
        self.stop(now);
    }

    /// Stops it gracefully.
    fn stop(&mut self, now: Time) {
        if self.stop.is_some() || self.phase.is_final() {
            return;
        }
        if let Some(pod) = &mut self.pod {
            pod.terminating();
        }
        if self.domain.running() {
            self.stop = Some(GracefulStop::new(now, self.grace));
        } else {
            // Its domain may be on its way already.
            if self.phase == Phase::Scheduled {
                self.out.push(VmiCommand::Destroy);
            }
            self.end(Phase::Failed);
        }
    }

    fn step(&mut self, now: Time) {
        if self.pod.is_none() {
            let timings = |p: &Option<PodProbe>| p.as_ref().map(|p| p.timings);
            self.pod = Some(LauncherPod::new(timings(&self.readiness), timings(&self.liveness), now));
            self.next_step = Some(now + self.churn.container_start);
            self.set_phase(Phase::Scheduling);
        } else {
            self.next_step = None;
            if let Some(pod) = &mut self.pod {
                pod.container_started(now);
            }
            self.set_phase(Phase::Scheduled);
            self.out.push(VmiCommand::StartDomain);
        }
    }

    fn stop_action(&mut self, action: StopAction) {
        match action {
            StopAction::Ask { first } => {
                if first {
                    self.show(Event::VmiEvent("ShuttingDown"));
                }
                self.out.push(VmiCommand::AskToShutDown);
            }
            StopAction::Destroy | StopAction::Kill => {
                if self.domain.destroyed() {
                    self.show(Event::VmiEvent("Deleted"));
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
                    if ping && (self.agent_probes_paused || !self.domain.running()) {
                        self.probe_answer(now, kind, Attempt { verdict: Verdict::Success, text: String::new() });
                    } else {
                        self.out.extend(probe.map(|p| VmiCommand::Probe(kind, p)));
                    }
                }
                Effect::Published(kind, result) => self.show(Event::Published(kind, result)),
                Effect::Event(kind, event, text) => {
                    self.out.push(VmiCommand::Trace(Event::of_probe(kind, event), text));
                }
                Effect::StopContainer => {
                    self.show(Event::Killing);
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

    fn end(&mut self, phase: Phase) {
        self.stop = None;
        self.next_step = None;
        if let Some(pod) = &mut self.pod {
            pod.container_ended();
        }
        if self.agent_connected {
            self.agent_connected = false;
            self.show(Event::AgentConnected(false));
        }
        self.show(Event::VmiEvent("Stopped"));
        self.set_phase(phase);
    }

    fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
        self.show(Event::Phase(phase));
    }

    fn show(&mut self, event: Event) {
        self.out.push(VmiCommand::Trace(event, String::new()));
    }

    /// The Ready condition in the order of kubevirt-health.md 4; the endpoint follows the pod's Ready.
    fn show_conditions(&mut self) {
        let paused = self.domain.paused();
        if paused != self.shown_paused {
            self.shown_paused = paused;
            self.show(Event::Paused(paused));
        }
        let container = self.pod.as_ref().map(|p| (p.running(), p.ready()));
        let ready = match container {
            None => (false, "PodNotExists"),
            Some((running, _)) if self.deleting || (!running && self.phase.is_final()) => (false, "PodTerminating"),
            Some(_) if self.phase != Phase::Running => (false, "GuestNotRunning"),
            Some((_, false)) => (false, "ContainersNotReady"),
            Some((_, true)) if paused => (false, "ReadinessGatesNotReady"),
            Some((_, true)) => (true, ""),
        };
        if ready != self.shown_ready {
            self.shown_ready = ready;
            self.show(Event::Ready(ready.0, ready.1));
        }
        // The pod's own Ready: the container and the gate `virtual-machine-unpaused`; the phase plays no part in it.
        let endpoint = container.is_some_and(|(_, ready)| ready) && !paused && !self.deleting;
        if endpoint != self.shown_endpoint {
            self.shown_endpoint = endpoint;
            self.show(Event::Endpoint(endpoint));
            self.out.push(VmiCommand::Endpoint(endpoint));
        }
    }
}

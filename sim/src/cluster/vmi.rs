//! One VirtualMachineInstance: its life, its conditions, its pod (kubevirt-health.md 4, 5, 8).
//!
//! Fed with what the domain did and what the kubelet's workers say; answers with commands. It decides nothing about
//! what comes after it: that is the VM controller's.

mod conditions;
mod cycle;
mod life;
mod node;
mod probes;
mod requests;

use super::command::{VmiCommand, VmiOutput};
use super::domain::{Domain, final_phase};
use super::io_errors::IoErrors;
use super::launcher::Chance;
use super::probe_request::ProbeRequest;
use super::{Churn, KubevirtVersion};
use crate::kubelet::{LauncherPod, ProbeKind};
use crate::manifest::{Grace, PodProbe, VmiSpec};
use crate::time::{Time, earliest};
use crate::trace::{DomainEvent, Event, PanicAction, PauseReason, Phase, SyncFailure, VmiReason};
use conditions::Shown;
use life::{EndSeenBy, Life};
use node::LostNode;
use std::collections::BTreeMap;
use std::time::Duration;

pub use conditions::Conditions;
pub use cycle::{Answers, Cycle};

const NORMAL: &str = "Normal";
const WARNING: &str = "Warning";

/// From an event of libvirt's to virt-launcher's look at the domain that it is about.
const LOOKS_AFTER: Duration = Duration::from_millis(100);

/// What is settled when a VMI is created.
#[derive(Debug, Clone, PartialEq)]
struct Settings {
    version: KubevirtVersion,
    chance: Chance,
    churn: Churn,
    grace: Grace,
    /// What its pod and virt-launcher were made with.
    pod_grace: Grace,
    acpi: bool,
    start_paused: bool,
    /// What libvirt says to the domain, if it refuses it.
    domain_refusal: Option<String>,
    readiness: Option<PodProbe>,
    liveness: Option<PodProbe>,
    /// What the probes ask of a domain that runs.
    requests: BTreeMap<ProbeKind, ProbeRequest>,
}

/// What has a deletion time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Deleted {
    Nothing,
    /// The pod only.
    Pod,
    /// The VMI and its pod.
    Vmi,
}

/// One VMI.
#[derive(Debug, Clone, PartialEq)]
pub struct Vmi {
    settings: Settings,
    life: Life,
    pod: Option<LauncherPod>,
    domain: Domain,
    deleted: Deleted,
    migrating: bool,
    agent_connected: bool,
    /// Its node is lost.
    lost: Option<LostNode>,
    io_errors: IoErrors,
    /// virt-handler waits with a guest that a disk's error stopped.
    resume_at: Option<Time>,
    /// A guest that a disk's error had stopped goes on, and is seen to from then on.
    seen_going_on_at: Option<Time>,
    /// The reason of the Synchronized condition; it stays, as neither a pod nor a domain that was refused is ever taken.
    sync_failure: Option<SyncFailure>,
    shown: Shown,
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
        let settings = Settings {
            version,
            chance,
            churn,
            grace: spec.grace,
            pod_grace: spec.grace,
            acpi: spec.architecture.has_acpi(),
            start_paused: spec.start_paused,
            domain_refusal: unknown_action.map(|action| format!("unknown watchdog action '{action}'")),
            requests: probes.iter().map(|(kind, p)| (*kind, ProbeRequest::of(p, spec, pings_paused))).collect(),
            readiness: probes.remove(&ProbeKind::Readiness),
            liveness: probes.remove(&ProbeKind::Liveness),
        };
        let mut vmi = Vmi {
            life: Life::new(spec.pod_refusal(), churn, now),
            settings,
            pod: None,
            domain: Domain::default(),
            deleted: Deleted::Nothing,
            migrating: false,
            agent_connected: false,
            lost: None,
            io_errors: IoErrors::default(),
            resume_at: None,
            seen_going_on_at: None,
            sync_failure: None,
            shown: Shown::default(),
            out: VmiOutput::default(),
        };
        vmi.show(Event::Phase(vmi.phase()));
        vmi
    }

    /// Its phase, as the cluster knows it.
    pub fn phase(&self) -> Phase {
        self.lost.as_ref().map_or(self.life.phase(), |lost| lost.phase)
    }

    /// The domain.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The AgentConnected condition.
    pub fn agent_connected(&self) -> bool {
        self.agent_connected
    }

    /// The Paused condition.
    pub fn paused(&self) -> bool {
        self.pause_reason().is_some()
    }

    /// virt-launcher tells what libvirt says when it looks: of a guest that stops again at once, that it stands still.
    fn pause_reason(&self) -> Option<PauseReason> {
        self.domain.paused().or(self.seen_going_on_at.map(|_| PauseReason::PausedIoError))
    }

    /// It is not final but marked for deletion.
    pub fn stopping(&self) -> bool {
        self.deleting() && !self.phase().is_final()
    }

    /// Its domain has run.
    pub fn ever_ran(&self) -> bool {
        self.domain.boots() > 0
    }

    /// It has a deletion time.
    pub fn deleting(&self) -> bool {
        self.deleted == Deleted::Vmi
    }

    /// It is being migrated.
    pub fn migrating(&self) -> bool {
        self.migrating && self.phase() == Phase::Running
    }

    /// When [`Vmi::poll`] has something to do next.
    pub fn next_wakeup(&self, now: Time) -> Option<Time> {
        let pod = self.pod.as_ref().filter(|_| !self.without_power()).and_then(|pod| pod.next_wakeup(now));
        earliest([self.own_wakeup(now), pod])
    }

    /// Does what is due and hands out what has come up.
    pub fn poll(&mut self, now: Time) -> VmiOutput {
        self.before_the_pod(now);
        let is_off = self.without_power();
        if let Some(pod) = self.pod.as_mut().filter(|_| !is_off) {
            let actions = pod.poll(now);
            self.kubelet(now, actions);
        }
        self.after_the_pod(now);
        self.watch_node(now);
        self.seen_going_on_at = self.seen_going_on_at.filter(|t| *t > now);
        if self.resume_at.is_some_and(|t| t <= now) {
            self.resume(now);
        }
        self.show_conditions();
        std::mem::take(&mut self.out)
    }

    /// Takes what the domain did at `at`; `false` if it only repeats a reset.
    pub fn domain_event(&mut self, at: Time, event: &DomainEvent) -> bool {
        // Final phases never change, whatever a domain that is being killed still says.
        let paused = self.domain.paused();
        if self.life.phase().is_final() || !self.domain.take(at, event) {
            return false;
        }
        // Nobody is left to report it.
        if matches!(self.life, Life::LauncherLost { .. }) || self.without_power() {
            return true;
        }
        match event {
            DomainEvent::Started => {
                self.tell(VmiReason::Created, NORMAL, "VirtualMachineInstance defined.");
                self.tell(VmiReason::Started, NORMAL, "VirtualMachineInstance started.");
                self.enter(Life::Running { stop: None, reaped: false });
            }
            DomainEvent::AgentPort { open } => self.set_agent(*open),
            DomainEvent::Panicked { action }
                if *action != PanicAction::Run && self.settings.version.tells_panics_and_pauses() =>
            {
                self.tell(VmiReason::GuestPanicked, WARNING, "GuestPanicked (details unavailable)");
            }
            DomainEvent::Resume if paused == Some(PauseReason::PausedIoError) => {
                self.seen_going_on_at = Some(at + LOOKS_AFTER);
            }
            DomainEvent::Stop if self.domain.to_be_resumed() => {
                self.seen_going_on_at = None;
                if self.domain.paused().is_some() {
                    let message = format!("VM Paused due to {}: root", self.domain.disk_error());
                    self.tell(VmiReason::IoError, WARNING, &message);
                }
                self.resume(at);
            }
            _ => {}
        }
        if let Life::Running { reaped: reaped @ false, .. } = &mut self.life
            && self.domain.waits_to_be_reaped()
        {
            *reaped = true;
            self.command(VmiCommand::Reap);
        }
        if let Some(reason) = self.domain.ended() {
            self.end(final_phase(reason, self.settings.grace, self.settings.acpi), EndSeenBy::Domain);
        }
        true
    }

    /// virt-handler's next sync, which is about a stop if there is one: nobody lets a guest go on then.
    fn resume(&mut self, now: Time) {
        self.resume_at = None;
        let stops = self.deleting() || !matches!(self.life, Life::Running { stop: None, .. });
        if stops || !self.domain.to_be_resumed() {
            return;
        }
        if self.domain.paused().is_some() {
            self.resume_at = self.io_errors.wait_until(now);
        }
        if self.resume_at.is_none() {
            self.command(VmiCommand::Resume);
        }
    }

    fn set_agent(&mut self, connected: bool) {
        self.agent_connected = connected;
        self.show(Event::AgentConnected(connected));
    }

    /// A Kubernetes event on the VMI: its reason, type and message (kubevirt-health.md 8.4).
    fn tell(&mut self, reason: VmiReason, kind: &str, message: &str) {
        self.show_with(Event::VmiEvent(reason), format!("{kind}: {message}"));
    }

    fn show(&mut self, event: Event) {
        self.show_with(event, String::new());
    }

    fn show_with(&mut self, event: Event, detail: String) {
        let shown = match &mut self.lost {
            Some(lost) => lost.hold(event, detail),
            None => Some((event, detail)),
        };
        self.out.seen.extend(shown);
    }

    fn command(&mut self, command: VmiCommand) {
        self.out.commands.push(command);
    }
}

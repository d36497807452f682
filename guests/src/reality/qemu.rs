//! The backend that is meant: QEMU, the guest's agent and network, a Service in a namespace of its own.

use super::backend::{Backend, Past, Running, Start};
use super::setup::Setup;
use crate::fault::{self, NotInjected};
use crate::guest::{BootMode, GuestEvent, Live, Moment, NotReady, VerifyMode, VmSpec, Waited, verify};
use crate::net::{GUEST_ADDRESS, Netns};
use crate::outside;
use crate::probe::{self, HttpTarget, Network};
use crate::template::{PortReply, Template};
use crate::time;
use crate::traffic::Service;
use crate::wire::QmpError;
use nix::sys::signal::Signal;
use qapi::{qga, qmp};
use std::cell::{Cell, RefCell};
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use vmhealth_sim::cluster::{DomainEvent, Exit, ProbeRequest, VmiCommand};
use vmhealth_sim::engine::{Config, Connection, FaultNews, Input, Request, VmiInput};
use vmhealth_sim::kubelet::Attempt;
use vmhealth_sim::manifest::{Architecture, Destination, WatchdogAction};
use vmhealth_sim::scenario::Fault;
use vmhealth_sim::trace::ShutdownCause;

/// A second monitor's socket: QEMU serves one client on each, and the first is the run's.
pub(super) const MONITOR: &str = "monitor";
/// libvirt's limit for an agent that does not answer its sync, before it falls back to ACPI.
const AGENT_SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);
/// An agent that will not shut down, because its filesystems are frozen for example, says so at once.
const AGENT_REFUSAL: Duration = Duration::from_millis(500);
/// For a QMP command that takes no time.
const QMP_LIMIT: Duration = Duration::from_secs(10);
/// Whether something listens there does not matter.
const ANY_PORT: u16 = 1;
/// A kernel that lives answers in milliseconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);
/// From SIGTERM to SIGKILL when a domain is destroyed.
const TERM_LIMIT: Duration = Duration::from_secs(5);

/// Between two looks at whether QEMU still answers, and for that answer.
const HEARTBEAT: Duration = Duration::from_secs(10);
const HANG_LIMIT: Duration = Duration::from_secs(30);

/// Guests on QEMU.
pub(super) struct Qemu {
    spec: VmSpec,
    config: Config,
    template: Option<Arc<Template>>,
    scratch: PathBuf,
    evidence: PathBuf,
    service: Option<Service>,
    /// Somebody else is going to talk to their QEMUs.
    shared_monitor: bool,
    /// What is wrong with every boot from now on: the latest fault of that kind.
    boots: Rc<RefCell<Option<Fault>>>,
}

impl Qemu {
    pub(super) fn new(setup: &Setup, config: Config, service: Option<Service>) -> Qemu {
        let Setup { manifest, spec, platform, template, scratch, evidence, freeze } = setup.clone();
        let spec = VmSpec { manifest, profile: spec.guest, platform };
        Qemu {
            spec,
            config,
            template,
            scratch,
            evidence,
            service,
            shared_monitor: freeze.is_some(),
            boots: Rc::default(),
        }
    }

    /// A disk that is fresh, and a kernel that is told what was done to the one before.
    fn spoilt(&self, mut spec: VmSpec) -> VmSpec {
        let os = spec.platform.image.os;
        let words = self.boots.borrow().as_ref().and_then(|fault| os.spoil_boot(fault));
        if let (Some(kernel), Some(words)) = (&mut spec.platform.image.kernel, words) {
            kernel.cmdline += &words;
        }
        spec
    }
}

impl Backend for Qemu {
    type Guest = QemuGuest;

    fn past(&self) -> Option<Rc<Past>> {
        // That was another boot than those are to be.
        let template = self.template.as_ref().filter(|_| self.boots.borrow().is_none())?;
        Some(Rc::new(Past { history: template.history.clone(), template: template.key() }))
    }

    async fn launch(
        &self,
        vmi: u32,
        start: Start,
        origin: Instant,
    ) -> Result<(QemuGuest, mpsc::UnboundedReceiver<GuestEvent>), String> {
        // libvirt starts a domain in no time.
        let _hold = time::hold();
        // A fork that is given up may outlive its successor's start.
        let (birth, folder) = match (start, &self.template) {
            (Start::Fork, Some(template)) => (BootMode::Fork(template.captured()), format!("{vmi}f")),
            _ => (BootMode::Cold, vmi.to_string()),
        };
        let paused = start == Start::Cold { paused: true };
        let (spec, scratch, evidence) =
            (self.spoilt(self.spec.clone()), self.scratch.join(folder), self.evidence.clone());
        let prepared = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&scratch).map_err(|e| format!("cannot make {}: {e}", scratch.display()))?;
            spec.prepare(birth, vmi, &scratch, &evidence).map_err(|e| e.to_string())
        });
        let mut prepared = prepared.await.map_err(|panic| panic.to_string())??;
        if self.shared_monitor {
            prepared.second_monitor(MONITOR);
        }
        let (live, events) = prepared.launch(origin, paused).await.map_err(|e| e.to_string())?;
        if start != Start::Fork {
            live.vcpus_at(Moment::Boots);
        }
        let answered = Cell::new(time::now());
        let (live, spec, config, boots) = (Rc::new(live), self.spec.clone(), self.config.clone(), self.boots.clone());
        Ok((QemuGuest { live, spec, config, answered, boots }, events))
    }

    fn forward(&self, to: Option<Rc<QemuGuest>>) -> Result<(), String> {
        let Some(service) = &self.service else { return Ok(()) };
        service.set_endpoint(to.map(|guest| guest.live.clone())).map_err(|e| e.to_string())
    }

    async fn connect(&self) -> Option<Connection> {
        Some(self.service.as_ref()?.connect().await)
    }
}

/// A guest on QEMU.
pub(super) struct QemuGuest {
    live: Rc<Live>,
    spec: VmSpec,
    config: Config,
    /// When QEMU was last asked whether it still answers.
    answered: Cell<Instant>,
    /// Of the VM's later guests.
    boots: Rc<RefCell<Option<Fault>>>,
}

impl Running for QemuGuest {
    fn console(&self) -> PathBuf {
        self.live.serial.clone()
    }

    fn note(&self, event: &DomainEvent) -> Option<String> {
        match event {
            DomainEvent::Reset { .. } => self.live.vcpus_at(Moment::Boots),
            DomainEvent::Watchdog(WatchdogAction::Poweroff | WatchdogAction::Reset) => {
                self.live.vcpus_at(Moment::WatchdogEnds);
            }
            DomainEvent::Resume => self.live.disk_fault.borrow_mut().resumed(),
            _ => {}
        }
        interference(event, &self.live)
    }

    fn waited_for_core(&self) -> Option<Waited> {
        self.live.waited_for_core()
    }

    /// In guest time it is the clock that would stand, which the pacer notices.
    async fn hangs(&self) -> Option<String> {
        if !self.live.is_in_real_time() {
            return None;
        }
        if let Some(pid) = self.live.stopped() {
            return Some(format!("QEMU (process {pid}) was stopped by a signal of somebody else's"));
        }
        if time::now().saturating_duration_since(self.answered.get()) < HEARTBEAT {
            return None;
        }
        self.answered.set(time::now());
        match self.live.qmp.execute(qmp::query_status {}, HANG_LIMIT).await {
            Err(late @ QmpError::Late { .. }) => Some(format!("QEMU hangs: {late}")),
            // Its end is told by its end.
            _ => None,
        }
    }

    /// A refusal is an answer: the kernel gives it by itself.
    async fn answers(&self) -> bool {
        let connect = Network::Namespace(&self.live.netns).connect(Netns::guest(ANY_PORT));
        match time::timeout(ANSWER_LIMIT, connect).await {
            Ok(Ok(_)) => true,
            Ok(Err(e)) => e.kind() == io::ErrorKind::ConnectionRefused,
            Err(_) => false,
        }
    }

    async fn carry_out(&self, vmi: u32, what: Request, look: VerifyMode) -> Vec<Input> {
        match what {
            Request::Verify => Vec::from_iter(self.verify(vmi, look).await),
            Request::Inject { step, fault } => self.inject(vmi, step, &fault).await,
            Request::Mend { step, fault } => Vec::from_iter(self.mend(step, &fault).await),
            Request::Cluster(VmiCommand::Probe { kind, request, timeout }) => {
                let attempt = self.probe(PortReply::AsCaptured, &request, timeout).await;
                vec![VmiInput::Probe { kind, attempt }.of(vmi)]
            }
            Request::Cluster(VmiCommand::Pause) => Vec::from_iter(self.set_running(false).await),
            Request::Cluster(VmiCommand::Resume) => Vec::from_iter(self.set_running(true).await),
            Request::Cluster(VmiCommand::AskToShutDown) => {
                self.ask_to_shut_down().await;
                Vec::new()
            }
            Request::Cluster(VmiCommand::Destroy | VmiCommand::Reap) => {
                // As libvirt ends a process: SIGTERM, and SIGKILL if that does not do.
                self.live.signal(Signal::SIGTERM);
                self.live.exited(TERM_LIMIT).await;
                self.live.signal(Signal::SIGKILL);
                Vec::new()
            }
            // Nothing that a guest does.
            Request::Cluster(VmiCommand::StartDomain { .. } | VmiCommand::Endpoint { .. }) | Request::Discard => {
                Vec::new()
            }
        }
    }

    async fn probe(&self, met: PortReply, request: &ProbeRequest, timeout: Duration) -> Attempt {
        let (netns, agent) = (&self.live.netns, &self.live.agent);
        let (host, network) = match (request.destination(), met) {
            // nftables in the pod: what masquerade does not forward, nobody answers for.
            (Some(Destination::NotForwarded { .. }), _) => (GUEST_ADDRESS.to_string(), Network::Refusing),
            (Some(Destination::Elsewhere { host, .. }), _) => (host.clone(), Network::Namespace(netns)),
            (_, PortReply::AsCaptured) => (GUEST_ADDRESS.to_string(), Network::Namespace(netns)),
            (_, PortReply::Refusal) => (GUEST_ADDRESS.to_string(), Network::Refusing),
            (_, PortReply::Silence) => (GUEST_ADDRESS.to_string(), Network::Silent),
        };
        match request {
            ProbeRequest::Http { to, scheme, path, headers } => {
                let (port, path, headers) = (to.port(), path.clone(), headers.clone());
                probe::get(network, &HttpTarget { scheme: *scheme, host, port, path, headers }, timeout).await
            }
            ProbeRequest::Tcp { to } => probe::tcp(network, &host, to.port(), timeout).await,
            ProbeRequest::Ping | ProbeRequest::Exec { .. } if self.spec.profile.no_agent => probe::no_agent(),
            ProbeRequest::Ping => probe::ping(agent, timeout).await,
            ProbeRequest::Exec { command, inner_timeout } => probe::exec(agent, command, *inner_timeout, timeout).await,
            ProbeRequest::Answer { attempt, .. } => attempt.clone(),
        }
    }

    async fn kill(&self) {
        self.live.signal(Signal::SIGKILL);
        self.live.exited(TERM_LIMIT).await;
    }
}

impl QemuGuest {
    pub(super) fn live(&self) -> &Rc<Live> {
        &self.live
    }

    /// Nothing if its agent is not there: the engine asks again when the port opens again.
    async fn verify(&self, vmi: u32, look: VerifyMode) -> Option<Input> {
        let agent = self.live.agent.present().ok()?;
        let verified = verify(&agent, self.spec.expected(), look, self.config.scaled_boot_deadline()).await;
        self.live.vcpus_at(Moment::Settled);
        let what = match verified {
            Ok(report) => VmiInput::GuestReady(report),
            Err(NotReady::Reason(reason)) => VmiInput::GuestNotReady { reason },
            Err(NotReady::SessionOver) => return None,
        };
        Some(what.of(vmi))
    }

    async fn inject(&self, vmi: u32, step: usize, fault: &Fault) -> Vec<Input> {
        let image = &self.spec.platform.image;
        if image.os.spoil_boot(fault).is_some() {
            if image.kernel.is_none() {
                let why = "a new VMI has a fresh disk, and your own image's firmware takes no words for its kernel: run it with vmhealth's own, without --image";
                return vec![Input::Fault { step, news: FaultNews::Failed(why.into()) }];
            }
            if self.spec.platform.architecture != Architecture::Amd64 {
                let why = "a new VMI has a fresh disk, and only systemd 256 and later takes units from the kernel's command line: vmhealth's s390x image has an older one";
                return vec![Input::Fault { step, news: FaultNews::Failed(why.into()) }];
            }
            self.boots.replace(Some(fault.clone()));
        }
        let (news, holder) = match fault::inject(&self.live, step, fault, self.config.guest_scale).await {
            Ok(confirmed) => (FaultNews::Confirmed(confirmed.how), confirmed.petter),
            Err(NotInjected::Guest(why)) => (FaultNews::Failed(why), None),
            Err(NotInjected::Host(why)) => (FaultNews::HostFailed(why), None),
        };
        let holder = holder.map(|name| VmiInput::WatchdogHolder { name }.of(vmi));
        holder.into_iter().chain([Input::Fault { step, news }]).collect()
    }

    /// A QEMU that has ended meanwhile has nothing left to mend.
    async fn mend(&self, step: usize, fault: &Fault) -> Option<Input> {
        match outside::mend(&self.live, step, fault).await {
            Err(e @ (QmpError::Qemu { .. } | QmpError::Late { .. })) => {
                Some(Input::HostFailed { reason: format!("{} could not be ended: {e}", fault.kind()) })
            }
            _ => None,
        }
    }

    /// libvirt's default mode: the agent when it is connected, the ACPI button when that fails.
    async fn ask_to_shut_down(&self) {
        let through_agent = async {
            let mode = qga::guest_shutdown { mode: Some(qga::GuestShutdownMode::Powerdown) };
            self.live.agent.present()?.send(mode, AGENT_SHUTDOWN_LIMIT, AGENT_REFUSAL).await
        };
        if self.spec.profile.no_agent || through_agent.await.is_err() {
            // A QEMU that does not answer is destroyed when the grace period is over.
            let _ = self.live.qmp.execute(qmp::system_powerdown {}, AGENT_SHUTDOWN_LIMIT).await;
        }
    }

    /// QMP `cont` and `stop`; their events say that it is done.
    async fn set_running(&self, running: bool) -> Option<Input> {
        let done = match running {
            true => self.live.qmp.execute(qmp::cont {}, QMP_LIMIT).await.map(drop),
            false => self.live.qmp.execute(qmp::stop {}, QMP_LIMIT).await.map(drop),
        };
        match done {
            Err(e @ (QmpError::Qemu { .. } | QmpError::Late { .. })) => {
                Some(Input::HostFailed { reason: e.to_string() })
            }
            // A QEMU that has ended meanwhile says so by its end.
            _ => None,
        }
    }
}

/// What somebody else has done to a guest's QEMU.
fn interference(event: &DomainEvent, guest: &Live) -> Option<String> {
    let ours = guest.signalled.get();
    match event {
        // Nobody here has asked for it: another user's cleanup, a container engine that is being stopped.
        DomainEvent::Shutdown { reason: ShutdownCause::HostSignal } if !ours => {
            Some("QEMU was ended by a signal of somebody else's".to_owned())
        }
        // No fault of the scenario makes it say so.
        DomainEvent::NoSpace if !guest.disk_fault.borrow().explains_no_space() => {
            Some(format!("the host has no room for what the guest writes to its disk: {}", guest.scratch().display()))
        }
        DomainEvent::Exited(exit) => match (guest.lost.get(), exit) {
            (Some(why), _) => Some(why.clone()),
            // Whoever runs out of memory, or QEMU's own bug.
            (None, Exit::Signal(n)) if !ours => Some(format!("QEMU was ended by signal {n}, which was not ours")),
            _ => None,
        },
        _ => None,
    }
}

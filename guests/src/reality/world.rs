//! QEMU and what stands around it: carries out the engine's commands and reports back.

use super::clock::Clock;
use super::run::Setup;
use crate::fault::{self, NotInjected};
use crate::guest::{BootMode, GuestEvent, Live, NotReady, Priority, VerifyMode, VmSpec, verify};
use crate::net::{GUEST_ADDRESS, NetError};
use crate::probe::{self, HttpTarget, Network};
use crate::template::{PortReply, Template};
use crate::traffic::Service;
use crate::wire::QmpError;
use nix::sys::signal::Signal;
use qapi::{qga, qmp};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use vmhealth_sim::engine::{Command, Config, Connection, FaultNews, Input};
use vmhealth_sim::kubelet::{self, Attempt};
use vmhealth_sim::manifest::{Handler, PodProbe, Port};
use vmhealth_sim::scenario::Fault;
use vmhealth_sim::time::Time;

/// libvirt's limit for an agent that does not answer its sync, before it falls back to ACPI.
const AGENT_SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);
/// For a QMP command that takes no time.
const QMP_LIMIT: Duration = Duration::from_secs(10);
/// From SIGTERM to SIGKILL when a domain is destroyed.
const TERM_LIMIT: Duration = Duration::from_secs(5);

/// What a world tells the loop.
#[derive(Debug)]
pub(super) enum News {
    /// For the engine.
    Input(Input),
    /// A fork runs: its past is to be replayed. `replayed` is told whether that could be done.
    Forked { fork: Fork, replayed: oneshot::Sender<bool> },
}

/// A fork that runs.
#[derive(Debug, Clone)]
pub(super) struct Fork {
    pub(super) vmi: u32,
    /// When it began to run, which is taken for the template's power-on.
    pub(super) started: Time,
    pub(super) template: Arc<Template>,
}

type Guests = Rc<RefCell<BTreeMap<u32, Rc<Live>>>>;

/// Clones share it.
#[derive(Clone)]
pub(super) struct World {
    pub(super) setup: Rc<Setup>,
    config: Rc<Config>,
    pub(super) clock: Clock,
    guests: Guests,
    /// VMIs that were destroyed or discarded, perhaps before their QEMU was there.
    doomed: Rc<RefCell<BTreeSet<u32>>>,
    /// The VMI that the Service should forward to, perhaps before its QEMU is there.
    endpoint: Rc<Cell<Option<u32>>>,
    service: Rc<RefCell<Option<Service>>>,
    /// Forks that were not yet made machines of their own.
    pub(super) raw_forks: Rc<RefCell<BTreeSet<u32>>>,
    /// Why a guest's kernel crashed by itself.
    pub(super) crash: Rc<RefCell<Option<String>>>,
    /// A fork's past is being replayed.
    replaying: Rc<Cell<bool>>,
    news: mpsc::UnboundedSender<News>,
}

impl World {
    pub(super) fn new(setup: Setup, config: Config, news: mpsc::UnboundedSender<News>) -> World {
        World {
            setup: Rc::new(setup),
            config: Rc::new(config),
            clock: Clock::start(),
            guests: Guests::default(),
            doomed: Rc::default(),
            endpoint: Rc::default(),
            service: Rc::default(),
            raw_forks: Rc::default(),
            crash: Rc::default(),
            replaying: Rc::default(),
            news,
        }
    }

    pub(super) fn tell(&self, input: Input) {
        // The engine is gone once there is a verdict.
        let _ = self.news.send(News::Input(input));
    }

    /// Tells it at its time.
    pub(super) fn tell_at(&self, at: Time, input: Input) {
        let world = self.clone();
        self.spawn(async move {
            tokio::time::sleep_until(world.clock.instant(at)).await;
            world.tell(input);
        });
    }

    pub(super) fn guest(&self, vmi: u32) -> Option<Rc<Live>> {
        self.guests.borrow().get(&vmi).cloned()
    }

    /// How long every guest's vCPUs have waited for a core and how urgent they are, but for those of panicked ones.
    pub(super) fn vcpus_waited(&self) -> Vec<(u32, Duration, Priority)> {
        let guests = self.guests.borrow();
        let waited = |(vmi, guest): (&u32, &Rc<Live>)| {
            let priority = guest.priority.get();
            let vcpus = guest.vcpus.as_ref().filter(|_| priority != Priority::Spinning)?;
            Some((*vmi, vcpus.waited()?, priority))
        };
        guests.iter().filter_map(waited).collect()
    }

    /// Does `what` beside the loop.
    fn spawn(&self, what: impl Future<Output = ()> + 'static) {
        tokio::task::spawn_local(what);
    }

    pub(super) fn execute(&self, command: Command) {
        let world = self.clone();
        match command {
            Command::StartDomain { vmi, paused } => {
                self.spawn(async move { world.start_domain(vmi, paused).await });
            }
            Command::Verify { vmi } => self.spawn(async move { world.verify(vmi).await }),
            Command::Probe { vmi, kind, probe } => self.spawn(async move {
                let attempt = world.probe(vmi, &probe).await;
                world.tell(Input::Probe { vmi, kind, attempt });
            }),
            Command::AskToShutDown { vmi } => self.spawn(async move { world.ask_to_shut_down(vmi).await }),
            Command::Destroy { vmi } | Command::Reap { vmi } => {
                self.doomed.borrow_mut().insert(vmi);
                self.spawn(async move { world.terminate(vmi).await });
            }
            Command::Pause { vmi } => self.spawn(async move { world.set_running(vmi, false).await }),
            Command::Resume { vmi } => self.spawn(async move { world.set_running(vmi, true).await }),
            Command::Discard { vmi } => {
                self.doomed.borrow_mut().insert(vmi);
                self.guests.borrow_mut().remove(&vmi);
            }
            Command::Endpoint { vmi, ready } => {
                self.endpoint.set(ready.then_some(vmi));
                self.forward_to_endpoint();
            }
            Command::Inject { vmi, step, fault } => self.spawn(async move { world.inject(vmi, step, fault).await }),
        }
    }

    async fn start_domain(&self, vmi: u32, paused: bool) {
        // A fork is a guest that has run.
        if let Some(template) = self.setup.template.clone().filter(|_| !paused) {
            let reason = match self.launch(vmi, BootMode::Fork(template.captured()), false).await {
                Ok(events) => {
                    if self.live_as_fork(vmi, template, events).await {
                        return;
                    }
                    "somebody interferes with its boot before its template was captured".to_owned()
                }
                Err(reason) => format!("it cannot be forked: {reason}"),
            };
            let fork = self.guests.borrow_mut().remove(&vmi);
            if let Some(fork) = fork {
                fork.signal(Signal::SIGKILL);
                fork.exited(TERM_LIMIT).await;
            }
            if self.doomed.borrow().contains(&vmi) {
                return;
            }
            self.tell(Input::Cold { vmi, reason });
        }
        match self.launch(vmi, BootMode::Cold, paused).await {
            Ok(events) => self.forward_events(vmi, events).await,
            Err(reason) => self.tell(Input::HostFailed { reason }),
        }
    }

    fn vm_spec(&self) -> VmSpec {
        let Setup { manifest, spec, platform, .. } = &*self.setup;
        VmSpec { manifest: manifest.clone(), profile: spec.guest.clone(), platform: platform.clone() }
    }

    /// Starts a QEMU; its events come only after it is among the guests.
    async fn launch(
        &self,
        vmi: u32,
        mode: BootMode,
        paused: bool,
    ) -> Result<mpsc::UnboundedReceiver<GuestEvent>, String> {
        let (setup, spec) = (&self.setup, self.vm_spec());
        // A fork that is given up may outlive its successor's start.
        let booting = matches!(mode, BootMode::Cold);
        let (past, folder) = match &mode {
            BootMode::Fork(captured) => (captured.after, format!("{vmi}f")),
            BootMode::Cold | BootMode::Template { .. } => (Duration::ZERO, vmi.to_string()),
        };
        let (scratch, evidence) = (setup.scratch.join(folder), setup.evidence.clone());
        let prepared = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&scratch).map_err(|e| format!("cannot make {}: {e}", scratch.display()))?;
            spec.prepare(mode, vmi, &scratch, &evidence).map_err(|e| e.to_string())
        });
        let prepared = prepared.await.map_err(|panic| panic.to_string())??;
        let (live, events) = prepared.launch(self.clock.origin_after(past), paused).await.map_err(|e| e.to_string())?;
        if booting {
            live.set_priority(Priority::Booting);
        }
        if !self.doomed.borrow().contains(&vmi) {
            self.guests.borrow_mut().insert(vmi, Rc::new(live));
            self.forward_to_endpoint();
        }
        Ok(events)
    }

    /// `false`: its past cannot be replayed.
    async fn live_as_fork(
        &self,
        vmi: u32,
        template: Arc<Template>,
        mut events: mpsc::UnboundedReceiver<GuestEvent>,
    ) -> bool {
        // Its first event is STARTED; without one it has ended, and what follows says how.
        let Some(first) = events.recv().await else { return true };
        let fork = Fork { vmi, started: self.clock.time_of_wall(first.at), template };
        let (replayed, answer) = oneshot::channel();
        self.raw_forks.borrow_mut().insert(vmi);
        // The loop is gone once there is a verdict.
        if self.news.send(News::Forked { fork, replayed }).is_err() {
            return true;
        }
        if !answer.await.unwrap_or(true) {
            self.raw_forks.borrow_mut().remove(&vmi);
            return false;
        }
        self.forward_events(vmi, events).await;
        true
    }

    async fn verify(&self, vmi: u32) {
        let Some(guest) = self.guest(vmi) else { return };
        let limit = self.config.scaled_boot_deadline();
        let Ok(agent) = guest.agent.present() else { return };
        let mode = if self.raw_forks.borrow().contains(&vmi) { VerifyMode::Forked } else { VerifyMode::Booted };
        let spec = self.vm_spec();
        let verified = verify(&agent, spec.expected(), mode, limit).await;
        guest.set_priority(Priority::Normal);
        match verified {
            Ok(report) => {
                self.raw_forks.borrow_mut().remove(&vmi);
                self.tell(Input::GuestReady { vmi, report });
            }
            Err(NotReady::Reason(reason)) => self.tell(Input::GuestNotReady { vmi, reason }),
            // The engine asks again when the port opens again.
            Err(NotReady::SessionOver) => {}
        }
    }

    async fn probe(&self, vmi: u32, probe: &PodProbe) -> Attempt {
        let timeout = probe.timings.timeout();
        // virt-launcher runs before its domain does: what is not there yet is asked all the same.
        let Some(guest) = self.guest(vmi) else {
            tokio::time::sleep(timeout).await;
            let text = "the domain does not exist yet".into();
            return Attempt { verdict: kubelet::Verdict::Failure, text };
        };
        self.attempt(&guest, Network::Namespace(&guest.netns), probe, timeout).await
    }

    /// An attempt in a fork's past, and how long it took, unless that is to be measured.
    pub(super) async fn probe_past(&self, fork: &Fork, at: Duration, probe: &PodProbe) -> (Attempt, Option<Duration>) {
        let timeout = probe.timings.timeout();
        let Some(guest) = self.guest(fork.vmi) else { return (self.probe(fork.vmi, probe).await, None) };
        let history = &fork.template.history;
        let vmi = &self.setup.manifest.vmi;
        let met = |host: &Option<String>, port: &Port| match port.resolve(&vmi.ports) {
            // Another host was there all the time.
            Ok(port) if host.is_none() && vmi.forwards(port) => history.met(port, at, timeout),
            _ => (PortReply::AsCaptured, Duration::ZERO),
        };
        let met = match &probe.handler {
            Handler::HttpGet(get) => met(&get.host, &get.port),
            Handler::TcpSocket { host, port } => met(host, port),
            Handler::GuestAgentPing | Handler::Exec { .. } if !history.agent_open(at) => {
                return (probe::no_agent(), Some(Duration::ZERO));
            }
            Handler::GuestAgentPing | Handler::Exec { .. } => (PortReply::AsCaptured, Duration::ZERO),
        };
        let (network, limit, lasted) = match met {
            // It waited for all of its time, and we need not.
            (PortReply::Silence, waited) => (Network::Silent, Duration::ZERO, Some(waited)),
            (PortReply::Refusal, waited) => (Network::Refusing, timeout, Some(waited)),
            (PortReply::AsCaptured, waited) => {
                (Network::Namespace(&guest.netns), timeout, Some(waited).filter(|w| !w.is_zero()))
            }
        };
        (self.attempt(&guest, network, probe, limit).await, lasted)
    }

    async fn attempt(&self, guest: &Live, network: Network<'_>, probe: &PodProbe, timeout: Duration) -> Attempt {
        let vmi = &self.setup.manifest.vmi;
        let ports = &vmi.ports;
        // nftables in the pod: what masquerade does not forward, nobody answers for.
        let network = |host: &Option<String>, port| match host.is_some() || vmi.forwards(port) {
            true => network,
            false => Network::Refusing,
        };
        match &probe.handler {
            Handler::HttpGet(get) => match get.port.resolve(ports) {
                Ok(port) => {
                    let target = HttpTarget {
                        scheme: get.scheme,
                        host: get.host.clone().unwrap_or_else(|| GUEST_ADDRESS.to_string()),
                        port,
                        path: get.path.clone(),
                        headers: get.headers.clone(),
                    };
                    probe::get(network(&get.host, port), &target, timeout).await
                }
                Err(text) => probe::error(text),
            },
            Handler::TcpSocket { host, port } => match port.resolve(ports) {
                Ok(port) => {
                    let network = network(host, port);
                    let host = host.clone().unwrap_or_else(|| GUEST_ADDRESS.to_string());
                    probe::tcp(network, &host, port, timeout).await
                }
                Err(text) => probe::error(text),
            },
            Handler::GuestAgentPing => probe::ping(&guest.agent, timeout).await,
            Handler::Exec { command } => probe::exec(&guest.agent, command, probe.inner_timeout, timeout).await,
        }
    }

    /// libvirt's default mode: the agent when it is connected, the ACPI button when that fails.
    async fn ask_to_shut_down(&self, vmi: u32) {
        let Some(guest) = self.guest(vmi) else { return };
        let through_agent = async {
            let mode = qga::guest_shutdown { mode: Some(qga::GuestShutdownMode::Powerdown) };
            guest.agent.present()?.send(mode, AGENT_SHUTDOWN_LIMIT).await
        };
        if through_agent.await.is_err() {
            // A QEMU that does not answer is destroyed when the grace period is over.
            let _ = guest.qmp.execute(qmp::system_powerdown {}, AGENT_SHUTDOWN_LIMIT).await;
        }
    }

    /// QMP `cont` and `stop`; their events say that it is done.
    async fn set_running(&self, vmi: u32, running: bool) {
        let Some(guest) = self.guest(vmi) else { return };
        let done = match running {
            true => guest.qmp.execute(qmp::cont {}, QMP_LIMIT).await.map(drop),
            false => guest.qmp.execute(qmp::stop {}, QMP_LIMIT).await.map(drop),
        };
        // A QEMU that has ended meanwhile says so by its end.
        if let Err(e @ (QmpError::Qemu { .. } | QmpError::Late { .. })) = done {
            self.tell(Input::HostFailed { reason: e.to_string() });
        }
    }

    /// As libvirt ends a process: SIGTERM, and SIGKILL if that does not do.
    async fn terminate(&self, vmi: u32) {
        let Some(guest) = self.guest(vmi) else { return };
        guest.signal(Signal::SIGTERM);
        guest.exited(TERM_LIMIT).await;
        guest.signal(Signal::SIGKILL);
    }

    async fn inject(&self, vmi: u32, step: usize, fault: Fault) {
        let result = match self.guest(vmi) {
            Some(guest) => fault::inject(&guest, &fault, self.config.guest_scale).await,
            None => Err(NotInjected::Host("there is no guest".into())),
        };
        let news = match result {
            Ok(confirmed) => {
                if let Some(name) = confirmed.petter {
                    self.tell(Input::Petter { vmi, name });
                }
                FaultNews::Confirmed(confirmed.how)
            }
            Err(NotInjected::Guest(why)) => FaultNews::Failed(why),
            Err(NotInjected::Host(why)) => FaultNews::HostFailed(why),
        };
        self.tell(Input::Fault { step, news });
    }

    pub(super) fn start_traffic(&self) -> Result<(), NetError> {
        let Some(traffic) = &self.setup.spec.traffic else { return Ok(()) };
        let service = Service::new(traffic.port)?;
        *self.service.borrow_mut() = Some(service.clone());
        let (world, every) = (self.clone(), traffic.every.0);
        self.spawn(async move {
            // While a past is replayed the replay makes the connections, at that past's times.
            let now = || (!world.replaying.get()).then(|| (world.clock.now(), world.clock.skipped()));
            service
                .client(every, now, |begun, outcome| {
                    if let Some((at, skipped)) = begun
                        && !world.replaying.get()
                        && skipped == world.clock.skipped()
                    {
                        world.tell(Input::Connection { at, outcome });
                    }
                })
                .await;
        });
        Ok(())
    }

    pub(super) fn traffic_interval(&self) -> Option<Duration> {
        self.setup.spec.traffic.as_ref().map(|t| t.every.0)
    }

    /// A connection of the client in a fork's past.
    pub(super) async fn connect_past(&self, fork: &Fork, at: Duration) -> Option<Connection> {
        let port = self.setup.spec.traffic.as_ref()?.port;
        let (met, _) = fork.template.history.met(port, at, Duration::ZERO);
        if met != PortReply::AsCaptured && self.endpoint.get() == Some(fork.vmi) {
            // There was an endpoint, and the guest did not answer yet.
            return Some(Connection::Lost);
        }
        let service = self.service.borrow().clone();
        Some(service?.connect().await)
    }

    /// A replay begins; what it changes outside the engine can be undone with what this returns.
    pub(super) fn begin_replay(&self) -> Option<u32> {
        self.replaying.set(true);
        self.endpoint.get()
    }

    /// A replay is over; `undo`: the endpoint before it, if it was given up.
    pub(super) fn end_replay(&self, undo: Option<Option<u32>>) {
        self.replaying.set(false);
        if let Some(endpoint) = undo {
            self.endpoint.set(endpoint);
            self.forward_to_endpoint();
        }
    }

    fn forward_to_endpoint(&self) {
        let service = self.service.borrow();
        let Some(service) = service.as_ref() else { return };
        let guest = self.endpoint.get().and_then(|vmi| self.guest(vmi));
        if let Err(e) = service.set_endpoint(guest) {
            self.tell(Input::HostFailed { reason: e.to_string() });
        }
    }

    /// Kills what is left and waits until it is gone.
    pub(super) async fn end(&self) {
        if let Some(service) = self.service.borrow_mut().take() {
            // Nothing listens any more; an error could only be one of making a listener.
            let _ = service.set_endpoint(None);
        }
        let guests: Vec<Rc<Live>> = std::mem::take(&mut *self.guests.borrow_mut()).into_values().collect();
        for guest in guests {
            guest.signal(Signal::SIGKILL);
            guest.exited(TERM_LIMIT).await;
        }
    }
}

//! QEMU and what stands around it: carries out the engine's commands and reports back.

use super::clock::Clock;
use super::run::Setup;
use crate::fault::{self, NotInjected};
use crate::guest::{Birth, GuestEvent, Live, Look, NotReady, Priority, VmSpec, verify};
use crate::net::{GUEST_ADDRESS, NetError};
use crate::probe::{self, HttpTarget, Network};
use crate::template::{Met, Template};
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
use tokio::time::Instant;
use vmhealth_sim::cluster::{ProbeRequest, VmiCommand};
use vmhealth_sim::engine::{Command, Config, Connection, FaultNews, Input, Request, VmiInput};
use vmhealth_sim::kubelet::{Attempt, ProbeKind};
use vmhealth_sim::manifest::Destination;
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
        let Command { vmi, what } = command;
        match what {
            Request::Cluster(command) => self.obey(vmi, command),
            Request::Verify => self.spawn(async move { world.verify(vmi).await }),
            Request::Inject { step, fault } => self.spawn(async move { world.inject(vmi, step, fault).await }),
            Request::Discard => {
                self.doomed.borrow_mut().insert(vmi);
                self.guests.borrow_mut().remove(&vmi);
            }
        }
    }

    fn obey(&self, vmi: u32, command: VmiCommand) {
        let world = self.clone();
        match command {
            VmiCommand::StartDomain { paused } => self.spawn(async move { world.start_domain(vmi, paused).await }),
            VmiCommand::Probe { kind, request, timeout } => {
                self.spawn(async move { world.probe(vmi, kind, request, timeout).await })
            }
            VmiCommand::AskToShutDown => self.spawn(async move { world.ask_to_shut_down(vmi).await }),
            VmiCommand::Destroy | VmiCommand::Reap => {
                self.doomed.borrow_mut().insert(vmi);
                self.spawn(async move { world.terminate(vmi).await });
            }
            VmiCommand::Pause => self.spawn(async move { world.set_running(vmi, false).await }),
            VmiCommand::Resume => self.spawn(async move { world.set_running(vmi, true).await }),
            VmiCommand::Endpoint { ready } => {
                self.endpoint.set(ready.then_some(vmi));
                self.forward_to_endpoint();
            }
        }
    }

    async fn start_domain(&self, vmi: u32, paused: bool) {
        // A fork is a guest that has run.
        if let Some(template) = self.setup.template.clone().filter(|_| !paused) {
            let reason = match self.launch(vmi, Birth::Fork(template.clone()), false).await {
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
            self.tell(VmiInput::Cold { reason }.of(vmi));
        }
        match self.launch(vmi, Birth::Cold, paused).await {
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
        birth: Birth,
        paused: bool,
    ) -> Result<mpsc::UnboundedReceiver<GuestEvent>, String> {
        let (setup, spec) = (&self.setup, self.vm_spec());
        // A fork that is given up may outlive its successor's start.
        let booting = matches!(birth, Birth::Cold);
        let (past, folder) = match &birth {
            Birth::Fork(template) => (template.history.captured, format!("{vmi}f")),
            Birth::Cold | Birth::Template { .. } => (Duration::ZERO, vmi.to_string()),
        };
        let (scratch, evidence) = (setup.scratch.join(folder), setup.evidence.clone());
        let prepared = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&scratch).map_err(|e| format!("cannot make {}: {e}", scratch.display()))?;
            spec.prepare(birth, vmi, &scratch, &evidence).map_err(|e| e.to_string())
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
        let look = if self.raw_forks.borrow().contains(&vmi) { Look::Forked } else { Look::Booted };
        let spec = self.vm_spec();
        let verified = verify(&agent, spec.expected(), look, limit).await;
        guest.set_priority(Priority::Normal);
        match verified {
            Ok(report) => {
                self.raw_forks.borrow_mut().remove(&vmi);
                self.tell(VmiInput::GuestReady(report).of(vmi));
            }
            Err(NotReady::Reason(reason)) => self.tell(VmiInput::GuestNotReady { reason }.of(vmi)),
            // The engine asks again when the port opens again.
            Err(NotReady::SessionOver) => {}
        }
    }

    async fn probe(&self, vmi: u32, kind: ProbeKind, request: ProbeRequest, timeout: Duration) {
        let attempt = match (request, self.guest(vmi)) {
            (ProbeRequest::Answer { after, attempt }, _) => {
                tokio::time::sleep(after).await;
                attempt
            }
            (request, Some(guest)) => attempt(&guest, Network::Namespace(&guest.netns), &request, timeout).await,
            // It was discarded meanwhile, and its answer would be.
            (_, None) => return,
        };
        self.tell(VmiInput::Probe { kind, attempt }.of(vmi));
    }

    /// An attempt in a fork's past, and how long it took.
    pub(super) async fn probe_past(
        &self,
        fork: &Fork,
        at: Duration,
        request: ProbeRequest,
        timeout: Duration,
    ) -> Option<(Attempt, Duration)> {
        let history = &fork.template.history;
        let (met, waited) = match &request {
            ProbeRequest::Answer { after, attempt } => return Some((attempt.clone(), *after)),
            ProbeRequest::Ping | ProbeRequest::Exec { .. } if !history.agent_open(at) => {
                return Some((probe::no_agent(), Duration::ZERO));
            }
            ProbeRequest::Http { to: Destination::Guest { port }, .. }
            | ProbeRequest::Tcp { to: Destination::Guest { port } } => history.met(*port, at, timeout),
            // Another host was there all the time.
            _ => (Met::AsCaptured, Duration::ZERO),
        };
        let guest = self.guest(fork.vmi)?;
        let (network, limit) = match met {
            // It waited for all of its time, and we need not.
            Met::Silence => (Network::Silent, Duration::ZERO),
            Met::Refusal => (Network::Refusing, timeout),
            Met::AsCaptured => (Network::Namespace(&guest.netns), timeout),
        };
        let begun = Instant::now();
        let attempt = attempt(&guest, network, &request, limit).await;
        let measured = met == Met::AsCaptured && waited.is_zero();
        Some((attempt, if measured { begun.elapsed() } else { waited }))
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
        let Some(guest) = self.guest(vmi) else {
            return self.tell(Input::Fault { step, news: FaultNews::NoGuest });
        };
        let news = match fault::inject(&guest, &fault, self.config.guest_scale).await {
            Ok(confirmed) => {
                if let Some(name) = confirmed.petter {
                    self.tell(VmiInput::WatchdogHolder { name }.of(vmi));
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
        if met != Met::AsCaptured && self.endpoint.get() == Some(fork.vmi) {
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

/// An attempt that has something to ask of the guest.
async fn attempt(guest: &Live, network: Network<'_>, request: &ProbeRequest, timeout: Duration) -> Attempt {
    // nftables in the pod: what masquerade does not forward, nobody answers for.
    let (host, network) = match request.destination() {
        Some(Destination::Elsewhere { host, .. }) => (host.clone(), network),
        Some(Destination::NotForwarded { .. }) => (GUEST_ADDRESS.to_string(), Network::Refusing),
        Some(Destination::Guest { .. }) | None => (GUEST_ADDRESS.to_string(), network),
    };
    match request {
        ProbeRequest::Http { to, scheme, path, headers } => {
            let (port, path, headers) = (to.port(), path.clone(), headers.clone());
            probe::get(network, &HttpTarget { scheme: *scheme, host, port, path, headers }, timeout).await
        }
        ProbeRequest::Tcp { to } => probe::tcp(network, &host, to.port(), timeout).await,
        ProbeRequest::Ping => probe::ping(&guest.agent, timeout).await,
        ProbeRequest::Exec { command, inner_timeout } => {
            probe::exec(&guest.agent, command, *inner_timeout, timeout).await
        }
        ProbeRequest::Answer { attempt, .. } => attempt.clone(),
    }
}

//! The real loop: the engine driven by tokio, its commands carried out on QEMU.
//!
//! A thin shell: it decides nothing. Every entry of the trace is on disk before the next command runs.

use crate::fault;
use crate::guest::{Image, Live, NotReady, VmSpec, verify};
use crate::net::{GUEST_ADDRESS, NetError};
use crate::probe::{self, HttpTarget, Network};
use crate::qemu::Accel;
use crate::traffic::Service;
use nix::sys::signal::Signal;
use qapi::{qga, qmp};
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tokio::time::Instant;
use vmhealth_sim::engine::{Command, Config, Engine, FaultNews, Input};
use vmhealth_sim::kubelet::Attempt;
use vmhealth_sim::manifest::{Handler, PodProbe, VirtualMachine};
use vmhealth_sim::scenario::{Fault, Spec, Verdict};
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{Entry, Trace};

/// What a run needs.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The user's manifest.
    pub manifest: Arc<VirtualMachine>,
    /// What happens to it.
    pub spec: Spec,
    /// What the guests boot.
    pub image: Image,
    /// How they run.
    pub accel: Accel,
    /// Short, ours alone, removed after the run.
    pub scratch: PathBuf,
    /// Where the evidence goes.
    pub evidence: PathBuf,
}

/// What a run leaves.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// What happened.
    pub trace: Trace,
    /// How long it was on the scenario's clock.
    pub lasted: Duration,
}

/// libvirt's limit for an agent that does not answer its sync, before it falls back to ACPI.
const AGENT_SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);
/// From SIGTERM to SIGKILL when a domain is destroyed.
const TERM_LIMIT: Duration = Duration::from_secs(5);

/// Runs a scenario on real QEMU until its verdict, or until `cancelled` says so. `watcher` sees every entry.
pub async fn run(setup: Setup, cancelled: watch::Receiver<bool>, watcher: impl Fn(&Entry)) -> std::io::Result<Outcome> {
    LocalSet::new().run_until(drive(setup, cancelled, watcher)).await
}

async fn drive(
    setup: Setup,
    mut cancelled: watch::Receiver<bool>,
    watcher: impl Fn(&Entry),
) -> std::io::Result<Outcome> {
    let config = Config { guest_scale: setup.accel.guest_scale(), ..Config::default() };
    let mut timeline = Timeline::create(&setup)?;
    let (inputs, mut from_world) = mpsc::unbounded_channel();
    let world = World::new(setup, config.clone(), inputs);
    let mut engine = Engine::new((*world.setup.manifest).clone(), &world.setup.spec, config);
    if let Err(e) = world.start_traffic() {
        engine.handle(Time::ZERO, Input::HostFailed { reason: e.to_string() });
    }
    let verdict = loop {
        timeline.keep(engine.trace(), &watcher)?;
        while let Some(command) = engine.next_command() {
            world.execute(command);
        }
        if let Some(verdict) = engine.verdict() {
            break verdict.clone();
        }
        let wake = engine.next_wakeup().map(|t| world.clock.instant(t));
        tokio::select! {
            input = from_world.recv() => match input {
                Some(input) => engine.handle(world.clock.now(), input),
                None => break Verdict::Infra("the world is gone".into()),
            },
            () = sleep_until(wake) => engine.advance(world.clock.now()),
            _ = cancelled.wait_for(|c| *c) => break Verdict::Infra("interrupted".into()),
        }
    };
    timeline.keep(engine.trace(), &watcher)?;
    let lasted = world.clock.now().since_origin();
    world.end().await;
    Ok(Outcome { verdict, trace: engine.trace().clone(), lasted })
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The scenario's clock on this host.
#[derive(Debug, Clone, Copy)]
struct Clock {
    origin: Instant,
    origin_wall: SystemTime,
}

impl Clock {
    fn start() -> Clock {
        Clock { origin: Instant::now(), origin_wall: SystemTime::now() }
    }

    fn now(&self) -> Time {
        Time::ZERO + self.origin.elapsed()
    }

    fn instant(&self, time: Time) -> Instant {
        self.origin + time.since_origin()
    }

    fn time(&self, at: Instant) -> Time {
        Time::ZERO + at.saturating_duration_since(self.origin)
    }

    /// QEMU stamps its events with the wall clock; never later than now.
    fn time_of_wall(&self, at: SystemTime) -> Time {
        let since = at.duration_since(self.origin_wall).unwrap_or(Duration::ZERO);
        (Time::ZERO + since).min(self.now())
    }
}

/// The timeline on disk: one JSON object a line, flushed as it happens.
struct Timeline {
    file: File,
    kept: usize,
}

impl Timeline {
    fn create(setup: &Setup) -> std::io::Result<Timeline> {
        Ok(Timeline { file: File::create(setup.evidence.join("timeline.jsonl"))?, kept: 0 })
    }

    fn keep(&mut self, trace: &Trace, watcher: &impl Fn(&Entry)) -> std::io::Result<()> {
        for entry in &trace.entries()[self.kept..] {
            let line = json!({
                "t": entry.at.as_secs_f64(), "vmi": entry.vmi, "event": entry.event.to_string(), "detail": entry.detail,
            });
            writeln!(self.file, "{line}")?;
            watcher(entry);
        }
        self.kept = trace.entries().len();
        Ok(())
    }
}

type Guests = Rc<RefCell<BTreeMap<u32, Rc<Live>>>>;

/// QEMU and what stands around it; clones share it.
#[derive(Clone)]
struct World {
    setup: Rc<Setup>,
    config: Rc<Config>,
    clock: Clock,
    guests: Guests,
    /// VMIs that were destroyed or discarded, perhaps before their QEMU was there.
    doomed: Rc<RefCell<BTreeSet<u32>>>,
    /// The VMI that the Service should forward to, perhaps before its QEMU is there.
    endpoint: Rc<Cell<Option<u32>>>,
    service: Rc<RefCell<Option<Service>>>,
    inputs: mpsc::UnboundedSender<Input>,
}

impl World {
    fn new(setup: Setup, config: Config, inputs: mpsc::UnboundedSender<Input>) -> World {
        World {
            setup: Rc::new(setup),
            config: Rc::new(config),
            clock: Clock::start(),
            guests: Guests::default(),
            doomed: Rc::default(),
            endpoint: Rc::default(),
            service: Rc::default(),
            inputs,
        }
    }

    fn tell(&self, input: Input) {
        // The engine is gone once there is a verdict.
        let _ = self.inputs.send(input);
    }

    fn guest(&self, vmi: u32) -> Option<Rc<Live>> {
        self.guests.borrow().get(&vmi).cloned()
    }

    /// Does `what` beside the loop.
    fn spawn(&self, what: impl Future<Output = ()> + 'static) {
        tokio::task::spawn_local(what);
    }

    fn execute(&self, command: Command) {
        let world = self.clone();
        match command {
            Command::StartDomain { vmi } => self.spawn(async move { world.start_domain(vmi).await }),
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

    async fn start_domain(&self, vmi: u32) {
        let setup = &self.setup;
        let spec = VmSpec {
            manifest: setup.manifest.clone(),
            profile: setup.spec.guest.clone(),
            image: setup.image.clone(),
            accel: setup.accel,
        };
        let (scratch, evidence) = (setup.scratch.join(vmi.to_string()), setup.evidence.clone());
        let prepared = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&scratch).map_err(|e| format!("cannot make {}: {e}", scratch.display()))?;
            spec.prepare(vmi, &scratch, &evidence).map_err(|e| e.to_string())
        });
        let launched = match prepared.await {
            Ok(Ok(prepared)) => prepared.launch(self.clock.origin).await.map_err(|e| e.to_string()),
            Ok(Err(reason)) => Err(reason),
            Err(panic) => Err(panic.to_string()),
        };
        let (live, mut events) = match launched {
            Ok(launched) => launched,
            Err(reason) => return self.tell(Input::HostFailed { reason }),
        };
        if self.doomed.borrow().contains(&vmi) {
            return;
        }
        self.guests.borrow_mut().insert(vmi, Rc::new(live));
        self.forward_to_endpoint();
        while let Some(event) = events.recv().await {
            self.tell(Input::Domain { vmi, at: self.clock.time_of_wall(event.at), event: event.event });
        }
    }

    async fn verify(&self, vmi: u32) {
        let Some(guest) = self.guest(vmi) else { return };
        let limit = self.config.scaled_boot_deadline();
        let Ok(agent) = guest.agent.present() else { return };
        match verify(&agent, &self.setup.manifest.vmi, &self.setup.spec.guest, limit).await {
            Ok(report) => self.tell(Input::GuestReady { vmi, report }),
            Err(NotReady::Reason(reason)) => self.tell(Input::GuestNotReady { vmi, reason }),
            // The engine asks again when the port opens again.
            Err(NotReady::SessionOver) => {}
        }
    }

    async fn probe(&self, vmi: u32, probe: &PodProbe) -> Attempt {
        let timeout = probe.timings.timeout();
        let ports = &self.setup.manifest.vmi.ports;
        // virt-launcher runs before its domain does: what is not there yet is asked all the same.
        let Some(guest) = self.guest(vmi) else {
            tokio::time::sleep(timeout).await;
            return Attempt {
                verdict: vmhealth_sim::kubelet::Verdict::Failure,
                text: "the domain does not exist yet".into(),
            };
        };
        let network = Network::Namespace(&guest.netns);
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
                    probe::get(network, &target, timeout).await
                }
                Err(text) => probe::error(text),
            },
            Handler::TcpSocket { host, port } => match port.resolve(ports) {
                Ok(port) => {
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
            None => Err("there is no guest".into()),
        };
        let news = match result {
            Ok(confirmed) => {
                if let Some(name) = confirmed.petter {
                    self.tell(Input::Petter { vmi, name });
                }
                FaultNews::Confirmed(confirmed.how)
            }
            Err(reason) => FaultNews::Failed(reason),
        };
        self.tell(Input::Fault { step, news });
    }

    fn start_traffic(&self) -> Result<(), NetError> {
        let Some(traffic) = &self.setup.spec.traffic else { return Ok(()) };
        let service = Service::new(traffic.port)?;
        *self.service.borrow_mut() = Some(service.clone());
        let (world, every) = (self.clone(), traffic.every.0);
        self.spawn(async move {
            let report = |at, outcome| world.tell(Input::Connection { at: world.clock.time(at), outcome });
            service.client(every, report).await;
        });
        Ok(())
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
    async fn end(&self) {
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

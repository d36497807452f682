//! Worlds on a fake: what happens to a guest before it is there, to a fork whose past cannot be had, and to one whose can.

use super::backend::{Backend, Past, Running, Start};
use super::replay::replay;
use super::shared::{Fork, News, Shared};
use super::world::World;
use crate::guest::{GuestEvent, VerifyMode, Waited};
use crate::template::{History, PortReply};
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::LocalSet;
use tokio::time::Instant;
use vmhealth_sim::cluster::{DomainEvent, ProbeRequest, VmiCommand};
use vmhealth_sim::engine::{Command, Config, Connection, Engine, FaultNews, GuestReport, Input, Request, VmiInput};
use vmhealth_sim::kubelet::{Attempt, Verdict};
use vmhealth_sim::manifest;
use vmhealth_sim::scenario::{Fault, Scenario};
use vmhealth_sim::time::Time;
use vmhealth_sim::world::{Driver, Step};

type Log = Rc<RefCell<Vec<String>>>;

/// Keeps a list of what it was asked for; a guest comes up when the test lets it.
#[derive(Default)]
struct Fake {
    log: Log,
    gate: Rc<Notify>,
    past: Option<Rc<Past>>,
    /// Why each guest hangs.
    hangs: Option<String>,
    /// The guests' events, by the order of their launches.
    events: RefCell<Vec<mpsc::UnboundedSender<GuestEvent>>>,
}

struct FakeGuest {
    name: String,
    hangs: Option<String>,
    log: Log,
}

impl Drop for FakeGuest {
    fn drop(&mut self) {
        self.log.borrow_mut().push(format!("{} is dropped", self.name));
    }
}

impl Backend for Fake {
    type Guest = FakeGuest;

    fn past(&self) -> Option<Rc<Past>> {
        self.past.clone()
    }

    async fn launch(
        &self,
        vmi: u32,
        start: Start,
        _: Instant,
    ) -> Result<(FakeGuest, mpsc::UnboundedReceiver<GuestEvent>), String> {
        let name = if start == Start::Fork { format!("fork {vmi}") } else { format!("guest {vmi}") };
        self.log.borrow_mut().push(format!("{name} is launched"));
        self.gate.notified().await;
        let (sender, events) = mpsc::unbounded_channel();
        self.events.borrow_mut().push(sender);
        Ok((FakeGuest { name, hangs: self.hangs.clone(), log: self.log.clone() }, events))
    }

    fn forward(&self, to: Option<Rc<FakeGuest>>) -> Result<(), String> {
        self.log.borrow_mut().push(format!("forward to {}", to.map_or("nobody".into(), |guest| guest.name.clone())));
        Ok(())
    }

    async fn connect(&self) -> Option<Connection> {
        Some(Connection::Delivered)
    }
}

impl Running for FakeGuest {
    fn console(&self) -> PathBuf {
        PathBuf::from("/nonexistent")
    }

    fn note(&self, _: &DomainEvent) -> Option<String> {
        None
    }

    fn waited_for_core(&self) -> Option<Waited> {
        None
    }

    async fn hangs(&self) -> Option<String> {
        self.hangs.clone()
    }

    async fn answers(&self) -> bool {
        false
    }

    async fn carry_out(&self, vmi: u32, what: Request, look: VerifyMode) -> Vec<Input> {
        match what {
            Request::Verify => {
                self.log.borrow_mut().push(format!("{} is looked at: {look:?}", self.name));
                vec![VmiInput::GuestReady(GuestReport::default()).of(vmi)]
            }
            _ => Vec::new(),
        }
    }

    async fn probe(&self, met: PortReply, _: &ProbeRequest, _: Duration) -> Attempt {
        let verdict = if met == PortReply::AsCaptured { Verdict::Success } else { Verdict::Failure };
        Attempt { verdict, text: format!("{met:?}") }
    }

    async fn kill(&self) {
        self.log.borrow_mut().push(format!("{} is killed", self.name));
    }
}

/// A world on a fake, and what it tells.
struct Stage {
    world: World<Fake>,
    news: mpsc::UnboundedReceiver<News<FakeGuest>>,
}

impl Stage {
    fn new(past: Option<History>) -> Stage {
        let (sender, news) = mpsc::unbounded_channel();
        let past = past.map(|history| Rc::new(Past { history, template: "t".into() }));
        Stage { world: World::new(Shared::new(Fake { past, ..Fake::default() }, None, sender)), news }
    }

    /// Executes a command and lets everything happen that it brings about.
    async fn execute(&self, what: Request) {
        self.world.execute(Command { vmi: 1, what });
        settle().await;
    }

    async fn start(&self) {
        self.execute(Request::Cluster(VmiCommand::StartDomain { paused: false })).await;
    }

    /// The guest that is being launched comes up.
    async fn comes_up(&self) {
        self.world.shared.backend.gate.notify_one();
        settle().await;
    }

    /// The guest that was launched last reports something.
    async fn reports(&self, event: DomainEvent) {
        let events = self.world.shared.backend.events.borrow().last().cloned().expect("a guest was launched");
        events.send(GuestEvent { at: SystemTime::now(), event }).expect("somebody listens");
        settle().await;
    }

    /// What was told in words, since it was last asked.
    fn told(&mut self) -> Vec<String> {
        let word = |news| match news {
            News::Input(Input::Of { what: VmiInput::Domain { event, .. }, .. }) => event.to_string(),
            News::Input(Input::Of { what: VmiInput::Cold { reason }, .. }) => format!("cold: {reason}"),
            News::Input(Input::Of { what: VmiInput::GuestReady(_), .. }) => "ready".into(),
            News::Input(Input::Fault { news: FaultNews::NoGuest, .. }) => "no guest".into(),
            News::Input(input) => panic!("{input:?}"),
            News::Forked { .. } => "forked".into(),
        };
        std::iter::from_fn(|| self.news.try_recv().ok()).map(word).collect()
    }

    /// A fork runs, and asks for its past to be replayed.
    async fn forks(&mut self) -> (Fork<FakeGuest>, oneshot::Sender<bool>) {
        self.start().await;
        self.comes_up().await;
        self.reports(DomainEvent::Started).await;
        match self.news.try_recv() {
            Ok(News::Forked { fork, replayed }) => (fork, replayed),
            other => panic!("{other:?}"),
        }
    }

    fn log(&self) -> Vec<String> {
        std::mem::take(&mut *self.world.shared.backend.log.borrow_mut())
    }
}

impl std::fmt::Debug for FakeGuest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// All tasks go as far as they can.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

fn on_stage<F: Future<Output = ()>>(past: Option<History>, test: impl FnOnce(Stage) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async { test(Stage::new(past)).await });
}

fn history() -> History {
    let second = Duration::from_secs;
    History { captured: second(20), agent: vec![(second(14), true)], ..History::default() }
}

/// Whatever comes up for a VMI that was ended meanwhile is ended at once, and nobody hears of it.
#[test]
fn what_ends_a_guest_that_is_being_launched() {
    let destroy = Request::Cluster(VmiCommand::Destroy);
    for (what, past) in [
        (destroy.clone(), None),
        (Request::Discard, None),
        (destroy, Some(history())),
        (Request::Discard, Some(history())),
    ] {
        let name = if past.is_some() { "fork 1" } else { "guest 1" };
        on_stage(past, |mut stage| async move {
            stage.start().await;
            stage.execute(what.clone()).await;
            stage.comes_up().await;
            assert_eq!(stage.log(), [format!("{name} is launched"), format!("{name} is dropped")], "{what:?}");
            assert!(stage.world.guest(1).is_none(), "{what:?}");
            assert_eq!(stage.told(), [""; 0], "{what:?}");
        });
    }
}

/// The Service forwards to a VMI that is ready as soon as its guest is there.
#[test]
fn an_endpoint_may_be_set_before_its_guest_is_there() {
    on_stage(None, |stage| async move {
        stage.start().await;
        stage.execute(Request::Cluster(VmiCommand::Endpoint { ready: true })).await;
        stage.comes_up().await;
        stage.execute(Request::Cluster(VmiCommand::Endpoint { ready: false })).await;
        assert_eq!(
            stage.log(),
            ["guest 1 is launched", "forward to nobody", "forward to guest 1", "forward to nobody"]
        );
    });
}

/// A fork whose past cannot be had makes room for a guest that boots from power-on.
#[test]
fn a_fork_that_is_given_up_is_booted_from_power_on() {
    on_stage(Some(history()), |mut stage| async move {
        let (fork, replayed) = stage.forks().await;
        drop(fork);
        replayed.send(false).unwrap();
        settle().await;
        assert_eq!(stage.log(), ["fork 1 is launched", "fork 1 is killed", "fork 1 is dropped", "guest 1 is launched"]);
        assert_eq!(stage.told(), ["cold: somebody interferes with its boot before its template was captured"]);
        stage.comes_up().await;
        stage.reports(DomainEvent::Started).await;
        assert_eq!(stage.told(), ["STARTED"]);
        assert_eq!(stage.world.guest(1).map(|g| g.name.clone()), Some("guest 1".into()));
    });
}

/// Nobody boots what was destroyed while its past was being replayed.
#[test]
fn a_fork_that_is_given_up_and_destroyed_is_not_booted() {
    on_stage(Some(history()), |mut stage| async move {
        let (fork, replayed) = stage.forks().await;
        drop(fork);
        stage.execute(Request::Cluster(VmiCommand::Destroy)).await;
        replayed.send(false).unwrap();
        settle().await;
        assert_eq!(stage.log().last().map(String::as_str), Some("fork 1 is killed"));
        assert_eq!(stage.told(), [""; 0]);
    });
}

/// It is made a machine of its own once; what was reset boots for itself.
#[test]
fn a_fork_is_looked_at_as_one_until_it_stands_alone() {
    for (event, looks) in
        [(None, ["Forked", "Booted"]), (Some(DomainEvent::Reset { reason: "r".into() }), ["Booted", "Booted"])]
    {
        on_stage(Some(history()), |mut stage| async move {
            let (fork, replayed) = stage.forks().await;
            drop(fork);
            replayed.send(true).unwrap();
            settle().await;
            if let Some(event) = event {
                stage.reports(event).await;
            }
            stage.log();
            stage.execute(Request::Verify).await;
            stage.execute(Request::Verify).await;
            assert_eq!(stage.log(), looks.map(|look| format!("fork 1 is looked at: {look}")));
        });
    }
}

/// Who is not there cannot be broken, and that is said.
#[test]
fn a_fault_without_a_guest_is_answered() {
    on_stage(None, |mut stage| async move {
        let fault = || Request::Inject { step: 0, fault: Fault::KillQemu };
        stage.execute(fault()).await;
        stage.start().await;
        stage.execute(fault()).await;
        assert_eq!(stage.told(), ["no guest", "no guest"]);
    });
}

/// An engine whose scenario has these steps, up to the order to start the guest.
fn driver(steps: &str) -> Driver {
    let vm = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: vm}\nspec: {runStrategy: Always, template: {spec: {readinessProbe: {guestAgentPing: {}}, domain: {devices: {}}}}}\n";
    let scenario = format!(
        "apiVersion: vmhealth.dev/v1alpha1\nkind: Scenario\nmetadata: {{id: a/b/c, summary: s}}\nspec:\n  manifest: x\n  steps: [{steps}]\n  expect: [{{see: vm status Stopped, from: vm status Running, within: 0s..99s}}]\n  final: {{}}\n"
    );
    let vm = manifest::read("vm.yaml", vm).unwrap_or_else(|e| panic!("{e}"));
    let spec = Scenario::read(&scenario).unwrap_or_else(|e| panic!("{e}")).spec;
    let mut driver = Driver::new(Engine::new(vm, &spec, Config::default()));
    let start = Request::Cluster(VmiCommand::StartDomain { paused: false });
    assert_eq!(driver.step(Time::from_secs(2)), Step::Do(Command { vmi: 1, what: start }));
    driver
}

/// A fork's past is gone through without waiting for it, unless somebody interferes with that boot.
#[test]
fn a_past_is_replayed() {
    for (steps, expected) in [("", true), ("{after: vmi phase Running, plus: 5s, user: stop}", false)] {
        on_stage(Some(history()), |mut stage| async move {
            let (mut fork, _replayed) = stage.forks().await;
            fork.started = Time::from_secs(1);
            stage.log();
            let after = replay(&driver(steps), &stage.world, &fork).await;
            settle().await;
            assert_eq!(after.is_some(), expected, "{steps}");
            let skipped = if expected { 20 } else { 0 };
            assert_eq!(stage.world.shared.clock.skipped(), Duration::from_secs(skipped), "{steps}");
            let Some(after) = after else { return };
            let entries = after.engine().trace().entries().iter();
            let replayed: Vec<_> = entries.filter(|e| e.replayed).map(|e| format!("{} {}", e.at, e.event)).collect();
            for line in ["1.000 qemu STARTED", "11.000 readiness answer Failure", "15.000 qemu AGENT open"] {
                assert!(replayed.iter().any(|l| l == line), "{line}: {replayed:#?}");
            }
            assert_eq!(stage.log(), ["fork 1 is looked at: Forked"]);
        });
    }
}

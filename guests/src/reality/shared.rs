//! What all guests of a run share: what they run on, the clock, the Service's client, and the way to the loop.

use super::backend::{Backend, Past};
use super::clock::Clock;
use crate::template::PortReply;
use crate::time;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use vmhealth_sim::engine::{Connection, Input};
use vmhealth_sim::scenario::Traffic;
use vmhealth_sim::time::Time;

/// What a world tells the loop.
#[derive(Debug)]
pub(super) enum News<G> {
    /// For the engine.
    Input(Input),
    /// A fork runs: its past is to be replayed. `replayed` is told whether that could be done.
    Forked { fork: Fork<G>, replayed: oneshot::Sender<bool> },
}

/// A fork that runs.
#[derive(Debug)]
pub(super) struct Fork<G> {
    pub(super) vmi: u32,
    /// When it began to run, which is taken for the template's power-on.
    pub(super) started: Time,
    pub(super) past: Rc<Past>,
    pub(super) guest: Rc<G>,
}

/// One for each run.
pub(super) struct Shared<B: Backend> {
    pub(super) backend: B,
    pub(super) clock: Clock,
    traffic: Option<Traffic>,
    /// The VMI that the Service should forward to, perhaps before its guest is there.
    pub(super) endpoint: Cell<Option<u32>>,
    /// Why a guest's kernel crashed by itself.
    pub(super) crash: RefCell<Option<String>>,
    /// A fork's past is being replayed.
    pub(super) replaying: Cell<bool>,
    news: mpsc::UnboundedSender<News<B::Guest>>,
}

impl<B: Backend> Shared<B> {
    pub(super) fn new(
        backend: B,
        traffic: Option<Traffic>,
        news: mpsc::UnboundedSender<News<B::Guest>>,
    ) -> Rc<Shared<B>> {
        let (endpoint, crash, replaying) = (Cell::default(), RefCell::default(), Cell::default());
        Rc::new(Shared { backend, clock: Clock::start(), traffic, endpoint, crash, replaying, news })
    }

    pub(super) fn tell(&self, input: Input) {
        // The engine is gone once there is a verdict.
        let _ = self.news.send(News::Input(input));
    }

    /// A fork runs; `false`: nobody is there to replay its past.
    pub(super) fn forked(&self, fork: Fork<B::Guest>, replayed: oneshot::Sender<bool>) -> bool {
        self.news.send(News::Forked { fork, replayed }).is_ok()
    }

    /// Has the Service forward to this guest of its endpoint, or to nobody.
    pub(super) fn forward(&self, to: Option<Rc<B::Guest>>) {
        if let Err(reason) = self.backend.forward(to) {
            self.tell(Input::HostFailed { reason });
        }
    }

    /// How often the client connects.
    pub(super) fn connects_every(&self) -> Option<Duration> {
        self.traffic.as_ref().map(|t| t.every.0)
    }

    /// Connects for ever, one after another, and tells what became of each connection.
    pub(super) async fn keep_connecting(self: Rc<Self>) {
        let Some(every) = self.connects_every() else { return };
        let mut ticks = time::Ticks::new(every);
        loop {
            ticks.tick().await;
            // While a past is replayed the replay makes the connections, at that past's times.
            let before = (self.replaying.get(), self.clock.skipped());
            let at = self.clock.now();
            let Some(outcome) = self.backend.connect().await else { return };
            if before == (false, self.clock.skipped()) && !self.replaying.get() {
                self.tell(Input::Connection { at, outcome });
            }
        }
    }

    /// A connection of the client in a fork's past.
    pub(super) async fn connect_past(&self, fork: &Fork<B::Guest>, at: Duration) -> Option<Connection> {
        let port = self.traffic.as_ref()?.port;
        let (met, _) = fork.past.history.met(port, at, Duration::ZERO);
        if met != PortReply::AsCaptured && self.endpoint.get() == Some(fork.vmi) {
            // There was an endpoint, and the guest did not answer yet.
            return Some(Connection::Lost);
        }
        self.backend.connect().await
    }
}

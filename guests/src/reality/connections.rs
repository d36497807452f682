//! The client's connections to the Service, and the guest that they are forwarded to.

use super::backend::Backend;
use super::guest::Fork;
use super::world::World;
use crate::template::Met;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use vmhealth_sim::engine::{Connection, Input};

impl<B: Backend> World<B> {
    /// How often the client connects.
    pub(super) fn connects_every(&self) -> Option<Duration> {
        self.traffic.as_ref().map(|t| t.every.0)
    }

    /// Connects for ever, one after another, and tells what became of each connection.
    pub(super) async fn keep_connecting(self: Rc<Self>) {
        let Some(every) = self.connects_every() else { return };
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
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
        if met != Met::AsCaptured && self.endpoint.get() == Some(fork.vmi) {
            // There was an endpoint, and the guest did not answer yet.
            return Some(Connection::Lost);
        }
        self.backend.connect().await
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

    /// Has the Service forward to the endpoint's guest, once it is there.
    pub(super) fn forward_to_endpoint(&self) {
        let guest = self.endpoint.get().and_then(|vmi| self.guest(vmi));
        if let Err(reason) = self.backend.forward(guest) {
            self.tell(Input::HostFailed { reason });
        }
    }
}

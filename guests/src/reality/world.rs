//! The guests of a run and the Service in front of them: gives each command to the guest that it is about.

use super::backend::{Backend, Running};
use super::clock::Clock;
use super::guest::{Fork, Guest, ends};
use crate::guest::Waited;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use tokio::sync::{mpsc, oneshot};
use vmhealth_sim::cluster::{ProbeRequest, VmiCommand};
use vmhealth_sim::engine::{Command, FaultNews, Input, Request, VmiInput};
use vmhealth_sim::scenario::Traffic;

/// What a world tells the loop.
#[derive(Debug)]
pub(super) enum News<G> {
    /// For the engine.
    Input(Input),
    /// A fork runs: its past is to be replayed. `replayed` is told whether that could be done.
    Forked { fork: Fork<G>, replayed: oneshot::Sender<bool> },
}

/// All that stands around the engine.
pub(super) struct World<B: Backend> {
    pub(super) backend: B,
    pub(super) clock: Clock,
    pub(super) traffic: Option<Traffic>,
    guests: RefCell<BTreeMap<u32, Rc<Guest<B::Guest>>>>,
    /// The VMI that the Service should forward to, perhaps before its guest is there.
    pub(super) endpoint: Cell<Option<u32>>,
    /// Why a guest's kernel crashed by itself.
    pub(super) crash: RefCell<Option<String>>,
    /// A fork's past is being replayed.
    pub(super) replaying: Cell<bool>,
    news: mpsc::UnboundedSender<News<B::Guest>>,
}

impl<B: Backend> World<B> {
    pub(super) fn new(
        backend: B,
        traffic: Option<Traffic>,
        news: mpsc::UnboundedSender<News<B::Guest>>,
    ) -> Rc<World<B>> {
        Rc::new(World {
            backend,
            clock: Clock::start(),
            traffic,
            guests: RefCell::default(),
            endpoint: Cell::default(),
            crash: RefCell::default(),
            replaying: Cell::default(),
            news,
        })
    }

    pub(super) fn tell(&self, input: Input) {
        // The engine is gone once there is a verdict.
        let _ = self.news.send(News::Input(input));
    }

    /// A fork runs; `false`: nobody is there to replay its past.
    pub(super) fn forked(&self, fork: Fork<B::Guest>, replayed: oneshot::Sender<bool>) -> bool {
        self.news.send(News::Forked { fork, replayed }).is_ok()
    }

    /// A VMI's guest, if it is there.
    pub(super) fn guest(&self, vmi: u32) -> Option<Rc<B::Guest>> {
        self.guests.borrow().get(&vmi)?.present()
    }

    /// How long every guest was kept from a core.
    pub(super) fn waited_for_core(&self) -> Vec<(u32, Waited)> {
        let guests = self.guests.borrow();
        guests.iter().filter_map(|(vmi, guest)| Some((*vmi, guest.present()?.waited_for_core()?))).collect()
    }

    /// Does what the engine asks, beside the loop.
    pub(super) fn execute(self: &Rc<Self>, command: Command) {
        let Command { vmi, what } = command;
        let (world, guest) = (self.clone(), self.guests.borrow().get(&vmi).cloned());
        match (what, guest) {
            (Request::Cluster(VmiCommand::StartDomain { paused }), _) => {
                let guest = Rc::new(Guest::new(vmi));
                self.guests.borrow_mut().insert(vmi, guest.clone());
                tokio::task::spawn_local(guest.live(world, paused));
            }
            (Request::Cluster(VmiCommand::Endpoint { ready }), _) => {
                self.endpoint.set(ready.then_some(vmi));
                self.forward_to_endpoint();
            }
            (Request::Cluster(VmiCommand::Probe { kind, request: ProbeRequest::Answer { after, attempt }, .. }), _) => {
                tokio::task::spawn_local(async move {
                    tokio::time::sleep(after).await;
                    world.tell(VmiInput::Probe { kind, attempt }.of(vmi));
                });
            }
            (Request::Discard, Some(guest)) => {
                guest.discard();
                self.guests.borrow_mut().remove(&vmi);
            }
            (what, Some(guest)) => {
                if ends(&what) {
                    guest.doom();
                }
                tokio::task::spawn_local(async move { guest.carry_out(&world, what).await });
            }
            (Request::Inject { step, .. }, None) => self.tell(Input::Fault { step, news: FaultNews::NoGuest }),
            // Whose guest was never started has nothing to be done.
            (Request::Cluster(_) | Request::Verify | Request::Discard, None) => {}
        }
    }

    /// Kills what is left and waits until it is gone.
    pub(super) async fn end(&self) {
        // Nothing listens any more; an error could only be one of making a listener.
        let _ = self.backend.forward(None);
        let guests = std::mem::take(&mut *self.guests.borrow_mut());
        for guest in guests.into_values().filter_map(|guest| guest.discard()) {
            guest.kill().await;
        }
    }
}

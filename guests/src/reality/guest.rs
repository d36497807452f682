//! One guest of a run: a task from the order to start it to its last event, and the states it goes through.

use super::backend::{Backend, Past, Running, Start};
use super::events::forward_events;
use super::world::World;
use crate::guest::{GuestEvent, Look};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use vmhealth_sim::cluster::VmiCommand;
use vmhealth_sim::engine::{FaultNews, Input, Request, VmiInput};
use vmhealth_sim::time::Time;

/// Where a guest is in its life.
#[derive(Debug)]
enum State<G> {
    /// It is being started; nobody can be asked yet.
    Launching,
    /// It runs as a fork that was not yet made a machine of its own.
    Fork(Rc<G>),
    /// It runs, or has run.
    Live(Rc<G>),
    /// It was destroyed or discarded, perhaps before it was there: whatever comes up now is ended at once.
    Doomed(Option<Rc<G>>),
}

/// A guest, from the order to start it on.
#[derive(Debug)]
pub(super) struct Guest<G> {
    vmi: u32,
    state: RefCell<State<G>>,
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

/// Why a guest is not there although it was started.
#[derive(Debug, PartialEq, Eq)]
enum NotUp {
    /// It was destroyed or discarded meanwhile.
    Doomed,
    /// The host could not start it.
    Failed(String),
}

impl<G> Guest<G> {
    pub(super) fn new(vmi: u32) -> Guest<G> {
        Guest { vmi, state: RefCell::new(State::Launching) }
    }

    /// The guest, if it is there.
    pub(super) fn present(&self) -> Option<Rc<G>> {
        match &*self.state.borrow() {
            State::Launching | State::Doomed(None) => None,
            State::Fork(guest) | State::Live(guest) | State::Doomed(Some(guest)) => Some(guest.clone()),
        }
    }

    /// It has come up; `None`, and it is ended, if that is too late.
    fn come_up(&self, guest: G, start: Start) -> Option<Rc<G>> {
        let mut state = self.state.borrow_mut();
        if matches!(*state, State::Doomed(_)) {
            return None;
        }
        let guest = Rc::new(guest);
        *state = match start {
            Start::Fork => State::Fork(guest.clone()),
            Start::Cold { .. } => State::Live(guest.clone()),
        };
        Some(guest)
    }

    fn look(&self) -> Look {
        match &*self.state.borrow() {
            State::Fork(_) => Look::Forked,
            State::Launching | State::Live(_) | State::Doomed(_) => Look::Booted,
        }
    }

    /// It was made a machine of its own, or boots for itself now.
    pub(super) fn stands_alone(&self) {
        let mut state = self.state.borrow_mut();
        if let State::Fork(guest) = &*state {
            *state = State::Live(guest.clone());
        }
    }

    /// It is to end.
    pub(super) fn doom(&self) {
        let present = self.present();
        *self.state.borrow_mut() = State::Doomed(present);
    }

    /// Nobody needs it any more; the guest, if it was there.
    pub(super) fn discard(&self) -> Option<Rc<G>> {
        let present = self.present();
        *self.state.borrow_mut() = State::Doomed(None);
        present
    }

    /// A fork makes room for a guest that is started anew; `false` if it is not to be.
    async fn start_anew(&self) -> bool
    where
        G: Running,
    {
        if let Some(fork) = self.present() {
            if !self.doomed() {
                *self.state.borrow_mut() = State::Launching;
            }
            fork.kill().await;
        }
        !self.doomed()
    }

    fn doomed(&self) -> bool {
        matches!(*self.state.borrow(), State::Doomed(_))
    }
}

impl<G: Running> Guest<G> {
    /// Lives until its last event. A fork whose past cannot be had is given up, and the guest booted from power-on.
    pub(super) async fn live<B: Backend<Guest = G>>(self: Rc<Self>, world: Rc<World<B>>, paused: bool) {
        // A fork is a guest that has run.
        if let Some(past) = world.backend.past().filter(|_| !paused) {
            let reason = match self.launch(&world, Start::Fork, past.history.captured).await {
                Ok((guest, events)) => {
                    if self.live_as_fork(&world, past, guest, events).await {
                        return;
                    }
                    "somebody interferes with its boot before its template was captured".to_owned()
                }
                Err(NotUp::Failed(reason)) => format!("it cannot be forked: {reason}"),
                Err(NotUp::Doomed) => return,
            };
            if !self.start_anew().await {
                return;
            }
            world.tell(VmiInput::Cold { reason }.of(self.vmi));
        }
        match self.launch(&world, Start::Cold { paused }, Duration::ZERO).await {
            Ok((_, events)) => forward_events(&world, &self, self.vmi, events).await,
            Err(NotUp::Failed(reason)) => world.tell(Input::HostFailed { reason }),
            Err(NotUp::Doomed) => {}
        }
    }

    /// Its events come only after it is there.
    async fn launch<B: Backend<Guest = G>>(
        &self,
        world: &World<B>,
        start: Start,
        past: Duration,
    ) -> Result<(Rc<G>, mpsc::UnboundedReceiver<GuestEvent>), NotUp> {
        let launched = world.backend.launch(self.vmi, start, world.clock.origin_after(past)).await;
        let (guest, events) = launched.map_err(NotUp::Failed)?;
        let guest = self.come_up(guest, start).ok_or(NotUp::Doomed)?;
        world.forward_to_endpoint();
        Ok((guest, events))
    }

    /// `false`: its past cannot be replayed.
    async fn live_as_fork<B: Backend<Guest = G>>(
        self: &Rc<Self>,
        world: &Rc<World<B>>,
        past: Rc<Past>,
        guest: Rc<G>,
        mut events: mpsc::UnboundedReceiver<GuestEvent>,
    ) -> bool {
        // Its first event is STARTED; without one it has ended, and what follows says how.
        let Some(first) = events.recv().await else { return true };
        let fork = Fork { vmi: self.vmi, started: world.clock.time_of_wall(first.at), past, guest };
        let (replayed, answer) = oneshot::channel();
        // The loop is gone once there is a verdict.
        if !world.forked(fork, replayed) {
            return true;
        }
        if !answer.await.unwrap_or(true) {
            return false;
        }
        forward_events(world, self, self.vmi, events).await;
        true
    }

    /// Carries out a command; what concerns a guest that is not there is nobody's.
    pub(super) async fn carry_out<B: Backend<Guest = G>>(&self, world: &World<B>, what: Request) {
        match (self.present(), what) {
            (Some(guest), what) => {
                for input in guest.carry_out(self.vmi, what, self.look()).await {
                    if matches!(input, Input::Of { what: VmiInput::GuestReady(_), .. }) {
                        self.stands_alone();
                    }
                    world.tell(input);
                }
            }
            (None, Request::Inject { step, .. }) => world.tell(Input::Fault { step, news: FaultNews::NoGuest }),
            (None, _) => {}
        }
    }
}

/// It is to end, whenever it comes up.
pub(super) fn ends(what: &Request) -> bool {
    matches!(what, Request::Cluster(VmiCommand::Destroy | VmiCommand::Reap))
}

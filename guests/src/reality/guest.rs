//! One guest of a run: a task from the order to start it to its last event, and the states it goes through.

use super::backend::{Backend, Past, Running, Start};
use super::shared::{Fork, Shared};
use crate::console::Watched;
use crate::guest::{GuestEvent, VerifyMode};
use crate::time;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use vmhealth_sim::cluster::{DomainEvent, VmiCommand};
use vmhealth_sim::engine::{FaultNews, Input, Request, VmiInput};

/// How often a console is looked at.
const LOOK: Duration = Duration::from_millis(500);

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

    fn look(&self) -> VerifyMode {
        match &*self.state.borrow() {
            State::Fork(_) => VerifyMode::Forked,
            State::Launching | State::Live(_) | State::Doomed(_) => VerifyMode::Booted,
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
    pub(super) async fn live<B: Backend<Guest = G>>(self: Rc<Self>, shared: Rc<Shared<B>>, paused: bool) {
        // A fork is a guest that has run.
        if let Some(past) = shared.backend.past().filter(|_| !paused) {
            let reason = match self.launch(&shared, Start::Fork, past.history.captured).await {
                Ok((guest, events)) => {
                    if self.live_as_fork(&shared, past, guest, events).await {
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
            shared.tell(VmiInput::Cold { reason }.of(self.vmi));
        }
        match self.launch(&shared, Start::Cold { paused }, Duration::ZERO).await {
            Ok((_, events)) => self.forward(&shared, events).await,
            Err(NotUp::Failed(reason)) => shared.tell(Input::HostFailed { reason }),
            Err(NotUp::Doomed) => {}
        }
    }

    /// Its events come only after it is there.
    async fn launch<B: Backend<Guest = G>>(
        &self,
        shared: &Shared<B>,
        start: Start,
        past: Duration,
    ) -> Result<(Rc<G>, mpsc::UnboundedReceiver<GuestEvent>), NotUp> {
        let launched = shared.backend.launch(self.vmi, start, shared.clock.origin_after(past)).await;
        let (guest, events) = launched.map_err(NotUp::Failed)?;
        let guest = self.come_up(guest, start).ok_or(NotUp::Doomed)?;
        if shared.endpoint.get() == Some(self.vmi) {
            shared.forward(Some(guest.clone()));
        }
        Ok((guest, events))
    }

    /// `false`: its past cannot be replayed.
    async fn live_as_fork<B: Backend<Guest = G>>(
        self: &Rc<Self>,
        shared: &Rc<Shared<B>>,
        past: Rc<Past>,
        guest: Rc<G>,
        mut events: mpsc::UnboundedReceiver<GuestEvent>,
    ) -> bool {
        // Its first event is STARTED; without one it has ended, and what follows says how.
        let Some(first) = events.recv().await else { return true };
        let fork = Fork { vmi: self.vmi, started: shared.clock.time_of_wall(first.at), past, guest };
        let (replayed, answer) = oneshot::channel();
        // The loop is gone once there is a verdict.
        if !shared.forked(fork, replayed) {
            return true;
        }
        if !answer.await.unwrap_or(true) {
            return false;
        }
        self.forward(shared, events).await;
        true
    }

    /// Passes on what it reports until it has ended; looks at its console beside it, and once more before each event. What
    /// somebody else did to it is the host's failure and said before the event; a kernel that crashed by itself is told from
    /// one that a fault broke, and from one that lives while a program says on its console that it crashed.
    async fn forward<B: Backend<Guest = G>>(
        &self,
        shared: &Shared<B>,
        mut events: mpsc::UnboundedReceiver<GuestEvent>,
    ) {
        let mut console = self.present().map(|g| Watched::new(g.console()));
        // One whose kernel lived while its console said that it crashed is not believed any more, and least of all at its end.
        let (mut told, mut lies) = (false, false);
        loop {
            let event = time::timeout(LOOK, events.recv()).await;
            let claim = console.as_mut().and_then(Watched::crash).filter(|_| !lies);
            lies |= claim.is_some() && self.answers().await;
            if let Some(why) = claim.filter(|_| !lies) {
                let reason = format!("the kernel of VMI {} crashed by itself: {why}", self.vmi);
                shared.crash.borrow_mut().get_or_insert_with(|| reason.clone());
                shared.tell(VmiInput::GuestCrashed { reason }.of(self.vmi));
            }
            let GuestEvent { at, event } = match event {
                Ok(Some(event)) => event,
                Ok(None) => return,
                Err(_) => {
                    if !told && let Some(reason) = self.hangs().await {
                        told = true;
                        shared.tell(Input::HostFailed { reason });
                    }
                    continue;
                }
            };
            if let Some(reason) = self.present().and_then(|g| g.note(&event)) {
                shared.tell(Input::HostFailed { reason });
            }
            if matches!(event, DomainEvent::Reset { .. }) {
                lies = false;
                self.stands_alone();
            }
            shared.tell(VmiInput::Domain { at: shared.clock.time_of_wall(at), event }.of(self.vmi));
        }
    }

    async fn answers(&self) -> bool {
        match self.present() {
            Some(guest) => guest.answers().await,
            None => false,
        }
    }

    async fn hangs(&self) -> Option<String> {
        self.present()?.hangs().await
    }

    /// Carries out a command; what concerns a guest that is not there is nobody's.
    pub(super) async fn carry_out<B: Backend<Guest = G>>(&self, shared: &Shared<B>, what: Request) {
        match (self.present(), what) {
            (Some(guest), what) => {
                for input in guest.carry_out(self.vmi, what, self.look()).await {
                    if matches!(input, Input::Of { what: VmiInput::GuestReady(_), .. }) {
                        self.stands_alone();
                    }
                    shared.tell(input);
                }
            }
            (None, Request::Inject { step, .. }) => shared.tell(Input::Fault { step, news: FaultNews::NoGuest }),
            (None, _) => {}
        }
    }
}

/// It is to end, whenever it comes up.
pub(super) fn ends(what: &Request) -> bool {
    matches!(what, Request::Cluster(VmiCommand::Destroy | VmiCommand::Reap))
}

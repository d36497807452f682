//! The guests of a run and the Service in front of them: gives each command to the guest that it is about.

use super::backend::{Backend, Running};
use super::guest::{Guest, ends};
use super::shared::Shared;
use crate::guest::Waited;
use crate::time;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use vmhealth_sim::cluster::{ProbeRequest, VmiCommand};
use vmhealth_sim::engine::{Command, FaultNews, Input, Request, VmiInput};

/// All that stands around the engine.
pub(super) struct World<B: Backend> {
    pub(super) shared: Rc<Shared<B>>,
    guests: RefCell<BTreeMap<u32, Rc<Guest<B::Guest>>>>,
}

impl<B: Backend> World<B> {
    pub(super) fn new(shared: Rc<Shared<B>>) -> World<B> {
        World { shared, guests: RefCell::default() }
    }

    /// A VMI's guest, if it is there.
    pub(super) fn guest(&self, vmi: u32) -> Option<Rc<B::Guest>> {
        self.guests.borrow().get(&vmi)?.present()
    }

    /// The guests that are there, by their VMIs' numbers.
    pub(super) fn present(&self) -> Vec<(u32, Rc<B::Guest>)> {
        self.guests.borrow().iter().filter_map(|(vmi, guest)| Some((*vmi, guest.present()?))).collect()
    }

    /// How long every guest was kept from a core.
    pub(super) fn waited_for_core(&self) -> Vec<(u32, Waited)> {
        let guests = self.guests.borrow();
        guests.iter().filter_map(|(vmi, guest)| Some((*vmi, guest.present()?.waited_for_core()?))).collect()
    }

    /// Does what the engine asks, beside the loop.
    pub(super) fn execute(&self, command: Command) {
        let Command { vmi, what } = command;
        let (shared, guest) = (self.shared.clone(), self.guests.borrow().get(&vmi).cloned());
        match (what, guest) {
            (Request::Cluster(VmiCommand::StartDomain { paused }), _) => {
                let guest = Rc::new(Guest::new(vmi));
                self.guests.borrow_mut().insert(vmi, guest.clone());
                tokio::task::spawn_local(guest.live(shared, paused));
            }
            (Request::Cluster(VmiCommand::Endpoint { ready }), _) => {
                self.set_endpoint(ready.then_some(vmi));
            }
            (Request::Cluster(VmiCommand::Probe { kind, request: ProbeRequest::Answer { after, attempt }, .. }), _) => {
                tokio::task::spawn_local(async move {
                    time::sleep(after).await;
                    shared.tell(VmiInput::Probe { kind, attempt }.of(vmi));
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
                tokio::task::spawn_local(async move { guest.carry_out(&shared, what).await });
            }
            (Request::Inject { step, .. }, None) => shared.tell(Input::Fault { step, news: FaultNews::NoGuest }),
            // Whose guest was never started has nothing to be done.
            (Request::Cluster(_) | Request::Verify | Request::Mend { .. } | Request::Discard, None) => {}
        }
    }

    /// A replay begins; what it changes outside the engine can be undone with what this returns.
    pub(super) fn begin_replay(&self) -> Option<u32> {
        self.shared.replaying.set(true);
        self.shared.endpoint.get()
    }

    /// A replay is over; `undo`: the endpoint before it, if it was given up.
    pub(super) fn end_replay(&self, undo: Option<Option<u32>>) {
        self.shared.replaying.set(false);
        if let Some(endpoint) = undo {
            self.set_endpoint(endpoint);
        }
    }

    /// Has the Service forward to this VMI's guest, or to nobody before it is there.
    fn set_endpoint(&self, vmi: Option<u32>) {
        self.shared.endpoint.set(vmi);
        self.shared.forward(vmi.and_then(|vmi| self.guest(vmi)));
    }

    /// Kills what is left and waits until it is gone.
    pub(super) async fn end(&self) {
        // Nothing listens any more; an error could only be one of making a listener.
        let _ = self.shared.backend.forward(None);
        let guests = std::mem::take(&mut *self.guests.borrow_mut());
        for guest in guests.into_values().filter_map(|guest| guest.discard()) {
            guest.kill().await;
        }
    }
}

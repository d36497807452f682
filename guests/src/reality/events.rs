//! What a guest and its console report, on its way to the engine.
//!
//! What somebody else did to it is the host's failure and said before the event; a kernel that crashed by itself is told
//! from one that a fault broke.

use super::backend::{Backend, Running};
use super::guest::Guest;
use super::world::World;
use crate::console::Watched;
use crate::guest::GuestEvent;
use std::time::Duration;
use tokio::sync::mpsc;
use vmhealth_sim::cluster::DomainEvent;
use vmhealth_sim::engine::{Input, VmiInput};

/// How often a console is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Passes on what a guest reports until it has ended; looks at its console beside it, and once more before each event.
pub(super) async fn forward_events<B: Backend>(
    world: &World<B>,
    guest: &Guest<B::Guest>,
    vmi: u32,
    mut events: mpsc::UnboundedReceiver<GuestEvent>,
) {
    let mut console = guest.present().map(|g| Watched::new(g.console()));
    loop {
        let event = tokio::time::timeout(LOOK, events.recv()).await;
        if let Some(why) = console.as_mut().and_then(Watched::crash) {
            let reason = format!("the kernel of VMI {vmi} crashed by itself: {why}");
            world.crash.borrow_mut().get_or_insert_with(|| reason.clone());
            world.tell(VmiInput::GuestCrashed { reason }.of(vmi));
        }
        let GuestEvent { at, event } = match event {
            Ok(Some(event)) => event,
            Ok(None) => return,
            Err(_) => continue,
        };
        if let Some(reason) = guest.present().and_then(|g| g.note(&event)) {
            world.tell(Input::HostFailed { reason });
        }
        if matches!(event, DomainEvent::Reset { .. }) {
            guest.stands_alone();
        }
        world.tell(VmiInput::Domain { at: world.clock.time_of_wall(at), event }.of(vmi));
    }
}

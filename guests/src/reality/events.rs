//! What QEMU and the guest's console report, on its way to the engine.
//!
//! What somebody else did to a QEMU is the host's failure and said before the event; a kernel that crashed by itself is told
//! from one that a fault broke.

use super::world::World;
use crate::console::Watched;
use crate::guest::{GuestEvent, Live, Priority};
use crate::qemu::Accel;
use std::time::Duration;
use tokio::sync::mpsc;
use vmhealth_sim::cluster::{DomainEvent, Exit};
use vmhealth_sim::engine::{Input, VmiInput};
use vmhealth_sim::manifest::WatchdogAction;
use vmhealth_sim::trace::ShutdownCause;

/// How often a console is looked at.
const LOOK: Duration = Duration::from_millis(500);

impl World {
    /// Passes on what QEMU reports until it has ended; looks at the console beside it, and once more before each event.
    pub(super) async fn forward_events(&self, vmi: u32, mut events: mpsc::UnboundedReceiver<GuestEvent>) {
        let mut console = self.guest(vmi).map(|g| Watched::new(g.serial.clone()));
        loop {
            let event = tokio::time::timeout(LOOK, events.recv()).await;
            if let Some(crash) = console.as_mut().and_then(Watched::crash) {
                self.crashed(vmi, &crash);
            }
            let event = match event {
                Ok(Some(event)) => event,
                Ok(None) => return,
                Err(_) => continue,
            };
            let guest = self.guest(vmi);
            if let Some(reason) = guest.as_ref().and_then(|g| interference(&event.event, g)) {
                self.tell(Input::HostFailed { reason });
            }
            match (&event.event, guest) {
                (DomainEvent::Reset { .. }, Some(guest)) => {
                    guest.set_priority(Priority::Booting);
                    // It boots for itself now.
                    self.raw_forks.borrow_mut().remove(&vmi);
                }
                // QEMU is about to end, or to reset the vCPUs: both wait for them.
                (DomainEvent::Watchdog(WatchdogAction::Poweroff | WatchdogAction::Reset), Some(guest)) => {
                    guest.set_priority(Priority::Normal);
                }
                _ => {}
            }
            self.tell(VmiInput::Domain { at: self.clock.time_of_wall(event.at), event: event.event }.of(vmi));
        }
    }

    /// The first crash, where QEMU's translator may have made it: that was seen once in hundreds of boots.
    pub(super) fn crash(&self) -> Option<String> {
        self.crash.borrow().clone().filter(|_| self.setup.platform.accel == Accel::Tcg)
    }

    fn crashed(&self, vmi: u32, why: &str) {
        let reason = format!("the kernel of VMI {vmi} crashed by itself: {why}");
        self.crash.borrow_mut().get_or_insert_with(|| reason.clone());
        self.tell(VmiInput::GuestCrashed { reason }.of(vmi));
    }
}

/// What somebody else has done to a guest's QEMU.
fn interference(event: &DomainEvent, guest: &Live) -> Option<String> {
    let ours = guest.signalled.get();
    match event {
        // Nobody here has asked for it: another user's cleanup, a container engine that is being stopped.
        DomainEvent::Shutdown { reason } if *reason == ShutdownCause::HostSignal && !ours => {
            Some("QEMU was ended by a signal of somebody else's".to_owned())
        }
        DomainEvent::Exited(exit) => match (guest.lost.get(), exit) {
            (Some(why), _) => Some(why.clone()),
            // Whoever runs out of memory, or QEMU's own bug.
            (None, Exit::Signal(n)) if !ours => Some(format!("QEMU was ended by signal {n}, which was not ours")),
            _ => None,
        },
        _ => None,
    }
}

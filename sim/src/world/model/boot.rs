//! A guest's boot: its milestones, and how they move when its node has more or less for it.
//!
//! A boot is an amount of work, and what is left of it is done at the pace that the guest's node has for it. A milestone waits
//! in the queue at the time at which it comes about at the present pace. When the pace changes, what is left until it is
//! stretched or shrunk. A guest that stands still does not boot: it is told the pace when it goes on.

use super::bad_boots::BadBoots;
use super::{Guest, Happening, InGuest, Kernel, Model};
use crate::fault::{BootLoop, LongReboot};
use crate::manifest::Petter;
use crate::time::Time;
use crate::world::boot_times::BootTimes;
use crate::world::guest::Timings;
use fastrand::Rng;
use std::time::Duration;

/// What a VM of a fleet has of its own, and what it shares.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    times: BootTimes,
    random: Rng,
    /// 1: as fast as by itself.
    pace: f64,
    /// The image's service starts.
    good_image: bool,
}

impl Model {
    /// Each boot takes a time of its own from here on, and others decide how fast it goes.
    pub(in crate::world) fn share_boots(&mut self, times: BootTimes, seed: u64) {
        self.shared = Some(Shared { times, random: Rng::with_seed(seed), pace: 1.0, good_image: true });
    }

    /// From its next boot on a guest's service starts or does not.
    pub(in crate::world) fn set_image(&mut self, good: bool) {
        if let Some(shared) = &mut self.shared {
            shared.good_image = good;
        }
    }

    /// The present guest takes what its node has for boots.
    pub(in crate::world) fn is_booting(&self) -> bool {
        self.present().is_some_and(|(_, guest)| boots(guest))
    }

    /// Whoever is sent to the VM's endpoint is answered; `None`: nobody is sent there.
    pub(in crate::world) fn endpoint_serves(&self) -> Option<bool> {
        self.endpoint.map(|vmi| self.guests.get(&vmi).is_some_and(Guest::is_serving))
    }

    /// The present guest's service answers.
    pub(in crate::world) fn serves(&self) -> bool {
        self.present().is_some_and(|(_, guest)| guest.is_serving())
    }

    /// The present guest serves, or will without anybody's help: it boots, or what is broken has an end.
    pub(in crate::world) fn comes_back(&self) -> bool {
        let Some((vmi, guest)) = self.present() else { return false };
        let waits = |wanted: &dyn Fn(&InGuest) -> bool| {
            let queued = self.queue.iter().any(|(_, happening)| match happening {
                Happening::Boot { vmi: of, boot, what } | Happening::Guest { vmi: of, boot, what } => {
                    *of == vmi && *boot == guest.boot && wanted(what)
                }
                _ => false,
            });
            queued || guest.deferred.iter().any(|(_, what)| wanted(what))
        };
        let mends = |what: &InGuest| !matches!(what, InGuest::Pet | InGuest::Settled | InGuest::PowerOff);
        match guest.kernel {
            Kernel::Off | Kernel::GoingDown => false,
            Kernel::Panicked => waits(&|what| *what == InGuest::PanicTimer),
            Kernel::Booting | Kernel::Up if !guest.profile.health_server => guest.is_serving() || waits(&mends),
            Kernel::Booting | Kernel::Up if !guest.health => {
                waits(&|what| matches!(what, InGuest::HealthUp | InGuest::RebootsAgain))
            }
            // What it lacks else is broken for a span.
            Kernel::Booting | Kernel::Up => guest.answers_well(),
        }
    }

    fn present(&self) -> Option<(u32, &Guest)> {
        self.guests.last_key_value().map(|(vmi, guest)| (*vmi, guest))
    }

    pub(super) fn power_on(&mut self, now: Time, vmi: u32) {
        let (t, good_image) = match &mut self.shared {
            Some(shared) => (self.timings.with_boot(shared.times.draw(&mut shared.random)), shared.good_image),
            None => (self.timings, true),
        };
        let BadBoots { wait, never } = self.bad_boots;
        let petter = self.spec.guest.petting().map(|petting| petting.by);
        // cloud-init has written systemd's file in the first boot (qemu-watchdog.md 8.5).
        let guards_boot = petter == Some(Petter::Systemd) && self.guests.get(&vmi).is_some_and(|guest| guest.boot > 1);
        if guards_boot {
            self.milestone(now, t.watchdog, vmi, InGuest::PetterUp);
        }
        if never == Some(BootLoop::Panic) {
            return self.milestone(now, t.basic, vmi, InGuest::Panic);
        }
        let update = self.guests.get_mut(&vmi).and_then(|guest| std::mem::take(&mut guest.update));
        let wait = wait + update.map_or(Duration::ZERO, |update| update.each.0);
        if let Some(LongReboot { reboots: 2.., .. }) = update {
            if let Some(guest) = self.guests.get_mut(&vmi) {
                guest.update = update.map(|update| LongReboot { reboots: update.reboots - 1, ..update });
            }
            return self.milestone(now, wait + t.basic, vmi, InGuest::RebootsAgain);
        }
        self.milestone(now, wait + t.agent, vmi, InGuest::AgentUp);
        if self.spec.guest.health_server && good_image && never.is_none() {
            self.milestone(now, wait + t.health, vmi, InGuest::HealthUp);
        }
        if petter.is_some() && !guards_boot {
            self.milestone(now, wait + t.daemon, vmi, InGuest::PetterUp);
        }
        self.milestone(now, wait + t.settled, vmi, InGuest::Settled);
    }

    /// It comes about so long after the power-on, if the guest boots by itself.
    fn milestone(&mut self, now: Time, after: Duration, vmi: u32, what: InGuest) {
        let after = self.shared.as_ref().map_or(after, |shared| stretched(after, 1.0, shared.pace));
        if let Some(boot) = self.guests.get(&vmi).map(|g| g.boot) {
            self.queue.push(now + after, Happening::Boot { vmi, boot, what });
        }
    }

    pub(super) fn milestone_reached(&mut self, now: Time, vmi: u32, boot: u32, what: InGuest) {
        let Some(guest) = self.guests.get_mut(&vmi).filter(|guest| guest.boot == boot) else { return };
        // The last one; one that comes to a guest that stands still comes again.
        guest.booting &= what != InGuest::Settled || guest.paused_at.is_some();
        self.in_guest(now, vmi, what);
    }

    /// What a guest that stood still had before it.
    pub(super) fn go_on(&mut self, now: Time, after: Duration, vmi: u32, what: InGuest) {
        match self.guests.get(&vmi) {
            Some(guest) if guest.booting && is_milestone(&what) => {
                let boot = guest.boot;
                self.queue.push(now + after, Happening::Boot { vmi, boot, what });
            }
            _ => self.later(now, after, vmi, what),
        }
    }

    /// From now on its guest, which boots, does so at this pace, 1 being as fast as by itself.
    pub(in crate::world) fn set_pace(&mut self, now: Time, pace: f64) {
        let Some(shared) = &mut self.shared else { return };
        let before = std::mem::replace(&mut shared.pace, pace);
        let moved = self.queue.take(|happening| match happening {
            Happening::Boot { vmi, boot, what } => Some((*vmi, *boot, what.clone())),
            _ => None,
        });
        for (at, (vmi, boot, what)) in moved {
            self.queue.push(now + stretched(at.since(now), before, pace), Happening::Boot { vmi, boot, what });
        }
    }
}

impl Timings {
    /// The same, but for the boot.
    fn with_boot(self, boot: Duration) -> Timings {
        let Timings { watchdog, basic, agent, health, daemon, settled, .. } = Timings::booting_in(boot);
        Timings { watchdog, basic, agent, health, daemon, settled, ..self }
    }
}

/// Its boot goes on.
fn boots(guest: &Guest) -> bool {
    guest.booting && guest.paused_at.is_none() && matches!(guest.kernel, Kernel::Booting | Kernel::Up)
}

fn is_milestone(what: &InGuest) -> bool {
    use InGuest::{AgentUp, HealthUp, PetterUp, RebootsAgain, Settled};
    matches!(what, AgentUp | HealthUp | PetterUp | RebootsAgain | Settled)
}

/// The same work at another pace. At the same one nothing is rounded.
fn stretched(left: Duration, before: f64, pace: f64) -> Duration {
    if before == pace { left } else { Duration::try_from_secs_f64(left.as_secs_f64() * before / pace).unwrap_or(left) }
}

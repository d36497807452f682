//! What of the model only repeats itself: the pets. Tried out on a copy, so what else a guest learns to do is noticed.

use super::{Guest, Happening, InGuest, LinuxWatchdog, Model};
use crate::engine::{Command, Input, VmiInput};
use crate::kubelet::Attempt;
use crate::time::{Time, earliest};
use crate::world::driver::World;
use crate::world::queue::Queue;
use std::time::Duration;

/// How a guest's watchdog is petted.
#[derive(Debug)]
pub(in crate::world) enum Petting {
    /// Not at all.
    Nobody,
    /// Again and again, and the device never gets to do anything.
    Steady(Box<Pets>),
}

/// The pets to come.
#[derive(Debug)]
pub(in crate::world) struct Pets {
    first: Time,
    interval: Duration,
    /// As the first one leaves it.
    guest: Guest,
}

impl Model {
    /// When something else than a pet is due next; `None` where not just this VMI has a guest. The outer `None`: it is not known.
    pub(in crate::world) fn pets_only_until(&self, vmi: u32) -> Option<Option<Time>> {
        let guest = self.guests.get(&vmi).filter(|_| self.guests.len() == 1)?;
        // When its boot comes further, others decide.
        if guest.booting && self.shared.is_some() {
            return None;
        }
        let petted = self.next_pet(vmi).is_some();
        let other = self.queue.iter().find(|(_, happening)| !is_pet(happening, vmi, guest)).map(|(at, _)| at);
        Some(earliest([other, guest.watched.filter(|_| !petted)]))
    }

    fn next_pet(&self, vmi: u32) -> Option<(Time, &Happening)> {
        let guest = self.guests.get(&vmi)?;
        self.queue.iter().find(|(_, happening)| is_pet(happening, vmi, guest))
    }

    /// How the pets go on; `None` if they do not.
    pub(in crate::world) fn petting(&self, vmi: u32) -> Option<Petting> {
        let Some((first, pet)) = self.next_pet(vmi) else { return Some(Petting::Nobody) };
        let mut trial = self.alone();
        trial.queue.push(first, pet.clone());
        let (second, once) = trial.pet(vmi, first)?;
        let (third, twice) = trial.pet(vmi, second)?;
        let interval = second.since(first);
        let same = stopped(once.clone(), first) == stopped(twice, second) && third.since(second) == interval;
        let steady = same && !interval.is_zero();
        steady.then(|| Petting::Steady(Box::new(Pets { first, interval, guest: once })))
    }

    /// Goes through the only pet, before which the device has nothing to do; when the next one is.
    fn pet(&mut self, vmi: u32, now: Time) -> Option<(Time, Guest)> {
        let device = self.guests.get(&vmi)?.watchdog.as_ref().and_then(LinuxWatchdog::next_wakeup);
        if device.is_some_and(|at| at <= now) || self.step().is_some() {
            return None;
        }
        let guest = self.guests.get(&vmi)?.clone();
        let mut left = self.queue.iter();
        match (left.next(), left.next()) {
            (Some((next, happening)), None) if is_pet(happening, vmi, &guest) => Some((next, guest)),
            _ => None,
        }
    }

    /// A copy in which nothing is due.
    pub(in crate::world) fn alone(&self) -> Model {
        let mut copy = Model { queue: Queue::default(), ..self.clone() };
        copy.guests.values_mut().for_each(|guest| guest.watched = None);
        copy
    }

    /// Asks this copy: when, and what it answers. `None` if anything else comes of it.
    pub(in crate::world) fn answer(&mut self, now: Time, command: &Command) -> Option<(Time, Attempt)> {
        let before = self.guests.clone();
        self.execute(now, command.clone());
        let Some((at, Input::Of { what: VmiInput::Probe { attempt, .. }, .. })) = self.step() else { return None };
        (self.queue.next_at().is_none() && self.guests == before).then_some((at, attempt))
    }

    /// Goes at once through the pets before `to`.
    pub(in crate::world) fn skip_pets(&mut self, vmi: u32, pets: Pets, to: Time) {
        let Pets { first, interval, mut guest } = pets;
        if to <= first {
            return;
        }
        let before = to.since(first).as_nanos() - 1;
        let last = first + Duration::from_nanos_u128(before - before % interval.as_nanos());
        // As far from the last pet as it was from the first.
        if let Some(watchdog) = &mut guest.watchdog {
            watchdog.freeze(first);
            watchdog.thaw(last);
        }
        let boot = guest.boot;
        self.queue.take(|happening| is_pet(happening, vmi, &guest).then_some(()));
        self.queue.push(last + interval, Happening::Guest { vmi, boot, what: InGuest::Pet });
        self.guests.insert(vmi, guest);
        self.watch_device(vmi);
    }
}

pub(super) fn is_pet(happening: &Happening, vmi: u32, guest: &Guest) -> bool {
    matches!(happening, Happening::Guest { vmi: of, boot, what: InGuest::Pet } if *of == vmi && *boot == guest.boot)
}

/// A guest whose device says how much is left, and not until when.
fn stopped(mut guest: Guest, now: Time) -> Guest {
    guest.watched = None;
    if let Some(watchdog) = &mut guest.watchdog {
        watchdog.freeze(now);
    }
    guest
}

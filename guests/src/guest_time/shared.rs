//! One time for all guests of a run, and for the tasks that wait for them.
//!
//! It goes on only while the tasks of the run's thread have nothing to do (`pacer.rs`): what a task does takes no guest time.

use super::steering::GuestClock;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;
use tokio::time::Instant;

/// When a wait is over, and its place among those of the same instant.
type Due = (Duration, u64);

/// The time of a run. Spans count from its beginning.
#[derive(Debug)]
pub(crate) struct SharedTime {
    /// What tasks take the beginning for.
    pub(super) origin: Instant,
    wall: SystemTime,
    /// The latest that anybody was told.
    now: Cell<Duration>,
    /// Waits that end up to here are over.
    over: Cell<Option<Duration>>,
    clocks: RefCell<BTreeMap<u64, Arc<GuestClock>>>,
    waits: RefCell<BTreeMap<Due, Waker>>,
    holds: Cell<u32>,
    numbers: Cell<u64>,
    /// How much may pass in a second of the host's, for who watches; `None`: as much as can.
    pace: Cell<Option<f64>>,
    /// The pacer is to look again.
    pub(super) changed: Notify,
}

impl SharedTime {
    pub(crate) fn begin(pace: Option<f64>) -> Rc<SharedTime> {
        Rc::new(SharedTime {
            origin: Instant::now(),
            wall: SystemTime::now(),
            now: Cell::default(),
            over: Cell::default(),
            clocks: RefCell::default(),
            waits: RefCell::default(),
            holds: Cell::default(),
            numbers: Cell::default(),
            pace: Cell::new(pace),
            changed: Notify::new(),
        })
    }

    /// That of the guest that is furthest behind.
    pub(crate) fn now(&self) -> Duration {
        let guests = self.clocks.borrow().values().map(|clock| clock.now()).min();
        let now = self.now.get().max(guests.unwrap_or_default());
        self.now.set(now);
        now
    }

    /// What the guests' wall clocks show.
    pub(crate) fn wall(&self) -> SystemTime {
        self.wall + self.now()
    }

    /// For a task, which knows instants.
    pub(crate) fn instant(&self) -> Instant {
        self.origin + self.now()
    }

    /// Where time begins on the guests' wall clocks.
    pub(crate) fn wall_origin(&self) -> SystemTime {
        self.wall
    }

    /// From here on a guest that lives by `clock` is waited for; it is given up with the number that this returns.
    pub(crate) fn add(&self, clock: Arc<GuestClock>) -> u64 {
        let number = self.number();
        self.clocks.borrow_mut().insert(number, clock);
        self.changed.notify_one();
        number
    }

    /// A guest that has ended.
    pub(crate) fn remove(&self, number: u64) {
        // What it has reached stays reached.
        self.now();
        self.clocks.borrow_mut().remove(&number);
        self.changed.notify_one();
    }

    /// The clocks that are waited for, with their numbers.
    pub(super) fn clocks(&self) -> Vec<(u64, Arc<GuestClock>)> {
        self.clocks.borrow().iter().map(|(number, clock)| (*number, clock.clone())).collect()
    }

    /// Time stands still until as many [`SharedTime::release`] it.
    pub(crate) fn hold(&self) {
        self.holds.set(self.holds.get() + 1);
        for clock in self.clocks.borrow().values() {
            clock.halt();
        }
        self.changed.notify_one();
    }

    pub(crate) fn release(&self) {
        self.holds.set(self.holds.get().saturating_sub(1));
        self.changed.notify_one();
    }

    pub(super) fn is_held(&self) -> bool {
        self.holds.get() > 0
    }

    /// Slows it down for who watches, or does not any more.
    pub(crate) fn set_pace(&self, pace: Option<f64>) {
        self.pace.set(pace);
        self.changed.notify_one();
    }

    pub(super) fn pace(&self) -> Option<f64> {
        self.pace.get()
    }

    /// Ends at an instant of guest time; never before what has happened until then was dealt with.
    pub(crate) fn wait(self: &Rc<Self>, until: Instant) -> Wait {
        let due = (until.saturating_duration_since(self.origin), self.number());
        Wait { time: self.clone(), due }
    }

    /// When the next wait is over.
    pub(super) fn next_wait(&self) -> Option<Duration> {
        self.waits.borrow().keys().next().map(|(at, _)| *at)
    }

    /// Ends the waits that are over; whether there were any.
    pub(super) fn end_waits(&self) -> bool {
        let now = self.now();
        let mut waits = self.waits.borrow_mut();
        let later = waits.split_off(&(now + Duration::from_nanos(1), 0));
        let over = std::mem::replace(&mut *waits, later);
        drop(waits);
        self.over.set(Some(now));
        let any = !over.is_empty();
        over.into_values().for_each(Waker::wake);
        any
    }

    /// No guest is there: time jumps.
    pub(super) fn jump_to(&self, at: Duration) {
        self.now.set(self.now.get().max(at));
    }

    fn number(&self) -> u64 {
        let number = self.numbers.get();
        self.numbers.set(number + 1);
        number
    }
}

/// Until an instant of guest time.
#[derive(Debug)]
pub(crate) struct Wait {
    time: Rc<SharedTime>,
    due: Due,
}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let time = &self.time;
        if Some(self.due.0) <= time.over.get() {
            return Poll::Ready(());
        }
        let is_next = time.next_wait().is_none_or(|next| self.due.0 <= next);
        let is_new = time.waits.borrow_mut().insert(self.due, context.waker().clone()).is_none();
        if is_new && is_next {
            time.changed.notify_one();
        }
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.time.waits.borrow_mut().remove(&self.due);
    }
}

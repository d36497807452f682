//! Which of QEMU's threads sleep: exactly, not by a guess and a grace period.
//!
//! A thread that has been signalled is awake although it has not run yet. A signal wakes one of those that wait on its
//! condition, and nobody knows which: so one of them is counted as awake, and if another returns, the two change places.
//! What is counted are vCPUs and disk workers; of a thread that has no name yet it is not known what it is, so it counts.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicUsize, Ordering::SeqCst};

/// More threads than any QEMU here has at once; one more makes guest time run as if it never slept.
const PLACES: usize = 256;

/// What a thread is, as far as time goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Role {
    /// Nobody's place.
    Free = 0,
    /// Not named yet.
    Unknown = 1,
    /// Runs the guest's instructions; its CPU time is guest time.
    Vcpu = 2,
    /// Reads and writes disks.
    Worker = 3,
}

const RUNS: u32 = 0;
const SLEEPS: u32 = 1;
const WOKEN: u32 = 2;

#[derive(Debug)]
pub(crate) struct Place {
    role: AtomicU32,
    state: AtomicU32,
    condition: AtomicUsize,
    /// The kernel's thread id.
    pub(crate) thread: AtomicU32,
    /// Its CPU time that guest time has grown by already, ns.
    pub(crate) counted: AtomicI64,
}

impl Place {
    const fn free() -> Place {
        Place {
            role: AtomicU32::new(Role::Free as u32),
            state: AtomicU32::new(RUNS),
            condition: AtomicUsize::new(0),
            thread: AtomicU32::new(0),
            counted: AtomicI64::new(0),
        }
    }
}

/// All threads that count.
#[derive(Debug)]
pub(crate) struct Sleepers {
    places: [Place; PLACES],
    used: AtomicUsize,
    overflowed: AtomicBool,
    lock: AtomicBool,
}

impl Sleepers {
    pub(crate) const fn new() -> Sleepers {
        Sleepers {
            places: [const { Place::free() }; PLACES],
            used: AtomicUsize::new(0),
            overflowed: AtomicBool::new(false),
            lock: AtomicBool::new(false),
        }
    }

    /// A few instructions long, never taken in a signal handler.
    fn locked<T>(&self, what: impl FnOnce() -> T) -> T {
        while self.lock.compare_exchange_weak(false, true, SeqCst, SeqCst).is_err() {
            std::hint::spin_loop();
        }
        let result = what();
        self.lock.store(false, SeqCst);
        result
    }

    fn used(&self) -> &[Place] {
        &self.places[..self.used.load(SeqCst).min(PLACES)]
    }

    /// A thread is about to begin; its place, unless there is none left.
    pub(crate) fn join(&self) -> Option<usize> {
        let place = self.locked(|| {
            let index = self.places.iter().position(|p| p.role.load(SeqCst) == Role::Free as u32)?;
            let place = &self.places[index];
            place.state.store(RUNS, SeqCst);
            place.thread.store(0, SeqCst);
            place.counted.store(0, SeqCst);
            place.role.store(Role::Unknown as u32, SeqCst);
            self.used.fetch_max(index + 1, SeqCst);
            Some(index)
        });
        if place.is_none() {
            self.overflowed.store(true, SeqCst);
        }
        place
    }

    /// It is known what the thread in this place is.
    pub(crate) fn name(&self, place: usize, role: Role) {
        self.places[place].role.store(role as u32, SeqCst);
    }

    #[cfg(feature = "preload")]
    /// The guest has a vCPU.
    pub(crate) fn has_vcpus(&self) -> bool {
        self.used().iter().any(|p| p.role.load(SeqCst) == Role::Vcpu as u32)
    }

    #[cfg(feature = "preload")]
    pub(crate) fn role(&self, place: usize) -> u32 {
        self.places[place].role.load(SeqCst)
    }

    /// The thread has ended, or does not count.
    pub(crate) fn leave(&self, place: usize) {
        self.name(place, Role::Free);
    }

    /// The thread in this place goes to sleep on a condition; whether it was the last one that ran.
    pub(crate) fn sleep(&self, place: usize, condition: usize) -> bool {
        self.locked(|| {
            self.places[place].condition.store(condition, SeqCst);
            self.places[place].state.store(SLEEPS, SeqCst);
        });
        self.all_sleep()
    }

    /// It has returned.
    pub(crate) fn wake(&self, place: usize) {
        self.locked(|| {
            let this = &self.places[place];
            let condition = this.condition.load(SeqCst);
            // Another was counted as awake in its place: that one sleeps on.
            if this.state.swap(RUNS, SeqCst) == SLEEPS
                && let Some(other) = self.on(condition, WOKEN)
            {
                other.state.store(SLEEPS, SeqCst);
            }
        });
    }

    /// A condition is signalled: one of those that sleep on it is awake from now on, or `all` of them.
    pub(crate) fn signal(&self, condition: usize, all: bool) {
        self.locked(|| {
            while let Some(place) = self.on(condition, SLEEPS) {
                place.state.store(WOKEN, SeqCst);
                if !all {
                    break;
                }
            }
        });
    }

    fn on(&self, condition: usize, state: u32) -> Option<&Place> {
        self.used().iter().find(|p| {
            p.role.load(SeqCst) != Role::Free as u32
                && p.state.load(SeqCst) == state
                && p.condition.load(SeqCst) == condition
        })
    }

    /// Nothing that counts runs.
    pub(crate) fn all_sleep(&self) -> bool {
        !self.overflowed.load(SeqCst)
            && self.used().iter().all(|p| p.role.load(SeqCst) == Role::Free as u32 || p.state.load(SeqCst) == SLEEPS)
    }

    /// The places of vCPUs that do not sleep.
    pub(crate) fn running_vcpus(&self) -> impl Iterator<Item = &Place> {
        self.used().iter().filter(|p| p.role.load(SeqCst) == Role::Vcpu as u32 && p.state.load(SeqCst) != SLEEPS)
    }

    #[cfg(feature = "preload")]
    pub(crate) fn place(&self, index: usize) -> &Place {
        &self.places[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_on_one_condition() -> (Box<Sleepers>, usize, usize) {
        let sleepers = Box::new(Sleepers::new());
        let (a, b) = (sleepers.join().unwrap(), sleepers.join().unwrap());
        assert!(!sleepers.all_sleep(), "threads without a name count");
        for place in [a, b] {
            sleepers.name(place, Role::Worker);
            sleepers.sleep(place, 7);
        }
        (sleepers, a, b)
    }

    #[test]
    fn a_signalled_thread_is_awake_before_it_runs() {
        let (sleepers, a, _) = two_on_one_condition();
        assert!(sleepers.all_sleep());
        sleepers.signal(8, true);
        assert!(sleepers.all_sleep(), "nobody sleeps on that one");
        sleepers.signal(7, false);
        assert!(!sleepers.all_sleep());
        sleepers.wake(a);
        assert!(!sleepers.all_sleep());
        assert!(sleepers.sleep(a, 7));
    }

    #[test]
    fn whichever_returns_the_other_sleeps_on() {
        let (sleepers, a, b) = two_on_one_condition();
        sleepers.signal(7, false);
        // The place that was counted as awake may be either's.
        for returned in [b, a] {
            sleepers.wake(returned);
            assert!(!sleepers.all_sleep());
            assert!(sleepers.sleep(returned, 7), "only one was signalled");
            sleepers.signal(7, false);
        }
        sleepers.signal(7, true);
        sleepers.wake(a);
        assert!(!sleepers.sleep(a, 7), "b was signalled too");
        sleepers.wake(b);
        assert!(sleepers.sleep(b, 7));
    }

    #[test]
    fn places_are_used_again_and_running_out_of_them_never_looks_like_sleep() {
        let (sleepers, a, b) = two_on_one_condition();
        sleepers.leave(a);
        assert!(sleepers.all_sleep());
        assert_eq!(sleepers.join(), Some(a));
        assert!(!sleepers.all_sleep());
        sleepers.leave(a);
        sleepers.name(b, Role::Vcpu);
        assert_eq!(sleepers.running_vcpus().count(), 0);
        sleepers.wake(b);
        assert_eq!(sleepers.running_vcpus().count(), 1);
        sleepers.sleep(b, 9);
        assert!(sleepers.all_sleep());
        while sleepers.join().is_some() {}
        for place in 0..PLACES {
            sleepers.leave(place);
        }
        assert!(!sleepers.all_sleep());
    }
}

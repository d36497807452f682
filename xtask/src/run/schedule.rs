//! Who may begin when: by memory, by what the running guests do now, and by what they are going to do.
//!
//! Scenarios mostly wait. A guest that waits costs next to nothing, one that boots costs a core, and a watchdog's reset makes
//! a boot that cannot be put off, because its scenario's clock runs. So a case begins only when its memory is free, when
//! no more guests are busy than there are cores, when the boots that the model foresees for it do not meet more boots than
//! there are cores, and when the cores have time left as it is. Everything is under one lock, and [`Schedule::describe`] shows it.

use super::load::Load;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use vmhealth_sim::cluster::DomainEvent;
use vmhealth_sim::fault::FaultKind;
use vmhealth_sim::trace::{Entry, Event, Trace};
use vmhealth_sim::world::Timings;

/// For a boot whose end is not known yet.
const BOOT: Duration = Duration::from_secs(18);
/// From a fork's start to its verification.
const START: Duration = Duration::from_secs(3);
/// Guests that wait, per core: each costs a few percent of one.
const WAITING_PER_CORE: usize = 20;
/// Of all cores' time: when more is taken, nobody new begins ...
const FULL: f64 = 0.85;
/// ... but for so long only: whoever takes it may not be us.
const HELD: Duration = Duration::from_secs(20);

/// What a case is going to need, as far as can be known before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Forecast {
    /// MiB.
    pub(crate) memory_mib: u64,
    /// When it boots a guest for real, counted from its beginning.
    pub(crate) boots: Vec<Duration>,
    /// How long it takes.
    pub(crate) length: Duration,
}

impl Forecast {
    /// From what happened in the model. A fork does not wait for its boot, a cold guest does.
    pub(crate) fn of(trace: &Trace, timings: &Timings, forked: bool, memory_mib: u64) -> Forecast {
        let saved = if forked { timings.settled.saturating_sub(START) } else { Duration::ZERO };
        let (mut skipped, mut boots, mut last) = (Duration::ZERO, Vec::new(), Duration::ZERO);
        // A boot that is spoilt is another one than the template's.
        let mut forked = forked;
        for entry in trace.sorted() {
            let at = entry.at.since_origin();
            match entry.event {
                Event::FaultConfirmed(FaultKind::SlowBoot | FaultKind::BootLoop) => forked = false,
                Event::Qemu(DomainEvent::Started) if forked => skipped += saved,
                Event::Qemu(DomainEvent::Started) => boots.push(at.saturating_sub(skipped)),
                Event::Qemu(DomainEvent::Reset { .. }) => boots.push(at.saturating_sub(skipped)),
                _ => {}
            }
            last = at;
        }
        Forecast { memory_mib, boots, length: last.saturating_sub(skipped) }
    }
}

/// What a running case's guest does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A fork on its way to being verified.
    Starting,
    /// A guest on its way up for real.
    Booting,
    /// Whatever else: it costs next to nothing.
    Waiting,
}

#[derive(Debug)]
struct Running {
    phase: Phase,
    since: Instant,
    began: Instant,
    forecast: Forecast,
}

#[derive(Debug, Default)]
struct State {
    waiting: BTreeMap<(Reverse<Duration>, usize), Forecast>,
    running: BTreeMap<usize, Running>,
    /// Nothing more comes into the queue.
    closed: bool,
    load: Load,
    admitted: Option<Instant>,
}

/// Who runs and who waits.
#[derive(Debug)]
pub(crate) struct Schedule {
    state: Mutex<State>,
    changed: Notify,
    memory_mib: u64,
    cores: usize,
    jobs: usize,
    /// Guests live by the host's clock, and one that is late is wrong.
    real_time: bool,
}

impl Schedule {
    /// A schedule for so much memory and so many cores; `jobs` bounds it further.
    pub(crate) fn new(memory_mib: u64, cores: usize, jobs: Option<usize>) -> Schedule {
        let jobs = jobs.unwrap_or(cores * WAITING_PER_CORE).max(1);
        Schedule {
            state: Mutex::default(),
            changed: Notify::new(),
            memory_mib,
            cores: cores.max(1),
            jobs,
            real_time: true,
        }
    }

    /// A schedule of guests in guest time: they never wait, and are never late.
    pub(crate) fn in_guest_time(memory_mib: u64, cores: usize, jobs: Option<usize>) -> Schedule {
        Schedule { real_time: false, ..Schedule::new(memory_mib, cores, Some(jobs.unwrap_or(cores))) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a case into the queue; the longest are served first.
    pub(crate) fn enqueue(&self, case: usize, forecast: Forecast) {
        self.lock().waiting.insert((Reverse(forecast.length), case), forecast);
        self.changed.notify_waiters();
    }

    /// Nothing more comes into the queue.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
    }

    /// The next case that may begin; `None` when none is left and none comes.
    pub(crate) async fn next(&self) -> Option<usize> {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.lock();
                if state.waiting.is_empty() && state.closed {
                    return None;
                }
                let now = Instant::now();
                let full = self.real_time && state.load.share(now) > FULL;
                let held = full && state.admitted.is_some_and(|at| now - at < HELD);
                if let Some(case) = (!held).then(|| self.admit(&mut state, now)).flatten() {
                    return Some(case);
                }
            }
            // What is foreseen moves with time, too.
            let _ = tokio::time::timeout(Duration::from_millis(500), changed).await;
        }
    }

    fn admit(&self, state: &mut State, now: Instant) -> Option<usize> {
        let fits = state.waiting.iter().find(|(_, forecast)| self.fits(state, forecast, now));
        let key = fits.map(|(key, _)| *key)?;
        let forecast = state.waiting.remove(&key)?;
        state.admitted = Some(now);
        state.running.insert(key.1, Running { phase: Phase::Starting, since: now, began: now, forecast });
        Some(key.1)
    }

    fn fits(&self, state: &State, forecast: &Forecast, now: Instant) -> bool {
        // Alone everything fits: a guest larger than the budget, more boots than cores.
        if state.running.is_empty() {
            return true;
        }
        let memory: u64 = state.running.values().map(|r| r.forecast.memory_mib).sum();
        let count = |phase| state.running.values().filter(|r| r.phase == phase).count();
        // A start waits for half of its time, for the guest's next pet.
        let busy_now = count(Phase::Booting) + count(Phase::Starting).div_ceil(2);
        let busy: Vec<(Instant, Instant)> = state.running.values().flat_map(|r| r.boots(now)).collect();
        let overlapping = |at: &Duration| {
            let (from, to) = (now + *at, now + *at + BOOT);
            busy.iter().filter(|(begin, end)| *begin < to && from < *end).count()
        };
        let has_room = state.running.len() < self.jobs && memory + forecast.memory_mib <= self.memory_mib;
        if !self.real_time {
            return has_room;
        }
        has_room && busy_now <= self.cores && forecast.boots.iter().map(overlapping).max().unwrap_or(0) < self.cores
    }

    /// A case is over.
    pub(crate) fn end(&self, case: usize) {
        self.lock().running.remove(&case);
        self.changed.notify_waiters();
    }

    /// Sees what a running case does.
    pub(crate) fn observe(&self, case: usize, entry: &Entry) {
        let phase = match &entry.event {
            Event::Qemu(DomainEvent::Started) if entry.replayed => Phase::Starting,
            Event::Qemu(DomainEvent::Started | DomainEvent::Reset { .. }) => Phase::Booting,
            Event::GuestReady | Event::GuestNotReady | Event::Qemu(DomainEvent::Exited(_)) => Phase::Waiting,
            _ => return,
        };
        if let Some(running) = self.lock().running.get_mut(&case)
            && running.phase != phase
        {
            running.phase = phase;
            running.since = Instant::now();
        }
        self.changed.notify_waiters();
    }

    /// In a few words: `12 run (1 starts, 2 boot, 9 wait), 3000 of 18000 MiB, 40 in the queue`.
    pub(crate) fn describe(&self) -> String {
        self.lock().to_string() + &format!(" (budget {} MiB, {} cores)", self.memory_mib, self.cores)
    }
}

impl Running {
    /// The boots that it is in or that are foreseen.
    fn boots(&self, now: Instant) -> Vec<(Instant, Instant)> {
        let present = (self.phase == Phase::Booting).then(|| (now, (self.since + BOOT).max(now + BOOT / 4)));
        let foreseen = self.forecast.boots.iter().map(|at| (self.began + *at, self.began + *at + BOOT));
        foreseen.filter(|(_, end)| *end > now).chain(present).collect()
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |phase| self.running.values().filter(|r| r.phase == phase).count();
        let memory: u64 = self.running.values().map(|r| r.forecast.memory_mib).sum();
        write!(
            f,
            "{} run ({} start, {} boot, {} wait), {memory} MiB, {} in the queue",
            self.running.len(),
            count(Phase::Starting),
            count(Phase::Booting),
            count(Phase::Waiting),
            self.waiting.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forecast(memory_mib: u64, boots: &[u64], length: u64) -> Forecast {
        let boots = boots.iter().map(|s| Duration::from_secs(*s)).collect();
        Forecast { memory_mib, boots, length: Duration::from_secs(length) }
    }

    /// Admits as many as may begin at this moment, each verified at once.
    fn admitted(schedule: &Schedule, now: Instant) -> Vec<usize> {
        let mut begun = Vec::new();
        let mut state = schedule.lock();
        while let Some(case) = schedule.admit(&mut state, now) {
            state.running.get_mut(&case).unwrap().phase = Phase::Waiting;
            begun.push(case);
        }
        begun
    }

    #[test]
    fn by_memory_by_boots_and_the_longest_first() {
        let now = Instant::now();
        let schedule = Schedule::new(1000, 2, None);
        for (case, memory, boots, length) in
            [(0, 100, &[][..], 10), (1, 100, &[12], 40), (2, 100, &[13], 41), (3, 100, &[14], 39), (4, 900, &[], 50)]
        {
            schedule.enqueue(case, forecast(memory, boots, length));
        }
        // 4 is the longest and takes almost all memory: only one more fits.
        assert_eq!(admitted(&schedule, now), [4, 2]);
        schedule.end(4);
        // 3 would boot while 1 and 2 do.
        assert_eq!(admitted(&schedule, now), [1, 0]);
        assert_eq!(admitted(&schedule, now + Duration::from_secs(10)), Vec::<usize>::new());
        // Their boots are over before its own begins.
        assert_eq!(admitted(&schedule, now + Duration::from_secs(18)), [3]);
    }

    #[test]
    fn alone_everything_fits() {
        let schedule = Schedule::new(100, 1, Some(1));
        schedule.enqueue(0, forecast(4000, &[1, 1, 1], 10));
        schedule.enqueue(1, forecast(1, &[], 5));
        assert_eq!(admitted(&schedule, Instant::now()), [0]);
        schedule.end(0);
        assert_eq!(admitted(&schedule, Instant::now()), [1]);
    }

    #[test]
    fn starts_wait_for_cores() {
        let schedule = Schedule::new(1000, 1, None);
        (0..4).for_each(|case| schedule.enqueue(case, forecast(1, &[], 10)));
        let now = Instant::now();
        let mut state = schedule.lock();
        let begun: Vec<_> = (0..4).map(|_| schedule.admit(&mut state, now)).collect();
        assert_eq!(begun, [Some(0), Some(1), Some(2), None]);
    }
}

//! QEMU's vCPU threads as the host schedules them: the one place that decides how urgent a guest is.

use nix::libc;
use std::cell::Cell;
use std::sync::OnceLock;
use std::time::Duration;

/// What happens to a guest and decides how urgent its vCPUs are from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It is switched on, or was reset.
    Boots,
    /// It was seen to be what its profile says.
    Settled,
    /// Its kernel has panicked.
    Panicked {
        /// The kernel counts to its reboot in loops of its own: without a core it would count for ever.
        counts: bool,
    },
    /// Its watchdog is about to end or to reset it, and QEMU waits for the vCPUs first.
    WatchdogEnds,
    /// Its QEMU gets a signal of ours. It stops its vCPUs before it ends, and closes its TAP under the kernel's network lock: a
    /// thread of low priority that has that lock and no core holds up every other guest's start, which was seen to take 17 s.
    Signalled,
}

impl Moment {
    /// `None`: it stays as it is.
    fn priority(self) -> Option<Priority> {
        match self {
            Moment::Boots => Some(Priority::Booting),
            Moment::Settled | Moment::WatchdogEnds | Moment::Signalled => Some(Priority::Normal),
            Moment::Panicked { counts: false } => Some(Priority::Spinning),
            Moment::Panicked { counts: true } => None,
        }
    }
}

/// How urgent a guest's vCPUs are to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Priority {
    /// Like everybody: a guest that mostly waits, and whose answers are timed.
    #[default]
    Normal,
    /// It has work for half a minute; whoever has a moment's work goes first.
    Booting,
    /// A panicked kernel spins until something outside ends it. The device's timer is in QEMU's main loop and is not touched.
    Spinning,
}

impl Priority {
    const fn nice(self) -> libc::c_int {
        match self {
            Priority::Normal => 0,
            Priority::Booting => 4,
            Priority::Spinning => 19,
        }
    }
}

/// How long a guest that somebody waits for was kept from a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waited {
    /// Since its start.
    pub in_all: Duration,
    /// It boots, and gives way to others: that makes it slow, and no less a boot.
    pub gives_way: bool,
}

/// The vCPU threads of one QEMU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VcpuThreads {
    pid: u32,
    /// Linux thread ids, from `query-cpus-fast`.
    tids: Vec<i64>,
    /// A reset may bring the guest back to life after a panic.
    revives: bool,
    priority: Cell<Priority>,
    /// It keeps its cores until its end: the console tells of a panic after QEMU has.
    ending: Cell<bool>,
}

impl VcpuThreads {
    pub(super) fn new(pid: u32, tids: Vec<i64>, revives: bool) -> VcpuThreads {
        VcpuThreads { pid, tids, revives, priority: Cell::default(), ending: Cell::default() }
    }

    /// Makes them as urgent as what happens asks for, if that can be undone or never has to be.
    pub(super) fn at(&self, moment: Moment) {
        self.ending.set(self.ending.get() || moment == Moment::Signalled);
        let Some(priority) = moment.priority().filter(|p| *p != self.priority.get()) else { return };
        let spins = priority == Priority::Spinning;
        if !(spins && self.ending.get()) && (spins && !self.revives || may_restore()) {
            self.set(priority);
            self.priority.set(priority);
        }
    }

    fn set(&self, priority: Priority) {
        for tid in self.tids.iter().filter_map(|t| libc::id_t::try_from(*t).ok()) {
            // SAFETY: plain setpriority(2). A thread that is gone needs no priority.
            unsafe { libc::setpriority(libc::PRIO_PROCESS, tid, priority.nice()) };
        }
    }

    /// How long they have waited for a core; `None` if this kernel does not say, or if they only spin.
    pub(super) fn waited_for_core(&self) -> Option<Waited> {
        let priority = Some(self.priority.get()).filter(|p| *p != Priority::Spinning)?;
        Some(Waited { in_all: self.waited()?, gives_way: priority == Priority::Booting })
    }

    /// How long they have been ready to run without a core so far: the most of any; `None` if this kernel does not say.
    fn waited(&self) -> Option<Duration> {
        let waited = |tid: &i64| {
            // sched-stats.rst: time on the CPU, time waiting for it, timeslices.
            let text = std::fs::read_to_string(format!("/proc/{}/task/{tid}/schedstat", self.pid)).ok()?;
            text.split(' ').nth(1)?.parse().ok().map(Duration::from_nanos)
        };
        self.tids.iter().filter_map(waited).max()
    }
}

/// Whether this process may raise a priority again that it lowered (CAP_SYS_NICE in the initial user namespace), tried
/// out once.
fn may_restore() -> bool {
    static MAY: OnceLock<bool> = OnceLock::new();
    *MAY.get_or_init(|| {
        let attempt = std::thread::spawn(|| {
            // By one only: at the lowest priority this thread could wait for seconds for the core to come back with, and
            // its asker with it.
            // SAFETY: plain setpriority(2) on this thread, which ends with it.
            unsafe {
                libc::setpriority(libc::PRIO_PROCESS, 0, 1) == 0 && libc::setpriority(libc::PRIO_PROCESS, 0, 0) == 0
            }
        });
        attempt.join().unwrap_or(false)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_runs_has_waited_some_time_or_none() {
        // SAFETY: plain gettid(2).
        let tid = unsafe { libc::gettid() };
        let threads = VcpuThreads::new(std::process::id(), vec![i64::from(tid)], true);
        // A kernel without scheduler statistics has nothing to say.
        if std::path::Path::new("/proc/self/schedstat").exists() {
            assert!(threads.waited().is_some());
        }
        assert_eq!(VcpuThreads::new(std::process::id(), vec![-1], true).waited(), None);
    }

    #[test]
    fn what_happens_decides_how_urgent_a_guest_is() {
        let panicked = |counts| Moment::Panicked { counts };
        let up = |nice| if may_restore() { nice } else { 19 };
        // Revives after a panic; what happens; the niceness afterwards.
        let rows: &[(bool, &[Moment], libc::c_int)] = &[
            (false, &[panicked(true)], 0),
            (false, &[panicked(false)], 19),
            (true, &[panicked(false)], if may_restore() { 19 } else { 0 }),
            (false, &[panicked(false), Moment::Boots], up(4)),
            (false, &[panicked(false), Moment::WatchdogEnds], up(0)),
            (false, &[panicked(false), Moment::Signalled], up(0)),
            (false, &[Moment::Signalled, panicked(false)], 0),
            (true, &[Moment::Boots, Moment::Settled], 0),
        ];
        for row in rows {
            let (revives, moments, expected) = (row.0, row.1.to_vec(), &row.2);
            let test = std::thread::spawn(move || {
                // SAFETY: plain gettid(2) and getpriority(2) on this thread.
                let (tid, nice) = unsafe { (libc::gettid(), || libc::getpriority(libc::PRIO_PROCESS, 0)) };
                if may_restore() {
                    // SAFETY: as above; whoever runs the tests may have lowered them.
                    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 0) };
                }
                let threads = VcpuThreads::new(std::process::id(), vec![i64::from(tid)], revives);
                moments.into_iter().for_each(|moment| threads.at(moment));
                nice()
            });
            assert_eq!(test.join().unwrap(), *expected, "{row:?}");
        }
    }
}

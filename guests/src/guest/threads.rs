//! QEMU's vCPU threads as the host schedules them.

use nix::libc;
use std::sync::OnceLock;
use std::time::Duration;

/// How urgent a guest's vCPUs are to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Priority {
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

/// The vCPU threads of one QEMU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VcpuThreads {
    pid: u32,
    /// Linux thread ids, from `query-cpus-fast`.
    tids: Vec<i64>,
}

impl VcpuThreads {
    pub(super) fn new(pid: u32, tids: Vec<i64>) -> VcpuThreads {
        VcpuThreads { pid, tids }
    }

    /// Makes them as urgent; more urgent than before only where [`may_restore`] says so.
    pub fn set(&self, priority: Priority) {
        for tid in self.tids.iter().filter_map(|t| libc::id_t::try_from(*t).ok()) {
            // SAFETY: plain setpriority(2). A thread that is gone needs no priority.
            unsafe { libc::setpriority(libc::PRIO_PROCESS, tid, priority.nice()) };
        }
    }

    /// How long they have been ready to run without a core so far: the most of any; `None` if this kernel does not say.
    pub fn waited(&self) -> Option<Duration> {
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
pub fn may_restore() -> bool {
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
        let threads = VcpuThreads::new(std::process::id(), vec![i64::from(tid)]);
        // A kernel without scheduler statistics has nothing to say.
        if std::path::Path::new("/proc/self/schedstat").exists() {
            assert!(threads.waited().is_some());
        }
        assert_eq!(VcpuThreads::new(std::process::id(), vec![-1]).waited(), None);
    }

    #[test]
    fn priorities_go_down_and_where_allowed_up_again() {
        let test = std::thread::spawn(|| {
            // SAFETY: plain gettid(2) and getpriority(2) on this thread.
            let (tid, nice) = unsafe { (libc::gettid(), || libc::getpriority(libc::PRIO_PROCESS, 0)) };
            let threads = VcpuThreads::new(std::process::id(), vec![i64::from(tid)]);
            threads.set(Priority::Spinning);
            assert_eq!(nice(), Priority::Spinning.nice());
            threads.set(Priority::Normal);
            assert_eq!(nice(), if may_restore() { 0 } else { Priority::Spinning.nice() });
        });
        test.join().unwrap();
    }
}

//! The host's own time and waits, asked of the kernel directly: the libc functions of these names are ours.

use libc::{c_int, c_long, clockid_t, nfds_t, pollfd, sigset_t, timespec};

pub(crate) const SECOND: i64 = 1_000_000_000;

/// A clock of the host's, ns.
pub(crate) fn clock(id: clockid_t) -> i64 {
    let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` outlives the call.
    unsafe { libc::syscall(libc::SYS_clock_gettime, c_long::from(id), &raw mut time) };
    nanoseconds(&time)
}

/// The CPU time of a thread of this process, ns; 0 once it has ended.
pub(crate) fn cpu_time(thread: u32) -> i64 {
    // linux/posix-timers.h: MAKE_THREAD_CPUCLOCK(tid, CPUCLOCK_SCHED).
    clock((!(thread as c_int) << 3) | 6)
}

/// The kernel's id of this thread.
pub(crate) fn thread() -> u32 {
    // SAFETY: it has no arguments and cannot fail.
    (unsafe { libc::syscall(libc::SYS_gettid) }) as u32
}

/// `ppoll` for at most so many ns of the host's time, or without an end.
///
/// # Safety
/// As of ppoll.
pub(crate) unsafe fn poll(fds: *mut pollfd, count: nfds_t, limit: Option<i64>, mask: *const sigset_t) -> c_int {
    let limit = limit.map(timespec_of);
    let limit = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // The kernel's signal sets have 8 bytes.
    unsafe { libc::syscall(libc::SYS_ppoll, fds, count, limit, mask, 8usize) as c_int }
}

pub(crate) fn nanoseconds(time: &timespec) -> i64 {
    time.tv_sec.saturating_mul(SECOND).saturating_add(time.tv_nsec)
}

pub(crate) fn timespec_of(nanoseconds: i64) -> timespec {
    timespec { tv_sec: nanoseconds.div_euclid(SECOND), tv_nsec: nanoseconds.rem_euclid(SECOND) }
}

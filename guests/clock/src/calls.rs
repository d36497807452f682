//! The calls that are taken over, each with its reason.
//!
//! | call | why |
//! |---|---|
//! | `clock_gettime`, `gettimeofday`, `time` | QEMU's clocks (and GLib's): guest time |
//! | `ppoll`, `poll` | the main loop's waits for its timers: guest time; other threads' are the host's |
//! | `pthread_create`, `pthread_setname_np` | which threads are vCPUs (`CPU 0/TCG`) and disk workers (`worker`) |
//! | `pthread_cond_wait`, `_timedwait`, `_signal`, `_broadcast` | when they sleep |
//! | `sendmsg`, `sendto`, `writev` | what QEMU sends to its monitor, its agent's socket and its network |
//!
//! Left alone, because what waits there waits for the host and not for guest time: `nanosleep` and `usleep` (the RCU thread's
//! pauses), `sigtimedwait`, `epoll_wait` and io_uring (nested waits for disk requests), `select`.

use crate::real::{nanoseconds, timespec_of};
use crate::sleepers::Role;
use crate::{clock, link, main_loop, real, tsc};
use libc::{
    c_char, c_int, c_void, clockid_t, nfds_t, pollfd, pthread_attr_t, pthread_cond_t, pthread_mutex_t, pthread_t,
    sigset_t, size_t, sockaddr, socklen_t, ssize_t, time_t, timespec, timeval,
};
use std::cell::Cell;
use std::ffi::CStr;
use std::sync::atomic::{AtomicPtr, Ordering::SeqCst};

thread_local! {
    /// This thread's place among the sleepers.
    static PLACE: Cell<Option<usize>> = const { Cell::new(None) };
    /// Whether it runs the main loop, once that is known.
    static IS_MAIN: Cell<Option<bool>> = const { Cell::new(None) };
}

#[used]
#[unsafe(link_section = ".init_array")]
static BEGIN: extern "C" fn() = begin;

extern "C" fn begin() {
    let problem = match link::open() {
        None => return,
        Some(Ok(page)) => {
            clock::begin(page);
            match tsc::take_over() {
                true => return,
                false => "the time-stamp counter cannot be taken over",
            }
        }
        Some(Err(problem)) => problem,
    };
    eprintln!("vmhealth's clock: {problem}");
    // SAFETY: a QEMU that ran on the host's clock unnoticed would give wrong answers.
    unsafe { libc::_exit(70) };
}

/// A function of the libc's own, found once.
macro_rules! real {
    ($name:literal, $version:literal, $type:ty) => {{
        static FOUND: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
        let mut found = FOUND.load(SeqCst);
        if found.is_null() {
            // SAFETY: both end in 0. With a version, because the default may be the oldest.
            found = unsafe {
                let name = concat!($name, "\0").as_ptr().cast::<c_char>();
                let versioned = libc::dlvsym(libc::RTLD_NEXT, name, concat!($version, "\0").as_ptr().cast());
                if versioned.is_null() { libc::dlsym(libc::RTLD_NEXT, name) } else { versioned }
            };
            FOUND.store(found, SeqCst);
        }
        // SAFETY: that function has this type.
        unsafe { std::mem::transmute::<*mut c_void, $type>(found) }
    }};
}

// Clocks.

#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(id: clockid_t, time: *mut timespec) -> c_int {
    match clock::page().and_then(|page| clock::on(page, id)) {
        Some(now) => {
            // SAFETY: the caller's.
            unsafe { *time = timespec_of(now) };
            0
        }
        // SAFETY: the caller's.
        None => unsafe { libc::syscall(libc::SYS_clock_gettime, libc::c_long::from(id), time) as c_int },
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn gettimeofday(time: *mut timeval, _zone: *mut c_void) -> c_int {
    let now = timespec_of(wall());
    if !time.is_null() {
        // SAFETY: the caller's.
        unsafe { *time = timeval { tv_sec: now.tv_sec, tv_usec: now.tv_nsec / 1000 } };
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn time(time: *mut time_t) -> time_t {
    let now = timespec_of(wall()).tv_sec;
    if !time.is_null() {
        // SAFETY: the caller's.
        unsafe { *time = now };
    }
    now
}

fn wall() -> i64 {
    let ours = clock::page().and_then(|page| clock::on(page, libc::CLOCK_REALTIME));
    ours.unwrap_or_else(|| real::clock(libc::CLOCK_REALTIME))
}

// The main loop's waits.

/// # Safety
/// As of ppoll.
unsafe fn wait(fds: *mut pollfd, count: nfds_t, limit: Option<i64>, mask: *const sigset_t) -> c_int {
    let main = || {
        // SAFETY: it cannot fail.
        let process = unsafe { libc::getpid() };
        u32::try_from(process).is_ok_and(|process| process == real::thread())
    };
    let is_main = IS_MAIN.get().unwrap_or_else(|| {
        let is_main = main();
        IS_MAIN.set(Some(is_main));
        is_main
    });
    match clock::page() {
        // SAFETY: the caller's.
        Some(page) if is_main && limit != Some(0) => unsafe { main_loop::wait(page, fds, count, limit, mask) },
        // SAFETY: the caller's.
        _ => unsafe { real::poll(fds, count, limit, mask) },
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ppoll(fds: *mut pollfd, count: nfds_t, limit: *const timespec, mask: *const sigset_t) -> c_int {
    // SAFETY: the caller's.
    unsafe { wait(fds, count, limit.as_ref().map(nanoseconds), mask) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __ppoll_chk(
    fds: *mut pollfd,
    count: nfds_t,
    limit: *const timespec,
    mask: *const sigset_t,
    _length: size_t,
) -> c_int {
    // SAFETY: the caller's.
    unsafe { ppoll(fds, count, limit, mask) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn poll(fds: *mut pollfd, count: nfds_t, limit: c_int) -> c_int {
    let limit = (limit >= 0).then(|| i64::from(limit) * 1_000_000);
    // SAFETY: the caller's.
    unsafe { wait(fds, count, limit, std::ptr::null()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __poll_chk(fds: *mut pollfd, count: nfds_t, limit: c_int, _length: size_t) -> c_int {
    // SAFETY: the caller's.
    unsafe { poll(fds, count, limit) }
}

// Threads.

type Start = extern "C" fn(*mut c_void) -> *mut c_void;

struct Beginning {
    start: Start,
    argument: *mut c_void,
    place: Option<usize>,
}

extern "C" fn thread(beginning: *mut c_void) -> *mut c_void {
    // SAFETY: what `pthread_create` below leaked for us.
    let Beginning { start, argument, place } = *unsafe { Box::from_raw(beginning.cast::<Beginning>()) };
    PLACE.set(place);
    let result = start(argument);
    leave();
    result
}

/// This thread counts, as what it is.
fn count_as(role: Role) {
    let place = PLACE.get().or_else(|| clock::SLEEPERS.join());
    PLACE.set(place);
    if let Some(place) = place {
        clock::SLEEPERS.place(place).thread.store(real::thread(), SeqCst);
        clock::SLEEPERS.name(place, role);
    }
}

/// This thread does not count, or no longer.
fn leave() {
    if let Some(place) = PLACE.take() {
        clock::SLEEPERS.leave(place);
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_create(
    thread_id: *mut pthread_t,
    attributes: *const pthread_attr_t,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    type Create = unsafe extern "C" fn(*mut pthread_t, *const pthread_attr_t, Start, *mut c_void) -> c_int;
    let create = real!("pthread_create", "GLIBC_2.34", Create);
    if clock::page().is_none() {
        // SAFETY: the caller's.
        return unsafe { create(thread_id, attributes, start, argument) };
    }
    // It counts from now on: a request for the disk may be waiting for it. What begins before the guest has a vCPU has no such
    // request, and may never tell its name (the RCU thread, which begins before QEMU knows that threads are to be named).
    let place = if clock::SLEEPERS.has_vcpus() { clock::SLEEPERS.join() } else { None };
    let beginning = Box::into_raw(Box::new(Beginning { start, argument, place }));
    // SAFETY: the caller's; the thread takes the box.
    let result = unsafe { create(thread_id, attributes, thread, beginning.cast()) };
    if result != 0 {
        // SAFETY: no thread has it.
        drop(unsafe { Box::from_raw(beginning) });
        place.into_iter().for_each(|place| clock::SLEEPERS.leave(place));
    }
    result
}

/// QEMU's threads name themselves as they begin (`-name debug-threads=on`).
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_setname_np(thread: pthread_t, name: *const c_char) -> c_int {
    // SAFETY: the caller's.
    let text = unsafe { CStr::from_ptr(name) }.to_bytes();
    // SAFETY: it cannot fail.
    if thread == unsafe { libc::pthread_self() } {
        match text {
            [b'C', b'P', b'U', b' ', ..] => count_as(Role::Vcpu),
            b"worker" => count_as(Role::Worker),
            _ => leave(),
        }
    }
    let set_name = real!("pthread_setname_np", "GLIBC_2.34", unsafe extern "C" fn(pthread_t, *const c_char) -> c_int);
    // SAFETY: the caller's.
    unsafe { set_name(thread, name) }
}

// When they sleep.

/// Sleeps in `wait` on a condition.
fn sleep_on(condition: *mut pthread_cond_t, wait: impl FnOnce() -> c_int) -> c_int {
    let Some(place) = PLACE.get() else { return wait() };
    if clock::SLEEPERS.role(place) == Role::Unknown as u32 {
        // It sleeps before it has a name: none of QEMU's.
        leave();
        return wait();
    }
    if let Some(page) = clock::page() {
        // What it did so far is guest time, before its place says that it sleeps.
        clock::now(page);
    }
    if clock::SLEEPERS.sleep(place, condition as usize) {
        main_loop::all_sleep_now();
    }
    let result = wait();
    clock::SLEEPERS.wake(place);
    result
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_cond_wait(condition: *mut pthread_cond_t, mutex: *mut pthread_mutex_t) -> c_int {
    type Wait = unsafe extern "C" fn(*mut pthread_cond_t, *mut pthread_mutex_t) -> c_int;
    let wait = real!("pthread_cond_wait", "GLIBC_2.3.2", Wait);
    // SAFETY: the caller's.
    sleep_on(condition, || unsafe { wait(condition, mutex) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_cond_timedwait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    until: *const timespec,
) -> c_int {
    type Wait = unsafe extern "C" fn(*mut pthread_cond_t, *mut pthread_mutex_t, *const timespec) -> c_int;
    let wait = real!("pthread_cond_timedwait", "GLIBC_2.3.2", Wait);
    // SAFETY: the caller's.
    let until = on_the_hosts_clock(unsafe { *until });
    // SAFETY: the caller's.
    sleep_on(condition, || unsafe { wait(condition, mutex, &raw const until) })
}

/// An instant that QEMU has computed from guest time, on the clock that the kernel waits by: as far away as it was.
fn on_the_hosts_clock(until: timespec) -> timespec {
    // Whichever clock the condition has: no host has been up for thirty years.
    let id = if until.tv_sec > 1_000_000_000 { libc::CLOCK_REALTIME } else { libc::CLOCK_MONOTONIC };
    match clock::page().and_then(|page| clock::on(page, id)) {
        Some(now) => timespec_of(real::clock(id).saturating_add((nanoseconds(&until) - now).max(0))),
        None => until,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_cond_signal(condition: *mut pthread_cond_t) -> c_int {
    clock::SLEEPERS.signal(condition as usize, false);
    let signal = real!("pthread_cond_signal", "GLIBC_2.3.2", unsafe extern "C" fn(*mut pthread_cond_t) -> c_int);
    // SAFETY: the caller's.
    unsafe { signal(condition) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_cond_broadcast(condition: *mut pthread_cond_t) -> c_int {
    clock::SLEEPERS.signal(condition as usize, true);
    let broadcast = real!("pthread_cond_broadcast", "GLIBC_2.3.2", unsafe extern "C" fn(*mut pthread_cond_t) -> c_int);
    // SAFETY: the caller's.
    unsafe { broadcast(condition) }
}

// What is sent.

/// The runner does not know of it yet.
fn sent(result: ssize_t) -> ssize_t {
    if let Some(page) = clock::page().filter(|_| result > 0) {
        page.sent.fetch_add(1, SeqCst);
    }
    result
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sendmsg(fd: c_int, message: *const libc::msghdr, flags: c_int) -> ssize_t {
    // SAFETY: the caller's.
    sent(unsafe { libc::syscall(libc::SYS_sendmsg, fd, message, flags) as ssize_t })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sendto(
    fd: c_int,
    bytes: *const c_void,
    count: size_t,
    flags: c_int,
    to: *const sockaddr,
    length: socklen_t,
) -> ssize_t {
    // SAFETY: the caller's.
    sent(unsafe { libc::syscall(libc::SYS_sendto, fd, bytes, count, flags, to, length) as ssize_t })
}

/// Frames to a TAP; the console's file gets its text by it, too, and nobody waits for that.
#[unsafe(no_mangle)]
unsafe extern "C" fn writev(fd: c_int, parts: *const libc::iovec, count: c_int) -> ssize_t {
    // SAFETY: the caller's.
    let result = unsafe { libc::syscall(libc::SYS_writev, fd, parts, count) as ssize_t };
    // SAFETY: `status` is ours.
    let is_file = unsafe {
        let mut status: libc::stat = std::mem::zeroed();
        libc::fstat(fd, &raw mut status) == 0 && status.st_mode & libc::S_IFMT == libc::S_IFREG
    };
    if is_file { result } else { sent(result) }
}

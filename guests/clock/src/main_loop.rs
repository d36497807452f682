//! How QEMU's main loop waits: for its descriptors as ever, for its timers in guest time.

use crate::page::{Page, Stand};
use crate::{clock, link, real};
use libc::{c_int, nfds_t, pollfd, sigset_t};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// More descriptors than QEMU has here: with more it is woken by time alone.
const MOST: usize = 510;
/// While vCPUs run, guest time is looked at at least so often, ns of the host's.
const LONGEST_NAP: i64 = 5_000_000;
const SHORTEST_NAP: i64 = 20_000;

/// It naps while vCPUs run, and wants to know when the last of them sleeps.
static NAPS: AtomicBool = AtomicBool::new(false);

/// The last thread that ran went to sleep.
pub(crate) fn all_sleep_now() {
    if NAPS.load(SeqCst) {
        link::tell_main_loop();
    }
}

/// `ppoll` for `limit` ns of guest time, or without an end.
///
/// # Safety
/// As of ppoll.
pub(crate) unsafe fn wait(
    page: &Page,
    fds: *mut pollfd,
    count: nfds_t,
    limit: Option<i64>,
    mask: *const sigset_t,
) -> c_int {
    let begun = clock::now(page);
    let due = limit.map_or(i64::MAX, |span| begun.saturating_add(span));
    clock::main_loop_waits_for(due);
    // SAFETY: the caller's.
    let ready = unsafe { wait_until(page, fds, count, due, mask) };
    clock::main_loop_works(page.now.load(SeqCst));
    ready
}

/// # Safety
/// As of ppoll.
unsafe fn wait_until(page: &Page, fds: *mut pollfd, count: nfds_t, due: i64, mask: *const sigset_t) -> c_int {
    loop {
        // Asked before the descriptors are: what a thread did before it slept is seen in them.
        let idle = clock::SLEEPERS.all_sleep();
        // SAFETY: the caller's.
        let ready = unsafe { real::poll(fds, count, Some(0), mask) };
        if ready != 0 {
            return ready;
        }
        let now = clock::now(page);
        if now >= due {
            return 0;
        }
        let room = page.limit.load(SeqCst);
        let ready = if now >= room {
            stand(page, Stand::AtLimit);
            // SAFETY: the caller's.
            unsafe { listen(fds, count, None, mask) }
        } else if idle && page.sent.load(SeqCst) != page.dealt_with.load(SeqCst) {
            stand(page, Stand::Asks);
            // SAFETY: the caller's.
            unsafe { listen(fds, count, None, mask) }
        } else if idle {
            clock::advance(page, due.min(room) - now);
            0
        } else {
            let speed = i128::from(clock::speed_milli(page));
            let nap = i64::try_from(i128::from(due.min(room) - now) * 1000 / speed).unwrap_or(i64::MAX);
            NAPS.store(true, SeqCst);
            // It may have become idle before that was said.
            let nap = if clock::SLEEPERS.all_sleep() { 0 } else { nap.clamp(SHORTEST_NAP, LONGEST_NAP) };
            // SAFETY: the caller's.
            let ready = unsafe { listen(fds, count, Some(nap), mask) };
            NAPS.store(false, SeqCst);
            ready
        };
        page.stand.store(Stand::Runs as u32, SeqCst);
        if ready != 0 {
            return ready;
        }
    }
}

fn stand(page: &Page, how: Stand) {
    page.stand.store(how as u32, SeqCst);
    link::tell_runner();
}

/// Waits for the caller's descriptors or for a waker; 0 if it was only a waker or the time.
///
/// # Safety
/// As of ppoll.
unsafe fn listen(fds: *mut pollfd, count: nfds_t, limit: Option<i64>, mask: *const sigset_t) -> c_int {
    let own = usize::try_from(count).unwrap_or(usize::MAX);
    let mut all = [pollfd { fd: -1, events: 0, revents: 0 }; MOST + 2];
    if own > MOST {
        // SAFETY: the caller's.
        return unsafe { real::poll(fds, count, Some(limit.unwrap_or(LONGEST_NAP).min(LONGEST_NAP)), mask) };
    }
    if own > 0 {
        // SAFETY: the caller says that there are so many.
        all[..own].copy_from_slice(unsafe { std::slice::from_raw_parts(fds, own) });
    }
    all[own..own + 2].copy_from_slice(&link::wakers());
    // SAFETY: `all` has as many; the mask is the caller's.
    let ready = unsafe { real::poll(all.as_mut_ptr(), count + 2, limit, mask) };
    if ready < 0 {
        return ready;
    }
    link::drain(&all[own..own + 2]);
    let mut seen = 0;
    for (i, fd) in all[..own].iter().enumerate() {
        // SAFETY: within what the caller gave.
        unsafe { (*fds.add(i)).revents = fd.revents };
        seen += c_int::from(fd.revents != 0);
    }
    seen
}

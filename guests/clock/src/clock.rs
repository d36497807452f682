//! Guest time: one number, grown by what the vCPUs did and by jumps, never past the limit.
//!
//! Called from QEMU's threads and from the handler of its `rdtsc`: no lock, no allocation, nothing but atomics and
//! `clock_gettime`.

use crate::page::Page;
use crate::real;
use crate::sleepers::Sleepers;
use std::sync::atomic::{AtomicI64, AtomicPtr, Ordering::SeqCst};

/// All threads of this QEMU that count.
pub(crate) static SLEEPERS: Sleepers = Sleepers::new();

static PAGE: AtomicPtr<Page> = AtomicPtr::new(std::ptr::null_mut());
/// What guest time 0 is on CLOCK_MONOTONIC.
static MONOTONIC: AtomicI64 = AtomicI64::new(0);
/// Guest time does not pass this before the main loop has seen it.
static DUE: AtomicI64 = AtomicI64::new(i64::MAX);

/// Takes the clock over, from now on.
pub(crate) fn begin(page: &'static Page) {
    // Guests of one scenario begin at different times of it: what is 0 for them all is as long ago.
    let now = page.now.load(SeqCst);
    MONOTONIC.store(real::clock(libc::CLOCK_MONOTONIC) - now, SeqCst);
    PAGE.store(std::ptr::from_ref(page).cast_mut(), SeqCst);
}

/// The page, once the clock is ours.
pub(crate) fn page() -> Option<&'static Page> {
    // SAFETY: null, or what `begin` got, which is never unmapped.
    unsafe { PAGE.load(SeqCst).as_ref() }
}

/// Guest time, ns.
pub(crate) fn now(page: &Page) -> i64 {
    let mut grown = 0;
    for vcpu in SLEEPERS.running_vcpus() {
        let cpu = real::cpu_time(vcpu.thread.load(SeqCst));
        // Whoever asks first counts it: no other will.
        let before = vcpu.counted.fetch_max(cpu, SeqCst);
        grown = grown.max(cpu - before);
    }
    if grown > 0 {
        // Two vCPUs that run side by side are one second, not two: the one that got most counts.
        advance(page, scaled(grown, speed_milli(page)));
    }
    page.now.load(SeqCst)
}

/// How far guest time may go on while the main loop is at work: a vCPU that a timer has just woken must find that timer's time
/// over. (Linux on s390x drops a clock comparator interrupt that comes before its time, and QEMU does not repeat it.)
const WHILE_AT_WORK: i64 = 1_000_000;

/// The main loop waits for its next timer, at `due`. So no timer is late, however long the host keeps the main loop from a core
/// and however fast the guest's time goes.
pub(crate) fn main_loop_waits_for(due: i64) {
    DUE.store(due, SeqCst);
}

/// The main loop runs timers, or whatever else has come.
pub(crate) fn main_loop_works(now: i64) {
    DUE.store(now.saturating_add(WHILE_AT_WORK), SeqCst);
}

/// Lets guest time go on by `span`, to the limit or the main loop's next timer at most.
pub(crate) fn advance(page: &Page, span: i64) {
    let limit = page.limit.load(SeqCst).min(DUE.load(SeqCst));
    let grow = |now: i64| (now < limit).then(|| now.saturating_add(span).min(limit));
    // An error is one of a time that is there already.
    let _ = page.now.fetch_update(SeqCst, SeqCst, grow);
}

/// What guest time is on one of the host's clocks; `None`: that clock is not ours.
pub(crate) fn on(page: &Page, id: libc::clockid_t) -> Option<i64> {
    match id {
        libc::CLOCK_MONOTONIC | libc::CLOCK_MONOTONIC_RAW | libc::CLOCK_MONOTONIC_COARSE | libc::CLOCK_BOOTTIME => {
            Some(MONOTONIC.load(SeqCst) + now(page))
        }
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE => Some(page.wall.load(SeqCst) + now(page)),
        _ => None,
    }
}

/// Thousandths of guest time for CPU time. What has just been sent may change the speed: until the runner has seen it, the
/// guest is not faster than its CPU.
pub(crate) fn speed_milli(page: &Page) -> i64 {
    let speed = page.speed_milli.load(SeqCst).max(1);
    let unseen = page.sent.load(SeqCst) != page.dealt_with.load(SeqCst);
    if unseen { speed.min(1000) } else { speed }
}

fn scaled(span: i64, milli: i64) -> i64 {
    i64::try_from(i128::from(span) * i128::from(milli) / 1000).unwrap_or(i64::MAX)
}

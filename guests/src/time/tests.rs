//! Guest time without a guest, and with a QEMU that only moves its clock.

use super::{ThreadError, hold, now, on_own_thread, patience, sleep, timeout, wall};
use crate::guest_time::{GuestClock, Timekeeping};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use vmhealth_clock::Paths;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
/// Of the host's: long enough to see that nothing happens.
const MOMENT: Duration = Duration::from_millis(30);

fn try_in_guest_time<T, F>(job: impl FnOnce() -> F + Send + 'static) -> Result<T, ThreadError>
where
    T: Send + 'static,
    F: Future<Output = T> + 'static,
{
    let keeping = Timekeeping::Guest { object: "none".into(), speed: 1.0, pace: None };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(on_own_thread(&keeping, job))
}

fn in_guest_time<T: Send + 'static, F: Future<Output = T> + 'static>(job: impl FnOnce() -> F + Send + 'static) -> T {
    try_in_guest_time(job).unwrap()
}

/// A QEMU that goes to its limit at once, and says so.
fn fake_qemu(folder: &Path, clock: Arc<GuestClock>, ended: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    let paths = Paths::in_folder(folder);
    let both_ways = |path| std::fs::File::options().read(true).write(true).open(path).unwrap();
    let (mut wake, mut stop) = (both_ways(&paths.wake), both_ways(&paths.stop));
    std::thread::spawn(move || {
        while !ended.load(SeqCst) {
            wake.read_exact(&mut [0]).unwrap();
            clock.reach_limit();
            stop.write_all(&[1]).unwrap();
        }
    })
}

#[test]
fn without_a_guest_time_jumps_to_the_next_wait() {
    let (passed, order) = in_guest_time(async || {
        let (begun, begun_wall) = (now(), wall());
        let order = std::cell::RefCell::default();
        let wait = async |days: u32| {
            sleep(days * DAY).await;
            let order: &std::cell::RefCell<Vec<_>> = &order;
            order.borrow_mut().push((days, now() - begun));
        };
        tokio::join!(wait(3), wait(1), wait(2));
        assert_eq!(wall().duration_since(begun_wall).unwrap(), 3 * DAY);
        (now() - begun, order.into_inner())
    });
    assert_eq!(passed, 3 * DAY);
    assert_eq!(order, [(1, DAY), (2, 2 * DAY), (3, 3 * DAY)]);
}

#[test]
fn while_it_is_held_time_stands_still() {
    in_guest_time(async || {
        let held = hold();
        let begun = now();
        assert!(tokio::time::timeout(MOMENT, sleep(SECOND)).await.is_err());
        assert_eq!(now(), begun);
        drop(held);
        sleep(SECOND).await;
        assert_eq!(now(), begun + SECOND);
    });
}

/// What has come over a socket is seen before the time for it is over, although its reader has much to do before it reads.
#[test]
fn what_has_come_is_dealt_with_before_time_goes_on() {
    in_guest_time(async || {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.try_write(b"answer").unwrap();
        let read = async {
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
            ours.readable().await
        };
        assert!(timeout(Duration::from_nanos(1), read).await.is_ok());
        let nothing = timeout(DAY, theirs.readable()).await;
        assert!(nothing.is_err(), "and what never comes costs nothing");
    });
}

#[test]
fn guests_go_on_together_and_stop_at_the_instant_that_is_waited_for() {
    in_guest_time(async || {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let ended = Arc::new(AtomicBool::new(false));
        let begun = now();
        let held = hold();
        let mut guests = Vec::new();
        for folder in &folders {
            let (clock, place) = super::create_clock(folder.path(), 1.0).unwrap();
            guests.push((clock.clone(), place, fake_qemu(folder.path(), clock, ended.clone())));
        }
        drop(held);
        for _ in 0..3 {
            sleep(Duration::from_millis(333)).await;
            let at: Vec<_> = guests.iter().map(|(clock, ..)| clock.now()).collect();
            assert_eq!(at, [now() - begun; 2]);
        }
        assert_eq!(now() - begun, Duration::from_millis(999));
        ended.store(true, SeqCst);
        for (clock, place, thread) in guests {
            drop(place);
            clock.go_on(Duration::ZERO, 0).unwrap();
            thread.join().unwrap();
        }
        // What the guests had reached stays reached, and time goes on without them.
        sleep(DAY).await;
        assert_eq!(now() - begun, DAY + Duration::from_millis(999));
    });
}

/// A QEMU that never comes to its main loop.
#[test]
fn a_clock_that_stands_ends_the_job_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let stands = try_in_guest_time(async move || {
        let _guest = super::create_clock(&path, 1.0).unwrap();
        sleep(SECOND).await;
    });
    let why = stands.unwrap_err().to_string();
    assert!(why.starts_with("QEMU's clock has stood at 0.000 s"), "{why}");
}

#[tokio::test]
async fn a_job_that_is_given_up_is_dropped() {
    let (dropped, seen) = oneshot::channel::<()>();
    let job = on_own_thread(&Timekeeping::Real, async move || {
        let _dropped = dropped;
        std::future::pending::<()>().await;
    });
    assert!(tokio::time::timeout(MOMENT, job).await.is_err());
    assert!(seen.await.is_err(), "the sender is gone");
}

/// A process that is stopped has not waited.
#[tokio::test]
async fn patience_counts_only_while_this_process_runs() {
    let begun = tokio::time::Instant::now();
    assert!(patience(MOMENT, std::future::pending::<()>()).await.is_err());
    assert!(begun.elapsed() >= MOMENT);
    // As if stopped: nobody runs on this thread, and what is waited for comes meanwhile.
    let (answer, waits) = oneshot::channel::<()>();
    let stopped = async {
        tokio::task::yield_now().await;
        std::thread::sleep(2 * SECOND);
        tokio::time::sleep(MOMENT).await;
        answer.send(()).unwrap();
    };
    let (answered, ()) = tokio::join!(patience(SECOND, waits), stopped);
    assert!(answered.is_ok());
}

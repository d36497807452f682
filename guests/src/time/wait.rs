//! Waiting, and what time it is.

use crate::guest_time::{GuestClock, SharedTime, Wait};
use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

thread_local! {
    /// This thread's, if it lives in guest time.
    static TIME: RefCell<Option<Rc<SharedTime>>> = const { RefCell::new(None) };
}

/// Of a wait for the host, looked at by itself.
const SLICE: Duration = Duration::from_millis(200);
/// A slice that takes so much longer was no waiting: this process did not run.
const ABSENT: Duration = Duration::from_secs(1);

/// For a wait that never ends, as tokio's.
const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);

fn shared() -> Option<Rc<SharedTime>> {
    // A thread that ends has none any more.
    TIME.try_with(|time| time.borrow().clone()).ok().flatten()
}

/// This thread lives by `time` until that is dropped.
pub(super) fn live_by(time: Rc<SharedTime>) -> impl Drop {
    struct Lives;
    impl Drop for Lives {
        fn drop(&mut self) {
            TIME.set(None);
        }
    }
    TIME.set(Some(time));
    Lives
}

/// What time it is.
pub fn now() -> Instant {
    shared().map_or_else(Instant::now, |time| time.instant())
}

/// What a guest's wall clock shows.
pub fn wall() -> SystemTime {
    shared().map_or_else(SystemTime::now, |time| time.wall())
}

/// Waits.
pub fn sleep(span: Duration) -> impl Future<Output = ()> {
    let now = now();
    sleep_until(now.checked_add(span).unwrap_or(now + FAR))
}

/// Waits until then.
pub fn sleep_until(until: Instant) -> impl Future<Output = ()> {
    match shared() {
        Some(time) => Sleep::Guest(time.wait(until)),
        None => Sleep::Real(Box::pin(tokio::time::sleep_until(until))),
    }
}

enum Sleep {
    Guest(Wait),
    Real(Pin<Box<tokio::time::Sleep>>),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match self.get_mut() {
            Sleep::Guest(wait) => Pin::new(wait).poll(context),
            Sleep::Real(sleep) => sleep.as_mut().poll(context),
        }
    }
}

/// The time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time is over")]
pub struct Elapsed;

/// What `what` comes to, if it does so within `limit`.
pub async fn timeout<F: Future>(limit: Duration, what: F) -> Result<F::Output, Elapsed> {
    either(what, sleep(limit)).await
}

/// What `what` comes to, if it does so before `deadline`.
pub async fn timeout_at<F: Future>(deadline: Instant, what: F) -> Result<F::Output, Elapsed> {
    either(what, sleep_until(deadline)).await
}

/// What `what` comes to, if the host gets it done within `limit`, whatever clock this thread lives by. What this process was
/// stopped for (SIGSTOP, a debugger, a machine that is put to sleep) hardly counts: what came meanwhile was only not read.
pub async fn patience<F: Future>(limit: Duration, what: F) -> Result<F::Output, Elapsed> {
    let over = async {
        let mut left = limit;
        while !left.is_zero() {
            let (slice, begun) = (left.min(SLICE), Instant::now());
            tokio::time::sleep(slice).await;
            // Half at least: on a host that is always late it has an end as well.
            left -= if begun.elapsed() < slice + ABSENT { slice } else { (slice / 2).max(Duration::from_nanos(1)) };
        }
    };
    either(what, over).await
}

async fn either<F: Future>(what: F, over: impl Future<Output = ()>) -> Result<F::Output, Elapsed> {
    let (what, over) = (pin!(what), pin!(over));
    tokio::select! {
        biased;
        done = what => Ok(done),
        () = over => Err(Elapsed),
    }
}

/// Every so often. What was missed meanwhile is left out.
#[derive(Debug)]
pub struct Ticks {
    next: Instant,
    every: Duration,
}

impl Ticks {
    /// The first is now.
    pub fn new(every: Duration) -> Ticks {
        Ticks { next: now(), every }
    }

    /// Waits for the next.
    pub async fn tick(&mut self) {
        sleep_until(self.next).await;
        let now = now();
        while self.next <= now {
            self.next += self.every;
        }
    }
}

/// Guest time stands still for as long as this lives; the host's cannot.
#[derive(Debug)]
pub struct Hold(());

/// Holds guest time while something is waited for that takes none: a process that starts or ends, an answer of QEMU's.
pub fn hold() -> Hold {
    shared().inspect(|time| time.hold());
    Hold(())
}

/// How much guest time may pass in a second of the host's from here on; `None`: as much as can. The host's cannot be changed.
pub fn set_pace(pace: Option<f64>) {
    shared().inspect(|time| time.set_pace(pace));
}

impl Drop for Hold {
    fn drop(&mut self) {
        shared().inspect(|time| time.release());
    }
}

/// The clock of a QEMU that is to be started, and its place in this thread's time until that is dropped. `folder` and `speed`
/// as for [`GuestClock::create`].
pub(crate) fn create_clock(folder: &Path, speed: f64) -> io::Result<(Arc<GuestClock>, impl Drop + Send + use<>)> {
    struct Place(u64);
    impl Drop for Place {
        fn drop(&mut self) {
            shared().inspect(|time| time.remove(self.0));
        }
    }
    let time = shared().ok_or_else(|| io::Error::other("this thread does not live in guest time"))?;
    let clock = Arc::new(GuestClock::create(folder, time.now(), time.wall_origin(), speed)?);
    let place = Place(time.add(clock.clone()));
    Ok((clock, place))
}

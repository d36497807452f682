//! Lets guest time go on, as far as nobody has anything to do.
//!
//! First the run's tasks deal with all that has come, then the waits that are over end, and only when that has been dealt
//! with, too, may the guests live on: to the next instant that somebody waits for. So an attempt that is answered at the
//! last moment is answered, and what a task does at an instant, it does at that instant of the guest's.

use super::shared::SharedTime;
use super::steering::{GuestClock, Still};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// So often every task gets its turn and the sockets are looked at before the guests go on: what comes passes from QEMU's
/// socket through the event's, the guest's and the engine's tasks and back to a socket, in a turn or two each.
const TURNS: usize = 12;
/// How far a guest may go before another: guests of one run are together for moments only, while one replaces another.
const APART: Duration = Duration::from_millis(10);
/// Nobody waits for anything: look again after this.
const FAR: Duration = Duration::from_secs(3600);
/// With a pace, guest time goes on in steps of at most this of the host's.
const STRIDE: Duration = Duration::from_millis(20);
/// Of the host's: a guest that does not live on for so long does not any more.
const STALLED: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 60 });
/// So much later, and it was this process that did not run.
const ABSENT: Duration = Duration::from_secs(1);
/// So often in a row a clock that stands is put down to that.
const MOST_EXCUSED: u32 = 5;

/// Guest time that is slowed down for who watches.
struct Slowed {
    /// How much of it may pass in a second of the host's.
    pace: f64,
    /// It was not late then.
    since: Instant,
    from: Duration,
}

impl Slowed {
    /// How far guest time may go on from `now`; waits until that is anywhere.
    async fn allow(&mut self, now: Duration) -> Duration {
        let stride = STRIDE.mul_f64(self.pace);
        let due = self.from + self.since.elapsed().mul_f64(self.pace);
        if due > now + 2 * stride {
            // What the host was too slow for is not made up for.
            (self.since, self.from) = (Instant::now(), now);
        } else if now > due {
            tokio::time::sleep((now - due).div_f64(self.pace)).await;
        }
        now + stride
    }
}

/// For as long as the run lasts; it returns why guest time does not go on any more.
pub(crate) async fn pace(time: Rc<SharedTime>) -> String {
    let mut slowed: Option<Slowed> = None;
    loop {
        if time.pace() != slowed.as_ref().map(|slowed| slowed.pace) {
            slowed = time.pace().map(|pace| Slowed { pace, since: Instant::now(), from: time.now() });
        }
        if let Err(why) = step(&time, slowed.as_mut()).await {
            return why;
        }
    }
}

async fn step(time: &SharedTime, slowed: Option<&mut Slowed>) -> Result<(), String> {
    let steering = |e: io::Error| format!("QEMU's clock cannot be steered: {e}");
    let sent: BTreeMap<u64, u64> = time.clocks().iter().map(|(number, clock)| (*number, clock.sent())).collect();
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
    if time.is_held() {
        time.changed.notified().await;
        return Ok(());
    }
    if time.end_waits() {
        return Ok(());
    }
    let now = time.now();
    let allowed = match slowed {
        Some(slowed) => Some(slowed.allow(now).await),
        None => None,
    };
    if time.is_held() {
        // Since it was waited for the host's time.
        return Ok(());
    }
    let clocks = time.clocks();
    let next = time.next_wait().map(|next| allowed.map_or(next, |allowed| next.min(allowed)));
    if clocks.is_empty() {
        match next {
            Some(next) => time.jump_to(next),
            None => time.changed.notified().await,
        }
        return Ok(());
    }
    let mut limit = next.or(allowed).unwrap_or(now + FAR);
    if clocks.len() > 1 {
        limit = limit.min(now + APART);
    }
    for (number, clock) in &clocks {
        // Of one that came meanwhile nothing was dealt with.
        let sent = sent.get(number).copied().unwrap_or_default();
        clock.go_on(limit, sent).map_err(steering)?;
    }
    let mut excused = 0;
    loop {
        let (before, begun) = (time.now(), Instant::now());
        let stands = tokio::select! {
            biased;
            stands = stand_still(&clocks) => stands.map_err(steering),
            () = time.changed.notified() => Ok(()),
            () = tokio::time::sleep(STALLED) => {
                if time.now() > before {
                    continue;
                }
                // A host that is always late is no excuse for ever.
                if begun.elapsed() > STALLED + ABSENT && excused < MOST_EXCUSED {
                    excused += 1;
                    continue;
                }
                Err(format!("QEMU's clock has stood at {:.3} s for {STALLED:?}", before.as_secs_f64()))
            }
        };
        return stands;
    }
}

/// Until each of them stands still, or one has a question.
async fn stand_still(clocks: &[(u64, Arc<GuestClock>)]) -> io::Result<()> {
    for (_, clock) in clocks {
        if let Still::Asks = clock.stands_still().await? {
            break;
        }
    }
    Ok(())
}

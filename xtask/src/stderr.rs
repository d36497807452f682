//! Lines for stderr, written by a thread of their own: a reader that holds it open and does not read stops no run. What does not
//! fit is left out, and counted.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// That wait to be read, beside what the pipe holds.
const LINES: usize = 10_000;
/// A reader that takes nothing for so long at the program's end is not waited for.
const PATIENCE: Duration = Duration::from_secs(2);

static QUEUE: OnceLock<SyncSender<String>> = OnceLock::new();
static TAKEN: AtomicUsize = AtomicUsize::new(0);
static WRITTEN: Mutex<usize> = Mutex::new(0);
/// More is written.
static GOES_ON: Condvar = Condvar::new();
static LEFT_OUT: AtomicUsize = AtomicUsize::new(0);

/// From here on a thread writes; a process that becomes another user's first must not have one yet.
pub(crate) fn begin() {
    let (queue, lines) = sync_channel(LINES);
    let thread = std::thread::Builder::new().name("stderr".into()).spawn(move || write_all(&lines));
    // Without a thread they are written by whoever says them.
    if thread.is_ok() {
        // Once a process.
        let _ = QUEUE.set(queue);
    }
}

fn write_all(lines: &Receiver<String>) {
    for line in lines {
        let left_out = LEFT_OUT.swap(0, SeqCst);
        if left_out > 0 {
            put(&format!("({left_out} lines were left out: nobody read them)"));
        }
        put(&line);
        *written() += 1;
        GOES_ON.notify_all();
    }
}

/// Whoever read them may be gone, as a terminal that was closed: that ends no run.
fn put(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// A line.
pub(crate) fn line(line: &str) {
    let Some(queue) = QUEUE.get() else { return put(line) };
    match queue.try_send(line.to_owned()) {
        Ok(()) => drop(TAKEN.fetch_add(1, SeqCst)),
        Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => drop(LEFT_OUT.fetch_add(1, SeqCst)),
    }
}

fn written() -> MutexGuard<'static, usize> {
    WRITTEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until everything is written, as long as somebody reads.
pub(crate) fn finish() {
    let mut written = written();
    while *written < TAKEN.load(SeqCst) {
        let before = *written;
        let waited = GOES_ON.wait_timeout(written, PATIENCE).unwrap_or_else(PoisonError::into_inner);
        written = waited.0;
        if *written == before && waited.1.timed_out() {
            return;
        }
    }
}

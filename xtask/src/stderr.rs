//! Lines for stderr, written by a thread of their own: a reader that holds it open and does not read stops no run. What does not
//! fit is left out, and counted.

use std::io::{self, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

/// That wait to be read, beside what the pipe holds.
const LINES: usize = 10_000;
/// A reader that takes nothing for so long at the program's end is not waited for.
const PATIENCE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(5);

static QUEUE: OnceLock<SyncSender<String>> = OnceLock::new();
static TAKEN: AtomicUsize = AtomicUsize::new(0);
static WRITTEN: AtomicUsize = AtomicUsize::new(0);
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
        WRITTEN.fetch_add(1, SeqCst);
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

/// Waits until everything is written, as long as somebody reads.
pub(crate) fn finish() {
    let (mut written, mut since) = (WRITTEN.load(SeqCst), Instant::now());
    while written < TAKEN.load(SeqCst) && since.elapsed() < PATIENCE {
        std::thread::sleep(LOOK);
        let now = WRITTEN.load(SeqCst);
        if now != written {
            (written, since) = (now, Instant::now());
        }
    }
}

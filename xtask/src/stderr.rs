//! What is written on stderr, by a thread of its own: a reader that holds it open and does not read stops no run. What does not
//! fit is left out, and counted.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// That wait to be read, beside what the pipe holds.
const PIECES: usize = 10_000;
/// A reader that takes nothing for so long at the program's end is not waited for.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
enum Piece {
    Line(String),
    /// Of the terminal's last line, with what moves the cursor: it takes the place of the one before.
    Picture(String),
}

#[derive(Debug)]
struct Queue {
    /// Whether there is a thread that writes: without one everybody writes for himself.
    has_writer: bool,
    waiting: VecDeque<Piece>,
    /// One is being written.
    writes: bool,
    written: usize,
    left_out: usize,
}

static QUEUE: Mutex<Queue> =
    Mutex::new(Queue { has_writer: false, waiting: VecDeque::new(), writes: false, written: 0, left_out: 0 });
/// Something waits to be written, or is written.
static GOES_ON: Condvar = Condvar::new();

fn queue() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From here on a thread writes; a process that becomes another user's first must not have one yet.
pub(crate) fn begin() {
    let thread = std::thread::Builder::new().name("stderr".into()).spawn(write_all);
    queue().has_writer = thread.is_ok();
}

fn write_all() {
    loop {
        let mut queue = GOES_ON.wait_while(queue(), |q| q.waiting.is_empty()).unwrap_or_else(PoisonError::into_inner);
        let Some(piece) = queue.waiting.pop_front() else { continue };
        let left_out = std::mem::take(&mut queue.left_out);
        queue.writes = true;
        drop(queue);
        if left_out > 0 {
            put(&format!("({left_out} lines were left out: nobody read them)\n"));
        }
        put(&piece.text());
        let mut queue = self::queue();
        queue.writes = false;
        queue.written += 1;
        GOES_ON.notify_all();
    }
}

impl Piece {
    fn text(self) -> String {
        match self {
            Piece::Line(line) => line + "\n",
            Piece::Picture(picture) => picture,
        }
    }
}

impl Queue {
    fn take(&mut self, piece: Piece) {
        let is_picture = matches!(piece, Piece::Picture(_));
        if is_picture && matches!(self.waiting.back(), Some(Piece::Picture(_))) {
            self.waiting.pop_back();
        }
        if self.waiting.len() < PIECES {
            self.waiting.push_back(piece);
        } else {
            self.left_out += usize::from(!is_picture);
        }
    }
}

/// Whoever read them may be gone, as a terminal that was closed: that ends no run.
fn put(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

fn give(piece: Piece) {
    let mut queue = queue();
    if queue.has_writer {
        queue.take(piece);
        GOES_ON.notify_all();
    } else {
        put(&piece.text());
    }
}

/// A line.
pub(crate) fn line(line: &str) {
    give(Piece::Line(line.to_owned()));
}

/// What the terminal's last line shows from now on, whole; one that nobody has seen yet is not drawn.
pub(crate) fn picture(picture: String) {
    give(Piece::Picture(picture));
}

/// Waits until everything is written, as long as somebody reads.
pub(crate) fn finish() {
    let mut queue = queue();
    while queue.writes || !queue.waiting.is_empty() {
        let before = queue.written;
        let waited = GOES_ON.wait_timeout(queue, PATIENCE).unwrap_or_else(PoisonError::into_inner);
        queue = waited.0;
        if queue.written == before && waited.1.timed_out() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_waits_lines_are_kept_and_the_newest_picture() {
        let mut queue = Queue { has_writer: true, waiting: VecDeque::new(), writes: false, written: 0, left_out: 0 };
        let [line, picture] = [|n: usize| Piece::Line(n.to_string()), |n: usize| Piece::Picture(n.to_string())];
        for piece in [picture(1), picture(2), line(3), picture(4), picture(5), line(6)] {
            queue.take(piece);
        }
        let waiting = |queue: &mut Queue| queue.waiting.drain(..).map(Piece::text).collect::<Vec<_>>();
        assert_eq!(waiting(&mut queue), ["2", "3\n", "5", "6\n"]);
        (0..PIECES + 5).for_each(|n| queue.take(line(n)));
        queue.take(picture(0));
        assert_eq!((queue.waiting.len(), queue.left_out), (PIECES, 5));
    }
}

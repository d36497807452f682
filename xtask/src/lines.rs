//! Lines on stderr, and below them in a terminal what is waited for. A view that owns the terminal takes the lines in their place.

use crate::report::without_control;
use crate::stderr;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

enum Place {
    Stderr,
    /// Stderr, with the last line and the time since then kept below.
    AboveBar(ProgressBar),
    View(Box<dyn Fn(&str) + Send>),
}

static PLACE: Mutex<Place> = Mutex::new(Place::Stderr);
/// Between two pictures of the bar.
const TICK: Duration = Duration::from_millis(200);
/// A wait that is not worth a word.
const SHORT: &str = "waiting";

fn place() -> MutexGuard<'static, Place> {
    PLACE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A line for who waits.
/// What a guest has in it cannot steer the terminal.
pub fn say(line: &str) {
    let line = &without_control(line);
    match &*place() {
        Place::Stderr => stderr::line(line),
        Place::AboveBar(bar) => {
            bar.println(line);
            bar.set_message(line.trim().to_owned());
            bar.reset_elapsed();
        }
        Place::View(taker) => taker(line),
    }
}

/// Lines go somewhere else until this is dropped.
#[derive(Debug)]
pub(crate) struct Elsewhere(());

fn go(to: Place) -> Elsewhere {
    if let Place::AboveBar(bar) = std::mem::replace(&mut *place(), to) {
        bar.finish_and_clear();
    }
    Elsewhere(())
}

/// From here on lines go to `taker`, which must not say a line itself.
pub(crate) fn take(taker: impl Fn(&str) + Send + 'static) -> Elsewhere {
    go(Place::View(Box::new(taker)))
}

/// From here on a line below all others says what is waited for and how long that has taken so far; nothing where stderr is no
/// terminal.
pub(crate) fn show_waiting() -> Option<Elsewhere> {
    if !io::stderr().is_terminal() || is_dumb() {
        return None;
    }
    let style = ProgressStyle::with_template("{spinner} {elapsed} since: {wide_msg}").ok()?;
    let bar = ProgressBar::new_spinner().with_style(style).with_message(SHORT);
    bar.enable_steady_tick(TICK);
    Some(go(Place::AboveBar(bar)))
}

/// A terminal that takes lines and nothing else.
pub(crate) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        go_back();
    }
}

/// Lines go to stderr again.
pub(crate) fn go_back() {
    if let Place::AboveBar(bar) = std::mem::replace(&mut *place(), Place::Stderr) {
        bar.finish_and_clear();
    }
}

//! Lines on stderr, and below them in a terminal what is waited for. A view that owns the terminal takes the lines in their place.
//!
//! What a user must know is said always; how far something is only without `-q`, and every detail with `-v`.

use crate::bar;
use crate::report::without_control;
use crate::stderr;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal as _};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

enum Place {
    Stderr,
    /// Stderr, with the last line and the time since then kept below.
    AboveBar(ProgressBar),
    /// Stderr, with how far the run is kept below.
    AboveStatus(ProgressBar),
    View(Box<dyn Fn(&str) + Send>),
}

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Loudness {
    /// What went wrong, and what came of it.
    Quiet,
    /// How far it is besides.
    Usual,
    /// Every detail.
    Verbose,
}

static LOUDNESS: AtomicU8 = AtomicU8::new(Loudness::Usual as u8);

/// From here on so much is said.
pub(crate) fn set_loudness(loudness: Loudness) {
    LOUDNESS.store(loudness as u8, Ordering::Relaxed);
}

fn is_at_least(loudness: Loudness) -> bool {
    LOUDNESS.load(Ordering::Relaxed) >= loudness as u8
}

/// `-v`
pub(crate) fn is_verbose() -> bool {
    is_at_least(Loudness::Verbose)
}

/// How far something is, or what a user may like to know: not with `-q`.
pub(crate) fn tell(line: &str) {
    if is_at_least(Loudness::Usual) {
        say(line);
    }
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
            bar.suspend(|| stderr::line(line));
            bar.set_message(line.trim().to_owned());
            bar.reset_elapsed();
        }
        Place::AboveStatus(bar) => bar.suspend(|| stderr::line(line)),
        Place::View(taker) => taker(line),
    }
}

/// Lines go somewhere else until this is dropped.
#[derive(Debug)]
pub(crate) struct Elsewhere(());

fn go(to: Place) -> Elsewhere {
    clear(std::mem::replace(&mut *place(), to));
    Elsewhere(())
}

/// From here on lines go to `taker`, which must not say a line itself.
pub(crate) fn take(taker: impl Fn(&str) + Send + 'static) -> Elsewhere {
    go(Place::View(Box::new(taker)))
}

/// From here on a line below all others says what is waited for and how long that has taken so far; nothing where stderr is no
/// terminal.
pub(crate) fn show_waiting() -> Option<Elsewhere> {
    if !io::stderr().is_terminal() || is_dumb() || !is_at_least(Loudness::Usual) {
        return None;
    }
    let style = ProgressStyle::with_template("{spinner} {elapsed} since: {wide_msg}").ok()?;
    let bar = ProgressBar::with_draw_target(None, bar::target()).with_style(style).with_message(SHORT);
    bar.enable_steady_tick(TICK);
    Some(go(Place::AboveBar(bar)))
}

/// Says below all other lines how far the run is, in place of what was said last. False: there is no such place.
pub(crate) fn show_status(status: &str) -> bool {
    let mut place = place();
    if let Place::AboveBar(bar) = &*place {
        let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") else { return false };
        let bar = bar.clone().with_style(style);
        *place = Place::AboveStatus(bar);
    }
    match &*place {
        Place::AboveStatus(bar) => bar.set_message(without_control(status)),
        _ => return false,
    }
    true
}

/// no-color.org
pub(crate) fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
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
    clear(std::mem::replace(&mut *place(), Place::Stderr));
}

fn clear(place: Place) {
    if let Place::AboveBar(bar) | Place::AboveStatus(bar) = place {
        bar.finish_and_clear();
    }
}

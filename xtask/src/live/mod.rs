//! A run watched live: what was seen becomes a picture of now, keys become requests to the run.
//!
//! ```text
//! entries, lines, time, console -> View (pure) -> draw (a Buffer) -> Screen (the terminal, keys) -> Control -> the run
//! ```

mod countdown;
mod draw;
mod keys;
mod probe_lane;
mod screen;
mod view;
mod watcher;

#[cfg(test)]
mod picture;
#[cfg(test)]
mod tests;

pub(crate) use screen::give_terminal_back;
pub(crate) use watcher::LiveWatcher;

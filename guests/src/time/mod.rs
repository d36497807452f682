//! The time that a run lives by: the host's, or guest time.
//!
//! What waits for a guest, or times what it does, takes `now`, `sleep` and `timeout` from here and not from tokio: on the thread
//! of a run in guest time they are the guests' own time, elsewhere the host's. What waits for the host (a process that
//! starts or ends, a file) has [`patience`] in the host's time, and [`hold`]s guest time meanwhile.
//!
//! ```text
//! on_own_thread(Timekeeping) -> the thread of a run: its tasks, and a pacer that lets its guests' time go on
//! ```

#[cfg(test)]
mod tests;
mod thread;
mod wait;

pub use thread::{ThreadError, on_own_thread};
pub(crate) use wait::create_clock;
pub use wait::{Elapsed, Hold, Ticks, hold, now, patience, set_pace, sleep, sleep_until, timeout, timeout_at, wall};

//! Lines on stderr. A view that owns the terminal takes them in their place for as long as it lives.

use std::sync::{Mutex, MutexGuard, PoisonError};

type Taker = Box<dyn Fn(&str) + Send>;

static TAKER: Mutex<Option<Taker>> = Mutex::new(None);

fn taker() -> MutexGuard<'static, Option<Taker>> {
    TAKER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A line for who waits.
pub fn say(line: &str) {
    match &*taker() {
        Some(taker) => taker(line),
        None => eprintln!("{line}"),
    }
}

/// Lines go to `taker` until this is dropped. It must not say a line itself.
#[derive(Debug)]
pub(crate) struct Taken(());

/// From here on lines go to `taken`.
pub(crate) fn take(taken: impl Fn(&str) + Send + 'static) -> Taken {
    *taker() = Some(Box::new(taken));
    Taken(())
}

impl Drop for Taken {
    fn drop(&mut self) {
        *taker() = None;
    }
}

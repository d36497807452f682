//! A one-shot timer on guest time: QEMU's virtual clock, which stands still while the vCPUs do.

use crate::time::Time;
use std::time::Duration;

/// The timer. Its times are the caller's clock; [`GuestTimer::freeze`] and [`GuestTimer::thaw`] take the pauses out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GuestTimer {
    state: State,
    frozen: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum State {
    #[default]
    Off,
    At(Time),
    /// Left of it when guest time goes on.
    Left(Duration),
}

impl GuestTimer {
    /// Runs out `after` from now on.
    pub fn start(&mut self, now: Time, after: Duration) {
        self.state = if self.frozen { State::Left(after) } else { State::At(now + after) };
    }

    /// Does not run out.
    pub fn stop(&mut self) {
        self.state = State::Off;
    }

    /// When it runs out; `None` if it is off or guest time stands still.
    pub fn ends(&self) -> Option<Time> {
        match self.state {
            State::At(end) => Some(end),
            State::Off | State::Left(_) => None,
        }
    }

    /// Takes an end that is due at `now`; the timer is off then.
    pub fn take(&mut self, now: Time) -> bool {
        let due = self.ends().is_some_and(|end| end <= now);
        if due {
            self.stop();
        }
        due
    }

    /// Guest time stops.
    pub fn freeze(&mut self, now: Time) {
        self.frozen = true;
        if let State::At(end) = self.state {
            self.state = State::Left(end.since(now));
        }
    }

    /// Guest time goes on.
    pub fn thaw(&mut self, now: Time) {
        self.frozen = false;
        if let State::Left(left) = self.state {
            self.state = State::At(now + left);
        }
    }
}

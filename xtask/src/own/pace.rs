//! How far a fleet's run is: said by whichever thread has just run a node, in a terminal's last line all the time, else now and then.

use crate::lines::{Elsewhere, show_status, show_waiting, tell};
use crate::run::words;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(500);
/// Between two lines about it, where no line is drawn anew.
const LINES: Duration = Duration::from_secs(15);

/// Nodes of a run, one for each cell of its sweep counted.
#[derive(Debug)]
pub(super) struct Pace {
    all: u64,
    begun: Instant,
    so_far: Mutex<SoFar>,
    _waiting: Option<Elsewhere>,
}

#[derive(Debug)]
struct SoFar {
    done: u64,
    looked: Instant,
    said: Instant,
}

impl Pace {
    /// Of so many, none of which has been run.
    pub(super) fn of(all: u64) -> Pace {
        let now = Instant::now();
        let so_far = SoFar { done: 0, looked: now, said: now };
        Pace { all, begun: now, so_far: Mutex::new(so_far), _waiting: show_waiting() }
    }

    /// One more is run.
    pub(super) fn step(&self) {
        self.step_at(Instant::now(), &|status| show_status(status), &|status| tell(status));
    }

    /// `show`: whether there is a line that is drawn anew.
    fn step_at(&self, now: Instant, show: &dyn Fn(&str) -> bool, say: &dyn Fn(&str)) {
        let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        so_far.done += 1;
        if now.saturating_duration_since(so_far.looked) < LOOK {
            return;
        }
        so_far.looked = now;
        let status = self.describe(so_far.done, now);
        if !show(&status) && now.saturating_duration_since(so_far.said) >= LINES {
            so_far.said = now;
            say(&status);
        }
    }

    /// `120 of 1600 nodes; about 40 s left`: the rest is as slow as what has been run.
    fn describe(&self, done: u64, now: Instant) -> String {
        let took = now.saturating_duration_since(self.begun).as_secs_f64();
        let left = Duration::try_from_secs_f64(took / done.max(1) as f64 * self.all.saturating_sub(done) as f64);
        let left = left.map_or(String::new(), |left| format!("; about {} left", words(left)));
        format!("{done} of {} nodes{left}", self.all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn how_far_it_is() {
        for (is_drawn, expected) in
            [(false, vec!["15 of 40 nodes; about 25 s left", "30 of 40 nodes; about 10 s left"]), (true, vec![])]
        {
            let pace = Pace::of(40);
            let (shown, said) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
            for seconds in 1..=40 {
                let show = |status: &str| {
                    shown.borrow_mut().push(status.to_owned());
                    is_drawn
                };
                let say = |status: &str| said.borrow_mut().push(status.to_owned());
                pace.step_at(pace.begun + Duration::from_secs(seconds), &show, &say);
            }
            assert_eq!(
                (said.into_inner(), shown.borrow().len()),
                (expected.into_iter().map(str::to_owned).collect(), 40)
            );
            assert_eq!(shown.borrow()[0], "1 of 40 nodes; about 39 s left");
        }
        let quick = Pace::of(2);
        quick.step_at(quick.begun, &|_| panic!("at once"), &|_| panic!("at once"));
    }
}

//! What somebody who watches a run may ask of it while it goes on, and the time that they see.
//!
//! A fault becomes a step of the engine's script; guest time is held or paced by the thread that it is the time of.

use super::clock::Clock;
use crate::time::{self, Hold};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::mpsc;
use vmhealth_sim::engine::Input;
use vmhealth_sim::scenario::Fault;
use vmhealth_sim::time::Time;

/// How often the time that they see goes on; of the host's.
const LOOK: Duration = Duration::from_millis(40);

/// What is asked of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Control {
    /// To break this now.
    Break(Fault),
    /// That guest time stands still, or goes on. In real time it always goes on.
    Hold(bool),
    /// How much guest time may pass in a second of the host's; `None`: as much as can.
    Pace(Option<f64>),
    /// To end, and to judge what there is.
    End,
}

/// A run's end of a watcher: what it asks, and where the run shows the time.
#[derive(Debug)]
pub struct Controls {
    asked: mpsc::UnboundedReceiver<Control>,
    now: Arc<AtomicU64>,
}

/// A watcher's end.
#[derive(Debug, Clone)]
pub struct Watch {
    ask: mpsc::UnboundedSender<Control>,
    now: Arc<AtomicU64>,
}

/// Both ends.
pub fn controls() -> (Watch, Controls) {
    let (ask, asked) = mpsc::unbounded_channel();
    let now = Arc::<AtomicU64>::default();
    (Watch { ask, now: now.clone() }, Controls { asked, now })
}

impl Watch {
    /// Asks something; of a run that is over nothing can be asked.
    pub fn ask(&self, control: Control) {
        let _ = self.ask.send(control);
    }

    /// What time it is in the run.
    pub fn now(&self) -> Time {
        Time::from_nanos(self.now.load(Relaxed))
    }
}

impl Controls {
    /// The next that is asked; `None` once nobody watches any more.
    pub(super) async fn next(&mut self) -> Option<Control> {
        self.asked.recv().await
    }

    /// Shows the time until it is dropped.
    pub(super) fn show_time(&self, clock: Clock) -> impl Future<Output = ()> + use<> {
        let now = self.now.clone();
        async move {
            loop {
                now.store(clock.now().as_nanos(), Relaxed);
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

/// Does what is asked of guest time, and leaves to the engine what is its.
pub(super) fn steer(control: Control, held: &mut Option<Hold>) -> Option<Input> {
    match control {
        Control::Break(fault) => return Some(Input::Asked { fault }),
        Control::End => return Some(Input::Enough),
        Control::Hold(true) => {
            held.get_or_insert_with(time::hold);
        }
        Control::Hold(false) => *held = None,
        Control::Pace(pace) => time::set_pace(pace),
    }
    None
}

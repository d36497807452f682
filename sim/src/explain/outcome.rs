//! What a fault comes to, in the few numbers that a reader compares: who noticed first and when, how the VMI ended, when the VM was
//! back.

use super::episode::{Episode, Returned};
use super::words::who;
use crate::engine::Config;
use crate::manifest::VirtualMachine;
use crate::scenario::{Final, Spec};
use crate::time::Span;
use crate::trace::{DomainEvent, Event};
use crate::world::{self, Timings};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// How long it is watched where nobody says otherwise.
pub const WATCHED: Duration = Duration::from_secs(30 * 60);
/// Less is no other outcome.
const SAME: f64 = 1.0;

/// What a fault comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Who noticed first, and how many seconds after the fault; `None`: nobody.
    pub noticed: Option<(String, f64)>,
    /// What became of the VMI: `Failed`, `Succeeded`, `reset`; empty: it ran on.
    pub ended: String,
    /// Seconds from the fault to the VM being back; `None`: it was not back within half an hour.
    pub back_s: Option<f64>,
}

/// What a scenario's last fault comes to in virtual time, in a guest that is as quick as that; `watched` counts from the VM's
/// creation. `None`: no fault came.
pub fn outcome(vm: &VirtualMachine, spec: &Spec, timings: Timings, watched: Duration) -> Option<Outcome> {
    try_out(vm, spec, timings, watched, of)
}

/// The scenario in virtual time, whatever it expects, watched so long: what is read of its last fault's episode; `None`: no
/// fault came.
pub(super) fn try_out<T>(
    vm: &VirtualMachine,
    spec: &Spec,
    timings: Timings,
    watched: Duration,
    read: impl FnOnce(&Episode<'_>) -> T,
) -> Option<T> {
    let spec = Spec {
        expect: Vec::new(),
        never: Vec::new(),
        observe: Span(watched),
        final_state: Final::default(),
        until: None,
        ..spec.clone()
    };
    let (_, trace, _) = world::run(vm, &spec, Config::of(&spec, 1.0, false), timings);
    let entries = trace.sorted();
    Episode::all(vm, &spec, &entries).last().map(read)
}

fn of(last: &Episode<'_>) -> Outcome {
    let since = |at: crate::time::Time| at.since(last.at).as_secs_f64();
    let phase = last.of_vmi().find_map(|e| match &e.event {
        Event::Phase(phase) if phase.is_final() => Some(phase.to_string()),
        _ => None,
    });
    let is_reset = last.of_vmi().any(|e| matches!(e.event, Event::Qemu(DomainEvent::Reset { .. })));
    let ended = phase.or(is_reset.then(|| "reset".to_owned()));
    Outcome {
        noticed: last.noticed().map(|(at, notice)| (who(&notice).to_owned(), since(at))),
        ended: ended.unwrap_or_default(),
        back_s: match last.returned {
            Returned::StayedReady => Some(0.0),
            Returned::At(at) => Some(since(at)),
            Returned::No => None,
        },
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.noticed {
            Some((who, after)) => write!(f, "{who} notices after {after:.1} s")?,
            None => f.write_str("nobody notices")?,
        }
        if !self.ended.is_empty() {
            write!(f, ", VMI {}", self.ended)?;
        }
        write!(f, ", {}", recovers(self.back_s))
    }
}

fn recovers(back: Option<f64>) -> String {
    match back {
        Some(0.0) => "stays Ready".to_owned(),
        Some(after) => format!("recovers in {:.1} s", after.max(0.0)),
        None => "does not recover".to_owned(),
    }
}

fn recovering(back: Option<f64>) -> String {
    match back {
        Some(0.0) => "staying Ready".to_owned(),
        Some(after) => format!("recovering in {:.1} s", after.max(0.0)),
        None => "never recovering".to_owned(),
    }
}

/// What is different now, in a reader's words; empty: nothing that matters.
pub fn differences(before: &Outcome, now: &Outcome) -> Vec<String> {
    let apart = |a: f64, b: f64| (a - b).abs() > SAME;
    let mut lines = Vec::new();
    let back_differs = match (before.back_s, now.back_s) {
        (Some(a), Some(b)) => apart(a, b),
        (a, b) => a.is_some() != b.is_some(),
    };
    if back_differs {
        lines.push(match (before.back_s, now.back_s) {
            (Some(was), Some(is)) if was > 0.0 && is > 0.0 => format!("recovers in {is:.1} s instead of {was:.1} s"),
            (was, is) => format!("{} instead of {}", recovers(is), recovering(was)),
        });
    }
    match (&before.noticed, &now.noticed) {
        (Some((a, _)), Some((b, _))) if a != b => lines.push(format!("{b} now wins over {a}")),
        (Some((a, was)), Some((_, is))) if apart(*was, *is) => {
            lines.push(format!("{a} notices after {is:.1} s instead of {was:.1} s"));
        }
        (Some((a, _)), None) => lines.push(format!("nobody notices instead of {a}")),
        (None, Some((b, after))) => lines.push(format!("{b} notices after {after:.1} s instead of nobody")),
        _ => {}
    }
    if before.ended != now.ended {
        let word = |ended: &str| if ended.is_empty() { "running on".to_owned() } else { ended.to_owned() };
        lines.push(format!("the VMI is {} instead of {}", word(&now.ended), word(&before.ended)));
    }
    lines
}

//! What `advise --fleet` shows: the fleet as it is, and with the numbers of each answer.

use super::fleet::{rounded, span};
use serde::Serialize;
use vmhealth_sim::fleet::Outcome;

/// What comes of a fleet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AsFleet {
    /// Of the time that all VMs had.
    available_percent: f64,
    /// Kills of guests that would have come back.
    false_restarts: u64,
    /// After its last incident each node comes to rest.
    pub settles: bool,
    /// From the end of the incidents to the last VM's being back from them.
    settled_after_s: f64,
}

/// A fleet with several numbers.
#[derive(Debug, Clone, Serialize)]
pub struct FleetAdvice {
    /// The fleet's.
    pub name: String,
    /// With the manifest's own numbers.
    pub now: AsFleet,
    /// With those of each answer, in the order of `front`.
    pub front: Vec<AsFleet>,
    /// With what is advised it comes to rest.
    pub settles: bool,
}

impl AsFleet {
    /// Of what came of it.
    pub fn of(outcome: &Outcome) -> AsFleet {
        AsFleet {
            available_percent: rounded(100.0 * outcome.availability()),
            false_restarts: outcome.false_restarts,
            settles: outcome.settling.unsettled == 0,
            settled_after_s: outcome.settling.after.as_secs_f64(),
        }
    }

    fn render(&self, label: &str) -> String {
        let rest = if self.settles {
            format!("it settles, {} after the last incident", span(self.settled_after_s))
        } else {
            "it does not settle".to_owned()
        };
        format!(
            "  {label:<10} {:8.4} % available, {} false restarts; {rest}\n",
            self.available_percent, self.false_restarts
        )
    }
}

impl FleetAdvice {
    /// As text, with the labels of the answers.
    pub fn render(&self, labels: &[String]) -> String {
        let mut out = format!("\nin the fleet {}:\n{}", super::plain(&self.name), self.now.render("now"));
        out.extend(labels.iter().zip(&self.front).map(|(label, of)| of.render(label)));
        if !self.settles && !self.front.is_empty() {
            out +=
                "with none of them does it come to rest: allow for longer boots (--boot), or put fewer VMs on a node\n";
        }
        out
    }
}

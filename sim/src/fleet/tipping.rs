//! The smallest incident that tips a node: after a larger one its restarts go on by themselves, after a smaller one they end.
//!
//! A node that is well without any incident and does not settle after one is *vulnerable*: it has two ways to go on, and the
//! incident only chooses. Found by halving between what does not tip it and what does, so it is exact where a larger incident
//! is never better than a smaller one. Every try is judged by the same span of time, after the file's incidents. `fleet` searches for
//! its worst node only.

use super::file::{Happens, Incident};
use super::node::run_node;
use super::plan::Plan;
use crate::time::Span;
use std::time::Duration;

/// What a node that does not settle needs for that.
#[derive(Debug, Clone, PartialEq)]
pub enum Tipping {
    /// Nothing: it does not settle without any incident either.
    Nothing,
    /// This incident by itself, counted from the beginning of the file's; and its smallest size, with the largest that was tried and
    /// does not.
    Incident {
        /// Its number in the file, from 0.
        number: usize,
        /// The smallest that tips the node.
        smallest: Size,
        /// The largest that was tried and does not; `None`: the smallest there is does.
        holds: Option<Size>,
    },
    /// None of the incidents by itself.
    Together,
}

/// How large an incident is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// How many VMs of the node it hits at once.
    Vms(u32),
    /// How long it lasts.
    Lasting(Duration),
}

/// Finds it for a node that does not settle.
pub fn tip(plan: &Plan, node: u32) -> Tipping {
    let tips = |incidents: Vec<Incident>| {
        run_node(&plan.with_incidents(incidents), node, &mut |_, _, _| ()).settling.unsettled > 0
    };
    if tips(plan.incidents.iter().map(|i| Incident { vms: Some(0), ..i.clone() }).collect()) {
        return Tipping::Nothing;
    }
    for (number, incident) in plan.incidents.iter().enumerate().filter(|(_, incident)| incident.is_on(node)) {
        if !tips(vec![incident.clone()]) {
            continue;
        }
        let most = incident.most(plan.vms_on(node));
        let (mut holds, mut tipped) = (0, most);
        while tipped - holds > 1 {
            let between = holds + (tipped - holds) / 2;
            if tips(vec![incident.sized(between).0]) { tipped = between } else { holds = between }
        }
        let holds = (holds > 0).then(|| incident.sized(holds).1);
        return Tipping::Incident { number, smallest: incident.sized(tipped).1, holds };
    }
    Tipping::Together
}

impl Incident {
    /// Its size in seconds, if it is as large as it is long: it hits everybody, and what it does ends with it. Otherwise in VMs.
    fn most(&self, vms: u32) -> u32 {
        match &self.what {
            Happens::NetworkBlip { lasting } | Happens::StorageErrors { lasting } => {
                u32::try_from(lasting.0.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
            }
            _ => vms.min(self.vms.unwrap_or(vms)),
        }
    }

    /// The same, no larger than that.
    fn sized(&self, most: u32) -> (Incident, Size) {
        let shorter = |lasting: Span| Span(lasting.0.min(Duration::from_secs(most.into())));
        let what = match &self.what {
            Happens::NetworkBlip { lasting } => Happens::NetworkBlip { lasting: shorter(*lasting) },
            Happens::StorageErrors { lasting } => Happens::StorageErrors { lasting: shorter(*lasting) },
            _ => return (Incident { vms: Some(most), ..self.clone() }, Size::Vms(most)),
        };
        (Incident { what, ..self.clone() }, Size::Lasting(Duration::from_secs(most.into())))
    }
}

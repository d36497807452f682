//! Of a trace what a cluster's objects show, so that the model's and a recording's can be held against each other.

use std::collections::BTreeSet;
use vmhealth_sim::trace::{Entry, Event, Trace, VmiReason};

/// What is the VM's own has no VMI: which of them it belongs to a recording does not say.
pub(super) const UNSEEN: u32 = 0;

/// The trace without what a recording cannot have, and each probe's failures once for each time that the VMI was ready: a cluster
/// folds repeats, and how many there are while a guest boots is the host's speed.
pub(super) fn shown(trace: &Trace) -> Trace {
    let (mut shown, mut failing, mut was_ready) = (Trace::default(), BTreeSet::new(), BTreeSet::new());
    for entry in trace.sorted() {
        let vmi = match entry.event {
            Event::VmStatus(_) | Event::VmReady(_) | Event::VmEvent(_) => UNSEEN,
            _ => entry.vmi,
        };
        match &entry.event {
            Event::VmStatus(_) | Event::VmReady(_) | Event::VmEvent(_) => {}
            Event::Phase(_) | Event::Paused(_) | Event::Killing => {}
            Event::VmiEvent(VmiReason::GuestAgentPingFailed) => continue,
            Event::VmiEvent(_) => {}
            Event::Ready(ready) => {
                if ready.is_true() {
                    was_ready.insert(vmi);
                    failing.retain(|(of, _)| *of != vmi);
                    // From here on failures count, in the recording as in the model.
                    let ready = Event::GuestReady;
                    shown.push(Entry { vmi, event: ready, ..entry.clone() });
                }
            }
            Event::Unhealthy(kind) => {
                if !was_ready.contains(&vmi) || !failing.insert((vmi, kind.to_string())) {
                    continue;
                }
            }
            _ => continue,
        }
        shown.push(Entry { vmi, detail: String::new(), replayed: false, ..entry });
    }
    shown
}

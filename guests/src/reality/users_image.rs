//! A run of an image that we have not made: what it lacks is its own failure, and it may have said what.

use crate::console;
use std::path::Path;
use vmhealth_sim::scenario::Verdict;
use vmhealth_sim::trace::{Event, Trace};

/// A guest that was never ready may have said why on its console.
pub(super) fn explain(verdict: Verdict, trace: &Trace, evidence: &Path) -> Verdict {
    let was_ready = trace.entries().iter().any(|e| e.event == Event::GuestReady);
    match verdict {
        Verdict::Fail(reason) if !was_ready => {
            let consoles = (1..).map(|vmi| evidence.join(format!("serial-{vmi}.log"))).take_while(|path| path.exists());
            let said = match consoles.last().and_then(|path| console::last_line(&path)) {
                Some(line) => format!("{line:?}"),
                None => {
                    "nothing: either the firmware found nothing to boot, or the kernel lacks console=ttyS0".to_owned()
                }
            };
            Verdict::Fail(format!("{reason}; last on its serial console: {said}"))
        }
        other => other,
    }
}

//! `e2e --quick`: a first look that shows each kind of fault, each detector and each action that is quick to show.
//!
//! What costs is a guest that boots anew: some 20 s of CPU under emulation, where all else is a second or two. So
//! what only scenarios of several boots show (a boot loop, a long reboot) is left to the whole catalogue.

use super::catalogue::Case;
use super::forecast::{Start, foreseen};
use std::collections::BTreeSet;
use vmhealth_sim::cluster::DomainEvent;
use vmhealth_sim::kubelet::{ProbeKind, ProbeResult};
use vmhealth_sim::manifest::{Architecture, Handler};
use vmhealth_sim::trace::{Event, Phase, Trace};

/// No quick scenario boots a guest anew more often.
const BOOTS: usize = 1;
/// What a fork costs, and a boot, in the same unit.
const FORK: usize = 2;
const BOOT: usize = 20;

/// What a scenario shows: what breaks, who notices, and what is done about it.
fn shows(case: &Case, trace: &Trace) -> BTreeSet<String> {
    let vmi = &case.manifest.vmi;
    let handler = |kind| {
        let probe = if kind == ProbeKind::Readiness { &vmi.readiness } else { &vmi.liveness };
        probe.as_ref().map_or("", |probe| match probe.handler {
            Handler::HttpGet(_) => "http",
            Handler::TcpSocket { .. } => "tcp",
            Handler::Exec { .. } => "exec",
            Handler::GuestAgentPing => "ping",
        })
    };
    let said = |event: &Event| match event {
        Event::FaultConfirmed(kind) => Some(format!("fault {kind}")),
        Event::Published(kind, ProbeResult::Failure) => Some(format!("{kind:?} {}", handler(*kind))),
        Event::Qemu(DomainEvent::Watchdog(_) | DomainEvent::Panicked { .. } | DomainEvent::Reset { .. })
        | Event::Phase(Phase::Succeeded | Phase::Failed)
        | Event::Killing => Some(event.to_string()),
        _ => None,
    };
    // A probe fails in every boot, too: what a detector says counts from the first fault on.
    let broken = trace.sorted().into_iter().skip_while(|e| !matches!(e.event, Event::FaultBegun(_)));
    broken.filter_map(|entry| said(&entry.event)).collect()
}

/// Of the cases with guests of amd64, few that together show all that quick ones can: again and again the one that shows the
/// most of what is missing for what it costs, as the model foresees it. The order stays.
pub fn quick(cases: Vec<Case>) -> Vec<Case> {
    let quick = |case: &Case| case.architecture() == Architecture::Amd64 && !case.scenario.is_slow();
    let mut left: Vec<_> = (0..)
        .zip(&cases)
        .filter(|(_, case)| quick(case))
        .filter_map(|(index, case)| {
            let (trace, forecast) = foreseen(case, Start::Fork, true);
            let boots = forecast.boots.len();
            (boots <= BOOTS).then(|| (index, shows(case, &trace), FORK + BOOT * boots, forecast.length))
        })
        .collect();
    let mut chosen = BTreeSet::new();
    loop {
        // The most for the least: a / b is compared as a * d with b * c, and of two equals the shorter one wins.
        let best =
            left.iter().filter(|(_, shows, ..)| !shows.is_empty()).max_by(|(i, a, b, long), (j, c, d, longer)| {
                (a.len() * d).cmp(&(c.len() * b)).then(longer.cmp(long)).then(j.cmp(i))
            });
        let Some((index, shown, ..)) = best.cloned() else { break };
        chosen.insert(index);
        left.iter_mut().for_each(|(_, shows, ..)| shows.retain(|one| !shown.contains(one)));
    }
    (0..).zip(cases).filter(|(index, _)| chosen.contains(index)).map(|(_, case)| case).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::catalogue::{read, select};

    fn all_shown(cases: &[Case], most_boots: usize) -> BTreeSet<String> {
        let amd64 = cases.iter().filter(|case| case.architecture() == Architecture::Amd64);
        let foreseen = amd64.map(|case| (case, foreseen(case, Start::Fork, true)));
        let few = foreseen.filter(|(_, (_, forecast))| forecast.boots.len() <= most_boots);
        few.flat_map(|(case, (trace, _))| shows(case, &trace)).collect()
    }

    #[test]
    fn all_that_is_quick_is_shown_by_few() {
        let all = select(read(None).unwrap(), &[]).unwrap();
        let chosen = quick(all.clone());
        let shown = all_shown(&chosen, usize::MAX);
        assert_eq!(shown, all_shown(&all, BOOTS), "all that is quick");
        for (what, there) in [
            ("fault killWatchdog", true),
            ("fault kernelPanic", true),
            ("qemu WATCHDOG poweroff", true),
            ("qemu WATCHDOG reset", true),
            ("qemu GUEST_PANICKED pause", true),
            ("Readiness http", true),
            ("Liveness ping", true),
            ("vmi phase Failed", true),
            // Its every boot is a guest that boots anew.
            ("fault bootLoop", false),
        ] {
            assert_eq!(shown.contains(what), there, "{what} in {shown:#?}");
        }
        let most = chosen.iter().map(|case| foreseen(case, Start::Fork, true).1.boots.len()).max();
        assert!(most <= Some(BOOTS) && chosen.len() < shown.len(), "{most:?} boots, {} scenarios", chosen.len());
    }
}

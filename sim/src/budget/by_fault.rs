//! The table of faults and detectors from the VM's side: who is first to do something about a fault, and when the VM is back.

use super::detection::Span;
use super::plan::{Break, Detector, Row};

/// What becomes of a VM when it breaks so. All times count from the fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultRow {
    /// What breaks.
    pub fault: Break,
    /// When readiness takes it out of the endpoints; `None`: never.
    pub out_of_service: Option<Span>,
    /// Who acts first; several where either may. Empty: nobody does.
    pub first: Vec<Detector>,
    /// When the first has acted; `None`: nobody does.
    pub acted: Option<Span>,
    /// When it is back without anybody's help; `None`: never.
    pub back: Option<Span>,
    /// Not every one of the first brings it back.
    pub back_is_open: bool,
}

/// A row for each fault that something is there to notice.
pub fn by_fault(rows: &[Row]) -> Vec<FaultRow> {
    let of = |fault| rows.iter().filter(move |row| row.fault == fault);
    Break::ALL.into_iter().filter(|fault| of(*fault).next().is_some()).map(|fault| row(fault, of(fault))).collect()
}

fn row<'r>(fault: Break, rows: impl Iterator<Item = &'r Row> + Clone) -> FaultRow {
    let out_of_service = rows.clone().find(|row| row.detector == Detector::Readiness).and_then(|row| row.acted);
    let acting = rows.filter(|row| row.detector != Detector::Readiness);
    let acting: Vec<(&Row, Span)> = acting.filter_map(|row| Some((row, row.acted?))).collect();
    let soonest = acting.iter().map(|(_, acted)| acted.worst).min();
    // Whoever can have acted by then may be the first; what liveness may end, liveness may have done.
    let in_time = |acted: &Span| soonest.is_some_and(|worst| acted.best <= worst);
    let is_contested = acting.iter().any(|(row, acted)| in_time(acted) && row.contested());
    let may_end = |row: &Row| is_contested && row.detector == Detector::Liveness;
    let first = || acting.iter().filter(|(row, acted)| in_time(acted) || may_end(row));
    let backs: Vec<Span> = first().filter_map(|(row, _)| row.back).collect();
    FaultRow {
        fault,
        out_of_service,
        first: first().map(|(row, _)| row.detector).collect(),
        acted: soonest.zip(first().map(|(_, acted)| acted.best).min()).map(|(worst, best)| Span { best, worst }),
        back: around(&backs),
        back_is_open: backs.len() < first().count() || first().any(|(row, _)| row.contested()),
    }
}

/// From the earliest to the latest of all.
fn around(spans: &[Span]) -> Option<Span> {
    let (best, worst) = (spans.iter().map(|s| s.best).min()?, spans.iter().map(|s| s.worst).max()?);
    Some(Span { best, worst })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{Assumptions, rows};
    use crate::fixture::vm;
    use crate::manifest::WatchdogAction;

    fn shown(vm: &crate::manifest::VirtualMachine) -> Vec<String> {
        shown_with(vm, 0)
    }

    fn shown_with(vm: &crate::manifest::VirtualMachine, panic_timer: i32) -> Vec<String> {
        let span =
            |s: Option<Span>| s.map_or("never".into(), |s| format!("{}-{}", s.best.as_secs(), s.worst.as_secs()));
        let line = |row: FaultRow| {
            let first: Vec<&str> = row.first.iter().map(|d| d.as_str()).collect();
            let open = if row.back_is_open { "?" } else { "" };
            let [out, acted, back] = [row.out_of_service, row.acted, row.back].map(span);
            format!("{}: out {out}, {} {acted}, back {back}{open}", row.fault.as_str(), first.join("/"))
        };
        by_fault(&rows(vm, &Assumptions { panic_timer, ..Assumptions::default() })).into_iter().map(line).collect()
    }

    #[test]
    fn who_acts_first() {
        let liveness = "guestAgentPing: {}, periodSeconds: 10, failureThreshold: 3, initialDelaySeconds: 120";
        let plain = vm().readiness("httpGet: {port: 80}").build();
        let watched = vm().liveness(liveness).watchdog(WatchdogAction::Poweroff).build();
        assert_eq!(shown(&plain)[0], "service-stopped: out 20-30,  never, back never");
        let of = |fault: &str| shown(&watched).into_iter().find(|line| line.starts_with(fault)).unwrap();
        assert_eq!(of("service-stopped"), "service-stopped: out never,  never, back never");
        assert_eq!(of("daemon-stopped").split(',').nth(1).unwrap(), " watchdog 59-60");
        assert!(
            of("kernel-panic").contains("liveness/watchdog") || of("kernel-panic").contains(" watchdog "),
            "{}",
            of("kernel-panic")
        );
    }
    /// The guest's own reboot is first unless something else is; on s390x it never comes.
    #[test]
    fn a_kernel_that_reboots_by_itself() {
        let patient = "httpGet: {port: 80}, periodSeconds: 30, failureThreshold: 4";
        let hasty = "httpGet: {port: 80}, periodSeconds: 10, failureThreshold: 3";
        let plain = || vm().readiness("httpGet: {port: 80}");
        let watched = || plain().watchdog(WatchdogAction::Poweroff);
        for (what, vm, timer, expected) in [
            ("nothing else", plain(), 10, "kernel.panic 10-10, back 70-70"),
            ("at once", plain(), -1, "kernel.panic 0-0, back 60-60"),
            ("never", plain(), 0, " never, back never"),
            ("in front of the watchdog", watched(), 10, "kernel.panic 10-10, back 70-70"),
            ("behind the watchdog", watched(), 61, "watchdog 59-60, back 121-122"),
            ("about with the watchdog", watched(), 60, "watchdog/kernel.panic 59-60, back 120-122"),
            ("liveness has patience", vm().liveness(patient), 10, "kernel.panic 10-10, back 70-70"),
            ("liveness ends the reboot", vm().liveness(hasty), 10, "liveness/kernel.panic 10-10, back 113-123?"),
            ("a device is quicker", plain().device("panicDevices: [{model: isa}]"), 10, "panic-device 0-0, back 62-62"),
            ("s390x", plain().spec("architecture: s390x"), 10, "disabled-wait 0-0, back 62-62"),
            ("terminated", plain().domain("rebootPolicy: Terminate"), 10, "kernel.panic 10-10, back 72-72"),
        ] {
            let line = shown_with(&vm.build(), timer).into_iter().find(|l| l.starts_with("kernel-panic")).unwrap();
            assert!(line.ends_with(expected), "{what}: {line}");
        }
    }
}

//! How long things take in two runs of one scenario: each kind of interval has a window of its own.
//!
//! Lanes compare what happened in which order; this compares when, where the guest's speed plays no part. A window is as
//! wide as what the two runs may differ by: the host's own reaction, a pet's interval, the phase of a probe's grid.

use super::align::align;
use super::normal::{Normal, Normaliser};
use std::collections::BTreeMap;
use std::time::Duration;
use vmhealth_sim::kubelet::ProbeKind;
use vmhealth_sim::manifest::VmiSpec;
use vmhealth_sim::scenario::GuestProfile;
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::Trace;

/// By how much the length of an interval may differ between two runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Window {
    /// The host's reaction, milliseconds: several times what was measured on two busy cores.
    Host(u64),
    /// The fault comes anywhere between two pets, and is confirmed later.
    Pet,
    /// The fault hits the probe's grid anywhere, and an attempt under way may take its time.
    Period(ProbeKind),
}

/// From the last event that begins with `from` to the first one after it that begins with `to`.
struct Rule {
    to: &'static str,
    from: &'static str,
    window: Window,
}

const fn rule(to: &'static str, from: &'static str, window: Window) -> Rule {
    Rule { to, from, window }
}

/// How often Debian's daemon pets.
const DAEMONS_INTERVAL: Duration = Duration::from_secs(1);
/// From a fault to its being seen, and the host's reaction.
const SEEN: Duration = Duration::from_secs(1);
/// Neither a guest nor a disk has a part in it: only this process.
const AT_ONCE: Window = Window::Host(500);

const RULES: &[Rule] = &[
    rule("vmi phase Scheduling", "vmi phase Pending", AT_ONCE),
    rule("vmi phase Scheduled", "vmi phase Scheduling", AT_ONCE),
    rule("vmi phase Running", "qemu STARTED", AT_ONCE),
    rule("vmi phase Succeeded", "qemu EXIT", AT_ONCE),
    rule("vmi phase Failed", "qemu EXIT", AT_ONCE),
    rule("vmi phase Pending", "vmi phase Succeeded", AT_ONCE),
    rule("vmi phase Pending", "vmi phase Failed", AT_ONCE),
    rule("vm status", "vmi phase", AT_ONCE),
    rule("endpoints", "vmi ready", AT_ONCE),
    rule("pod event Killing", "liveness result Failure", AT_ONCE),
    rule("vmi event ShuttingDown", "pod event Killing", AT_ONCE),
    rule("vmi ready False PodTerminating", "user stop accepted", AT_ONCE),
    rule("qemu POWERDOWN", "qemu WATCHDOG shutdown", AT_ONCE),
    // QEMU has to end, or to reset a machine.
    rule("qemu EXIT", "qemu WATCHDOG poweroff", Window::Host(2000)),
    rule("qemu RESET", "qemu WATCHDOG reset", Window::Host(3000)),
    rule("qemu STARTED", "vmi phase Scheduled", Window::Host(5000)),
    // Two stages of the device, whose clock is the guest's.
    rule("qemu WATCHDOG", "guest petter nobody", Window::Pet),
    rule("qemu WATCHDOG", "fault stopWatchdog begun", Window::Pet),
    rule("qemu WATCHDOG", "fault kernelPanic begun", Window::Pet),
    // The last attempt's own time: a refusal's or the whole timeout.
    rule("readiness result Failure", "readiness attempt", Window::Host(2000)),
    rule("liveness result Failure", "liveness attempt", Window::Host(2000)),
    rule("readiness result Failure", "fault health begun", Window::Period(ProbeKind::Readiness)),
    rule("readiness result Failure", "fault kernelPanic begun", Window::Period(ProbeKind::Readiness)),
    rule("readiness result Failure", "fault stopAgent begun", Window::Period(ProbeKind::Readiness)),
    rule("readiness result Failure", "fault networkLoss begun", Window::Period(ProbeKind::Readiness)),
    rule("liveness result Failure", "fault networkLoss begun", Window::Period(ProbeKind::Liveness)),
    rule("liveness result Failure", "fault health begun", Window::Period(ProbeKind::Liveness)),
    rule("liveness result Failure", "fault kernelPanic begun", Window::Period(ProbeKind::Liveness)),
    rule("liveness result Failure", "fault stopAgent begun", Window::Period(ProbeKind::Liveness)),
];

/// An attempt that was under way when the fault came, and a slow guest's answers.
const ATTEMPT: Duration = Duration::from_secs(2);

/// So much of a trace is shown before the event that came too early or too late.
const SHOWN: usize = 8;

/// The intervals of a run.
#[derive(Debug, Clone, Default)]
pub struct Intervals {
    /// In the order of the rules.
    by_rule: Vec<Vec<Interval>>,
    /// What says which intervals of two runs belong together.
    normal: Normal,
}

/// Where an event stands: its VMI, its lane, and how many events of that lane's history there are up to it.
type Place = (u32, &'static str, usize);

/// A fault took effect somewhere between its begin and its confirmation, so an interval that a fault begins has a shortest
/// and a longest length; others have one.
#[derive(Debug, Clone)]
struct Interval {
    /// Where the event stands that ends it.
    end: Place,
    shortest: Duration,
    longest: Duration,
    /// What led to its end.
    timeline: Vec<String>,
}

impl Intervals {
    /// Measures a trace.
    pub fn of(trace: &Trace) -> Intervals {
        let mut normaliser = Normaliser::default();
        let mut entries: Vec<(Time, Place, String)> = Vec::new();
        for entry in trace.sorted() {
            normaliser.take(&entry);
            let lane = entry.event.lane();
            let events = normaliser.normal.0.get(&(entry.vmi, lane)).map_or(0, Vec::len);
            entries.push((entry.at, (entry.vmi, lane, events), entry.event.to_string()));
        }
        let measure = |rule: &Rule| {
            // Not before, not after.
            let mut began: Option<(Time, Time)> = None;
            let mut fault: Option<Time> = None;
            let mut found = Vec::new();
            for (i, (at, place, text)) in entries.iter().enumerate() {
                if text.starts_with(rule.to)
                    && let Some((first, last)) = began.take()
                {
                    let shown = entries.get(i.saturating_sub(SHOWN)..=i).unwrap_or_default();
                    let timeline = shown.iter().map(|(at, _, text)| format!("{:>9} {text}", at.to_string())).collect();
                    found.push(Interval { end: *place, shortest: at.since(last), longest: at.since(first), timeline });
                }
                if is_fault(text, "begun") {
                    fault = Some(*at);
                }
                if text.starts_with(rule.from) {
                    // Who pets is looked up after the fault and is news from its confirmation on.
                    let first = if text.starts_with("guest petter") { fault.unwrap_or(*at) } else { *at };
                    began = Some((first, *at));
                } else if is_fault(text, "confirmed")
                    && is_fault(rule.from, "begun")
                    && let Some((_, last)) = &mut began
                {
                    *last = *at;
                }
            }
            found
        };
        Intervals { by_rule: RULES.iter().map(measure).collect(), normal: normaliser.normal }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_rule.iter().map(Vec::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The intervals whose lengths differ by more than their window; one that only one run has is the lanes' business.
pub fn compare(names: [&str; 2], runs: [&Intervals; 2], vmi: &VmiSpec, guest: &GuestProfile) -> Vec<String> {
    let mut differences = Vec::new();
    let partners = Partners::of(runs.map(|run| &run.normal));
    let [left, right] = runs;
    for (rule, (left, right)) in RULES.iter().zip(left.by_rule.iter().zip(&right.by_rule)) {
        let window = rule.window.width(vmi, guest);
        for (l, r) in partners.pair(left, right) {
            let apart = l.shortest.max(r.shortest).saturating_sub(l.longest.min(r.longest));
            if apart > window {
                differences.push(format!(
                    "VMI {}, {:?} after {:?}: {} s in {}, {} s in {}; they may differ by {:.1} s\n{}",
                    l.end.0,
                    rule.to,
                    rule.from,
                    l.length(),
                    names[0],
                    r.length(),
                    names[1],
                    window.as_secs_f64(),
                    side_by_side(names, [&l.timeline, &r.timeline]),
                ));
            }
        }
    }
    differences
}

/// Which place of the left run is which of the right one.
struct Partners(BTreeMap<Place, Place>);

impl Partners {
    fn of(runs: [&Normal; 2]) -> Partners {
        let [left, right] = runs.map(|run| &run.0);
        let mut partners = BTreeMap::new();
        for (lane, history) in left {
            let place = |events| (lane.0, lane.1, events);
            // An event that the normal history leaves out may come before all others.
            partners.insert(place(0), place(0));
            let rows = align(history, right.get(lane).map_or(&[], Vec::as_slice));
            let pairs = rows.iter().filter_map(|row| row.left.zip(row.right));
            partners.extend(pairs.map(|(l, r)| (place(l + 1), place(r + 1))));
        }
        Partners(partners)
    }

    /// The intervals that end with the same event, in pairs.
    fn pair<'a>(&self, left: &'a [Interval], right: &'a [Interval]) -> Vec<(&'a Interval, &'a Interval)> {
        let mut right: Vec<&Interval> = right.iter().collect();
        let mut pairs = Vec::new();
        for l in left {
            let partner = self.0.get(&l.end);
            // The first of several: a repeated event has one place.
            if let Some(i) = right.iter().position(|r| Some(&r.end) == partner) {
                pairs.push((l, right.remove(i)));
            }
        }
        pairs
    }
}

fn is_fault(text: &str, what: &str) -> bool {
    text.starts_with("fault ") && text.ends_with(what)
}

impl Interval {
    fn length(&self) -> String {
        let [shortest, longest] = [self.shortest, self.longest].map(|d| format!("{:.3}", d.as_secs_f64()));
        if shortest == longest { shortest } else { format!("{shortest}..{longest}") }
    }
}

impl Window {
    fn width(self, vmi: &VmiSpec, guest: &GuestProfile) -> Duration {
        let probe = match self {
            Window::Pet => {
                let interval = guest.petting().and_then(|petting| petting.every);
                return interval.unwrap_or(DAEMONS_INTERVAL) + SEEN;
            }
            Window::Host(millis) => return Duration::from_millis(millis),
            Window::Period(ProbeKind::Readiness) => vmi.readiness.as_ref(),
            Window::Period(ProbeKind::Liveness) => vmi.liveness.as_ref(),
        };
        probe.map_or(ATTEMPT, |p| p.timings.period() + ATTEMPT)
    }
}

/// Two timelines, their ends level.
fn side_by_side(names: [&str; 2], sides: [&[String]; 2]) -> String {
    let width = sides[0].iter().map(|l| l.chars().count()).max().unwrap_or(0).max(names[0].len());
    let rows = sides[0].len().max(sides[1].len());
    let line = |side: &[String], row: usize| {
        (row + side.len()).checked_sub(rows).and_then(|i| side.get(i)).cloned().unwrap_or_default()
    };
    let mut text = format!("    {:width$} | {}", names[0], names[1]);
    for row in 0..rows {
        let mark = if row + 1 == rows { "-->" } else { "   " };
        text.push_str(&format!("\n{mark} {:width$} | {}", line(sides[0], row), line(sides[1], row)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmhealth_sim::cluster::{DomainEvent, Exit, Phase};
    use vmhealth_sim::fault::FaultKind;
    use vmhealth_sim::manifest::WatchdogAction;
    use vmhealth_sim::trace::{Entry, Event, VmStatus};

    fn intervals(events: impl IntoIterator<Item = (u64, Event)>) -> Intervals {
        let mut trace = Trace::default();
        for (millis, event) in events {
            let at = Time::from_millis(millis);
            trace.push(Entry { at, vmi: 1, event, detail: String::new(), replayed: false });
        }
        Intervals::of(&trace)
    }

    fn differences(left: &Intervals, right: &Intervals) -> Vec<String> {
        let vm = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: vm}\nspec: {runStrategy: Once, template: {spec: {domain: {}}}}\n";
        let vmi = vmhealth_sim::manifest::read("vm.yaml", vm).expect("a manifest").vmi;
        compare(["model", "qemu"], [left, right], &vmi, &GuestProfile::default())
    }

    #[test]
    fn a_fault_is_effective_somewhere_between_its_begin_and_its_confirmation() {
        let killed = |confirmed, fired| {
            intervals([
                (1000, Event::FaultBegun(FaultKind::KillWatchdog)),
                (confirmed, Event::WatchdogHolder("nobody".into())),
                (confirmed, Event::FaultConfirmed(FaultKind::KillWatchdog)),
                (fired, Event::Qemu(DomainEvent::Watchdog(WatchdogAction::Reset))),
            ])
        };
        let stopped = |confirmed, fired| {
            intervals([
                (1000, Event::FaultBegun(FaultKind::StopWatchdog)),
                (confirmed, Event::FaultConfirmed(FaultKind::StopWatchdog)),
                (fired, Event::Qemu(DomainEvent::Watchdog(WatchdogAction::Reset))),
            ])
        };
        // Against 10 s in the model, with a window of 2 s: confirmed, fired, whether that differs.
        for (confirmed, fired, differs) in [
            (1000, 13_000, false),
            (1000, 13_001, true),
            (1000, 8_999, true),
            (5000, 17_000, false),
            (5000, 17_001, true),
            (5000, 9_000, false),
            (5000, 8_999, true),
        ] {
            for of in [&killed as &dyn Fn(u64, u64) -> Intervals, &stopped] {
                let found = differences(&of(1000, 11_000), &of(confirmed, fired));
                assert_eq!(!found.is_empty(), differs, "confirmed at {confirmed}, fired at {fired}: {found:?}");
            }
        }
        let found = differences(&killed(1000, 11_000), &killed(3000, 20_000));
        assert!(found[0].contains("10.000 s in model, 17.000..19.000 s in qemu"), "{}", found[0]);
    }

    #[test]
    fn a_late_event_is_shown_with_both_timelines() {
        let ended = |failed_at| {
            intervals([
                (1000, Event::Qemu(DomainEvent::Started)),
                (1000, Event::Phase(Phase::Running)),
                (9000, Event::Qemu(DomainEvent::Exited(Exit::Status(0)))),
                (failed_at, Event::Phase(Phase::Failed)),
            ])
        };
        let late = |failed_at| differences(&ended(9000), &ended(failed_at));
        assert_eq!(late(9500), Vec::<String>::new());
        let found = late(9501);
        insta::assert_snapshot!(found.join("\n"), @r#"
        VMI 1, "vmi phase Failed" after "qemu EXIT": 0.000 s in model, 0.501 s in qemu; they may differ by 0.5 s
            model                        | qemu
                1.000 qemu STARTED       |     1.000 qemu STARTED
                1.000 vmi phase Running  |     1.000 vmi phase Running
                9.000 qemu EXIT status 0 |     9.000 qemu EXIT status 0
        -->     9.000 vmi phase Failed   |     9.501 vmi phase Failed
        "#);
    }

    #[test]
    fn a_missing_event_leaves_the_others_their_partners() {
        let changes = |changes: &[(u64, Phase, u64, VmStatus)]| {
            let both = |&(at, phase, after, status): &(u64, Phase, u64, VmStatus)| {
                [(at, Event::Phase(phase)), (at + after, Event::VmStatus(status))]
            };
            intervals(changes.iter().flat_map(both))
        };
        let whole = |stopped_after| {
            [
                (1000, Phase::Scheduling, 400, VmStatus::Starting),
                (2000, Phase::Running, 0, VmStatus::Running),
                (9000, Phase::Failed, stopped_after, VmStatus::Stopped),
            ]
        };
        let missing = |stopped_after| {
            let [first, _, last] = whole(stopped_after);
            changes(&[first, last])
        };
        let model = changes(&whole(1000));
        assert_eq!(differences(&model, &missing(1000)), Vec::<String>::new());
        assert_eq!(differences(&missing(1000), &model), Vec::<String>::new());
        let found = differences(&model, &missing(2000));
        assert!(found.len() == 1 && found[0].contains("1.000 s in model, 2.000 s in qemu"), "{found:?}");
    }
}

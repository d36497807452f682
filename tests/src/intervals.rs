//! How long things take in two runs of one scenario: each kind of interval has a window of its own.
//!
//! Lanes compare what happened in which order; this compares when, where the guest's speed plays no part. A window is as
//! wide as what the two runs may differ by: the host's own reaction, a pet's interval, the phase of a probe's grid.

use std::time::Duration;
use vmhealth_sim::kubelet::ProbeKind;
use vmhealth_sim::manifest::VmiSpec;
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::Trace;

/// By how much two runs may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Window {
    /// The host's reaction, milliseconds: several times what was measured on two busy cores.
    Host(u64),
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

/// The daemon pets once a second: the fault comes that long before or after a pet, and is confirmed a little later.
const PET: Window = Window::Host(2000);
/// No guest, no disk: this process only.
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
    rule("qemu WATCHDOG", "guest petter nobody", PET),
    rule("qemu WATCHDOG", "fault stopWatchdog begun", PET),
    rule("qemu WATCHDOG", "fault kernelPanic begun", PET),
    rule("readiness result Failure", "fault health begun", Window::Period(ProbeKind::Readiness)),
    rule("readiness result Failure", "fault kernelPanic begun", Window::Period(ProbeKind::Readiness)),
    rule("readiness result Failure", "fault stopAgent begun", Window::Period(ProbeKind::Readiness)),
    rule("liveness result Failure", "fault health begun", Window::Period(ProbeKind::Liveness)),
    rule("liveness result Failure", "fault kernelPanic begun", Window::Period(ProbeKind::Liveness)),
    rule("liveness result Failure", "fault stopAgent begun", Window::Period(ProbeKind::Liveness)),
];

/// An attempt that was under way when the fault came, and a slow guest's answers.
const ATTEMPT: Duration = Duration::from_secs(2);

/// So much of a trace is shown before the event that came too early or too late.
const SHOWN: usize = 8;

/// The intervals of a run, by rule.
#[derive(Debug, Clone, Default)]
pub struct Intervals(Vec<Vec<Interval>>);

#[derive(Debug, Clone)]
struct Interval {
    vmi: u32,
    length: Duration,
    /// What led to its end.
    timeline: Vec<String>,
}

impl Intervals {
    /// Measures a trace.
    pub fn of(trace: &Trace) -> Intervals {
        let entries: Vec<(Time, u32, String)> =
            trace.sorted().iter().map(|e| (e.at, e.vmi, e.event.to_string())).collect();
        let measure = |rule: &Rule| {
            let mut began: Option<Time> = None;
            let mut found = Vec::new();
            for (i, (at, vmi, text)) in entries.iter().enumerate() {
                if text.starts_with(rule.to)
                    && let Some(began) = began.take()
                {
                    let shown = entries.get(i.saturating_sub(SHOWN)..=i).unwrap_or_default();
                    let timeline = shown.iter().map(|(at, _, text)| format!("{:>9} {text}", at.to_string())).collect();
                    found.push(Interval { vmi: *vmi, length: at.since(began), timeline });
                }
                if text.starts_with(rule.from) {
                    began = Some(*at);
                }
            }
            found
        };
        Intervals(RULES.iter().map(measure).collect())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The intervals whose lengths differ by more than their window; one that only one run has is the lanes' business.
pub fn compare(names: [&str; 2], runs: [&Intervals; 2], vmi: &VmiSpec) -> Vec<String> {
    let mut differences = Vec::new();
    let [left, right] = runs;
    for (rule, (left, right)) in RULES.iter().zip(left.0.iter().zip(&right.0)) {
        let window = rule.window.width(vmi);
        for (l, r) in left.iter().zip(right) {
            if l.length.abs_diff(r.length) > window {
                differences.push(format!(
                    "VMI {}, {:?} after {:?}: {:.3} s in {}, {:.3} s in {}; they may differ by {:.1} s\n{}",
                    l.vmi,
                    rule.to,
                    rule.from,
                    l.length.as_secs_f64(),
                    names[0],
                    r.length.as_secs_f64(),
                    names[1],
                    window.as_secs_f64(),
                    side_by_side(names, [&l.timeline, &r.timeline]),
                ));
            }
        }
    }
    differences
}

impl Window {
    fn width(self, vmi: &VmiSpec) -> Duration {
        let probe = match self {
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
    use vmhealth_sim::trace::{Entry, Event};

    fn intervals(failed_at: u64) -> Intervals {
        let mut trace = Trace::default();
        for (millis, event) in [
            (1000, Event::Qemu(DomainEvent::Started)),
            (1000, Event::Phase(Phase::Running)),
            (9000, Event::Qemu(DomainEvent::Exited(Exit::Status(0)))),
            (failed_at, Event::Phase(Phase::Failed)),
        ] {
            let at = Time::from_millis(millis);
            trace.push(Entry { at, vmi: 1, event, detail: String::new(), replayed: false });
        }
        Intervals::of(&trace)
    }

    #[test]
    fn a_late_event_is_shown_with_both_timelines() {
        let vm = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: vm}\nspec: {runStrategy: Once, template: {spec: {domain: {}}}}\n";
        let vmi = vmhealth_sim::manifest::read("vm.yaml", vm).expect("a manifest").vmi;
        let compare = |late| compare(["model", "qemu"], [&intervals(9000), &intervals(late)], &vmi);
        assert_eq!(compare(9500), Vec::<String>::new());
        let found = compare(9501);
        insta::assert_snapshot!(found.join("\n"), @r#"
        VMI 1, "vmi phase Failed" after "qemu EXIT": 0.000 s in model, 0.501 s in qemu; they may differ by 0.5 s
            model                        | qemu
                1.000 qemu STARTED       |     1.000 qemu STARTED
                1.000 vmi phase Running  |     1.000 vmi phase Running
                9.000 qemu EXIT status 0 |     9.000 qemu EXIT status 0
        -->     9.000 vmi phase Failed   |     9.501 vmi phase Failed
        "#);
    }
}

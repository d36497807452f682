//! A run as a picture has it: lanes of spans (a state and how long it lasted) and marks (an event).
//!
//! Made from the words of `timeline.jsonl`, so that a run folder of any age can be drawn. Knows nothing of HTML or of JSON.

use vmhealth_guests::reality::Line;

/// How a span or a mark is to be understood; never by its colour alone: each has its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// As it should be.
    Good,
    /// Broken.
    Bad,
    /// On its way.
    Wait,
    /// Neither.
    Plain,
}

/// A state of a lane, seconds on the scenario's clock.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Span {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) label: String,
    pub(super) tone: Tone,
    /// When it ends by itself at the latest: the watchdog fires.
    pub(super) deadline: Option<f64>,
}

/// An event of a lane.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    /// Its place among the run's lines.
    pub(super) event: usize,
    /// When what it ends began: the attempt that it answers.
    pub(super) from: Option<f64>,
    pub(super) tone: Tone,
}

/// One object's history.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lane {
    pub(super) name: &'static str,
    pub(super) spans: Vec<Span>,
    pub(super) marks: Vec<Mark>,
    open: Option<Span>,
}

const FAULTS: usize = 0;
const GUEST: usize = 1;
const WATCHDOG: usize = 2;
const READINESS: usize = 3;
const LIVENESS: usize = 4;
const VMI: usize = 5;
const VM: usize = 6;
const ENDPOINTS: usize = 7;
const EVENTS: usize = 8;
const NAMES: [&str; 9] =
    ["faults, users", "guest", "watchdog", "readiness", "liveness", "VMI", "VM", "endpoints, traffic", "events"];

/// The lanes of a run in which something happened. `lines` in the order of their times; `watchdog_s` from the last write
/// to the firing; `end` of the run, seconds.
pub(super) fn lanes(lines: &[Line], watchdog_s: Option<f64>, end: f64) -> Vec<Lane> {
    let last = lines.last().map_or(0.0, |l| l.t);
    let mut drawing = Drawing {
        lanes: NAMES.map(|name| Lane { name, spans: Vec::new(), marks: Vec::new(), open: None }),
        watchdog_s,
        fault_at: 0.0,
        attempts: [None; 2],
    };
    lines.iter().enumerate().for_each(|(event, line)| drawing.take(event, line));
    for lane in &mut drawing.lanes {
        lane.close(end.max(last));
    }
    drawing.lanes.into_iter().filter(|lane| !lane.marks.is_empty() || !lane.spans.is_empty()).collect()
}

struct Drawing {
    lanes: [Lane; NAMES.len()],
    watchdog_s: Option<f64>,
    /// When the last fault began: the daemon wrote for the last time at most an interval before.
    fault_at: f64,
    /// When the attempt under way began, by probe.
    attempts: [Option<f64>; 2],
}

impl Drawing {
    fn take(&mut self, event: usize, line: &Line) {
        let words: Vec<&str> = line.event.split(' ').collect();
        let at = line.t;
        match words.as_slice() {
            ["fault", .., "begun"] => {
                self.fault_at = at;
                let fault = line.event.trim_start_matches("fault ").trim_end_matches(" begun");
                self.lanes[FAULTS].change(at, fault, Tone::Bad);
                self.mark(FAULTS, event, Tone::Bad);
            }
            ["fault", fault, .., how] => {
                self.lanes[FAULTS].close(at);
                self.mark(FAULTS, event, Tone::Bad);
                match (*fault, *how) {
                    ("kernelPanic", "confirmed") => {
                        self.lanes[GUEST].change(at, "panicked", Tone::Bad);
                        self.count_down(at);
                    }
                    ("stopWatchdog", "confirmed") => self.count_down(at),
                    _ => {}
                }
            }
            ["user", ..] => self.mark(FAULTS, event, Tone::Plain),
            ["guest", what, rest @ ..] => self.guest(event, at, what, &rest.join(" ")),
            ["qemu", what, ..] => self.qemu(event, at, what),
            [probe @ ("readiness" | "liveness"), what, rest @ ..] => {
                self.probe(event, at, probe, what, &rest.join(" "))
            }
            ["vmi", "phase", phase] => self.phase(event, line, phase),
            ["vmi", "event", ..] | ["vm", "event", ..] | ["pod", ..] => {
                let bad = ["Unhealthy", "Killing", "Failed", "Panicked"].iter().any(|w| line.event.contains(w));
                self.mark(EVENTS, event, if bad { Tone::Bad } else { Tone::Plain });
            }
            ["vmi", "ready", status, ..] => {
                self.mark(VMI, event, if *status == "True" { Tone::Good } else { Tone::Bad });
            }
            ["vmi", ..] => self.mark(VMI, event, Tone::Plain),
            ["vm", "status", status] => {
                let tone = match *status {
                    "Running" => Tone::Good,
                    "CrashLoopBackOff" => Tone::Bad,
                    "Stopped" | "Paused" => Tone::Plain,
                    _ => Tone::Wait,
                };
                self.lanes[VM].change(at, status, tone);
                self.mark(VM, event, tone);
            }
            ["vm", "ready", status, ..] => self.mark(VM, event, if *status == "True" { Tone::Good } else { Tone::Bad }),
            ["vm", ..] => self.mark(VM, event, Tone::Plain),
            ["endpoints", whether] => {
                let tone = if *whether == "in" { Tone::Good } else { Tone::Bad };
                self.lanes[ENDPOINTS].change(at, whether, tone);
                self.mark(ENDPOINTS, event, tone);
            }
            ["traffic", outcome] => {
                self.mark(ENDPOINTS, event, if *outcome == "delivered" { Tone::Good } else { Tone::Bad });
            }
            _ => self.mark(EVENTS, event, Tone::Plain),
        }
    }

    fn mark(&mut self, lane: usize, event: usize, tone: Tone) {
        self.lanes[lane].marks.push(Mark { event, from: None, tone });
    }

    fn guest(&mut self, event: usize, at: f64, what: &str, rest: &str) {
        match what {
            "ready" => {
                self.lanes[GUEST].change(at, "ready", Tone::Good);
                if self.watchdog_s.is_some() {
                    self.lanes[WATCHDOG].change(at, "written to in time", Tone::Good);
                }
                self.mark(GUEST, event, Tone::Good);
            }
            "not-ready" => {
                self.lanes[GUEST].change(at, "not ready", Tone::Bad);
                self.mark(GUEST, event, Tone::Bad);
            }
            "petter" if rest == "nobody" => {
                self.count_down(at);
                self.mark(WATCHDOG, event, Tone::Bad);
            }
            "petter" => {
                self.lanes[WATCHDOG].change(at, &format!("{rest} writes to it"), Tone::Good);
                self.mark(WATCHDOG, event, Tone::Plain);
            }
            _ => self.mark(GUEST, event, Tone::Plain),
        }
    }

    /// Nobody writes to the watchdog any more.
    fn count_down(&mut self, at: f64) {
        let Some(watchdog_s) = self.watchdog_s else { return };
        let lane = &mut self.lanes[WATCHDOG];
        if lane.open.as_ref().is_some_and(|open| open.deadline.is_none()) {
            lane.change(at, "nobody writes to it", Tone::Bad);
            if let Some(open) = &mut lane.open {
                open.deadline = Some(self.fault_at + watchdog_s);
            }
        }
    }

    fn qemu(&mut self, event: usize, at: f64, what: &str) {
        let tone = match what {
            "STARTED" | "RESET" => {
                self.lanes[GUEST].change(at, "booting", Tone::Wait);
                self.lanes[WATCHDOG].close(at);
                Tone::Plain
            }
            "EXIT" => {
                self.lanes[GUEST].close(at);
                self.lanes[WATCHDOG].close(at);
                Tone::Bad
            }
            "STOP" => {
                self.lanes[GUEST].change(at, "stopped", Tone::Plain);
                Tone::Plain
            }
            "RESUME" => {
                self.lanes[GUEST].change(at, "runs on", Tone::Good);
                Tone::Plain
            }
            "POWERDOWN" | "SHUTDOWN" => {
                self.lanes[GUEST].change(at, "shutting down", Tone::Wait);
                Tone::Plain
            }
            "GUEST_PANICKED" => {
                self.lanes[GUEST].change(at, "panicked", Tone::Bad);
                Tone::Bad
            }
            "WATCHDOG" => {
                self.lanes[WATCHDOG].close(at);
                self.mark(WATCHDOG, event, Tone::Bad);
                return;
            }
            _ => Tone::Plain,
        };
        self.mark(GUEST, event, tone);
    }

    fn probe(&mut self, event: usize, at: f64, probe: &str, what: &str, rest: &str) {
        let lane = if probe == "readiness" { READINESS } else { LIVENESS };
        let attempt = &mut self.attempts[lane - READINESS];
        let tone = match rest {
            "Success" => Tone::Good,
            "Failure" => Tone::Bad,
            _ => Tone::Wait,
        };
        match what {
            "attempt" => {
                *attempt = Some(at);
                self.mark(lane, event, Tone::Plain);
            }
            "answer" => {
                let from = attempt.take();
                self.lanes[lane].marks.push(Mark { event, from, tone });
            }
            _ => {
                self.lanes[lane].change(at, rest, tone);
                self.mark(lane, event, tone);
            }
        }
    }

    fn phase(&mut self, event: usize, line: &Line, phase: &str) {
        let is_final = matches!(phase, "Succeeded" | "Failed");
        let tone = match phase {
            "Running" => Tone::Good,
            "Failed" => Tone::Bad,
            "Succeeded" => Tone::Plain,
            _ => Tone::Wait,
        };
        self.lanes[VMI].change(line.t, &format!("{phase} ({})", line.vmi), tone);
        self.mark(VMI, event, tone);
        if is_final {
            // Its pod is gone, and the probes' workers with it.
            for lane in [GUEST, WATCHDOG, READINESS, LIVENESS] {
                self.lanes[lane].close(line.t);
            }
            self.attempts = [None; 2];
        }
    }
}

impl Lane {
    fn change(&mut self, at: f64, label: &str, tone: Tone) {
        self.close(at);
        self.open = Some(Span { from: at, to: at, label: label.to_owned(), tone, deadline: None });
    }

    fn close(&mut self, at: f64) {
        if let Some(open) = self.open.take() {
            self.spans.push(Span { to: at, ..open });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run whose daemon is killed: (seconds, VMI, event).
    const KILLED: &[(f64, u32, &str)] = &[
        (0.0, 1, "vm status Starting"),
        (0.0, 1, "vmi phase Pending"),
        (1.0, 1, "endpoints in"),
        (1.0, 1, "qemu STARTED"),
        (1.0, 1, "vmi phase Running"),
        (1.0, 1, "vm status Running"),
        (8.0, 1, "readiness attempt 1"),
        (9.0, 1, "readiness answer Failure"),
        (9.0, 1, "pod event Unhealthy readiness"),
        (11.0, 1, "readiness attempt 1"),
        (11.5, 1, "readiness answer Success"),
        (11.5, 1, "readiness result Success"),
        (12.0, 1, "guest ready"),
        (14.0, 1, "fault killWatchdog begun"),
        (14.2, 1, "guest petter nobody"),
        (14.2, 1, "fault killWatchdog confirmed"),
        (15.0, 1, "traffic delivered"),
        (24.0, 1, "qemu WATCHDOG poweroff"),
        (24.0, 1, "qemu EXIT status 0"),
        (24.0, 1, "vmi phase Failed"),
        (24.0, 1, "endpoints out"),
    ];

    fn drawn(lines: &[(f64, u32, &str)], watchdog_s: Option<f64>) -> String {
        let line = |(t, vmi, event): &(f64, u32, &str)| Line {
            t: *t,
            vmi: *vmi,
            event: (*event).to_owned(),
            detail: String::new(),
            replayed: false,
        };
        let lines: Vec<Line> = lines.iter().map(line).collect();
        let mut text = String::new();
        for lane in lanes(&lines, watchdog_s, 30.0) {
            text += &format!("{}:\n", lane.name);
            for span in &lane.spans {
                let deadline = span.deadline.map(|d| format!(", by {d:.3}")).unwrap_or_default();
                text += &format!("  {}..{} {} {:?}{deadline}\n", span.from, span.to, span.label, span.tone);
            }
            for mark in &lane.marks {
                let from = mark.from.map(|f| format!(" since {f}")).unwrap_or_default();
                text += &format!("  {} {} {:?}{from}\n", lines[mark.event].t, lines[mark.event].event, mark.tone);
            }
        }
        text
    }

    #[test]
    fn a_killed_daemon() {
        insta::assert_snapshot!(drawn(KILLED, Some(10.066)));
    }

    #[test]
    fn every_event_has_exactly_one_mark() {
        let lines: Vec<(f64, u32, &str)> = KILLED.iter().copied().chain([(25.0, 2, "something new")]).collect();
        let drawn = drawn(&lines, None);
        for (t, _, event) in &lines {
            let count = drawn.matches(&format!("  {t} {event} ")).count();
            assert_eq!(count, lines.iter().filter(|(u, _, e)| (u, e) == (t, event)).count(), "{t} {event}\n{drawn}");
        }
    }

    /// What each pair of events leaves in the lane that they concern.
    #[test]
    fn spans() {
        let rows: &[(&[&str], &str)] = &[
            (&["qemu STARTED", "guest ready", "qemu STOP", "qemu RESUME"], "1..2 ready Good"),
            (&["qemu STARTED", "guest ready", "qemu STOP", "qemu RESUME"], "2..3 stopped Plain"),
            (&["guest ready", "qemu RESET guest-reset"], "1..30 booting Wait"),
            (&["guest ready", "fault kernelPanic begun", "fault kernelPanic confirmed"], "2..30 panicked Bad"),
            (&["guest ready", "fault kernelPanic begun", "fault kernelPanic confirmed"], "by 11.066"),
            (&["guest ready", "fault stopWatchdog begun", "fault stopWatchdog confirmed"], "by 11.066"),
            (
                &["guest ready", "fault killWatchdog begun", "guest petter wd_keepalive"],
                "wd_keepalive writes to it Good",
            ),
            (&["guest not-ready"], "0..30 not ready Bad"),
            (&["vm status CrashLoopBackOff", "vm status Stopped"], "0..1 CrashLoopBackOff Bad"),
            (&["vmi phase Running", "vmi phase Succeeded"], "1..30 Succeeded (1) Plain"),
            (&["liveness result Failure", "vmi phase Failed"], "0..1 Failure Bad"),
            (&["fault {health: hang} begun"], "0..30 {health: hang} Bad"),
            (&["guest ready", "qemu POWERDOWN"], "1..30 shutting down Wait"),
        ];
        for (events, expected) in rows {
            let lines: Vec<_> = events.iter().enumerate().map(|(i, e)| (i as f64, 1, *e)).collect();
            let drawn = drawn(&lines, Some(10.066));
            assert!(drawn.contains(expected), "{events:?}: {expected}\n{drawn}");
        }
    }
}

//! What happened, in the same words in both worlds.
//!
//! Every entry belongs to a *lane*, the first word of its text: `vm`, `vmi`, `pod`, `readiness`, `liveness`,
//! `endpoints`, `qemu`, `guest`, `fault`, `user`, `traffic`. Scenarios name events by the leading words of that text.

use crate::kubelet::{EventKind, ProbeKind, ProbeResult};
use crate::time::Time;
use std::fmt;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When.
    pub at: Time,
    /// To which VMI, counted from 1; 0 for the VM itself.
    pub vmi: u32,
    /// What.
    pub event: Event,
    /// More for a reader, never compared: a probe's text, a guest's boot id.
    pub detail: String,
    /// It happened in the boot of the template that the guest was forked from.
    pub replayed: bool,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The VM's printableStatus changed.
    VmStatus(&'static str),
    /// The VM's Ready condition changed; the reason goes with False.
    VmReady(bool, &'static str),
    /// Another condition of the VM came, with this status, or went: `RestartRequired`, and those of its VMI.
    VmCondition(&'static str, Option<&'static str>),
    /// A Kubernetes event on the VM.
    VmEvent(&'static str),
    /// The VMI's phase changed.
    Phase(crate::cluster::Phase),
    /// The VMI's Ready condition changed; the reason goes with False.
    Ready(bool, &'static str),
    /// The AgentConnected condition came or went.
    AgentConnected(bool),
    /// The Synchronized condition became False, with this reason, or went.
    Synchronized(Option<&'static str>),
    /// The Paused condition came or went.
    Paused(bool),
    /// A Kubernetes event on the VMI.
    VmiEvent(&'static str),
    /// A Kubernetes event on the pod, from a probe.
    Unhealthy(ProbeKind),
    /// A Kubernetes event on the pod: a probe's warning.
    ProbeWarning(ProbeKind),
    /// A Kubernetes event on the pod: the container is stopped.
    Killing,
    /// An attempt of a probe begins.
    Attempt(ProbeKind, u8),
    /// An attempt's answer.
    Answered(ProbeKind, crate::kubelet::Verdict),
    /// A probe's published result.
    Published(ProbeKind, ProbeResult),
    /// The pod entered (true) or left the ready endpoints.
    Endpoint(bool),
    /// An event or the end of the QEMU process.
    Qemu(crate::cluster::DomainEvent),
    /// The guest was seen booted and as the scenario's profile says.
    GuestReady,
    /// The guest will not become what the profile says.
    GuestNotReady,
    /// Its boot up to here was its template's; from here on it is its own.
    GuestForked,
    /// It boots from power-on although there is a template.
    GuestCold,
    /// Who pets the watchdog from now on: `wd_keepalive`, or `nobody`.
    Petter(String),
    /// A step of the timeline began.
    FaultBegun(&'static str),
    /// The fault was seen to have taken effect.
    FaultConfirmed(&'static str),
    /// The fault could not be injected, or not be seen.
    FaultFailed(&'static str),
    /// A user's request and its answer.
    User(&'static str, &'static str),
    /// What became of the Service's connections from here on: `delivered`, `refused` (no endpoint), `lost`.
    Traffic(&'static str),
}

impl Event {
    /// The lane: the first word of the text.
    pub fn lane(&self) -> &'static str {
        use Event::*;
        match self {
            VmStatus(_) | VmReady(..) | VmCondition(..) | VmEvent(_) => "vm",
            Phase(_) | Ready(..) | AgentConnected(_) | Synchronized(_) | Paused(_) | VmiEvent(_) => "vmi",
            Unhealthy(_) | ProbeWarning(_) | Killing => "pod",
            Attempt(ProbeKind::Readiness, _)
            | Answered(ProbeKind::Readiness, _)
            | Published(ProbeKind::Readiness, _) => "readiness",
            Attempt(ProbeKind::Liveness, _) | Answered(ProbeKind::Liveness, _) | Published(ProbeKind::Liveness, _) => {
                "liveness"
            }
            Endpoint(_) => "endpoints",
            Qemu(_) => "qemu",
            GuestReady | GuestNotReady | GuestForked | GuestCold | Petter(_) => "guest",
            FaultBegun(_) | FaultConfirmed(_) | FaultFailed(_) => "fault",
            User(..) => "user",
            Traffic(_) => "traffic",
        }
    }

    /// The event for a probe's Kubernetes event.
    pub fn of_probe(kind: ProbeKind, event: EventKind) -> Event {
        match event {
            EventKind::Unhealthy => Event::Unhealthy(kind),
            EventKind::ProbeWarning => Event::ProbeWarning(kind),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Event::*;
        f.write_str(self.lane())?;
        match self {
            VmStatus(status) => write!(f, " status {status}"),
            VmEvent(reason) | VmiEvent(reason) => write!(f, " event {reason}"),
            Phase(phase) => write!(f, " phase {phase}"),
            VmReady(true, _) | Ready(true, _) => f.write_str(" ready True"),
            VmReady(false, reason) | Ready(false, reason) => write!(f, " ready False {reason}"),
            VmCondition(name, status) => write!(f, " condition {name} {}", status.unwrap_or("gone")),
            Synchronized(Some(reason)) => write!(f, " synchronized False {reason}"),
            Synchronized(None) => f.write_str(" synchronized gone"),
            AgentConnected(yes) => f.write_str(if *yes { " agent connected" } else { " agent gone" }),
            Paused(yes) => f.write_str(if *yes { " paused True PausedByUser" } else { " paused gone" }),
            Unhealthy(kind) => write!(f, " event Unhealthy {kind}"),
            ProbeWarning(kind) => write!(f, " event ProbeWarning {kind}"),
            Killing => f.write_str(" event Killing"),
            Attempt(_, n) => write!(f, " attempt {n}"),
            Answered(_, verdict) => write!(f, " answer {verdict:?}"),
            Published(_, result) => write!(f, " result {result:?}"),
            Endpoint(yes) => f.write_str(if *yes { " in" } else { " out" }),
            Qemu(event) => write!(f, " {event}"),
            GuestReady => f.write_str(" ready"),
            GuestNotReady => f.write_str(" not-ready"),
            GuestForked => f.write_str(" forked"),
            GuestCold => f.write_str(" cold"),
            Petter(who) => write!(f, " petter {who}"),
            FaultBegun(name) => write!(f, " {name} begun"),
            FaultConfirmed(name) => write!(f, " {name} confirmed"),
            FaultFailed(name) => write!(f, " {name} failed"),
            User(request, answer) => write!(f, " {request} {answer}"),
            Traffic(state) => write!(f, " {state}"),
        }
    }
}

/// The words that may follow a lane; what a scenario's pattern is checked against.
pub const LANES: &[(&str, &[&str])] = &[
    ("vm", &["status", "ready", "condition", "event"]),
    ("vmi", &["phase", "ready", "agent", "synchronized", "paused", "event"]),
    ("pod", &["event"]),
    ("readiness", &["attempt", "answer", "result"]),
    ("liveness", &["attempt", "answer", "result"]),
    ("endpoints", &["in", "out"]),
    (
        "qemu",
        &["STARTED", "WATCHDOG", "RESET", "SHUTDOWN", "POWERDOWN", "STOP", "RESUME", "GUEST_PANICKED", "AGENT", "EXIT"],
    ),
    ("guest", &["ready", "not-ready", "forked", "cold", "petter"]),
    ("fault", &["*"]),
    ("user", &["*"]),
    ("traffic", &["delivered", "refused", "lost"]),
];

/// The trace of a run: bounded, in the order of arrival until [`Trace::sorted`].
#[derive(Debug, Clone, Default)]
pub struct Trace {
    entries: Vec<Entry>,
    overflowed: bool,
}

/// More entries than any scenario has; reaching it is a named failure.
const MAX_ENTRIES: usize = 200_000;

impl Trace {
    /// Appends unless the bound is reached.
    pub fn push(&mut self, entry: Entry) {
        if self.entries.len() < MAX_ENTRIES {
            self.entries.push(entry);
        } else {
            self.overflowed = true;
        }
    }

    /// The bound was reached: the run must not be judged.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// As they arrived.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// By their own times; QEMU's rate-limited events arrive late (qemu-watchdog.md 6.3).
    pub fn sorted(&self) -> Vec<Entry> {
        let mut entries = self.entries.clone();
        entries.sort_by_key(|e| e.at);
        entries
    }
}

//! The part of a trace from one fault to the next: who noticed it first, and when each part of what followed was over.

use crate::fault::{Fault, FaultKind};
use crate::kubelet::{ProbeKind, ProbeResult, Verdict};
use crate::manifest::VirtualMachine;
use crate::scenario::{Alive, Spec};
use crate::time::Time;
use crate::trace::{Answer, DomainEvent, Entry, Event, Ready, Request, ShutdownCause, VmReason};
use std::time::Duration;

/// What comes so soon after another is told with it.
const SAME_MOMENT: Duration = Duration::from_millis(50);

/// A fault and what came of it.
#[derive(Debug, Clone)]
pub(super) struct Episode<'a> {
    pub(super) fault: &'a Fault,
    /// When it was begun.
    pub(super) at: Time,
    /// The VMI that it hit.
    pub(super) vmi: u32,
    /// Everything before it.
    pub(super) before: &'a [Entry],
    /// From it to the next fault, or to the end.
    pub(super) after: &'a [Entry],
    /// Another fault follows.
    pub(super) cut_short: bool,
    /// What was wrong with the VM already when it came; else empty.
    pub(super) before_it: &'static str,
    /// When the VM was back for good, if it was ever away; with the state at the end.
    pub(super) returned: Returned,
}

/// Whether a VM came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Returned {
    /// It was never away.
    StayedReady,
    /// Since then it is.
    At(Time),
    /// Not within what was watched.
    No,
}

/// Somebody who noticed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Notice {
    /// A probe's result flipped.
    Probe(ProbeKind, Flip),
    /// The watchdog fired.
    Watchdog,
    /// QEMU heard of the panic.
    Panic,
    /// A disk's error stopped the guest.
    IoError,
    /// The node controller heard nothing of the node.
    NodeLost,
    /// The guest powered itself off.
    PowerOff,
    /// QEMU is gone.
    QemuGone,
}

fn ends_the_guest(fault: FaultKind) -> bool {
    matches!(fault, FaultKind::GuestPoweroff | FaultKind::KillQemu | FaultKind::KillLauncher)
}

/// The failed attempts before a probe's result flipped.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Flip {
    /// When each began.
    pub(super) begun: Vec<Time>,
    /// What the last one said.
    pub(super) text: String,
}

impl Notice {
    /// The same detector.
    fn is_same(&self, other: &Notice) -> bool {
        match (self, other) {
            (Notice::Probe(one, _), Notice::Probe(other, _)) => one == other,
            (one, other) => one == other,
        }
    }
}

impl Flip {
    /// When the first one after `fault` began, and how many came before it.
    pub(super) fn split(&self, fault: Time) -> (Option<Time>, usize) {
        let before = self.begun.iter().filter(|t| **t < fault).count();
        (self.begun.get(before).copied(), before)
    }
}

impl<'a> Episode<'a> {
    /// Every fault of a trace that is in the order of time.
    pub(super) fn all(vm: &VirtualMachine, spec: &'a Spec, entries: &'a [Entry]) -> Vec<Episode<'a>> {
        let faults: Vec<&Fault> = spec.steps.iter().filter_map(|s| s.fault.as_ref()).collect();
        let begins = entries.iter().enumerate().filter(|(_, e)| matches!(e.event, Event::FaultBegun(_)));
        let begins: Vec<usize> = begins.map(|(i, _)| i).collect();
        let ends = begins.iter().skip(1).copied().chain([entries.len()]);
        let of = |(number, (begin, end)): (usize, (usize, usize))| {
            let (before, rest) = entries.split_at(begin);
            let after = &rest[..end - begin];
            let first = after.first()?;
            let fault = *faults.get(number)?;
            let mut alive = Alive::new(&spec.steps, vm.vmi.liveness.is_some());
            before.iter().for_each(|e| alive.observe(e));
            let before_it = match (alive.is_back(), alive.is_guarded()) {
                (false, _) => " (into a VM that was not Ready)",
                (true, false) => " (before liveness had succeeded once)",
                (true, true) => "",
            };
            let returned = returned(&mut alive, after);
            let cut_short = end < entries.len();
            Some(Episode { fault, at: first.at, vmi: first.vmi, before, after, cut_short, before_it, returned })
        };
        begins.iter().copied().zip(ends).enumerate().filter_map(of).collect()
    }

    /// How often a guest that a disk's error had stopped was let go on.
    pub(super) fn resumes(&self) -> usize {
        let mut is_stopped = false;
        let resumed = |e: &&Entry| match e.event {
            Event::Qemu(DomainEvent::Resume) => std::mem::take(&mut is_stopped),
            Event::Qemu(DomainEvent::IoError | DomainEvent::NoSpace) => {
                is_stopped = true;
                false
            }
            _ => false,
        };
        self.after.iter().filter(resumed).count()
    }

    /// What happened to the VMI that the fault hit.
    pub(super) fn of_vmi(&self) -> impl Iterator<Item = &'a Entry> {
        let vmi = self.vmi;
        self.after.iter().filter(move |e| e.vmi == vmi)
    }

    /// When the VMI that was hit became final or its guest was reset.
    pub(super) fn vmi_ended(&self) -> Option<Time> {
        let over = |e: &&Entry| match &e.event {
            Event::Phase(phase) => phase.is_final(),
            Event::Qemu(DomainEvent::Reset { .. }) => true,
            _ => false,
        };
        self.of_vmi().find(over).map(|e| e.at)
    }

    /// The first who noticed, and when.
    pub(super) fn noticed(&self) -> Option<(Time, Notice)> {
        self.of_vmi().find_map(|e| Some((e.at, self.notice(e)?)))
    }

    /// Who else noticed, each once, before the VMI ended.
    pub(super) fn noticed_later(&self) -> Vec<(Time, Notice)> {
        let mut all: Vec<(Time, Notice)> = Vec::new();
        for entry in self.of_vmi() {
            if matches!(&entry.event, Event::Phase(phase) if phase.is_final()) {
                break;
            }
            let Some(notice) = self.notice(entry) else { continue };
            // That the guest is off or gone is what came of the first one's work.
            let a_result = !all.is_empty() && matches!(notice, Notice::PowerOff | Notice::QemuGone);
            if !a_result && !all.iter().any(|(_, seen)| seen.is_same(&notice)) {
                all.push((entry.at, notice));
            }
        }
        all.into_iter().skip(1).collect()
    }

    fn notice(&self, entry: &Entry) -> Option<Notice> {
        match &entry.event {
            // Without an attempt it is the initial value of a kubelet that has started anew.
            Event::Published(kind, ProbeResult::Failure) => Some(self.flip(*kind, entry.at))
                .filter(|flip| !flip.begun.is_empty())
                .map(|flip| Notice::Probe(*kind, flip)),
            Event::Qemu(DomainEvent::Watchdog(_)) => Some(Notice::Watchdog),
            Event::Qemu(DomainEvent::Panicked { .. }) => Some(Notice::Panic),
            Event::Qemu(DomainEvent::IoError | DomainEvent::NoSpace) => Some(Notice::IoError),
            Event::Ready(Ready::NodeLost) => Some(Notice::NodeLost),
            // Whoever told the guest to stop brought that about, unless the fault does.
            Event::Qemu(DomainEvent::Shutdown { .. } | DomainEvent::Exited(_))
                if self.is_told_to_stop(entry.at) && !ends_the_guest(self.fault.kind()) =>
            {
                None
            }
            Event::Qemu(DomainEvent::Shutdown { reason: ShutdownCause::GuestShutdown }) => Some(Notice::PowerOff),
            // Nobody is left there who could notice.
            Event::Qemu(DomainEvent::Exited(_)) if matches!(self.fault, Fault::NodeLost { .. }) => None,
            Event::Qemu(DomainEvent::Exited(_)) => Some(Notice::QemuGone),
            _ => None,
        }
    }

    /// The VMI's container has been told to stop since the fault.
    fn is_told_to_stop(&self, until: Time) -> bool {
        self.of_vmi().take_while(|e| e.at <= until).any(|e| e.event == Event::Killing)
    }

    /// The row of failed attempts that ended at `until`.
    fn flip(&self, kind: ProbeKind, until: Time) -> Flip {
        let mut flip = Flip { begun: Vec::new(), text: String::new() };
        let mut begun = Time::ZERO;
        let all = self.before.iter().chain(self.after).filter(|e| e.vmi == self.vmi && e.at <= until);
        for entry in all {
            match &entry.event {
                // What it had counted is forgotten.
                Event::User(Request::RestartKubelet, Answer::Accepted) => flip.begun.clear(),
                Event::Attempt(of, 1) if *of == kind => begun = entry.at,
                Event::Answered(of, Verdict::Failure) if *of == kind => {
                    flip.begun.push(begun);
                    flip.text = entry.detail.clone();
                }
                Event::Answered(of, Verdict::Success | Verdict::Warning) if *of == kind => flip.begun.clear(),
                _ => {}
            }
        }
        flip
    }

    /// What was over when, in its order: the parts between the fault and the VM being back.
    pub(super) fn parts(&self) -> Vec<(Time, String)> {
        let mut parts: Vec<(Time, String)> = Vec::new();
        for (at, notice) in self.noticed().into_iter().chain(self.noticed_later()) {
            if let Notice::Probe(kind, flip) = &notice
                && let (Some(missed), _) = flip.split(self.at)
            {
                parts.push((missed, format!("{} first attempt that failed", possessive(*kind))));
            }
            parts.push((at, noticed_words(&notice)));
        }
        let mut seen_out = false;
        for entry in self.after {
            let part = match &entry.event {
                Event::Endpoint(false) if !std::mem::replace(&mut seen_out, true) => "out of the endpoints".to_owned(),
                Event::Killing => "the kubelet stops the container".to_owned(),
                Event::Qemu(DomainEvent::Reset { .. }) => "the guest is reset in place".to_owned(),
                Event::Qemu(DomainEvent::Exited(_)) => "QEMU has ended".to_owned(),
                Event::Phase(phase) if phase.is_final() => format!("VMI {} {phase}", entry.vmi),
                Event::VmEvent(VmReason::SuccessfulCreate) => format!("VMI {} created", entry.vmi),
                Event::GuestReady => "the guest has booted".to_owned(),
                _ => continue,
            };
            parts.push((entry.at, part));
        }
        if let Returned::At(at) = self.returned {
            parts.push((at, "back: Ready, and the guest answers".to_owned()));
        }
        parts.sort_by_key(|(at, _)| *at);
        let mut joined: Vec<(Time, String)> = Vec::new();
        for (at, part) in parts {
            match joined.last_mut() {
                Some((before, words)) if at.since(*before) < SAME_MOMENT => *words += &format!("; {part}"),
                _ => joined.push((at, part)),
            }
        }
        joined
    }
}

fn possessive(kind: ProbeKind) -> &'static str {
    match kind {
        ProbeKind::Readiness => "readiness's",
        ProbeKind::Liveness => "liveness's",
    }
}

fn noticed_words(notice: &Notice) -> String {
    match notice {
        Notice::Probe(ProbeKind::Readiness, _) => "readiness's result is Failure".into(),
        Notice::Probe(ProbeKind::Liveness, _) => "liveness's result is Failure".into(),
        Notice::Watchdog => "the watchdog fires".into(),
        Notice::Panic => "QEMU reports the panic".into(),
        Notice::IoError => "a write fails, and QEMU stops the guest".into(),
        Notice::NodeLost => "the node controller takes the node for lost".into(),
        Notice::PowerOff => "the guest is off".into(),
        Notice::QemuGone => "QEMU is gone".into(),
    }
}

fn returned(alive: &mut Alive, entries: &[Entry]) -> Returned {
    let mut returned = if alive.is_back() { Returned::StayedReady } else { Returned::No };
    for entry in entries {
        alive.observe(entry);
        returned = match (alive.is_back(), returned) {
            (true, Returned::No) => Returned::At(entry.at),
            (true, before) => before,
            (false, _) => Returned::No,
        };
    }
    returned
}

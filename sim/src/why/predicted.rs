//! The model's traces as signs: what a cluster would show of the same run.

use super::sign::{Said, Sign};
use crate::kubelet::ProbeKind;
use crate::time::Time;
use crate::trace::{
    Answer, DomainEvent, Entry, Event, Pause, PauseReason, Phase, Ready, Request, ShutdownCause, Trace,
};
use crate::trace::{VmReason, VmiReason};
use std::time::Duration;

/// A sign that a run of the model shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) sign: Sign,
    /// When it is first there, counted from the cause.
    pub(super) at: Duration,
    /// It must be there; else it may.
    pub(super) sure: bool,
}

impl Expected {
    /// From the beginning on.
    pub(super) fn at_once(sign: Sign, sure: bool) -> Expected {
        Expected { sign, at: Duration::ZERO, sure }
    }
}

/// A cause comes: a fault, or a request that the API accepts.
pub(super) fn begins(entry: &Entry) -> bool {
    match entry.event {
        Event::FaultBegun(_) => true,
        Event::User(request, answer) => request != Request::Start && answer == Answer::Accepted,
        _ => false,
    }
}

/// The signs of a trace from the first fault or request on, each once, and the VM's last status.
pub(super) fn signs(trace: &Trace) -> Vec<Expected> {
    let entries = trace.sorted();
    let first = entries.iter().position(begins).unwrap_or(0);
    let begin = entries.get(first).map_or(Time::default(), |e| e.at);
    let (mut found, mut reader) = (Vec::<Expected>::new(), Reader::default());
    for entry in &entries[first..] {
        reader.take(entry, &mut |sign, sure| {
            if !found.iter().any(|e| e.sign == sign) {
                found.push(Expected { sign, at: entry.at.since(begin), sure });
            }
        });
    }
    let last = entries.iter().rev().find_map(|e| match e.event {
        Event::VmStatus(status) => Some((e.at, status)),
        _ => None,
    });
    // Of a run that changes nothing it is the one before.
    found.extend(last.map(|(at, status)| Expected { sign: Sign::VmStatus(status), at: at.since(begin), sure: true }));
    found
}

/// What the entries before one mean for it.
#[derive(Debug, Default)]
struct Reader {
    watchdog_fired: bool,
    shut_down: bool,
    destroyed: bool,
    /// This VMI's domain has ended.
    over: bool,
    /// Some VMI was.
    ended: bool,
}

impl Reader {
    fn take(&mut self, entry: &Entry, add: &mut dyn FnMut(Sign, bool)) {
        match &entry.event {
            Event::Unhealthy(kind) => {
                add(Sign::Unhealthy(*kind), true);
                if let Some(said) = Said::of(&entry.detail) {
                    add(Sign::Said(*kind, said), false);
                }
            }
            Event::Killing => {
                add(Sign::Killing, true);
                add(Sign::Terminated, true);
            }
            Event::Phase(phase @ (Phase::Succeeded | Phase::Failed)) => {
                (self.ended, self.over) = (true, true);
                add(Sign::Ended(*phase), true);
            }
            Event::VmiEvent(reason) => self.vmi_event(*reason, add),
            Event::VmEvent(VmReason::SuccessfulDelete) => add(Sign::VmiDeleted, true),
            Event::VmEvent(VmReason::SuccessfulCreate) => {
                add(Sign::VmiCreated, true);
                if self.ended {
                    add(Sign::Replaced, true);
                    boots(add);
                }
            }
            Event::Ready(Ready::False(reason)) => add(Sign::NotReady(*reason), false),
            // The event IOerror comes at the same moment.
            Event::Paused(Pause::There(PauseReason::PausedIoError)) => add(Sign::IoError, true),
            Event::Paused(Pause::There(PauseReason::PausedByUser)) => add(Sign::PausedByUser, true),
            Event::Qemu(event) => self.qemu(*event, add),
            _ => {}
        }
    }

    fn vmi_event(&mut self, reason: VmiReason, add: &mut dyn FnMut(Sign, bool)) {
        match reason {
            VmiReason::GuestAgentPingFailed => add(Sign::AgentPingFailed, true),
            VmiReason::ShuttingDown => add(Sign::ShuttingDown, true),
            VmiReason::GuestPanicked => add(Sign::GuestPanicked, true),
            // What is deleted of a domain that has ended is its definition only.
            VmiReason::Deleted if !self.over => {
                self.destroyed = true;
                add(Sign::Destroyed, true);
            }
            _ => {}
        }
    }

    fn qemu(&mut self, event: DomainEvent, add: &mut dyn FnMut(Sign, bool)) {
        match event {
            DomainEvent::Started => *self = Reader { ended: self.ended, ..Reader::default() },
            DomainEvent::Watchdog(_) => self.watchdog_fired = true,
            DomainEvent::Reset { .. } => {
                add(Sign::ConsoleReboot, true);
                boots(add);
                if self.watchdog_fired {
                    // Whether the driver looks is its own business.
                    add(Sign::WatchdogReset, false);
                }
            }
            DomainEvent::Shutdown { reason: ShutdownCause::GuestShutdown } => {
                self.shut_down = true;
                add(Sign::ConsoleShutdown, true);
                add(Sign::DomainShutdown, true);
            }
            DomainEvent::Shutdown { .. } => self.shut_down = true,
            DomainEvent::Exited(_) => {
                self.over = true;
                if !self.shut_down && !self.destroyed {
                    add(Sign::DomainCrashed, true);
                }
            }
            _ => {}
        }
    }
}

/// While a guest boots its readiness probe may fail: whether it is asked so early is a matter of the boot's length.
fn boots(add: &mut dyn FnMut(Sign, bool)) {
    add(Sign::Unhealthy(ProbeKind::Readiness), false);
    for said in [Said::Refused, Said::TimedOut, Said::NoAgent] {
        add(Sign::Said(ProbeKind::Readiness, said), false);
    }
}

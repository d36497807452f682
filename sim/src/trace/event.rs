//! Everything that can happen: each kind with its lane and its words.

use super::kubevirt::*;
use super::qemu::DomainEvent;
use super::word::{Every, Outage, Spell, Word, texts};
use crate::fault::FaultKind;
use crate::kubelet::{EventKind, ProbeKind, ProbeResult, Verdict};

texts! {
    /// What can happen.
    #[derive(Debug, Clone, PartialEq)]
    pub enum Event {
        /// The VM's printableStatus changed.
        VmStatus(status: VmStatus) => "vm status", status;
        /// The VM's Ready condition changed.
        VmReady(ready: VmReady) => "vm ready", ready;
        /// Another condition of the VM came (true) or went.
        VmCondition(condition: Condition, there: bool) => "vm condition", condition, presence(*condition, *there);
        /// A Kubernetes event on the VM.
        VmEvent(reason: VmReason) => "vm event", reason;
        /// The VMI's phase changed.
        Phase(phase: Phase) => "vmi phase", phase;
        /// The VMI's Ready condition changed.
        Ready(ready: Ready) => "vmi ready", ready;
        /// The AgentConnected condition came or went.
        AgentConnected(there: bool) => "vmi agent", if *there { "connected" } else { "gone" };
        /// The Synchronized condition became False.
        Unsynchronized(reason: SyncFailure) => "vmi synchronized False", reason;
        /// The Paused condition came or went.
        Paused(pause: Pause) => "vmi paused", pause;
        /// A Kubernetes event on the VMI.
        VmiEvent(reason: VmiReason) => "vmi event", reason;
        /// A Kubernetes event on the pod, from a probe.
        Unhealthy(probe: ProbeKind) => "pod event Unhealthy", probe;
        /// A Kubernetes event on the pod: a probe's warning.
        ProbeWarning(probe: ProbeKind) => "pod event ProbeWarning", probe;
        /// A Kubernetes event on the pod: the container is stopped.
        Killing => "pod event Killing";
        /// An attempt of a probe begins; counted from 1.
        Attempt(probe: ProbeKind, number: u8) => lane(*probe), "attempt", number;
        /// An attempt's answer.
        Answered(probe: ProbeKind, answer: Verdict) => lane(*probe), "answer", answer;
        /// A probe's published result.
        Published(probe: ProbeKind, result: ProbeResult) => lane(*probe), "result", result;
        /// The pod entered (true) or left the ready endpoints.
        Endpoint(ready: bool) => "endpoints", if *ready { "in" } else { "out" };
        /// An event or the end of the QEMU process.
        Qemu(event: DomainEvent) => "qemu", event;
        /// The guest was seen booted and as the scenario's profile says.
        GuestReady => "guest ready";
        /// The guest will not become what the profile says.
        GuestNotReady => "guest not-ready";
        /// Its boot up to here was its template's; from here on it is its own.
        GuestForked => "guest forked";
        /// It boots from power-on although there is a template.
        GuestCold => "guest cold";
        /// The process that pets the watchdog from now on, or `nobody`.
        WatchdogHolder(name: String) => "guest petter", name;
        /// A step of the timeline began.
        FaultBegun(fault: FaultKind) => "fault", fault, "begun";
        /// The fault was seen to have taken effect.
        FaultConfirmed(fault: FaultKind) => "fault", fault, "confirmed";
        /// The fault could not be injected, or not be seen.
        FaultFailed(fault: FaultKind) => "fault", fault, "failed";
        /// What the fault broke for a while is whole again.
        FaultOver(fault: Outage) => "fault", fault, "over";
        /// A user's request and its answer.
        User(request: Request, answer: Answer) => "user", request, answer;
        /// What became of the Service's connections from here on.
        Traffic(outcome: Connection) => "traffic", outcome;
    }
}

/// The lane of a probe.
fn lane(probe: ProbeKind) -> &'static str {
    match probe {
        ProbeKind::Readiness => "readiness",
        ProbeKind::Liveness => "liveness",
    }
}

fn presence(condition: Condition, there: bool) -> &'static str {
    match (there, condition.status()) {
        (true, true) => "True",
        (true, false) => "False",
        (false, _) => "gone",
    }
}

impl Event {
    /// Every event there is; one stands for all where the words are open.
    pub(super) fn every() -> Vec<Event> {
        <Event as Every>::every()
    }

    /// Hands out the words of its text.
    pub fn words<'a>(&'a self, say: &mut dyn FnMut(Word<'a>)) {
        self.spell(say);
    }

    /// The lane: the first word of the text.
    pub fn lane(&self) -> &'static str {
        let mut lane = None;
        self.spell(&mut |word| {
            if let (Word::Known(word), None) = (word, lane) {
                lane = Some(word);
            }
        });
        lane.unwrap_or_default()
    }

    /// The event for a probe's Kubernetes event.
    pub fn of_probe(kind: ProbeKind, event: EventKind) -> Event {
        match event {
            EventKind::Unhealthy => Event::Unhealthy(kind),
            EventKind::ProbeWarning => Event::ProbeWarning(kind),
        }
    }
}

//! A trace without what differs between two hosts: times, addresses, boot ids, how often something was repeated.
//!
//! Order is kept inside a lane (one object's own history); between lanes only the scenario's expectations speak, because
//! which of two objects is first may be a matter of microseconds.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use vmhealth_sim::cluster::DomainEvent;
use vmhealth_sim::trace::{Condition, Entry, Event, Trace, VmiReason};

/// One object's history.
pub type Lane = Vec<String>;

/// A trace by lanes: (VMI, lane) to its history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Normal(pub BTreeMap<(u32, &'static str), Lane>);

impl Normal {
    /// Normalises a trace.
    pub fn of(trace: &Trace) -> Normal {
        let mut normaliser = Normaliser::default();
        trace.sorted().iter().for_each(|entry| normaliser.take(entry));
        normaliser.normal
    }

    /// How many events it holds.
    pub fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Normalises a trace entry by entry.
#[derive(Debug, Default)]
pub(super) struct Normaliser {
    pub(super) normal: Normal,
    /// The last VMI whose guest was seen ready.
    settled: u32,
    /// The last VMI that was asked to shut down.
    asked: u32,
}

impl Normaliser {
    pub(super) fn take(&mut self, entry: &Entry) {
        let lane = match &entry.event {
            // How often is the prober's business and the windows'.
            Event::Attempt(..) | Event::Answered(..) => return,
            // A fork is a boot.
            Event::GuestForked | Event::GuestCold => return,
            // The condition says the same, and a dying QEMU may or may not close the port first.
            Event::Qemu(DomainEvent::AgentPort { .. }) => return,
            // How long a boot takes, and so how many probes fail in it, is the host's business.
            Event::Unhealthy(_) | Event::VmiEvent(VmiReason::GuestAgentPingFailed) if entry.vmi > self.settled => {
                return;
            }
            Event::VmiEvent(VmiReason::GuestAgentPingFailed) => "ping",
            // virt-handler asks every 5 s, the second time perhaps by the button: how often is the guest's speed.
            Event::Qemu(DomainEvent::Powerdown) if entry.vmi == self.asked => return,
            Event::VmiEvent(VmiReason::ShuttingDown) => {
                self.asked = entry.vmi;
                "vmi"
            }
            Event::GuestReady => {
                self.settled = entry.vmi;
                "guest"
            }
            Event::AgentConnected(_) | Event::VmCondition(Condition::AgentConnected, _) => "agent",
            event => event.lane(),
        };
        let text = entry.event.to_string();
        let history = self.normal.0.entry((entry.vmi, lane)).or_default();
        if history.last() != Some(&text) {
            history.push(text);
        }
    }
}

impl std::fmt::Display for Normal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        for ((vmi, lane), history) in &self.0 {
            writeln!(text, "VMI {vmi}, {lane}:")?;
            for event in history {
                writeln!(text, "  {event}")?;
            }
        }
        f.write_str(&text)
    }
}

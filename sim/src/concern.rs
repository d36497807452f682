//! Which faults concern a VM: those that some part of its manifest is there to notice, and those that befall any VM.

use crate::fault::{Fault, Health};
use crate::manifest::{Destination, Handler, Probe, VirtualMachine};
use crate::scenario::GuestProfile;
use crate::time::Span;
use std::time::Duration;

/// How long a stopped agent stays away.
const AGENT_AWAY: Span = Span(Duration::from_secs(120));

/// A fault, how it is written, and why it concerns the VM.
#[derive(Debug, Clone, PartialEq)]
pub struct Concern {
    /// In kebab case, for an id.
    pub name: &'static str,
    /// As on the command line and in scenario files.
    pub text: &'static str,
    /// The same, parsed.
    pub fault: Fault,
    /// In a few words.
    pub why: &'static str,
}

/// The faults that concern a VM whose guest is set up so, the commonest first.
pub fn concerning(vm: &VirtualMachine, guest: &GuestProfile) -> Vec<Concern> {
    let probes: Vec<&Probe> = [&vm.vmi.readiness, &vm.vmi.liveness].into_iter().flatten().collect();
    let asks_guest = |p: &Probe| {
        matches!(vm.vmi.destination(&p.handler), Some(Ok(Destination::Guest { .. }))) && guest.health_server
    };
    let http = probes.iter().any(|p| asks_guest(p) && matches!(p.handler, Handler::HttpGet(_)));
    let service = probes.iter().any(|p| asks_guest(p));
    let agent = probes.iter().any(|p| matches!(p.handler, Handler::GuestAgentPing | Handler::Exec { .. }));
    let daemon = guest.has_watchdog_daemon();
    let mut all = Vec::new();
    let mut add = |concerns: bool, name, text, fault, why| {
        all.extend(concerns.then_some(Concern { name, text, fault, why }));
    };
    add(true, "kernel-panic", "kernelPanic", Fault::KernelPanic, "the guest's kernel panics");
    add(daemon, "kill-watchdog", "killWatchdog", Fault::KillWatchdog, "what pets the watchdog is killed");
    add(daemon, "stop-watchdog", "stopWatchdog", Fault::StopWatchdog, "what pets the watchdog hangs");
    add(service, "service-stopped", "{health: stop}", Fault::Health(Health::Stop), "the service is gone");
    add(
        service,
        "service-hangs",
        "{health: hang}",
        Fault::Health(Health::Hang),
        "the service accepts and never answers",
    );
    let error = Fault::Health(Health::Status(500));
    add(http, "service-error", "{health: {status: 500}}", error, "the service answers 500");
    let away = Fault::StopAgent { lasting: AGENT_AWAY };
    add(agent, "agent-stopped", "{stopAgent: {for: 2m}}", away, "the guest agent is gone for two minutes");
    add(true, "qemu-killed", "killQemu", Fault::KillQemu, "QEMU is killed");
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::vm;
    use crate::manifest::WatchdogAction;
    use crate::scenario::{Keepalive, WatchdogDaemon};

    #[test]
    fn what_concerns_whom() {
        let daemon = WatchdogDaemon { heartbeat_seconds: 10, keepalive: Keepalive::Masked, device: None };
        let served = GuestProfile { health_server: true, ..GuestProfile::default() };
        let petted = GuestProfile { watchdog_daemon: Some(daemon), ..GuestProfile::default() };
        for (vm, guest, expected) in [
            (vm(), GuestProfile::default(), "kernel-panic qemu-killed"),
            (vm().watchdog(WatchdogAction::Reset), petted, "kernel-panic kill-watchdog stop-watchdog qemu-killed"),
            (
                vm().readiness("tcpSocket: {port: 80}"),
                served.clone(),
                "kernel-panic service-stopped service-hangs qemu-killed",
            ),
            (
                vm().liveness_http(80),
                served.clone(),
                "kernel-panic service-stopped service-hangs service-error qemu-killed",
            ),
            (vm().liveness("guestAgentPing: {}"), served, "kernel-panic agent-stopped qemu-killed"),
            // Nothing serves.
            (vm().liveness_http(80), GuestProfile::default(), "kernel-panic qemu-killed"),
        ] {
            let vm = vm.build();
            let found: Vec<&str> = concerning(&vm, &guest).iter().map(|c| c.name).collect();
            assert_eq!(found.join(" "), expected, "{:?}", vm.vmi);
            for concern in concerning(&vm, &guest) {
                assert_eq!(concern.text.parse::<Fault>(), Ok(concern.fault), "{}", concern.text);
            }
        }
    }
}

//! Which faults concern a VM: those that some part of its manifest is there to notice, and those that befall any VM.

use crate::fault::{Direction, Fault, Health, OomVictim};
use crate::manifest::{Destination, Handler, Probe, VirtualMachine};
use crate::scenario::GuestProfile;
use crate::time::Span;
use std::time::Duration;

/// How long what is broken for a while stays so.
const AWAY: Span = Span(Duration::from_secs(120));

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
    let oom = |of| Fault::OomKill { of };
    let (of_service, of_daemon, of_agent) = (oom(OomVictim::Service), oom(OomVictim::Watchdog), oom(OomVictim::Agent));
    add(service, "oom-killed-service", "{oomKill: {of: service}}", of_service, "the service is killed for its memory");
    let lost = Fault::NetworkLoss { lasting: AWAY, direction: Direction::Both };
    add(service, "network-loss", "{networkLoss: {for: 2m}}", lost, "the guest's network is gone for two minutes");
    let busy = Fault::CpuHog { lasting: AWAY };
    add(daemon || http, "cpu-hog", "{cpuHog: {for: 2m}}", busy, "nothing else gets the CPU for two minutes");
    let away = Fault::StopAgent { lasting: AWAY };
    add(agent, "agent-stopped", "{stopAgent: {for: 2m}}", away, "the guest agent is gone for two minutes");
    let hung = Fault::HangAgent { lasting: AWAY };
    add(agent, "agent-hung", "{hangAgent: {for: 2m}}", hung, "the guest agent hangs for two minutes");
    add(agent, "oom-killed-agent", "{oomKill: {of: agent}}", of_agent, "the guest agent is killed for its memory");
    let frozen = Fault::FsFreeze { lasting: AWAY };
    add(agent, "fs-frozen", "{fsFreeze: {for: 2m}}", frozen, "a backup freezes the filesystems for two minutes");
    add(
        daemon,
        "oom-killed-daemon",
        "{oomKill: {of: watchdog}}",
        of_daemon,
        "what pets the watchdog is killed for its memory",
    );
    add(
        true,
        "io-error",
        "{ioError: {for: 2m}}",
        Fault::IoError { lasting: AWAY },
        "writes to the disk fail for two minutes",
    );
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
            (vm(), GuestProfile::default(), ""),
            (vm().watchdog(WatchdogAction::Reset), petted, "kill-watchdog stop-watchdog cpu-hog oom-killed-daemon"),
            (
                vm().readiness("tcpSocket: {port: 80}"),
                served.clone(),
                "service-stopped service-hangs oom-killed-service network-loss",
            ),
            (
                vm().liveness_http(80),
                served.clone(),
                "service-stopped service-hangs service-error oom-killed-service network-loss cpu-hog",
            ),
            (
                vm().liveness("guestAgentPing: {}"),
                served.clone(),
                "agent-stopped agent-hung oom-killed-agent fs-frozen",
            ),
            (
                vm().readiness("exec: {command: [\"true\"]}"),
                served,
                "agent-stopped agent-hung oom-killed-agent fs-frozen",
            ),
            // Nothing serves.
            (vm().liveness_http(80), GuestProfile::default(), ""),
        ] {
            let vm = vm.build();
            let found: Vec<&str> = concerning(&vm, &guest).iter().map(|c| c.name).collect();
            let expected =
                ["kernel-panic"].into_iter().chain(expected.split_whitespace()).chain(["io-error", "qemu-killed"]);
            assert_eq!(found, expected.collect::<Vec<_>>(), "{:?}", vm.vmi);
            for concern in concerning(&vm, &guest) {
                assert_eq!(concern.text.parse::<Fault>(), Ok(concern.fault), "{}", concern.text);
            }
        }
    }
}

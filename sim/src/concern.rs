//! Which faults concern a VM: those that some part of its manifest is there to notice, and those that befall any VM.

use crate::fault::Fault;
use crate::manifest::{Destination, Handler, Probe, VirtualMachine};
use crate::scenario::GuestProfile;

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
    let panics = vm.vmi.reports_panics() || guest.kernel_panic_seconds > 0;
    // Whether it concerns the VM, its name, how it is written, and why it concerns it.
    let rows = [
        (true, "kernel-panic", "kernelPanic", "the guest's kernel panics"),
        (panics, "kernel-hang", "kernelHang", "the guest's kernel hangs, and does not panic"),
        (daemon, "kill-watchdog", "killWatchdog", "what pets the watchdog is killed"),
        (daemon, "stop-watchdog", "stopWatchdog", "what pets the watchdog hangs"),
        (service, "service-stopped", "{health: stop}", "the service is gone"),
        (service, "service-hangs", "{health: hang}", "the service accepts and never answers"),
        (http, "service-error", "{health: {status: 500}}", "the service answers 500"),
        (service, "oom-killed-service", "{oomKill: {of: service}}", "the service is killed for its memory"),
        (service, "network-loss", "{networkLoss: {for: 2m}}", "the guest's network is gone for two minutes"),
        (daemon || http, "cpu-hog", "{cpuHog: {for: 2m}}", "nothing else gets the CPU for two minutes"),
        (agent, "agent-stopped", "{stopAgent: {for: 2m}}", "the guest agent is gone for two minutes"),
        (agent, "agent-hung", "{hangAgent: {for: 2m}}", "the guest agent hangs for two minutes"),
        (agent, "oom-killed-agent", "{oomKill: {of: agent}}", "the guest agent is killed for its memory"),
        (agent, "fs-frozen", "{fsFreeze: {for: 2m}}", "a backup freezes the filesystems for two minutes"),
        (daemon, "oom-killed-daemon", "{oomKill: {of: watchdog}}", "what pets the watchdog is killed for its memory"),
        (true, "io-error", "{ioError: {for: 2m}}", "writes to the disk fail for two minutes"),
        (true, "qemu-killed", "killQemu", "QEMU is killed"),
    ];
    let concerns = rows.into_iter().filter(|(concerns, ..)| *concerns);
    // Each is parsed in a test.
    concerns.filter_map(|(_, name, text, why)| Some(Concern { name, text, fault: text.parse().ok()?, why })).collect()
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
            (vm().device("panicDevices: [{model: isa}]"), GuestProfile::default(), "kernel-hang"),
            // Nothing serves.
            (vm().liveness_http(80), GuestProfile::default(), ""),
        ] {
            let vm = vm.build();
            let found: Vec<&str> = concerning(&vm, &guest).iter().map(|c| c.name).collect();
            let expected =
                ["kernel-panic"].into_iter().chain(expected.split_whitespace()).chain(["io-error", "qemu-killed"]);
            assert_eq!(found, expected.collect::<Vec<_>>(), "{:?}", vm.vmi);
        }
    }
}

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
    let exec = !guest.no_agent && probes.iter().any(|p| matches!(p.handler, Handler::Exec { .. }));
    let agent = exec || !guest.no_agent && probes.iter().any(|p| p.handler == Handler::GuestAgentPing);
    // Each of its requests or commands is a process of its own there.
    let starts_processes = http || exec;
    let liveness = vm.vmi.liveness.is_some();
    let (daemon, petted) = (guest.has_watchdog_daemon(), guest.is_petted());
    let panics = vm.vmi.reports_panics() || guest.kernel_panic_seconds > 0;
    // Nobody but the console's reader sees these, where the kernel is not told to panic of them.
    let (softlockup, hung_task) = (vm.vmi.user_data.softlockup_panics, vm.vmi.user_data.hung_task_panics);
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
        (service, "network-slow", "{networkLoss: {for: 2m, delay: 2s}}", "its network is slow for two minutes"),
        (liveness, "guest-reboot", "guestReboot", "the guest reboots: liveness is to be patient enough"),
        (liveness, "long-reboot", "{longReboot: {reboots: 2, each: 2m}}", "an update reboots it twice, slowly"),
        (petted || http, "cpu-hog", "{cpuHog: {for: 2m}}", "nothing else gets the CPU for two minutes"),
        (
            softlockup,
            "soft-lockup",
            "{softLockup: {for: 2m, softlockupPanic: true}}",
            "the kernel loops, and panics of it",
        ),
        (
            hung_task,
            "hung-task",
            "{hungTask: {for: 5m, hungTaskPanic: true}}",
            "a program hangs, and the kernel panics of it",
        ),
        (starts_processes, "fork-bomb", "{forkBomb: {for: 2m}}", "a fork bomb, at its own unit's limit"),
        (
            starts_processes,
            "fork-bomb-slice",
            "{forkBomb: {for: 2m, limit: slice}}",
            "a fork bomb: no service can fork",
        ),
        (agent, "agent-stopped", "{stopAgent: {for: 2m}}", "the guest agent is gone for two minutes"),
        (agent, "agent-hung", "{hangAgent: {for: 2m}}", "the guest agent hangs for two minutes"),
        (agent, "oom-killed-agent", "{oomKill: {of: agent}}", "the guest agent is killed for its memory"),
        (agent, "fs-frozen", "{fsFreeze: {for: 2m}}", "a backup freezes the filesystems for two minutes"),
        (exec, "disk-full", "{diskFull: {for: 2m}}", "the guest's disk is full: a command may need to write"),
        (daemon, "oom-killed-daemon", "{oomKill: {of: watchdog}}", "what pets the watchdog is killed for its memory"),
        (petted, "clock-forward", "{clockJump: {forward: 1h}}", "its clock jumps an hour: a pet may seem late"),
        (true, "io-error", "{ioError: {for: 2m}}", "writes to the disk fail for two minutes"),
        (true, "no-space", "{ioError: {for: 2m, error: noSpace}}", "what the disk lies on is full for two minutes"),
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
    use crate::scenario::{Keepalive, WatchdogBySystemd, WatchdogDaemon};

    #[test]
    fn what_concerns_whom() {
        let daemon = WatchdogDaemon { heartbeat_seconds: 10, keepalive: Keepalive::Masked, device: None };
        let served = GuestProfile { health_server: true, ..GuestProfile::default() };
        let petted = GuestProfile { watchdog_daemon: Some(daemon), ..GuestProfile::default() };
        let by_systemd = WatchdogBySystemd { heartbeat_seconds: 20, device: None };
        let by_systemd = GuestProfile { watchdog_by_systemd: Some(by_systemd), ..GuestProfile::default() };
        let data = |text: &str| vm().spec(&format!("volumes: [{{name: c, cloudInitNoCloud: {{userData: {text:?}}}}}]"));
        for (vm, guest, expected) in [
            (vm(), GuestProfile::default(), ""),
            (
                vm().watchdog(WatchdogAction::Reset),
                petted,
                "kill-watchdog stop-watchdog cpu-hog oom-killed-daemon clock-forward",
            ),
            // Nobody can kill it.
            (vm().watchdog(WatchdogAction::Reset), by_systemd, "cpu-hog clock-forward"),
            (
                vm().readiness("tcpSocket: {port: 80}"),
                served.clone(),
                "service-stopped service-hangs oom-killed-service network-loss network-slow",
            ),
            (
                vm().liveness_http(80),
                served.clone(),
                "service-stopped service-hangs service-error oom-killed-service network-loss network-slow guest-reboot \
                 long-reboot cpu-hog fork-bomb fork-bomb-slice",
            ),
            (
                vm().liveness("guestAgentPing: {}"),
                served.clone(),
                "guest-reboot long-reboot agent-stopped agent-hung oom-killed-agent fs-frozen",
            ),
            (
                vm().readiness("exec: {command: [\"true\"]}"),
                served,
                "fork-bomb fork-bomb-slice agent-stopped agent-hung oom-killed-agent fs-frozen disk-full",
            ),
            (vm().device("panicDevices: [{model: isa}]"), GuestProfile::default(), "kernel-hang"),
            (vm(), GuestProfile { kernel_panic_seconds: 5, ..GuestProfile::default() }, "kernel-hang"),
            (data("runcmd: [sysctl -w kernel.softlockup_panic=1]"), GuestProfile::default(), "soft-lockup"),
            (data("runcmd: [sysctl -w kernel.hung_task_panic=1]"), GuestProfile::default(), "hung-task"),
            // Nothing serves.
            (vm().liveness_http(80), GuestProfile::default(), "guest-reboot long-reboot"),
        ] {
            let vm = vm.build();
            let found: Vec<&str> = concerning(&vm, &guest).iter().map(|c| c.name).collect();
            let expected = ["kernel-panic"].into_iter().chain(expected.split_whitespace()).chain([
                "io-error",
                "no-space",
                "qemu-killed",
            ]);
            assert_eq!(found, expected.collect::<Vec<_>>(), "{:?}", vm.vmi);
        }
    }
}

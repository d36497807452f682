//! Lines of the guest's console and of KubeVirt's logs.

use crate::check;

/// What the kernel, systemd and the watchdog's drivers print (qemu-watchdog.md 8.6).
#[test]
fn consoles() {
    const BOOT: &str = "[    0.000000] Linux version 6.1.0-37-amd64 (debian-kernel@lists.debian.org) #1 SMP\n";
    const SAYS: &str = "[  981.104233] ";
    for (line, expected) in [
        ("Out of memory: Killed process 431 (qemu-ga) total-vm:81640kB", "ConsoleOom(Agent)"),
        ("Out of memory: Killed process 431 (qemu-guest-agen) total-vm:81640kB", "ConsoleOom(Agent)"),
        ("Out of memory: Killed process 512 (watchdog) total-vm:2580kB", "ConsoleOom(Watchdog)"),
        ("Out of memory: Killed process 519 (wd_keepalive) total-vm:2436kB", "ConsoleOom(Watchdog)"),
        ("Memory cgroup out of memory: Killed process 2210 (postgres) total-vm:9kB", "ConsoleOom(Other)"),
        ("watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [kworker/1:0:23]", "ConsoleLockup"),
        ("rcu: INFO: rcu_preempt self-detected stall on CPU", "ConsoleLockup"),
        ("INFO: task jbd2/vda1-8:196 blocked for more than 120 seconds.", "ConsoleHungTask"),
        ("cloud-init[705]: Cloud-init v. 22.4.2 finished. Datasource DataSourceNoCloud.  Up 21.33 seconds", ""),
        ("EXT4-fs (vda1): Remounting filesystem read-only", "ConsoleIoError"),
        ("reboot: Restarting system", "ConsoleShutdown"),
        ("i6300ESB timer 0000:00:03.0: bootstatus=0x20", "WatchdogReset"),
        ("Kernel panic - not syncing: sysrq triggered crash", "ConsolePanic"),
        ("---[ end Kernel panic - not syncing: sysrq triggered crash ]---", ""),
    ] {
        let text = format!("{BOOT}{SAYS}{line}\n");
        if expected.is_empty() {
            check(&[&text], &["idle 2"]);
        } else {
            check(&[&text], &[&format!("{expected} uptime 981.104 s a:2"), "idle 1"]);
        }
    }
    // A first boot is no reboot, a second and a third are; what no console prints is shown.
    let boots = format!("{BOOT}web login: root\n{BOOT}[  OK  ] Started nginx.service\n{BOOT}");
    check(&[&boots], &["ConsoleReboot uptime 0.000 s a:3 x2", "idle 2", "unread a:2 web login: root"]);
    // Of two files each has a first one, and the earlier line has the place.
    let late = "[    9.500000] Kernel panic - not syncing: Attempted to kill init!\n";
    let early = "[    2.250000] Kernel panic - not syncing: VFS: Unable to mount root fs\n";
    check(&[late, &format!("{BOOT}{early}"), BOOT], &["ConsolePanic uptime 2.250 s b:2 x2", "idle 2"]);
}

/// One line of virt-launcher, virt-launcher-monitor or virt-handler.
#[test]
fn logs() {
    let line = |component: &str, vm: &str, says: &str| {
        format!(
            "{{\"component\":\"{component}\",\"level\":\"info\",\"msg\":\"{says}\",\"name\":\"{vm}\",\"namespace\":\"shop\",\"timestamp\":\"2026-05-30T08:20:13.010233Z\"}}\n"
        )
    };
    for (component, says, sign) in [
        ("virt-launcher", "Received signal terminated", "Terminated"),
        ("virt-launcher-monitor", "signalling virt-launcher to shut down", "Terminated"),
        ("virt-launcher", "Signaled graceful shutdown", "Terminated"),
        ("virt-launcher-monitor", "dirty virt-launcher shutdown: exit-code -1", "LauncherDied"),
        ("virt-launcher", "GuestAgentPing probe failed", "AgentPingFailed"),
        ("virt-launcher", "kubevirt domain status: Shutoff(5):Crashed(3)", "DomainCrashed"),
        ("virt-launcher", "kubevirt domain status: Shutoff(5):Shutdown(1)", "DomainShutdown"),
        ("virt-launcher", "kubevirt domain status: Shutoff(5):Destroyed(2)", "Destroyed"),
        ("virt-launcher", "kubevirt domain status: Crashed(6):Panicked(1)", "GuestPanicked"),
        ("virt-launcher", "kubevirt domain status: Paused(3):IOError(5)", "IoError"),
        ("virt-handler", "Grace period expired, killing deleted VirtualMachineInstance web", "Destroyed"),
        ("virt-handler", "Signaled forced shutdown for web", "Destroyed"),
    ] {
        check(&[&line(component, "web", says)], &[&format!("{sign} 2026-05-30T08:20:13Z a:1")]);
    }
    let synced = |vm: &str| line("virt-launcher", vm, "Synced vmi");
    check(&[&synced("web"), &synced("web")], &["idle 2"]);
    check(&[&synced("db"), &synced("db")], &["others 2"]);
    check(&[&line("virt-api", "web", "request")], &["unread a:1 a log line of virt-api: request"]);
}

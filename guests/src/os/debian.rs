//! Debian: systemd, the packages watchdog and qemu-guest-agent, the health server in Perl.
//!
//! Watchdog: the user's document enables `watchdog-device = /dev/watchdog` in its configuration and the service. The module is
//! named in /etc/default/watchdog because the daemon never retries an open that came before udev (qemu-watchdog.md 8.1, trap 2),
//! and because nothing else loads diag288_wdt: that is the document's `modprobe diag288_wdt`.

mod boots;
mod faults;

use super::interface::{Additions, Breakage, GuestOs};
use serde_json::{Value, json};
use std::time::Duration;
use vmhealth_sim::manifest::{VmiSpec, WatchdogModel};
use vmhealth_sim::scenario::{Fault, HEALTH_UNIT, Health, Keepalive, WatchdogDaemon};

const HEALTH_SERVER: &str = include_str!("../../assets/health.pl");
const TLS_FRONT: &str = include_str!("../../assets/tls.py");
const HEALTH_FILE: &str = include_str!("../../assets/health.service");
/// Where it always listens.
const HEALTH_PORT: u16 = 1500;

/// Debian 12 and later.
#[derive(Debug)]
pub struct Debian;

/// The one there is.
pub static DEBIAN: Debian = Debian;

/// Finds the daemon that holds the device; a guest without one is a set-up error.
const DAEMON: &str = r#"pid=$(pidof -s watchdog) || { echo "no watchdog daemon runs" >&2; exit 9; }
device=$(readlink /proc/$pid/fd/* | grep -m1 '^/dev/watchdog') || { echo "the daemon (pid $pid) does not hold the device" >&2; exit 9; }
# The name without a number is that of the first one.
[ "$device" = /dev/watchdog ] && device=/dev/watchdog0
[ "$(cat /sys/class/watchdog/${device#/dev/}/state)" = active ] || { echo "the device is not armed" >&2; exit 9; }
"#;

/// As the user's document does it.
const KILL_DAEMON: &str = "pkill -9 watchdog\n";
/// Waits for the daemon's end, then looks who has the device: Debian's wd_keepalive takes over unless it is masked.
const WHO_TAKES_OVER: &str = r#"while [ -e /proc/$pid ] && ! grep -q '^State:.*[ZX]' /proc/$pid/status; do sleep 0.02; done
echo "pid $pid is gone"
if [ "$(systemctl is-enabled wd_keepalive.service 2>/dev/null)" = masked ]; then echo "petter nobody"; exit; fi
n=0
until readlink /proc/$(pidof -s wd_keepalive || echo none)/fd/* 2>/dev/null | grep -q '^/dev/watchdog'; do
    n=$((n + 1)); [ $n -gt 40 ] && { echo "petter nobody"; exit; }
    sleep 0.2
done
echo "petter wd_keepalive"
"#;

const STOP_DAEMON: &str = r#"kill -STOP $pid
until grep -q '^State:.*T' /proc/$pid/status; do sleep 0.02; done
echo "pid $pid is in state T"
"#;

impl GuestOs for Debian {
    fn watchdog_daemon(&self, daemon: &WatchdogDaemon, vmi: &VmiSpec) -> Additions {
        let mut added = Additions { services: vec!["watchdog.service"], ..Additions::default() };
        let model = vmi.watchdog_in_guest(daemon.device).unwrap_or(WatchdogModel::I6300esb);
        added.files.push(json!({
            "path": "/etc/default/watchdog",
            "content": format!(
                "run_watchdog=1\nwatchdog_options=\"\"\nrun_wd_keepalive=1\nwatchdog_module=\"{}\"\n",
                model.module()
            ),
        }));
        let mut device = "/dev/watchdog".to_owned();
        if vmi.has_itco() {
            // Which of two is /dev/watchdog is a race of their drivers.
            let name = format!("watchdog-{}", model.as_str());
            let (identity, path) = (model.identity(), "/etc/udev/rules.d/90-vmhealth-watchdog.rules");
            let rule = format!("SUBSYSTEM==\"watchdog\", ATTR{{identity}}==\"{identity}\", SYMLINK+=\"{name}\"\n");
            added.files.push(json!({"path": path, "content": rule}));
            // Its driver is loaded when the daemon starts; the name comes from udev a little later, and the daemon tries once.
            let wait = format!(
                "[Service]\nExecStartPre=/bin/sh -c 'n=0; until [ -e /dev/{name} ]; do n=$$((n + 1)); [ $$n -le 150 ] || exit 1; sleep 0.2; done'\n"
            );
            for unit in ["watchdog", "wd_keepalive"] {
                let path = format!("/etc/systemd/system/{unit}.service.d/vmhealth.conf");
                added.files.push(json!({"path": path, "content": wait}));
            }
            // The first boot has found its devices before that file came.
            added
                .commands
                .push(json!("udevadm control --reload && udevadm trigger --settle --subsystem-match=watchdog"));
            device = format!("/dev/{name}");
        }
        let configure = format!(
            "sed -i 's|^#watchdog-device.*|watchdog-device = {device}|' /etc/watchdog.conf && \
             echo 'watchdog-timeout = {}' >> /etc/watchdog.conf",
            daemon.heartbeat_seconds
        );
        added.commands.push(json!(configure));
        if daemon.keepalive == Keepalive::Masked {
            added.commands.push(json!(["systemctl", "--no-reload", "mask", "wd_keepalive.service"]));
        }
        added
    }

    fn health_server(&self, ports: &[u16], by_https: &[u16]) -> Additions {
        let word = |port: &u16| match by_https.contains(port) {
            true => format!(" tls:{port}"),
            false => format!(" {port}"),
        };
        let words: String = ports.iter().filter(|p| **p != HEALTH_PORT).map(word).collect();
        let unit = HEALTH_FILE.replace(" PORTS", &words);
        let mut files = vec![
            json!({"path": "/usr/local/lib/vmhealth/health.pl", "content": HEALTH_SERVER}),
            json!({"path": format!("/etc/systemd/system/{HEALTH_UNIT}"), "content": unit}),
        ];
        if words.contains(" tls:") {
            files.push(json!({"path": "/usr/local/lib/vmhealth/tls.py", "content": TLS_FRONT}));
        }
        Additions { files, commands: Vec::new(), services: vec![HEALTH_UNIT] }
    }

    fn panic_reboot(&self, seconds: u32) -> Additions {
        let path = "/etc/sysctl.d/90-vmhealth.conf";
        Additions {
            files: vec![json!({"path": path, "content": format!("kernel.panic = {seconds}\n")})],
            // The first boot has read its sysctl.d before that file came.
            commands: vec![json!(["/lib/systemd/systemd-sysctl", path])],
            services: Vec::new(),
        }
    }

    fn enable(&self, services: &[&str]) -> Value {
        json!([&["systemctl", "enable", "--now"], services].concat())
    }

    fn verify_script(&self) -> &'static str {
        include_str!("../../assets/verify.sh")
    }

    fn refresh_script(&self) -> &'static str {
        include_str!("../../assets/refresh.sh")
    }

    fn quiesce_script(&self) -> &'static str {
        include_str!("../../assets/quiesce.sh")
    }

    fn kill_watchdog_daemon(&self) -> String {
        format!("{DAEMON}{KILL_DAEMON}{WHO_TAKES_OVER}")
    }

    fn stop_watchdog_daemon(&self) -> String {
        format!("{DAEMON}{STOP_DAEMON}")
    }

    fn kill_agent(&self) -> &'static [&'static str] {
        &["/usr/bin/pkill", "-9", "-x", "qemu-ga"]
    }

    /// A transient unit, because what runs in the agent's own cgroup dies with it.
    fn stop_agent(&self, lasting: Duration) -> String {
        format!(
            "systemd-run --quiet --collect /bin/sh -c 'systemctl stop qemu-guest-agent; sleep {}; systemctl start qemu-guest-agent'",
            lasting.as_secs_f64()
        )
    }

    /// Also those of distributions that a user's image may have in place of Debian.
    fn agent_configuration(&self) -> &'static str {
        "/etc/sysconfig/qemu-ga or /etc/qemu/qemu-ga.conf"
    }

    fn set_health(&self, health: &Health) -> String {
        let line = match health {
            Health::Status(n) => format!("status {n}"),
            Health::Redirect(location) => format!("redirect {}", location.replace(['\'', '\n', '\r'], "")),
            Health::Hang => "hang".to_owned(),
            Health::Slow(span) => format!("slow {}", span.0.as_secs_f64()),
            Health::Stop => return format!("systemctl stop {HEALTH_UNIT} && ! systemctl is-active {HEALTH_UNIT}"),
            Health::Start => {
                let listening = "until grep -q ':05DC 00000000:0000 0A' /proc/net/tcp; do sleep 0.05; done";
                return format!("systemctl start {HEALTH_UNIT} && {listening}; echo it listens");
            }
        };
        format!(
            "mkdir -p /run/vmhealth && printf '%s\\n' '{line}' > /run/vmhealth/.h && mv /run/vmhealth/.h /run/vmhealth/health && cat /run/vmhealth/health"
        )
    }

    fn power_off(&self) -> &'static [&'static str] {
        &["/usr/bin/systemctl", "--no-block", "poweroff"]
    }

    fn reboot(&self) -> &'static [&'static str] {
        &["/usr/bin/systemctl", "--no-block", "reboot"]
    }

    fn break_within(&self, fault: &Fault) -> Option<Breakage> {
        faults::script(fault).or_else(|| boots::script(fault))
    }

    fn spoil_boot(&self, fault: &Fault) -> Option<String> {
        boots::on_command_line(fault)
    }

    fn panic_kernel(&self) -> &'static [&'static str] {
        &["/bin/sh", "-c", "echo c > /proc/sysrq-trigger"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use vmhealth_sim::scenario::{FaultKind, Span};

    /// A shell of this host reads them, and runs nothing.
    #[test]
    fn scripts_are_shell() {
        let redirect = Health::Redirect("https://other/it's\n".into());
        let healths = [
            Health::Status(503),
            redirect,
            Health::Hang,
            Health::Slow(Span(Duration::from_secs(2))),
            Health::Stop,
            Health::Start,
        ];
        let mut scripts = vec![
            DEBIAN.verify_script().to_owned(),
            DEBIAN.refresh_script().to_owned(),
            DEBIAN.quiesce_script().to_owned(),
            DEBIAN.kill_watchdog_daemon(),
            DEBIAN.stop_watchdog_daemon(),
            DEBIAN.stop_agent(Duration::from_millis(1500)),
        ];
        let faults = FaultKind::ALL.iter().filter_map(|kind| kind.example().parse::<Fault>().ok());
        scripts.extend(faults.filter_map(|fault| DEBIAN.break_within(&fault)).map(|breakage| match breakage {
            Breakage::Script(script) | Breakage::Unit(script) => script,
        }));
        scripts.extend(healths.iter().map(|health| DEBIAN.set_health(health)));
        for script in scripts {
            let read = Command::new("sh").args(["-n", "-c", &script]).output().unwrap();
            assert!(read.status.success(), "{script}: {}", String::from_utf8_lossy(&read.stderr));
        }
    }
}

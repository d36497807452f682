//! Debian: systemd, the packages watchdog, busybox-static and qemu-guest-agent, the health server in Perl.

mod boots;
mod faults;
mod watchdog;

use super::interface::{Additions, Breakage, GuestOs, OWN_CHANNEL};
use serde_json::{Value, json};
use std::time::Duration;
use vmhealth_sim::manifest::VmiSpec;
use vmhealth_sim::scenario::{Fault, GuestProfile, HEALTH_UNIT, Health};

const HEALTH_SERVER: &str = include_str!("../../assets/health.pl");
const TLS_FRONT: &str = include_str!("../../assets/tls.py");
const HEALTH_FILE: &str = include_str!("../../assets/health.service");
/// Serves vmhealth's own channel.
const CHANNEL_UNIT: &str = "vmhealth-channel.service";
/// Where it always listens.
const HEALTH_PORT: u16 = 1500;

/// Debian 12 and later.
#[derive(Debug)]
pub struct Debian;

/// The one there is.
pub static DEBIAN: Debian = Debian;

impl GuestOs for Debian {
    fn watchdog(&self, profile: &GuestProfile, vmi: &VmiSpec) -> Additions {
        watchdog::additions(profile, vmi)
    }

    fn own_channel(&self) -> Additions {
        Additions {
            files: vec![json!({
                "path": format!("/etc/systemd/system/{CHANNEL_UNIT}"),
                "content": format!(
                    "[Unit]\nDescription=vmhealth's own channel\n[Service]\nExecStart=/usr/sbin/qemu-ga -p /dev/virtio-ports/{OWN_CHANNEL}\n\
                     Restart=always\nRestartSec=200ms\n[Install]\nWantedBy=multi-user.target\n"
                ),
            })],
            commands: Vec::new(),
            services: vec![CHANNEL_UNIT],
        }
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
        watchdog::kill()
    }

    fn stop_watchdog_daemon(&self) -> String {
        watchdog::stop()
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

//! What sets a number in the guest: where it stands, and the cloud-config that sets it in a new guest's first boot.
//!
//! cloud-init writes files when systemd and sysctl have read theirs, so both are told to read again (qemu-watchdog.md 8.5).

use vmhealth_sim::manifest::Petter;

/// Where it is set; `petter`: who pets the guest's watchdog, where the user data says.
pub(super) fn in_guest(field: &str, to: &str, petter: Option<Petter>) -> String {
    match (field, petter) {
        ("heartbeat", Some(Petter::Systemd)) => format!("RuntimeWatchdogSec={to} of systemd"),
        ("heartbeat", Some(Petter::Busybox)) => format!("-T {to} of busybox's watchdog"),
        ("heartbeat", Some(Petter::Daemon)) => format!("watchdog-timeout = {to} in /etc/watchdog.conf"),
        ("heartbeat", None) => {
            format!("watchdog-timeout = {to} in /etc/watchdog.conf, or RuntimeWatchdogSec={to} of systemd")
        }
        (field, _) => format!("{field} = {to} in /etc/sysctl.d"),
    }
}

/// What sets all of them, fields and values, in a new guest, as lines; empty: there is none, as where it stands in a command.
pub(super) fn in_cloud_config(all: &[(&str, &str)], petter: Option<Petter>) -> String {
    let (mut files, mut commands) = (Vec::new(), Vec::new());
    for (field, to) in all {
        let (path, content, command) = match (*field, petter) {
            ("heartbeat", Some(Petter::Busybox)) => continue,
            ("heartbeat", Some(Petter::Systemd)) => (
                // The last drop-in by name counts.
                "/etc/systemd/system.conf.d/zz-watchdog.conf",
                format!("[Manager]\\nRuntimeWatchdogSec={to}\\n"),
                Some("systemctl daemon-reexec"),
            ),
            // Once the package has written its own; of two lines the daemon takes the last one.
            ("heartbeat", _) => {
                ("/etc/watchdog.conf, append: true, defer: true", format!("watchdog-timeout = {to}\\n"), None)
            }
            (field, _) => ("/etc/sysctl.d/90-panic.conf", format!("{field} = {to}\\n"), Some("sysctl --system")),
        };
        files.push(format!("{{path: {path}, content: \"{content}\"}}"));
        commands.extend(command);
    }
    if files.is_empty() {
        return String::new();
    }
    let commands = if commands.is_empty() { String::new() } else { format!("runcmd: [{}]\n", commands.join(", ")) };
    format!("write_files: [{}]\n{commands}", files.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use vmhealth_sim::manifest::{self, UserData};

    /// As `check` and its budgets read it.
    fn read(cloud_config: &str) -> UserData {
        let vm = serde_json::json!({
            "apiVersion": "kubevirt.io/v1",
            "kind": "VirtualMachine",
            "metadata": {"name": "web"},
            "spec": {"runStrategy": "Always", "template": {"spec": {
                "domain": {"devices": {}},
                "volumes": [{"name": "seed", "cloudInitNoCloud": {"userData": format!("#cloud-config\n{cloud_config}")}}],
            }}},
        });
        manifest::read("vm.yaml", &vm.to_string()).unwrap().vmi.user_data
    }

    #[test]
    fn what_is_written_counts_in_the_first_boot() {
        let both = [("heartbeat", "45"), ("kernel.panic", "10")];
        for (all, petter, heartbeat, panic_timer) in [
            (&both[1..], None, None, Some(10)),
            (&both[..], Some(Petter::Systemd), Some(45), Some(10)),
            (&both[..1], Some(Petter::Systemd), Some(45), None),
            (&both[..], Some(Petter::Daemon), Some(45), Some(10)),
            (&both[..1], None, Some(45), None),
            (&both[..], Some(Petter::Busybox), None, Some(10)),
        ] {
            let text = in_cloud_config(all, petter);
            let found = read(&text);
            assert_eq!(found.heartbeat, heartbeat.map(Duration::from_secs), "{text}");
            assert_eq!(found.panic_timer, panic_timer, "{text}");
            assert_eq!(found.sysctl_reads_again, panic_timer.is_some(), "{text}");
            let systemds = petter == Some(Petter::Systemd);
            assert_eq!(found.petter == Some(Petter::Systemd), systemds, "{text}");
            assert_eq!(found.systemd_reads_again, systemds, "{text}");
        }
        assert_eq!(in_cloud_config(&both[..1], Some(Petter::Busybox)), "");
    }
}

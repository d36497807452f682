//! Our part of the user data: what the user's document tells a person to do in the guest.
//!
//! Watchdog: enable `watchdog-device = /dev/watchdog` in its configuration, enable the service. The module is named in
//! /etc/default/watchdog because the daemon never retries an open that came before udev (qemu-watchdog.md 8.1, trap 2), and
//! because nothing else loads diag288_wdt: that is the document's `modprobe diag288_wdt`.

use serde_json::{Value, json};
use vmhealth_sim::manifest::{VmiSpec, WatchdogModel};
use vmhealth_sim::scenario::{GuestProfile, Keepalive};

const HEALTH_SERVER: &str = include_str!("../../assets/health.pl");
const HEALTH_UNIT: &str = include_str!("../../assets/health.service");

/// The cloud-config of a profile; `None` if it asks for nothing.
pub fn cloud_config(profile: &GuestProfile, vmi: &VmiSpec) -> Option<String> {
    let mut files: Vec<Value> = Vec::new();
    let mut commands: Vec<Value> = Vec::new();
    // One call and so one reload of systemd for all units: a reload costs a second under TCG.
    let mut units = Vec::new();
    if let Some(daemon) = &profile.watchdog_daemon {
        let model = vmi.watchdog_in_guest(daemon.device).unwrap_or(WatchdogModel::I6300esb);
        files.push(json!({
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
            files.push(json!({"path": path, "content": rule}));
            // Its driver is loaded when the daemon starts; the name comes from udev a little later, and the daemon tries once.
            let wait = format!(
                "[Service]\nExecStartPre=/bin/sh -c 'n=0; until [ -e /dev/{name} ]; do n=$$((n + 1)); [ $$n -le 150 ] || exit 1; sleep 0.2; done'\n"
            );
            for unit in ["watchdog", "wd_keepalive"] {
                let path = format!("/etc/systemd/system/{unit}.service.d/vmhealth.conf");
                files.push(json!({"path": path, "content": wait}));
            }
            // The first boot has found its devices before that file came.
            commands.push(json!("udevadm control --reload && udevadm trigger --settle --subsystem-match=watchdog"));
            device = format!("/dev/{name}");
        }
        let configure = format!(
            "sed -i 's|^#watchdog-device.*|watchdog-device = {device}|' /etc/watchdog.conf && \
             echo 'watchdog-timeout = {}' >> /etc/watchdog.conf",
            daemon.heartbeat_seconds
        );
        commands.push(json!(configure));
        if daemon.keepalive == Keepalive::Masked {
            commands.push(json!(["systemctl", "--no-reload", "mask", "wd_keepalive.service"]));
        }
        units.push("watchdog.service");
    }
    if profile.health_server {
        files.push(json!({"path": "/usr/local/lib/vmhealth/health.pl", "content": HEALTH_SERVER}));
        files.push(json!({"path": "/etc/systemd/system/vmhealth-health.service", "content": HEALTH_UNIT}));
        units.push("vmhealth-health.service");
    }
    if profile.kernel_panic_seconds > 0 {
        let (path, line) =
            ("/etc/sysctl.d/90-vmhealth.conf", format!("kernel.panic = {}\n", profile.kernel_panic_seconds));
        files.push(json!({"path": path, "content": line}));
        // The first boot has read its sysctl.d before that file came.
        commands.push(json!(["/lib/systemd/systemd-sysctl", path]));
    }
    if files.is_empty() {
        return None;
    }
    if !units.is_empty() {
        commands.push(json!([&["systemctl", "enable", "--now"], units.as_slice()].concat()));
    }
    // The user's own lists come first and their own values win.
    let config = json!({
        "merge_how": [
            {"name": "list", "settings": ["append"]},
            {"name": "dict", "settings": ["no_replace", "recurse_list"]},
        ],
        "write_files": files,
        "runcmd": commands,
    });
    // JSON is YAML.
    Some(format!("#cloud-config\n{config:#}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmhealth_sim::manifest;
    use vmhealth_sim::scenario::WatchdogDaemon;

    fn vmi(domain: &str) -> VmiSpec {
        let text = format!(
            "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {{name: vm}}\nspec:\n  runStrategy: Always\n  \
             template: {{spec: {{domain: {{{domain}}}}}}}\n"
        );
        manifest::read("vm.yaml", &text).unwrap().vmi
    }

    #[test]
    fn profiles() {
        let plain = vmi("devices: {watchdog: {name: w, i6300esb: {}}}");
        assert_eq!(cloud_config(&GuestProfile::default(), &plain), None);
        let daemon = |keepalive| Some(WatchdogDaemon { heartbeat_seconds: 10, keepalive, device: None });
        let masked = GuestProfile { watchdog_daemon: daemon(Keepalive::Masked), ..GuestProfile::default() };
        insta::assert_snapshot!("masked", cloud_config(&masked, &plain).unwrap());
        let takeover = GuestProfile {
            watchdog_daemon: daemon(Keepalive::Takeover),
            health_server: true,
            ..GuestProfile::default()
        };
        let config = cloud_config(&takeover, &vmi("devices: {watchdog: {name: w, diag288: {}}}")).unwrap();
        assert!(config.contains("diag288_wdt"), "{config}");
        assert!(!config.contains("wd_keepalive.service") && config.contains("vmhealth-health.service"), "{config}");
        let q35 = vmi("machine: {type: q35}, devices: {}");
        insta::assert_snapshot!("q35", cloud_config(&masked, &q35).unwrap());
        let panics = GuestProfile { kernel_panic_seconds: 5, ..GuestProfile::default() };
        insta::assert_snapshot!("panics", cloud_config(&panics, &plain).unwrap());
    }
}

//! Our part of the user data: what the user's document tells a person to do in the guest.

use crate::os::{Additions, GuestOs};
use serde_json::json;
use vmhealth_sim::manifest::VmiSpec;
use vmhealth_sim::scenario::GuestProfile;

/// The cloud-config of a profile; `None` if it asks for nothing.
pub fn cloud_config(profile: &GuestProfile, vmi: &VmiSpec, os: &dyn GuestOs) -> Option<String> {
    let watchdog = Some(os.watchdog(profile, vmi));
    let channel = profile.no_agent.then(|| os.own_channel());
    let (ports, by_https) = match profile.serves_probes {
        true => (vmi.asked_ports(), vmi.asked_by_https()),
        false => (Vec::new(), Vec::new()),
    };
    let health = profile.health_server.then(|| os.health_server(&ports, &by_https));
    let panics = (profile.kernel_panic_seconds > 0).then(|| os.panic_reboot(profile.kernel_panic_seconds));
    let Additions { files, mut commands, services } =
        [watchdog, channel, health, panics].into_iter().flatten().fold(Additions::default(), |mut all, mut more| {
            all.files.append(&mut more.files);
            all.commands.append(&mut more.commands);
            all.services.append(&mut more.services);
            all
        });
    if files.is_empty() {
        return None;
    }
    if !services.is_empty() {
        // One call and so one reload of systemd for all of them: a reload costs a second under TCG.
        commands.push(os.enable(&services));
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
    use crate::os::DEBIAN;
    use vmhealth_sim::fixture::vm;
    use vmhealth_sim::manifest;
    use vmhealth_sim::scenario::{Keepalive, WatchdogDaemon};

    fn vmi(domain: &str) -> VmiSpec {
        let text = format!(
            "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {{name: vm}}\nspec:\n  runStrategy: Always\n  \
             template: {{spec: {{domain: {{{domain}}}}}}}\n"
        );
        manifest::read("vm.yaml", &text).unwrap().vmi
    }

    fn config(profile: &GuestProfile, vmi: &VmiSpec) -> Option<String> {
        cloud_config(profile, vmi, &DEBIAN)
    }

    #[test]
    fn profiles() {
        let plain = vmi("devices: {watchdog: {name: w, i6300esb: {}}}");
        assert_eq!(config(&GuestProfile::default(), &plain), None);
        let daemon = |keepalive| Some(WatchdogDaemon { heartbeat_seconds: 10, keepalive, device: None });
        let masked = GuestProfile { watchdog_daemon: daemon(Keepalive::Masked), ..GuestProfile::default() };
        insta::assert_snapshot!("masked", config(&masked, &plain).unwrap());
        let takeover = GuestProfile {
            watchdog_daemon: daemon(Keepalive::Takeover),
            health_server: true,
            ..GuestProfile::default()
        };
        let text = config(&takeover, &vmi("devices: {watchdog: {name: w, diag288: {}}}")).unwrap();
        assert!(text.contains("diag288_wdt"), "{text}");
        assert!(!text.contains("wd_keepalive.service") && text.contains("vmhealth-health.service"), "{text}");
        // It stands in for what the probes ask.
        let probed = vm().readiness("httpGet: {port: 80}").liveness("tcpSocket: {port: 5432}").build().vmi;
        for (serves_probes, expected) in [(true, "health.pl 80 5432\\n"), (false, "health.pl\\n")] {
            let profile = GuestProfile { health_server: true, serves_probes, ..GuestProfile::default() };
            let text = config(&profile, &probed).unwrap();
            assert!(text.contains(expected) && !text.contains("tls.py\""), "{text}");
        }
        let by_https =
            vm().readiness("httpGet: {port: 8443, scheme: HTTPS}").liveness("tcpSocket: {port: 8443}").build().vmi;
        let profile = GuestProfile { health_server: true, serves_probes: true, ..GuestProfile::default() };
        let text = config(&profile, &by_https).unwrap();
        assert!(text.contains("health.pl tls:8443\\n") && text.contains("lib/vmhealth/tls.py\""), "{text}");
        let q35 = vmi("machine: {type: q35}, devices: {}");
        insta::assert_snapshot!("q35", config(&masked, &q35).unwrap());
        let panics = GuestProfile { kernel_panic_seconds: 5, ..GuestProfile::default() };
        insta::assert_snapshot!("panics", config(&panics, &plain).unwrap());
    }
}

//! What the guest of a user's manifest is set up with, from what its user data says: the same for `run`, `explore` and `pin`.

use super::heartbeat::heartbeat;
use super::image::downloads;
use std::time::Duration;
use vmhealth_sim::budget::{Basis, Given};
use vmhealth_sim::manifest::{Petter, UserData, VirtualMachine};

/// Where vmhealth's server always is, and speaks plain HTTP.
const OWN_PORT: u16 = 1500;

/// What the user chose.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Chosen {
    /// The watchdog daemon's timeout in seconds; 0: none is set up.
    pub(super) heartbeat: Option<u32>,
    /// `kernel.panic` in seconds, in place of the user data's; 0: never.
    pub(super) panic_timer: Option<u32>,
    /// Debian's wd_keepalive may take over from the daemon.
    pub(super) keepalive: bool,
    /// The health server is set up whether a probe asks for it or not.
    pub(super) health_server: bool,
    /// The guest boots an image of the user's own, to which nothing is added that was not asked for.
    pub(super) users_image: bool,
    /// There is no guest but the model's, in whose first boot all that the user data says counts.
    pub(super) in_model: bool,
}

/// A guest's profile, and what a reader should know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnGuest {
    /// In YAML's flow style without its braces.
    pub(super) profile: String,
    /// What was read in the user data and what was assumed, in words.
    pub(super) assumptions: Vec<String>,
}

impl OwnGuest {
    /// Of a manifest.
    pub(super) fn of(vm: &VirtualMachine, chosen: Chosen) -> OwnGuest {
        let mut guest = OwnGuest { profile: String::new(), assumptions: Basis::of(vm, &Given::default()).read };
        let daemon = guest.watchdog(vm, chosen);
        let timer = guest.panic_timer(&vm.vmi.user_data, chosen);
        let health = guest.health_server(vm, chosen);
        // Of the user's own image the user is told when it is opened.
        let ours = !chosen.users_image && !chosen.in_model;
        if ours && downloads(vm.vmi.cloud_init.user_data.as_deref().unwrap_or_default()) {
            guest
                .assumptions
                .push("the user data's packages are not installed: guests here have no way out".to_owned());
        }
        guest.profile = daemon + &timer + &health;
        guest
    }

    fn watchdog(&mut self, vm: &VirtualMachine, chosen: Chosen) -> String {
        let data = &vm.vmi.user_data;
        let other = data.petter.filter(|p| *p != Petter::Daemon);
        if chosen.users_image && chosen.heartbeat.is_none() {
            return format!("ownWatchdogDaemon: {}, ", vm.vmi.watchdog.is_some());
        }
        match (chosen.heartbeat, other) {
            (None, None) if data.systemd_off && data.petter.is_none() => return String::new(),
            (None, Some(Petter::Systemd)) if !data.systemd_reads_again && !chosen.in_model => {
                self.assumptions.push("in its first boot nothing arms the watchdog".to_owned());
                return String::new();
            }
            _ => {}
        }
        let Some(heartbeat) = heartbeat(chosen.heartbeat, vm).filter(|h| *h > 0) else { return String::new() };
        if data.petter.is_none() {
            let hidden = if data.hidden { ", whatever the Secret sets up" } else { "" };
            self.assumptions.push(format!(
                "the watchdog daemon here is vmhealth's, with a timeout of {heartbeat} s{hidden} (--heartbeat)"
            ));
        }
        if data.heartbeat_may_not_be && chosen.heartbeat.is_none() {
            self.assumptions.push(format!("a timeout of {heartbeat} s, if that part of the script runs (--heartbeat)"));
        }
        match other {
            Some(Petter::Systemd) => format!("watchdogBySystemd: {{heartbeatSeconds: {heartbeat}}}, "),
            Some(Petter::Busybox) => {
                let too_seldom = |every: &Duration| every.as_secs() >= heartbeat.into();
                if let Some(every) = data.pet_interval.filter(too_seldom) {
                    let every = humantime::format_duration(every);
                    self.assumptions.push(format!(
                        "your busybox pets every {every}, and its timeout is {heartbeat} s: it resets a healthy guest again and again \
                         (check: petted-too-seldom); here it pets at half of the timeout"
                    ));
                }
                let every = data.pet_interval.filter(|every| !too_seldom(every));
                let every = every.map_or(String::new(), |e| format!(", every: {}", humantime::format_duration(e)));
                format!("watchdogByBusybox: {{heartbeatSeconds: {heartbeat}{every}}}, ")
            }
            Some(Petter::Daemon) | None => {
                let keepalive = if chosen.keepalive { "takeover" } else { "masked" };
                format!("watchdogDaemon: {{heartbeatSeconds: {heartbeat}, keepalive: {keepalive}}}, ")
            }
        }
    }

    /// What counts in the first boot. An image of the user's own carries out its user data itself; its kernel comes from its disk,
    /// so what the manifest says on the command line has to be set up there as well.
    fn panic_timer(&mut self, data: &UserData, chosen: Chosen) -> String {
        let own = match chosen.users_image {
            true => data.kernels_panic_timer.filter(|_| data.panic_timer.is_none()),
            false => data.panic_timer_in_first_boot(),
        };
        let asked = chosen.panic_timer.map(i64::from).or(own.map(i64::from)).filter(|s| *s != 0);
        let Some(asked) = asked else { return String::new() };
        if data.panic_timer_may_not_be && chosen.panic_timer.is_none() {
            self.assumptions.push(format!("kernel.panic {asked}, if that part of the script runs"));
        }
        if asked < 0 {
            self.assumptions.push(format!("kernel.panic {asked}, at once, is played as 1 s"));
        }
        format!("kernelPanicSeconds: {}, ", asked.max(1))
    }

    fn health_server(&mut self, vm: &VirtualMachine, chosen: Chosen) -> String {
        let ports = vm.vmi.asked_ports();
        let stands_in = chosen.in_model || (!ports.is_empty() && !chosen.users_image);
        if stands_in && !chosen.in_model {
            let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
            let ports = ports.join(" and ");
            self.assumptions.push(format!("vmhealth's own server answers on port {ports} in place of your service"));
        }
        if stands_in && !chosen.in_model && vm.vmi.asked_by_https().contains(&OWN_PORT) {
            self.assumptions.push(format!("on port {OWN_PORT} it speaks no TLS: a probe by HTTPS fails there"));
        }
        match stands_in {
            true => "healthServer: true, servesProbes: true".to_owned(),
            false => format!("healthServer: {}", chosen.health_server),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmhealth_sim::fixture::{Vm, vm};
    use vmhealth_sim::manifest::WatchdogAction;

    fn with_data(vm: Vm, user_data: &str) -> VirtualMachine {
        vm.spec(&format!("volumes: [{{name: c, cloudInitNoCloud: {{userData: {user_data:?}}}}}]")).build()
    }

    #[test]
    fn what_is_not_installed_is_said() {
        let check = |user_data: &str, chosen: Chosen, expected: bool| {
            let said = OwnGuest::of(&with_data(vm(), user_data), chosen).assumptions;
            assert_eq!(said.iter().any(|line| line.contains("are not installed")), expected, "{user_data} {said:?}");
        };
        let (plain, nginx) = (Chosen::default(), "#cloud-config\npackages: [nginx]\n");
        check(nginx, plain, true);
        check("#cloud-config\nruncmd: [nginx]\n", plain, false);
        check(nginx, Chosen { users_image: true, ..plain }, false);
        check(nginx, Chosen { in_model: true, ..plain }, false);
    }

    #[test]
    fn user_data_is_honoured() {
        let watched = || vm().watchdog(WatchdogAction::Reset);
        let check = |vm: VirtualMachine, chosen: Chosen, expected: &str| {
            assert_eq!(OwnGuest::of(&vm, chosen).profile, expected, "{:?} {chosen:?}", vm.vmi.user_data);
        };
        let daemon = |n| format!("watchdogDaemon: {{heartbeatSeconds: {n}, keepalive: masked}}, healthServer: false");
        let plain = Chosen::default();
        check(watched().build(), plain, &daemon(60));
        let thirty = "#cloud-config\nruncmd:\n- echo 'watchdog-device = /dev/watchdog' >> /etc/watchdog.conf\n\
                      - echo 'watchdog-timeout = 30' >> /etc/watchdog.conf\n";
        check(with_data(watched(), thirty), plain, &daemon(30));
        check(with_data(watched(), thirty), Chosen { heartbeat: Some(20), ..plain }, &daemon(20));
        let systemd = "#cloud-config\nruncmd:\n- echo RuntimeWatchdogSec=20 >> /etc/systemd/system.conf\n";
        check(with_data(watched(), systemd), plain, "healthServer: false");
        let reread = format!("{systemd}- systemctl daemon-reexec\n");
        let by_systemd = "watchdogBySystemd: {heartbeatSeconds: 20}, healthServer: ";
        check(with_data(watched(), &reread), plain, &format!("{by_systemd}false"));
        let in_model = Chosen { in_model: true, ..plain };
        check(with_data(watched(), &reread), in_model, &format!("{by_systemd}true, servesProbes: true"));
        // The same holder with another timeout: it has the device.
        let asked = Chosen { heartbeat: Some(30), ..plain };
        check(with_data(watched(), systemd), asked, "watchdogBySystemd: {heartbeatSeconds: 30}, healthServer: false");
        for (call, every) in
            [("-t 1 -T 4", ", every: 1s"), ("-T 4", ", every: 2s"), ("-t 500ms -T 4", ", every: 500ms")]
        {
            let data = format!("#cloud-config\nruncmd:\n- busybox watchdog {call} /dev/watchdog\n");
            let expected = format!("watchdogByBusybox: {{heartbeatSeconds: 4{every}}}, healthServer: false");
            check(with_data(watched(), &data), plain, &expected);
        }
        let timer = "#cloud-config\nruncmd:\n- sysctl -w kernel.panic=7\n";
        check(with_data(vm(), timer), plain, "kernelPanicSeconds: 7, healthServer: false");
        let kernel = |args: &str| vm().domain(&format!("firmware: {{kernelBoot: {{kernelArgs: {args:?}}}}}"));
        check(kernel("panic=5").build(), plain, "kernelPanicSeconds: 5, healthServer: false");
        check(kernel("panic=0").build(), plain, "healthServer: false");
        check(kernel("panic=-1").build(), plain, "kernelPanicSeconds: 1, healthServer: false");
        check(with_data(kernel("panic=5"), timer), plain, "kernelPanicSeconds: 7, healthServer: false");
        check(vm().readiness("httpGet: {port: 80}").build(), plain, "healthServer: true, servesProbes: true");
        let users = Chosen { users_image: true, ..plain };
        let of_kernel = "ownWatchdogDaemon: false, kernelPanicSeconds: 5, healthServer: false";
        check(kernel("panic=5").build(), users, of_kernel);
        check(with_data(kernel("panic=5"), timer), users, "ownWatchdogDaemon: false, healthServer: false");
        check(vm().readiness("httpGet: {port: 80}").build(), users, "ownWatchdogDaemon: false, healthServer: false");
    }
}

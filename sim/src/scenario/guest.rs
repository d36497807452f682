//! What a scenario's guest is set up with, on top of the manifest's own cloud-init data: who pets the watchdog, and what answers.
//!
//! Three can pet it, and the model, the guests and the reports ask [`GuestProfile::petting`] who does, how often, and with which
//! timeout (qemu-watchdog.md 8).

use crate::fault::{Fault, Needs};
use crate::manifest::{Petter, WatchdogModel};
use crate::time::Span;
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// What the guest is set up with, on top of the manifest's own cloud-init data.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GuestProfile {
    /// The watchdog daemon; absent: not configured.
    #[serde(default)]
    pub watchdog_daemon: Option<WatchdogDaemon>,
    /// systemd itself pets the watchdog, and no daemon is there that could be killed; absent: it does not.
    #[serde(default)]
    pub watchdog_by_systemd: Option<WatchdogBySystemd>,
    /// busybox's `watchdog` pets it; absent: it does not.
    #[serde(default)]
    pub watchdog_by_busybox: Option<WatchdogByBusybox>,
    /// No agent is at the port that KubeVirt gives a guest for one: nobody answers pings or runs an exec probe's command. What vmhealth
    /// itself does in the guest it does over a channel of its own, of which the cluster knows nothing.
    #[serde(default)]
    pub no_agent: bool,
    /// A health server on port 1500.
    #[serde(default)]
    pub health_server: bool,
    /// `kernel.panic`: a panicked kernel reboots after so many seconds; 0: never, as Debian has it.
    #[serde(default)]
    pub kernel_panic_seconds: u32,
    /// The manifest's own user data, or the user's own image, sets up what pets the watchdog: something must have armed it. The
    /// model does not know it.
    #[serde(default)]
    pub own_watchdog_daemon: bool,
    /// The health server also listens on every port that the manifest's probes ask, and has every path.
    #[serde(default)]
    pub serves_probes: bool,
}

/// Who pets the watchdog, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Petting {
    /// Who.
    pub by: Petter,
    /// The timeout of the device, seconds.
    pub heartbeat_seconds: u32,
    /// Between two pets; `None`: the daemon's own interval.
    pub every: Option<Duration>,
    /// Which of the machine's watchdogs; `None`: the manifest's, or the machine's own where the manifest has none.
    pub device: Option<WatchdogModel>,
}

impl GuestProfile {
    /// Who pets the watchdog; `None`: nobody, or somebody of whom only the user knows.
    pub fn petting(&self) -> Option<Petting> {
        let half = |seconds: u32| Duration::from_secs(seconds.into()) / 2;
        let daemon = self.watchdog_daemon.as_ref().map(|d| (Petter::Daemon, d.heartbeat_seconds, None, d.device));
        let systemd = self
            .watchdog_by_systemd
            .as_ref()
            .map(|s| (Petter::Systemd, s.heartbeat_seconds, Some(half(s.heartbeat_seconds)), s.device));
        let busybox = self.watchdog_by_busybox.as_ref().map(|b| {
            let every = b.every.map_or(half(b.heartbeat_seconds), |every| every.0);
            (Petter::Busybox, b.heartbeat_seconds, Some(every), b.device)
        });
        let (by, heartbeat_seconds, every, device) = daemon.or(systemd).or(busybox)?;
        Some(Petting { by, heartbeat_seconds, every, device })
    }

    /// Whoever pets the watchdog does so with this timeout.
    pub fn set_heartbeat(&mut self, seconds: u32) {
        let daemon = self.watchdog_daemon.as_mut().map(|d| &mut d.heartbeat_seconds);
        let systemd = self.watchdog_by_systemd.as_mut().map(|s| &mut s.heartbeat_seconds);
        let busybox = self.watchdog_by_busybox.as_mut().map(|b| &mut b.heartbeat_seconds);
        [daemon, systemd, busybox].into_iter().flatten().for_each(|heartbeat| *heartbeat = seconds);
    }

    /// Something pets the watchdog, as far as anybody says.
    pub fn is_petted(&self) -> bool {
        self.petting().is_some() || self.own_watchdog_daemon
    }

    /// What pets the watchdog is a program that can be killed: systemd cannot.
    pub fn has_watchdog_daemon(&self) -> bool {
        self.petting().is_some_and(|petting| petting.by != Petter::Systemd) || self.own_watchdog_daemon
    }

    /// The field without which this fault has nothing to break.
    pub fn lacks(&self, fault: &Fault) -> Option<&'static str> {
        match fault.needs() {
            Needs::WatchdogDaemon if !self.has_watchdog_daemon() => Some("watchdogDaemon or watchdogByBusybox"),
            Needs::HealthServer if !self.health_server => Some("healthServer"),
            Needs::Agent if self.no_agent => Some("noAgent: false, for there is no agent to break"),
            Needs::WatchdogDaemon | Needs::HealthServer | Needs::Agent | Needs::Nothing => None,
        }
    }

    /// What is wrong with who is to pet the watchdog, each with its field; `longest_heartbeat`: that some device takes, seconds.
    pub(super) fn problems_of_petting(&self, longest_heartbeat: u32) -> Vec<String> {
        let mut wrong = Vec::new();
        let fields = [
            ("watchdogDaemon", self.watchdog_daemon.as_ref().map(|d| d.heartbeat_seconds), SHORTEST_OF_DAEMON),
            ("watchdogBySystemd", self.watchdog_by_systemd.as_ref().map(|s| s.heartbeat_seconds), SHORTEST),
            ("watchdogByBusybox", self.watchdog_by_busybox.as_ref().map(|b| b.heartbeat_seconds), SHORTEST),
        ];
        for (field, heartbeat, shortest) in fields {
            if heartbeat.is_some_and(|seconds| !(shortest..=longest_heartbeat).contains(&seconds)) {
                let who =
                    if field == "watchdogDaemon" { "the daemon and the devices take" } else { "the devices take" };
                wrong.push(format!("spec.guest.{field}.heartbeatSeconds: {who} {shortest} to {longest_heartbeat}"));
            }
        }
        if let Some(busybox) = &self.watchdog_by_busybox
            && let Some(every) = busybox.every
            && (every.0 < SHORTEST_INTERVAL || every.0 >= Duration::from_secs(busybox.heartbeat_seconds.into()))
        {
            wrong.push(
                "spec.guest.watchdogByBusybox.every: expected 1ms or more, and less than heartbeatSeconds".into(),
            );
        }
        let own = self.own_watchdog_daemon.then_some("ownWatchdogDaemon");
        let set: Vec<&str> = fields
            .iter()
            .filter(|(_, heartbeat, _)| heartbeat.is_some())
            .map(|(field, ..)| *field)
            .chain(own)
            .collect();
        if set.len() > 1 {
            wrong.push(format!("spec.guest: {} are set together: one pets the watchdog; keep one", set.join(" and ")));
        }
        wrong
    }
}

/// Debian's daemon wants more than its interval, seconds.
const SHORTEST_OF_DAEMON: u32 = 3;
/// Of the others, seconds.
const SHORTEST: u32 = 1;
/// busybox counts milliseconds.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

/// Debian's `watchdog` package.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WatchdogDaemon {
    /// `watchdog-timeout`, seconds; the daemon's default is 60.
    pub heartbeat_seconds: u32,
    /// Whether wd_keepalive may take over.
    pub keepalive: Keepalive,
    /// Which of the machine's watchdogs it opens; absent: the manifest's, or the machine's own where the manifest has none.
    #[serde(default)]
    pub device: Option<WatchdogModel>,
}

/// `RuntimeWatchdogSec=` of systemd, which pets the watchdog at half of it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WatchdogBySystemd {
    /// `RuntimeWatchdogSec`, seconds.
    pub heartbeat_seconds: u32,
    /// Which of the machine's watchdogs it opens; absent: the manifest's, or the machine's own where the manifest has none.
    #[serde(default)]
    pub device: Option<WatchdogModel>,
}

/// busybox's `watchdog -t EVERY -T HEARTBEAT`. Nobody starts it again, and nobody takes over from it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WatchdogByBusybox {
    /// `-T`, seconds.
    pub heartbeat_seconds: u32,
    /// `-t`, between two pets; absent: half of the heartbeat.
    #[serde(default)]
    pub every: Option<Span>,
    /// Which of the machine's watchdogs it opens; absent: the manifest's, or the machine's own where the manifest has none.
    #[serde(default)]
    pub device: Option<WatchdogModel>,
}

/// `wd_keepalive.service`, which Debian starts when the daemon fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Keepalive {
    /// As Debian ships it: after a kill it goes on petting and nothing fires.
    Takeover,
    /// Masked: a killed daemon is noticed by the device.
    Masked,
}

//! What a manifest's user data sets up in the guest, as far as its text tells: the one reader of it, for `check`, the budgets and
//! whoever runs the guest.
//!
//! User data is a program; this only looks for names. What it does not find may still be in the image.

use super::base64::go_base64;
use crate::devices::WatchdogModel;
use crate::yaml::Cursor;
use std::time::Duration;

/// What keeps the watchdog from firing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum WatchdogHolder {
    /// Nothing is mentioned.
    #[default]
    Absent,
    /// The daemon's package, which opens no device until it is told one (qemu-watchdog.md 8.1).
    Installed,
    /// Something is told to open the device: the daemon, or systemd (`RuntimeWatchdogSec`).
    Configured,
}

/// What the user data of a manifest's volumes mentions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UserData {
    /// Some of it cannot be seen: it is in a Secret, or it is an answer file of Windows, which can do anything.
    pub hidden: bool,
    /// The guest agent.
    pub agent: bool,
    /// What is to hold the watchdog open.
    pub watchdog: WatchdogHolder,
    /// A watchdog is told from others by its driver, or another's driver is kept away.
    pub tells_watchdogs_apart: bool,
    /// The daemon's or systemd's timeout for the device: whole seconds that some device takes.
    pub heartbeat: Option<Duration>,
}

impl UserData {
    /// Of all volumes of a VMI's spec.
    pub(super) fn read(spec: Cursor<'_>) -> UserData {
        let spec = spec.quiet();
        let mut all = UserData::default();
        for volume in spec.items_at("volumes") {
            all.hidden |= volume.get("sysprep").is_some();
            for source in ["cloudInitNoCloud", "cloudInitConfigDrive"].iter().filter_map(|s| volume.get(s)) {
                let plain = source.text_at("userData").unwrap_or_default();
                let encoded = source.text_at("userDataBase64").and_then(go_base64).unwrap_or_default();
                let found = UserData::in_text(&format!("{plain}\n{}", String::from_utf8_lossy(&encoded)));
                all = UserData {
                    hidden: all.hidden || source.get("secretRef").is_some(),
                    agent: all.agent || found.agent,
                    watchdog: all.watchdog.max(found.watchdog),
                    tells_watchdogs_apart: all.tells_watchdogs_apart || found.tells_watchdogs_apart,
                    heartbeat: all.heartbeat.or(found.heartbeat),
                };
            }
        }
        all
    }

    fn in_text(text: &str) -> UserData {
        let lines: Vec<&str> = text.lines().filter(|l| !l.trim_start().starts_with('#')).collect();
        let any = |words: &[&str]| lines.iter().any(|l| words.iter().any(|w| l.to_lowercase().contains(w)));
        UserData {
            hidden: false,
            agent: any(&["qemu-guest-agent", "qemu-ga"]),
            watchdog: match (any(&["watchdog-device", "/dev/watchdog", "runtimewatchdogsec"]), any(&["watchdog"])) {
                (true, _) => WatchdogHolder::Configured,
                (false, true) => WatchdogHolder::Installed,
                (false, false) => WatchdogHolder::Absent,
            },
            tells_watchdogs_apart: any(&["i6300esb timer"]) || lines.iter().any(|line| keeps_away(line)),
            heartbeat: lines.iter().find_map(|line| heartbeat_in(line)),
        }
    }
}

/// Of modprobe.d, the kernel's command line and udev: what leaves one of q35's two drivers out, or names the device by it.
fn keeps_away(line: &str) -> bool {
    let line = line.to_lowercase();
    ["itco_wdt", "i6300esb"].iter().any(|driver| line.contains(driver))
        && ["blacklist", "install ", "identity"].iter().any(|word| line.contains(word))
}

/// `watchdog-timeout = 30` (watchdog.conf) or `RuntimeWatchdogSec=1min 30s` (systemd.time).
fn heartbeat_in(line: &str) -> Option<Duration> {
    let (_, value) = ["watchdog-timeout", "RuntimeWatchdogSec"].iter().find_map(|key| line.split_once(key))?;
    let value = value.trim_start().strip_prefix('=')?.split('#').next().unwrap_or_default().trim();
    let seconds = value.parse().map(Duration::from_secs).ok();
    let span = seconds.or_else(|| humantime::parse_duration(value).ok())?;
    let taken = u32::try_from(span.as_secs()).is_ok_and(|s| WatchdogModel::any_heartbeat().contains(&s));
    taken.then_some(Duration::from_secs(span.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_user_data_mentions() {
        let heartbeat = |seconds| Some(Duration::from_secs(seconds));
        use WatchdogHolder::{Absent, Configured, Installed};
        for (text, agent, watchdog, expected) in [
            ("#cloud-config\npackages: [qemu-guest-agent]\n", true, Absent, None),
            ("# qemu-guest-agent\n", false, Absent, None),
            ("packages: [watchdog]\n", false, Installed, None),
            ("#watchdog-device = /dev/watchdog\npackages: [watchdog]\n", false, Installed, None),
            ("- sed -i 's/^#watchdog-device/watchdog-device/' /etc/watchdog.conf\n", false, Configured, None),
            (
                "content: |\n  watchdog-device = /dev/watchdog\n  watchdog-timeout = 30\n",
                false,
                Configured,
                heartbeat(30),
            ),
            ("# watchdog-timeout = 5\nwatchdog-timeout = 40 # s\n", false, Installed, heartbeat(40)),
            ("RuntimeWatchdogSec=2min\n", false, Configured, heartbeat(120)),
            ("RuntimeWatchdogSec=1min 30s\n", false, Configured, heartbeat(90)),
            ("RuntimeWatchdogSec=2h\n", false, Configured, None),
            ("RuntimeWatchdogSec=500ms\n", false, Configured, None),
            ("RuntimeWatchdogSec=4294967295\n", false, Configured, None),
            ("RuntimeWatchdogSec=off\n", false, Configured, None),
            ("modprobe iTCO_wdt", false, Absent, None),
            ("modprobe.blacklist=iTCO_wdt # identity", false, Absent, None),
            ("ATTR{identity}==\"i6300ESB timer\"", false, Absent, None),
            ("", false, Absent, None),
        ] {
            let tells_watchdogs_apart = text.contains("identity");
            assert_eq!(
                UserData::in_text(text),
                UserData { hidden: false, agent, watchdog, tells_watchdogs_apart, heartbeat: expected },
                "{text}"
            );
        }
    }
}

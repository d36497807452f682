//! What a manifest's cloud-init data sets up in the guest, as far as its text tells.
//!
//! User data is a program; this only looks for names. What it does not find may still be in the image.

use super::finding::Exam;
use super::tree::{get, text};
use crate::devices::heartbeats;
use crate::manifest::WatchdogModel;
use crate::manifest::{CloudInit, go_base64};
use std::time::Duration;

/// What is to pet the watchdog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Petter {
    /// Nothing is mentioned.
    #[default]
    Absent,
    /// The daemon's package, which opens no device until it is told one (qemu-watchdog.md 8.1).
    Installed,
    /// Something is told to open the device.
    Configured,
}

/// What the user data mentions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mentions {
    pub(super) agent: bool,
    pub(super) watchdog: Petter,
    /// A watchdog is told from others by its driver, or another's driver is kept away.
    pub(super) identity: bool,
    /// The daemon's or systemd's timeout for the device, whole seconds that the device takes.
    pub(super) heartbeat: Option<Duration>,
}

impl Mentions {
    /// Of all cloud-init volumes of a manifest; `None`: some of it is in a Secret and cannot be seen.
    pub(super) fn of(exam: &Exam<'_>) -> Option<Mentions> {
        let mut all = Mentions::default();
        for volume in exam.tree.items(&exam.path("volumes")) {
            // An answer file can do anything.
            if get(volume, "sysprep").is_some() {
                return None;
            }
            for source in ["cloudInitNoCloud", "cloudInitConfigDrive"].iter().filter_map(|s| get(volume, s)) {
                if get(source, "secretRef").is_some() {
                    return None;
                }
                let plain = get(source, "userData").and_then(text).unwrap_or_default();
                let encoded = get(source, "userDataBase64").and_then(text).and_then(go_base64).unwrap_or_default();
                let found = Mentions::in_text(&format!("{plain}\n{}", String::from_utf8_lossy(&encoded)));
                all = Mentions {
                    agent: all.agent || found.agent,
                    watchdog: all.watchdog.max(found.watchdog),
                    identity: all.identity || found.identity,
                    heartbeat: all.heartbeat.or(found.heartbeat),
                };
            }
        }
        Some(all)
    }

    fn in_text(text: &str) -> Mentions {
        let lines: Vec<&str> = text.lines().filter(|l| !l.trim_start().starts_with('#')).collect();
        let any = |words: &[&str]| lines.iter().any(|l| words.iter().any(|w| l.to_lowercase().contains(w)));
        Mentions {
            agent: any(&["qemu-guest-agent", "qemu-ga"]),
            watchdog: match (any(&["watchdog-device", "/dev/watchdog", "runtimewatchdogsec"]), any(&["watchdog"])) {
                (true, _) => Petter::Configured,
                (false, true) => Petter::Installed,
                (false, false) => Petter::Absent,
            },
            identity: any(&["i6300esb timer"]) || lines.iter().any(|line| keeps_away(line)),
            heartbeat: lines.iter().find_map(|line| heartbeat_in(line)),
        }
    }
}

/// The watchdog's timeout that a manifest's user data sets in the guest, if it does.
pub fn heartbeat(cloud_init: &CloudInit) -> Option<Duration> {
    let text = String::from_utf8_lossy(cloud_init.user_data.as_deref().unwrap_or_default());
    Mentions::in_text(&text).heartbeat
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
    let longest = u64::from(*heartbeats(WatchdogModel::Diag288).end());
    (1..=longest).contains(&span.as_secs()).then_some(Duration::from_secs(span.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_user_data_mentions() {
        let heartbeat = |seconds| Some(Duration::from_secs(seconds));
        use Petter::{Absent, Configured, Installed};
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
            let identity = text.contains("identity");
            assert_eq!(Mentions::in_text(text), Mentions { agent, watchdog, identity, heartbeat: expected }, "{text}");
        }
    }
}

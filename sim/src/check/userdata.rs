//! What a manifest's cloud-init data sets up in the guest, as far as its text tells.
//!
//! User data is a program; this only looks for names. What it does not find may still be in the image.

use crate::manifest::CloudInit;
use std::time::Duration;

/// What the user data mentions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mentions {
    pub(super) agent: bool,
    pub(super) watchdog: bool,
    /// The daemon's or systemd's timeout for the device.
    pub(super) heartbeat: Option<Duration>,
}

impl Mentions {
    pub(super) fn of(cloud_init: &CloudInit) -> Mentions {
        let text = String::from_utf8_lossy(cloud_init.user_data.as_deref().unwrap_or_default());
        Mentions {
            agent: text.contains("qemu-guest-agent") || text.contains("qemu-ga"),
            watchdog: text.to_lowercase().contains("watchdog"),
            heartbeat: ["watchdog-timeout", "RuntimeWatchdogSec"].iter().find_map(|key| seconds_after(&text, key)),
        }
    }
}

/// The watchdog's timeout that a manifest's user data sets in the guest, if it does.
pub fn heartbeat(cloud_init: &CloudInit) -> Option<Duration> {
    Mentions::of(cloud_init).heartbeat
}

/// The number in `key = 30` or `key=30s`.
fn seconds_after(text: &str, key: &str) -> Option<Duration> {
    let (_, rest) = text.split_once(key)?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number, unit) = rest.split_at(digits);
    let factor = if unit.starts_with("min") { 60 } else { 1 };
    number.parse::<u32>().ok().map(|n| Duration::from_secs(u64::from(n) * factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_user_data_mentions() {
        let of = |text: &str| Mentions::of(&CloudInit { user_data: Some(text.into()), network_data: None });
        let heartbeat = |seconds| Some(Duration::from_secs(seconds));
        for (text, agent, watchdog, expected) in [
            ("#cloud-config\npackages: [qemu-guest-agent]\n", true, false, None),
            ("packages: [watchdog]\n", false, true, None),
            ("content: |\n  watchdog-device = /dev/watchdog\n  watchdog-timeout = 30\n", false, true, heartbeat(30)),
            ("RuntimeWatchdogSec=2min\n", false, true, heartbeat(120)),
            ("RuntimeWatchdogSec=off\n", false, true, None),
            ("", false, false, None),
        ] {
            assert_eq!(of(text), Mentions { agent, watchdog, heartbeat: expected }, "{text}");
        }
        assert_eq!(Mentions::of(&CloudInit::default()), Mentions::default());
    }
}

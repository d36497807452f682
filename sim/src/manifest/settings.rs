//! Lines of user data that set something about watchdogs and panics: one function for each setting, a line in, its value out.
//!
//! Sources: systemd-system.conf(5) and systemd.time(7), watchdog.conf(5), busybox `miscutils/watchdog.c`, Linux
//! `Documentation/admin-guide/sysctl/kernel.rst` (qemu-watchdog.md 8.1, 8.4 and 8.5).

use super::calls::calls;
use crate::devices::WatchdogModel;
use std::time::Duration;

/// Every driver's heartbeat until somebody sets another (qemu-watchdog.md 2.4, 3 and 4).
const DRIVERS_DEFAULT: Duration = Duration::from_secs(30);
/// busybox's `-T` where it is not given.
const BUSYBOX_DEFAULT: Duration = Duration::from_secs(60);

/// `RuntimeWatchdogSec=1min 30s` or `systemd.watchdog_sec=90` of the kernel's command line. The inner `None`: off.
pub(super) fn runtime_watchdog(line: &str) -> Option<Option<Duration>> {
    let value = ["RuntimeWatchdogSec", "systemd.watchdog_sec", "systemd.watchdog-sec"]
        .iter()
        .find_map(|key| setting(line, key))?;
    match value {
        "off" | "0" | "" => Some(None),
        "default" | "infinity" => Some(Some(DRIVERS_DEFAULT)),
        // A value that systemd cannot read leaves it as it was.
        _ => span(value).map(Some),
    }
}

/// `watchdog-timeout = 30` (watchdog.conf).
pub(super) fn watchdog_timeout(line: &str) -> Option<Duration> {
    span(setting(line, "watchdog-timeout")?)
}

/// `interval = 5` of a file that also has the daemon's device; of several the last one counts.
pub(super) fn pet_interval(lines: &[String]) -> Option<Duration> {
    let is_conf = lines.iter().any(|l| l.contains("watchdog-device") || l.contains("watchdog-timeout"));
    let intervals = lines.iter().filter(|l| is_conf && l.trim_start().starts_with("interval"));
    intervals.filter_map(|l| setting(l, "interval")?.parse().ok()).next_back().map(Duration::from_secs)
}

/// busybox's `watchdog -t 1 -T 4 /dev/watchdog`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Busybox {
    /// `-T`, whole seconds.
    pub(super) heartbeat: Duration,
    /// `-t`; if absent, half of `-T`.
    pub(super) interval: Duration,
}

/// Each call of it in the line.
pub(super) fn busybox(line: &str) -> Vec<Busybox> {
    calls(line, "watchdog").iter().filter_map(|arguments| busybox_with(arguments)).collect()
}

/// The watchdog daemon starts whatever its interval is (watchdog(8)): `watchdog_options="-f"` of /etc/default/watchdog, or its call.
pub(super) fn daemon_forced(line: &str) -> bool {
    let is_force = |word: &str| {
        let letters = word.strip_prefix('-').filter(|letters| letters.bytes().all(|b| b.is_ascii_alphabetic()));
        word == "--force" || letters.is_some_and(|letters| letters.contains('f'))
    };
    let options = line.rsplit_once("watchdog_options=").map_or("", |(_, options)| options);
    options.split(|c: char| c.is_whitespace() || "'\"/|\\".contains(c)).any(is_force)
        || calls(line, "watchdog").iter().flatten().any(|word| is_force(word))
}

/// The daemon of other distributions takes no device as an argument.
fn busybox_with(arguments: &[String]) -> Option<Busybox> {
    let mut words = arguments.iter().map(String::as_str);
    let (mut heartbeat, mut interval, mut device) = (None, None, false);
    while let Some(word) = words.next() {
        match (word.get(..2), word.get(2..).filter(|rest| !rest.is_empty())) {
            (Some("-T"), value) => heartbeat = value.or_else(|| words.next()).and_then(of_busybox),
            (Some("-t"), value) => interval = value.or_else(|| words.next()).and_then(of_busybox),
            _ => device |= word.starts_with("/dev/watchdog"),
        }
    }
    let whole = |d: Duration| Duration::from_secs(d.as_secs());
    let heartbeat = heartbeat.unwrap_or(BUSYBOX_DEFAULT);
    device.then(|| Busybox { heartbeat: whole(heartbeat), interval: interval.unwrap_or(heartbeat / 2) })
}

/// `4` or `500ms`.
fn of_busybox(word: &str) -> Option<Duration> {
    match word.strip_suffix("ms") {
        Some(millis) => millis.parse().ok().map(Duration::from_millis),
        None => word.parse().ok().map(Duration::from_secs),
    }
}

/// `kernel.panic = 10` of sysctl.d and sysctl, `echo 10 > /proc/sys/kernel/panic`, `panic=10` of the kernel's command line.
pub(super) fn panic_timer(line: &str) -> Option<i32> {
    if let Some((before, _)) = line.split_once("/proc/sys/kernel/panic").filter(|(_, rest)| !rest.starts_with('_')) {
        return before.split(|c: char| c.is_whitespace() || "'\">".contains(c)).find_map(|w| w.parse().ok());
    }
    let of_sysctl = ["kernel.panic", "kernel/panic"].iter().find_map(|key| setting(line, key));
    let of_cmdline = || {
        let words = line.split(|c: char| c.is_whitespace() || "'\"".contains(c));
        words.filter_map(|w| w.strip_prefix("panic=")).next_back()
    };
    of_sysctl.or_else(of_cmdline)?.split_whitespace().next()?.parse().ok()
}

/// A setting of the kernel's that is on or off: `kernel.softlockup_panic = 1` of sysctl.d and sysctl, `echo 1 > /proc/sys/...`.
pub(super) fn kernel_switch(line: &str, name: &str) -> Option<bool> {
    let by_file = || line.split_once(&format!("/proc/sys/kernel/{name}")).map(|(before, _)| before);
    let by_echo = || by_file()?.split(|c: char| c.is_whitespace() || "'\">".contains(c)).find_map(|w| w.parse().ok());
    let of_sysctl = ["kernel.", "kernel/"].iter().find_map(|prefix| setting(line, &format!("{prefix}{name}")));
    let number: Option<i32> = of_sysctl.and_then(|value| value.split_whitespace().next()?.parse().ok());
    number.or_else(by_echo).map(|number| number != 0)
}

/// Of modprobe.d, the kernel's command line and udev: what leaves one of q35's two drivers out, or names the device by it.
pub(super) fn driver_kept_away(line: &str) -> bool {
    let line = line.to_lowercase();
    ["itco_wdt", "i6300esb"].iter().any(|driver| line.contains(driver))
        && ["blacklist", "install ", "identity"].iter().any(|word| line.contains(word))
}

/// What stands behind `key =`; of several on a line, as in sed's, the last one. It ends where a shell's or sed's word would.
fn setting<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    // kernel.panic_on_oops begins with kernel.panic.
    let value_of = |(at, _): (usize, &str)| line.get(at + key.len()..)?.trim_start().strip_prefix('=');
    let value = line.rmatch_indices(key).find_map(value_of)?;
    Some(value.split(['#', '\'', '"', '/', '|', '\\', ';', '&', '>']).next().unwrap_or_default().trim())
}

/// systemd.time's spans, as far as some device takes them: whole seconds.
fn span(value: &str) -> Option<Duration> {
    let seconds = value.parse().map(Duration::from_secs).ok();
    let span = seconds.or_else(|| humantime::parse_duration(value).ok())?;
    let taken = u32::try_from(span.as_secs()).is_ok_and(|s| WatchdogModel::any_heartbeat().contains(&s));
    taken.then_some(Duration::from_secs(span.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_a_line() {
        let seconds = Duration::from_secs;
        for (line, expected) in [
            ("RuntimeWatchdogSec=20", Some(Some(seconds(20)))),
            ("RuntimeWatchdogSec=2h", None),
            ("RuntimeWatchdogSec=500ms", None),
            ("RuntimeWatchdogSec=4294967295", None),
            ("RuntimeWatchdogSec = off", Some(None)),
            ("echo 'RuntimeWatchdogSec=1min' >> f", Some(Some(seconds(60)))),
            ("echo RuntimeWatchdogSec=15 >> /etc/systemd/system.conf", Some(Some(seconds(15)))),
            ("GRUB_CMDLINE_LINUX=\"quiet systemd.watchdog_sec=30\"", Some(Some(seconds(30)))),
            ("RebootWatchdogSec=20", None),
        ] {
            assert_eq!(runtime_watchdog(line), expected, "{line}");
        }
        for (line, expected) in [
            ("watchdog -t 1 -T 4 /dev/watchdog", Some((4, 1000))),
            ("watchdog -t500ms -T5 -F /dev/watchdog0 &", Some((5, 500))),
            ("ExecStart=/sbin/watchdog -T 10 /dev/watchdog", Some((10, 5000))),
            ("watchdog -t 5 /dev/watchdog", Some((60, 5000))),
            ("watchdog -v -c /etc/watchdog.conf", None),
            ("systemctl enable watchdog", None),
            ("", None),
        ] {
            let found: Vec<_> = busybox(line).iter().map(|b| (b.heartbeat.as_secs(), b.interval.as_millis())).collect();
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{line}");
        }
        for (line, expected) in [
            ("watchdog_options=\"-f\"", true),
            ("sed -i 's/^watchdog_options=.*/watchdog_options=\"-v --force\"/' /etc/default/watchdog", true),
            ("ExecStart=/usr/sbin/watchdog -vf", true),
            ("watchdog --force &", true),
            ("watchdog_options=\"-c /etc/f.conf\"", false),
            ("watchdog -F -c /etc/f /dev/watchdog", false),
            ("rm -f /etc/watchdog.conf; systemctl -f enable watchdog", false),
        ] {
            assert_eq!(daemon_forced(line), expected, "{line}");
        }
        for (line, expected) in [
            ("kernel.panic = 10", Some(10)),
            ("kernel.panic=-1", Some(-1)),
            ("sysctl -w kernel.panic=5 && true", Some(5)),
            ("kernel.panic_on_oops = 1", None),
            ("sysctl -w kernel.panic=300 kernel.panic_on_oops=1", Some(300)),
            ("echo 20 > /proc/sys/kernel/panic", Some(20)),
            ("echo 1 > /proc/sys/kernel/panic_on_oops", None),
            ("GRUB_CMDLINE_LINUX=\"quiet panic=30\"", Some(30)),
            ("kernel.panic = never", None),
        ] {
            assert_eq!(panic_timer(line), expected, "{line}");
        }
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(pet_interval(&lines("watchdog-device=/dev/w\n interval = 5")), Some(seconds(5)));
        assert_eq!(pet_interval(&lines("interval = 60\nwatchdog-timeout = 30\ninterval = 5")), Some(seconds(5)));
        assert_eq!(pet_interval(&lines("interval = 5")), None);
    }
}

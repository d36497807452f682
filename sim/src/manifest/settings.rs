//! Lines of user data that set something about watchdogs and panics: one function for each setting, a line in, its value out.
//!
//! Sources: systemd-system.conf(5) and systemd.time(7), watchdog.conf(5), busybox `miscutils/watchdog.c`, Linux
//! `Documentation/admin-guide/sysctl/kernel.rst` (qemu-watchdog.md 8.1, 8.4 and 8.5).

use super::calls::calls;
use super::cloud_config::Line;
use crate::devices::WatchdogModel;
use std::time::Duration;

/// Every driver's heartbeat until somebody sets another (qemu-watchdog.md 2.4, 3 and 4).
const DRIVERS_DEFAULT: Duration = Duration::from_secs(30);
/// busybox's `-T` where it is not given.
const BUSYBOX_DEFAULT: Duration = Duration::from_secs(60);

/// `RuntimeWatchdogSec=1min 30s` or `systemd.watchdog_sec=90` of the kernel's command line. The inner `None`: off.
pub(super) fn runtime_watchdog(line: &str) -> Option<Option<Duration>> {
    // On the command line the next word is another setting.
    let of_kernel = || {
        let value = ["systemd.watchdog_sec", "systemd.watchdog-sec"].iter().find_map(|key| setting(line, key))?;
        Some(value.split_whitespace().next().unwrap_or_default())
    };
    let value = setting(line, "RuntimeWatchdogSec").or_else(of_kernel)?;
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

/// `interval = 5` of a file that also has the daemon's device; of several the last one counts. The inner `None`: whether that one is
/// written cannot be told.
pub(super) fn pet_interval(lines: &[Line]) -> Option<Option<Duration>> {
    let is_conf = lines.iter().any(|l| l.text.contains("watchdog-device") || l.text.contains("watchdog-timeout"));
    let intervals = lines.iter().filter(|l| is_conf && l.text.trim_start().starts_with("interval"));
    let interval =
        |l: &Line| Some((!l.may_not_run).then_some(Duration::from_secs(setting(&l.text, "interval")?.parse().ok()?)));
    intervals.filter_map(interval).next_back()
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
    // 0 is without a pause.
    let interval = interval.unwrap_or(heartbeat / 2).max(Duration::from_millis(1));
    device.then(|| Busybox { heartbeat: whole(heartbeat), interval })
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
    match of_sysctl {
        Some(value) => value.split_whitespace().next()?.parse().ok(),
        None => {
            let words = line.split(|c: char| c.is_whitespace() || "'\"".contains(c));
            words.filter_map(|word| kernel_number(word.strip_prefix("panic=")?)).next_back()
        }
    }
}

/// The settings on a kernel's command line, as it parts them (Linux `lib/cmdline.c` `next_arg`): at blanks outside of double quotes,
/// which it takes away, up to the word `--`; what follows is init's. A value with a blank in it is none of those that are read here.
pub(super) fn of_the_kernel(command_line: &str) -> String {
    let mut quoted = false;
    let words = command_line.split(|c: char| {
        quoted ^= c == '"';
        c.is_whitespace() && !quoted
    });
    let kernels = words.take_while(|word| *word != "--").map(|word| word.replace('"', ""));
    kernels.filter(|word| word.contains('=') && !word.contains(char::is_whitespace)).collect::<Vec<_>>().join(" ")
}

/// As the kernel reads one: hexadecimal behind 0x, octal behind 0 (Linux lib/kstrtox.c).
fn kernel_number(text: &str) -> Option<i32> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (digits, radix) = match digits.strip_prefix('0') {
        Some(rest) if rest.starts_with(['x', 'X']) => (&rest[1..], 16),
        Some(rest) if !rest.is_empty() => (rest, 8),
        _ => (digits, 10),
    };
    i32::from_str_radix(&format!("{sign}{digits}"), radix).ok()
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
            ("systemd.watchdog_sec=30 quiet", Some(Some(seconds(30)))),
            ("RebootWatchdogSec=20", None),
        ] {
            assert_eq!(runtime_watchdog(line), expected, "{line}");
        }
        for (line, expected) in [
            ("watchdog -t 1 -T 4 /dev/watchdog", Some((4, 1000))),
            ("watchdog -t500ms -T5 -F /dev/watchdog0 &", Some((5, 500))),
            ("watchdog -t 0 -T 5 /dev/watchdog", Some((5, 1))),
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
            // As Linux takes its command line.
            ("console=ttyS0 panic=5 quiet", Some(5)),
            ("panic=0", Some(0)),
            ("panic=-1", Some(-1)),
            ("panic=5 panic=10 panic=never", Some(10)),
            ("panic=0x10", Some(16)),
            ("panic=010", Some(8)),
            ("panic=5s oops=panic panic_on_oops=1 nopanic=1", None),
            ("panic=5 sysctl.kernel.panic=7", Some(7)),
        ] {
            assert_eq!(panic_timer(line), expected, "{line}");
        }
        for (text, expected) in [
            ("watchdog-device=/dev/w\n interval = 5", Some(Some(seconds(5)))),
            ("interval = 60\nwatchdog-timeout = 30\ninterval = 5", Some(Some(seconds(5)))),
            ("interval = 60\nwatchdog-timeout = 30\ninterval = 5 # maybe", Some(None)),
            ("interval = 5", None),
        ] {
            let line = |text: &str| Line { text: text.to_owned(), may_not_run: text.contains("maybe") };
            assert_eq!(pet_interval(&text.lines().map(line).collect::<Vec<_>>()), expected, "{text}");
        }
        for (line, expected) in [
            ("panic=5", "panic=5"),
            ("quiet panic=5 -- panic=6", "panic=5"),
            ("panic=5\t--\tpanic=6", "panic=5"),
            ("-- panic=6", ""),
            ("dyndbg=\"file a panic=7 +p\" panic=5", "panic=5"),
            ("panic=\"5\"", "panic=5"),
            ("5 /proc/sys/kernel/panic", ""),
        ] {
            assert_eq!(of_the_kernel(line), expected, "{line}");
        }
    }
}

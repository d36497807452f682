//! What a manifest's user data sets up in the guest, as far as its text tells, and what its kernel's command line does: the one reader
//! of both, for `check`, the budgets and whoever runs the guest.
//!
//! User data is a program; this only looks for names and settings (qemu-watchdog.md 8.1, 8.4 and 8.5). What it does not find may still
//! be in the image.

use super::base64::go_base64;
use super::cloud_config::{Line, Part, parts};
use super::settings::{
    Busybox, busybox, daemon_forced, driver_kept_away, kernel_switch, of_the_kernel, panic_timer, pet_interval,
    runtime_watchdog, watchdog_timeout,
};
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

/// Who pets the watchdog (qemu-watchdog.md 8.1, 8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Petter {
    /// systemd itself, every half of the heartbeat: there is no daemon that could stop.
    Systemd,
    /// busybox's `watchdog`.
    Busybox,
    /// The watchdog daemon.
    Daemon,
}

/// What the user data of a manifest's volumes mentions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UserData {
    /// Some of it cannot be seen: it is in a Secret, it is Ignition's, or an answer file of Windows, which can do anything.
    pub hidden: bool,
    /// None of it is here: whatever is in the guest is the image's doing.
    pub absent: bool,
    /// The guest agent.
    pub agent: bool,
    /// What is to hold the watchdog open.
    pub watchdog: WatchdogHolder,
    /// Who that is; of two the one that opens the device first.
    pub petter: Option<Petter>,
    /// Another one that is to open it, too, and finds it taken.
    pub rival: Option<Petter>,
    /// `RuntimeWatchdogSec` is off, by word or by number.
    pub systemd_off: bool,
    /// A watchdog is told from others by its driver, or another's driver is kept away.
    pub tells_watchdogs_apart: bool,
    /// The petter's timeout for the device: whole seconds that some device takes.
    pub heartbeat: Option<Duration>,
    /// A condition, a loop or a function is around what sets it: it may never be set.
    pub heartbeat_may_not_be: bool,
    /// Between two pets, where it is said for sure: the daemon's `interval`, busybox's `-t`.
    pub pet_interval: Option<Duration>,
    /// The daemon is told to start whatever its interval is.
    pub daemon_forced: bool,
    /// `kernel.panic`, seconds; 0: never, negative: at once.
    pub panic_timer: Option<i32>,
    /// As [`UserData::heartbeat_may_not_be`].
    pub panic_timer_may_not_be: bool,
    /// The same of the kernel's command line (`kernelArgs`), which counts until user data sets another.
    pub kernels_panic_timer: Option<i32>,
    /// `kernel.softlockup_panic`: the kernel panics when one of its CPUs lets no program run.
    pub softlockup_panics: bool,
    /// `kernel.hung_task_panic`: it panics of a program that waits for too long.
    pub hung_task_panics: bool,
    /// Something loads the watchdog's driver by its name.
    pub loads_driver: bool,
    /// systemd is told to read its configuration again, or the guest to reboot: what is written for systemd counts in the first
    /// boot.
    pub systemd_reads_again: bool,
    /// The same of `sysctl`.
    pub sysctl_reads_again: bool,
    /// The kernel's setting stands only in files of sysctl.d.
    pub panic_timer_in_a_file: bool,
    /// The agent's list of commands is changed.
    pub changes_agent_commands: bool,
}

impl UserData {
    /// There is user data, all of it can be seen, and nothing in it opens the watchdog.
    pub fn leaves_watchdog_alone(&self) -> bool {
        !self.hidden && !self.absent && self.watchdog != WatchdogHolder::Configured
    }

    /// `kernel.panic` of the first boot, after user data has been carried out.
    pub fn panic_timer_in_first_boot(&self) -> Option<i32> {
        let counts = !self.panic_timer_in_a_file || self.sysctl_reads_again;
        self.panic_timer.filter(|_| counts).or(self.kernels_panic_timer)
    }

    /// Of a text that is all there is, and of the kernel's command line.
    pub(crate) fn of(text: &str, kernel_args: &str) -> UserData {
        UserData { hidden: text.contains("\"ignition\""), ..UserData::in_texts(&[text.to_owned()], kernel_args) }
    }

    /// Of all volumes of a VMI's spec, and of its kernel's command line.
    pub(super) fn read(spec: Cursor<'_>, kernel_args: &str) -> UserData {
        let spec = spec.quiet();
        let (mut hidden, mut texts) = (false, Vec::new());
        for volume in spec.items_at("volumes") {
            hidden |= volume.get("sysprep").is_some();
            for source in ["cloudInitNoCloud", "cloudInitConfigDrive"].iter().filter_map(|s| volume.get(s)) {
                hidden |= source.get("secretRef").is_some();
                texts.extend(source.text_at("userData").map(str::to_owned));
                let encoded = source.text_at("userDataBase64").and_then(go_base64);
                texts.extend(encoded.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
        // Ignition keeps its files in URLs.
        hidden |= texts.iter().any(|text| text.contains("\"ignition\""));
        UserData { hidden, absent: !hidden && texts.is_empty(), ..UserData::in_texts(&texts, kernel_args) }
    }

    fn in_texts(texts: &[String], kernel_args: &str) -> UserData {
        let written = |l: &&str| !l.trim_start().starts_with('#');
        let raw: Vec<String> = texts.iter().flat_map(|t| t.lines()).filter(written).map(str::to_lowercase).collect();
        let parts: Vec<Part> = texts.iter().flat_map(|text| parts(text)).collect();
        let all_lines = || parts.iter().flat_map(|part| &part.lines);
        let lines = || all_lines().map(|line| &line.text);
        let kernel = &of_the_kernel(kernel_args);
        let mentions = |words: &[&str]| raw.iter().any(|l| words.iter().any(|w| l.contains(w)));
        let any =
            |words: &[&str]| mentions(words) || lines().any(|l| words.iter().any(|w| l.to_lowercase().contains(w)));

        // Of several settings the last one counts; systemd's of the kernel's command line before all.
        let of_kernel = runtime_watchdog(kernel).map(|setting| (setting, false));
        let systemd = of_kernel.or_else(|| last(all_lines(), runtime_watchdog));
        let systemd_off = systemd == Some((None, false));
        let systemd = systemd.map(|(setting, maybe)| Some((setting?, maybe)));
        let calls_in = |line: &'_ Line| {
            let may_not_run = line.may_not_run;
            busybox(&line.text).into_iter().map(move |call| (call, may_not_run))
        };
        let calls: Vec<(Busybox, bool)> = all_lines().flat_map(calls_in).collect();
        let busybox = calls.first();
        let daemon = any(&["watchdog-device", "watchdog-timeout"])
            || (systemd.is_none() && busybox.is_none() && any(&["/dev/watchdog"]));
        let has_device = daemon && any(&["watchdog-device", "/dev/watchdog"]);
        let mut petters = [
            systemd.flatten().map(|heartbeat| (Petter::Systemd, Some(heartbeat))),
            busybox.map(|(call, maybe)| (Petter::Busybox, Some((call.heartbeat, *maybe)))),
            daemon.then(|| (Petter::Daemon, last(all_lines(), watchdog_timeout))),
        ]
        .into_iter()
        .flatten();
        let first = petters.next();
        let (petter, heartbeat) = first.map_or((None, None), |(petter, heartbeat)| (Some(petter), heartbeat));
        let (heartbeat, heartbeat_may_not_be) = heartbeat.map_or((None, false), |(span, maybe)| (Some(span), maybe));
        let configured = has_device || petter.is_some_and(|p| p != Petter::Daemon);
        let in_file = |part: &&Part| part.path.contains("sysctl");
        let has_timer = |part: &&Part| part.lines.iter().any(|line| panic_timer(&line.text).is_some());
        let timer = last(all_lines(), panic_timer);
        UserData {
            hidden: false,
            absent: false,
            agent: any(&["qemu-guest-agent", "qemu-ga"]),
            watchdog: match (configured, raw.iter().any(|l| installs_daemon(l))) {
                (true, _) => WatchdogHolder::Configured,
                (false, true) => WatchdogHolder::Installed,
                (false, false) => WatchdogHolder::Absent,
            },
            petter: petter.filter(|_| configured),
            rival: petters.next().map(|(petter, _)| petter).filter(|p| *p != Petter::Daemon || has_device),
            systemd_off,
            tells_watchdogs_apart: any(&["i6300esb timer"])
                || raw.iter().chain(lines()).any(|line| driver_kept_away(line))
                || driver_kept_away(kernel),
            heartbeat,
            heartbeat_may_not_be,
            pet_interval: match petter {
                _ if heartbeat_may_not_be => None,
                // Which of several calls runs cannot be told.
                Some(Petter::Busybox) => {
                    busybox.filter(|first| calls.iter().all(|call| call == *first)).map(|(call, _)| call.interval)
                }
                Some(Petter::Daemon) => parts.iter().filter_map(|part| pet_interval(&part.lines)).next_back().flatten(),
                Some(Petter::Systemd) | None => None,
            },
            daemon_forced: lines().any(|l| daemon_forced(l)),
            panic_timer: timer.map(|(seconds, _)| seconds),
            panic_timer_may_not_be: timer.is_some_and(|(_, maybe)| maybe),
            kernels_panic_timer: panic_timer(kernel),
            softlockup_panics: lines().filter_map(|l| kernel_switch(l, "softlockup_panic")).next_back() == Some(true),
            hung_task_panics: lines().filter_map(|l| kernel_switch(l, "hung_task_panic")).next_back() == Some(true),
            loads_driver: any(&["modprobe i6300esb", "modprobe -b i6300esb", "watchdog_module=", "insmod "]),
            // What stands on the command line has been read at once.
            systemd_reads_again: of_kernel.is_some()
                || lines().any(|l| reads_again(l, &["daemon-reexec", "daemon-reload"])),
            sysctl_reads_again: lines().any(|l| reads_again(l, &["sysctl --system", "sysctl -p", "systemd-sysctl"])),
            panic_timer_in_a_file: timer.is_some() && parts.iter().filter(has_timer).all(|part| in_file(&part)),
            changes_agent_commands: any(&[
                "sysconfig/qemu-ga",
                "qemu-ga.conf",
                "filter_rpc_args",
                "blacklist_rpc",
                "--allow-rpcs",
            ]),
        }
    }
}

/// The last setting, and whether its line may never be carried out.
fn last<'p, T>(lines: impl DoubleEndedIterator<Item = &'p Line>, setting: fn(&str) -> Option<T>) -> Option<(T, bool)> {
    lines.filter_map(|line| Some((setting(&line.text)?, line.may_not_run))).next_back()
}

/// A line that has the daemon's name as a word of its own: its package, its unit, its file.
fn installs_daemon(line: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let mut words = line.split(|c| !is_part(c)).map(|word| word.trim_matches('-'));
    words.any(|word| {
        ["watchdog", "watchdog.service", "watchdog-timeout"].contains(&word) || word.ends_with("watchdog.conf")
    })
}

/// A command that has one of these in it, or that reboots the guest.
fn reads_again(line: &str, words: &[&str]) -> bool {
    words.iter().any(|word| line.contains(word)) || line.split_whitespace().any(|word| word == "reboot")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> UserData {
        UserData::in_texts(&[text.to_owned()], "")
    }

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
            ("RuntimeWatchdogSec=off\n", false, Absent, None),
            ("RuntimeWatchdogSec=0\n", false, Absent, None),
            ("kernel.nmi_watchdog = 0\n", false, Absent, None),
            ("modprobe iTCO_wdt", false, Absent, None),
            ("modprobe.blacklist=iTCO_wdt # identity", false, Absent, None),
            ("ATTR{identity}==\"i6300ESB timer\"", false, Absent, None),
            ("", false, Absent, None),
        ] {
            let found = read(text);
            let seen = (found.agent, found.watchdog, found.heartbeat, found.tells_watchdogs_apart);
            assert_eq!(seen, (agent, watchdog, expected, text.contains("identity")), "{text}");
        }
        assert!(read("RuntimeWatchdogSec=off\n").systemd_off && !read("RuntimeWatchdogSec=5\n").systemd_off);
    }

    /// Who pets, with which heartbeat, how often where that is said, and who comes too late.
    #[test]
    fn who_pets() {
        use Petter::{Busybox, Daemon, Systemd};
        let drop_in = |value: &str| {
            format!(
                "#cloud-config\nwrite_files:\n- path: /etc/systemd/system.conf.d/w.conf\n  content: |\n    [Manager]\n    RuntimeWatchdogSec={value}\n"
            )
        };
        let conf = "write_files:\n- {path: /etc/watchdog.conf, content: \"watchdog-device=/dev/watchdog\\ninterval = 5\\n\"}\n";
        for (text, petter, heartbeat, interval, rival) in [
            (drop_in("20"), Some(Systemd), Some(20), None, None),
            (drop_in("off"), None, None, None, None),
            // The driver's own.
            (drop_in("default"), Some(Systemd), Some(30), None, None),
            (conf.to_owned(), Some(Daemon), None, Some(5), None),
            (drop_in("20") + &conf.replace("write_files:\n", ""), Some(Systemd), Some(20), None, Some(Daemon)),
            ("runcmd: [watchdog -t 1 -T 4 /dev/watchdog]\n".to_owned(), Some(Busybox), Some(4), Some(1), None),
            ("runcmd: [[busybox, watchdog, -T, 10, /dev/watchdog]]".to_owned(), Some(Busybox), Some(10), Some(5), None),
            (
                "bootcmd: [\"sed -i 's/.*RuntimeWatchdogSec=.*/RuntimeWatchdogSec=15/' /etc/systemd/system.conf\"]"
                    .to_owned(),
                Some(Systemd),
                Some(15),
                None,
                None,
            ),
        ] {
            let found = read(&text);
            let seconds = |d: Option<Duration>| d.map(|d| d.as_secs());
            let seen = (found.petter, seconds(found.heartbeat), seconds(found.pet_interval), found.rival);
            assert_eq!(seen, (petter, heartbeat, interval, rival), "{text}");
            assert_eq!(found.watchdog == WatchdogHolder::Configured, petter.is_some(), "{text}");
        }
    }

    /// What a condition is around is read, and is no fact; no error rests on it.
    #[test]
    fn what_may_never_run() {
        let script = |line: &str| format!("#!/bin/sh\nif grep -q a /proc/cpuinfo\nthen\n  {line}\nfi\n");
        let conf =
            "cat > /etc/watchdog.conf <<E\nwatchdog-device = /dev/watchdog\nwatchdog-timeout = 9\ninterval = 20\nE";
        for (text, heartbeat, interval, timer) in [
            (script("sysctl -w kernel.panic=7"), None, None, Some((7, true))),
            (script("true") + "sysctl -w kernel.panic=7", None, None, Some((7, false))),
            (script("echo RuntimeWatchdogSec=9 >> /etc/systemd/system.conf"), Some((9, true)), None, None),
            (conf.to_owned(), Some((9, false)), Some(20), None),
            (script(conf), Some((9, true)), None, None),
            (script("busybox watchdog -t 20 -T 9 /dev/watchdog"), Some((9, true)), None, None),
            ("#!/bin/sh\nf()\n{\n  busybox watchdog -T 9 /dev/watchdog\n}\n".into(), Some((9, true)), None, None),
            // A group is no condition.
            ("{\n  busybox watchdog -t 2 -T 9 /dev/watchdog\n} >> log".into(), Some((9, false)), Some(2), None),
            (script("true") + "busybox watchdog -t 20 -T 9 /dev/watchdog", Some((9, false)), Some(20), None),
        ] {
            let found = read(&text);
            let beat = found.heartbeat.map(|h| (h.as_secs(), found.heartbeat_may_not_be));
            let interval_found = found.pet_interval.map(|i| i.as_secs());
            let timer_found = found.panic_timer.map(|t| (t, found.panic_timer_may_not_be));
            assert_eq!((beat, interval_found, timer_found), (heartbeat, interval, timer), "{text}");
        }
        assert!(!read(&script("echo RuntimeWatchdogSec=off >> /etc/systemd/system.conf")).systemd_off);
    }

    /// What stands on the kernel's command line counts from the first boot on; user data may set another number later.
    #[test]
    fn the_kernels_command_line() {
        let file = "write_files: [{path: /etc/sysctl.d/p.conf, content: kernel.panic = 10}]\n";
        let call = "runcmd: [sysctl -w kernel.panic=7]\n";
        for (args, text, kernels, later, first) in [
            ("panic=5 quiet", "", Some(5), None, Some(5)),
            ("panic=0", "", Some(0), None, Some(0)),
            ("panic=-1", "", Some(-1), None, Some(-1)),
            ("panic=5", file, Some(5), Some(10), Some(5)),
            ("panic=5", call, Some(5), Some(7), Some(7)),
            ("quiet -- panic=5", "", None, None, None),
            ("", file, None, Some(10), None),
        ] {
            let found = UserData::in_texts(&[text.to_owned()], args);
            let seen = (found.kernels_panic_timer, found.panic_timer, found.panic_timer_in_first_boot());
            assert_eq!(seen, (kernels, later, first), "{args} {text}");
        }
        let found = UserData::in_texts(&[], "systemd.watchdog_sec=20 modprobe.blacklist=iTCO_wdt");
        assert_eq!((found.petter, found.heartbeat), (Some(Petter::Systemd), Some(Duration::from_secs(20))));
        assert!(found.systemd_reads_again && found.tells_watchdogs_apart);
    }

    /// `kernel.panic`, whether only files have it, and whether they are read in the first boot.
    #[test]
    fn when_settings_count() {
        let file = "write_files: [{path: /etc/sysctl.d/p.conf, content: kernel.panic = 10}]\n";
        for (text, timer, in_a_file, again) in [
            (file.to_owned(), Some(10), true, false),
            (format!("{file}runcmd: [sysctl --system]\n"), Some(10), true, true),
            (format!("{file}power_state: {{mode: reboot}}\n"), Some(10), true, true),
            ("runcmd: [sysctl -w kernel.panic=-1]\n".to_owned(), Some(-1), false, false),
            ("runcmd: [echo 5 > /proc/sys/kernel/panic]\n".to_owned(), Some(5), false, false),
            ("kernel.panic_on_oops = 1\n".to_owned(), None, false, false),
        ] {
            let found = read(&text);
            let seen = (found.panic_timer, found.panic_timer_in_a_file, found.sysctl_reads_again);
            assert_eq!(seen, (timer, in_a_file, again), "{text}");
        }
        for (text, softlockup, hung_task) in [
            ("write_files: [{path: /etc/sysctl.d/p.conf, content: kernel.softlockup_panic = 1}]\n", true, false),
            ("runcmd: [sysctl -w kernel.hung_task_panic=1]\n", false, true),
            ("runcmd: [echo 1 > /proc/sys/kernel/hung_task_panic]\n", false, true),
            ("runcmd: [sysctl -w kernel.hung_task_panic=0, sysctl -w kernel.softlockup_panic=0]\n", false, false),
            ("kernel.hung_task_timeout_secs = 10\n# kernel.softlockup_panic = 1\n", false, false),
        ] {
            let found = read(text);
            assert_eq!((found.softlockup_panics, found.hung_task_panics), (softlockup, hung_task), "{text}");
        }
        assert!(read("runcmd: [systemctl daemon-reexec]").systemd_reads_again);
        assert!(read("runcmd: [modprobe i6300esb]").loads_driver && !read("x").loads_driver);
        assert!(read("runcmd: [\"sed -i d /etc/sysconfig/qemu-ga\"]").changes_agent_commands);
    }
}

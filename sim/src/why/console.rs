//! A guest's serial console to signs: what Linux, systemd and the watchdog's drivers print (qemu-watchdog.md 8.6).

use super::clock::When;
use super::fact::{Facts, Place};
use super::sign::{Sign, Source, Victim};

/// What a line of a console is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// It says this.
    Says(Sign),
    /// A kernel begins to boot.
    Boots,
    /// The kernel's or systemd's, and nothing of interest.
    Idle,
    /// Something else.
    Unknown,
}

/// A console that is read line by line.
#[derive(Debug, Default)]
pub(super) struct Console {
    boots: usize,
}

impl Console {
    /// Takes a line; `false`: it is not a console's.
    pub(super) fn take(&mut self, facts: &mut Facts, line: &str, place: Place<'_>) -> bool {
        let line = &without_colours(line);
        let (when, rest) = uptime(line);
        let sign = match classify(rest, when.is_some()) {
            Line::Unknown => return false,
            Line::Idle => {
                facts.covered.insert(Source::Console);
                facts.idle += 1;
                return true;
            }
            Line::Boots => {
                self.boots += 1;
                facts.covered.insert(Source::Console);
                if self.boots == 1 {
                    facts.idle += 1;
                    return true;
                }
                Sign::ConsoleReboot
            }
            Line::Says(sign) => sign,
        };
        facts.covered.insert(Source::Console);
        facts.add(sign, when, place, line, 1);
        true
    }
}

/// A line without the sequences that steer a terminal (ECMA-48 CSI): systemd colours its lines.
fn without_colours(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text += part.trim_start_matches(|c| ('\u{20}'..='\u{3f}').contains(&c)).get(1..).unwrap_or_default();
    }
    text
}

/// `[  123.456789] text`: the uptime and the text.
fn uptime(line: &str) -> (Option<When>, &str) {
    let stamped = || {
        let (stamp, rest) = line.trim_start().strip_prefix('[')?.split_once(']')?;
        let (seconds, fraction) = stamp.trim().split_once('.')?;
        let (seconds, millis) = (seconds.parse::<i64>().ok()?, fraction.get(..3)?.parse::<i64>().ok()?);
        Some((When::Uptime(seconds.checked_mul(1000)?.checked_add(millis)?), rest.trim_start()))
    };
    stamped().map_or((None, line.trim()), |(when, rest)| (Some(when), rest))
}

fn classify(text: &str, stamped: bool) -> Line {
    let has = |words: &[&str]| words.iter().any(|w| text.contains(w));
    if has(&["Kernel panic - not syncing"]) {
        // Its last line repeats it.
        return if text.contains("end Kernel panic") { Line::Idle } else { Line::Says(Sign::ConsolePanic) };
    }
    if has(&["Out of memory: Killed process", "Memory cgroup out of memory: Killed process"]) {
        let victim = match text.split_once('(').map_or("", |(_, rest)| rest.split(')').next().unwrap_or_default()) {
            "qemu-ga" | "qemu-guest-agen" => Victim::Agent,
            "watchdog" | "wd_keepalive" => Victim::Watchdog,
            _ => Victim::Other,
        };
        return Line::Says(Sign::ConsoleOom(victim));
    }
    if has(&["soft lockup - CPU#", "hard LOCKUP on cpu", "self-detected stall on CPU", "detected stalls on CPUs"]) {
        return Line::Says(Sign::ConsoleLockup);
    }
    if text.contains("blocked for more than") && text.contains("seconds") {
        return Line::Says(Sign::ConsoleHungTask);
    }
    if has(&["I/O error, dev ", "Buffer I/O error on dev", "Remounting filesystem read-only", "JBD2: I/O error"]) {
        return Line::Says(Sign::ConsoleIoError);
    }
    if has(&["reboot: Power down", "reboot: Restarting system", "Reached target Power-Off", "Reached target Shutdown"])
        || has(&["systemd-shutdown[1]:", "Reached target poweroff.target", "Reached target reboot.target"])
    {
        return Line::Says(Sign::ConsoleShutdown);
    }
    if has(&["bootstatus=0x20", "last reboot was caused by the watchdog", "WDIOF_CARDRESET", "reset by watchdog"]) {
        return Line::Says(Sign::WatchdogReset);
    }
    if text.starts_with("Linux version ") {
        return Line::Boots;
    }
    let systemds = ["[  OK  ]", "[FAILED]", "[DEPEND]", "[ TIME ]", "systemd[1]:", "Starting ", "Stopping "];
    if stamped || systemds.iter().any(|w| text.starts_with(w)) { Line::Idle } else { Line::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lines_say() {
        use Line::*;
        for (line, expected) in [
            ("[   10.744812] Kernel panic - not syncing: sysrq triggered crash", Says(Sign::ConsolePanic)),
            ("[   10.744812] ---[ end Kernel panic - not syncing: sysrq triggered crash ]---", Idle),
            (
                "[  981.100000] Out of memory: Killed process 431 (qemu-ga) total-vm:81640kB",
                Says(Sign::ConsoleOom(Victim::Agent)),
            ),
            (
                "[  981.1000] Out of memory: Killed process 431 (postgres) total-vm:1kB",
                Says(Sign::ConsoleOom(Victim::Other)),
            ),
            (
                "[  120.000000] watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [kworker/1:0:23]",
                Says(Sign::ConsoleLockup),
            ),
            (
                "[  362.000000] INFO: task jbd2/vda1-8:196 blocked for more than 120 seconds.",
                Says(Sign::ConsoleHungTask),
            ),
            ("[  362.000000] I/O error, dev vda, sector 2048 op 0x1:(WRITE)", Says(Sign::ConsoleIoError)),
            ("[  300.000000] reboot: Power down", Says(Sign::ConsoleShutdown)),
            ("[    0.000000] Linux version 6.1.0-37-amd64", Boots),
            ("[    1.200000] i6300ESB timer: heartbeat=30 sec", Idle),
            ("[  OK  ] Started nginx.service", Idle),
            ("[\u{1b}[0;32m  OK  \u{1b}[0m] Started nginx.service", Idle),
            (
                "[\u{1b}[0;32m  OK  \u{1b}[0m] Reached target \u{1b}[0;1;39mPower-Off\u{1b}[0m.",
                Says(Sign::ConsoleShutdown),
            ),
            ("\u{1b}[0;1;31mlogin: \u{1b}[", Unknown),
        ] {
            let line = without_colours(line);
            let (when, rest) = uptime(&line);
            assert_eq!(classify(rest, when.is_some()), expected, "{line}");
        }
        assert_eq!(uptime("[   10.744812] x").0, Some(When::Uptime(10_744)));
    }

    /// A first boot is no reboot.
    #[test]
    fn the_second_boot_is_one() {
        let (mut console, mut facts) = (Console::default(), Facts::default());
        for line in 1..=2 {
            assert!(console.take(&mut facts, "[    0.000000] Linux version 6.1.0", Place { file: "c", line }));
            assert_eq!(facts.find(Sign::ConsoleReboot).is_some(), line == 2);
        }
    }
}

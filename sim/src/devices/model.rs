//! Which watchdog devices there are, and what QEMU does when one fires: the words for them and their limits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::RangeInclusive;

/// The watchdog device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WatchdogModel {
    /// Intel 6300ESB, x86.
    I6300esb,
    /// DIAG 288, s390x.
    Diag288,
    /// Intel's TCO, part of every q35; no manifest names it.
    Itco,
}

impl WatchdogModel {
    /// All of them.
    pub const ALL: [WatchdogModel; 3] = [WatchdogModel::I6300esb, WatchdogModel::Diag288, WatchdogModel::Itco];

    /// The heartbeats that its driver in Linux takes, seconds.
    pub const fn heartbeats(self) -> RangeInclusive<u32> {
        match self {
            WatchdogModel::I6300esb => 1..=2046,
            WatchdogModel::Diag288 => 15..=3600,
            // From 4 ticks to ten bits of them, as its driver rounds.
            WatchdogModel::Itco => 3..=614,
        }
    }

    /// From the shortest heartbeat that any of them takes to the longest, where it is not known yet which there is.
    pub fn any_heartbeat() -> RangeInclusive<u32> {
        let ranges = || WatchdogModel::ALL.into_iter().map(WatchdogModel::heartbeats);
        ranges().map(|r| *r.start()).min().unwrap_or(1)..=ranges().map(|r| *r.end()).max().unwrap_or(1)
    }

    /// KubeVirt's word for it, and QEMU's.
    pub const fn as_str(self) -> &'static str {
        match self {
            WatchdogModel::I6300esb => "i6300esb",
            WatchdogModel::Diag288 => "diag288",
            WatchdogModel::Itco => "itco",
        }
    }

    /// Linux's driver.
    pub const fn module(self) -> &'static str {
        match self {
            WatchdogModel::I6300esb => "i6300esb",
            WatchdogModel::Diag288 => "diag288_wdt",
            WatchdogModel::Itco => "iTCO_wdt",
        }
    }

    /// What the driver says in `/sys/class/watchdog/*/identity`.
    pub const fn identity(self) -> &'static str {
        match self {
            WatchdogModel::I6300esb => "i6300ESB timer",
            WatchdogModel::Diag288 => "z Watchdog",
            WatchdogModel::Itco => "iTCO_wdt",
        }
    }
}

/// The watchdog's action, in QEMU's and libvirt's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WatchdogAction {
    /// QEMU exits at once.
    Poweroff,
    /// Warm reset in place; KubeVirt's default.
    Reset,
    /// ACPI power button.
    Shutdown,
    /// Stop the vCPUs.
    Pause,
    /// Only the event.
    None,
}

impl WatchdogAction {
    /// All that vmhealth knows what to do with.
    pub const ALL: [WatchdogAction; 5] = [
        WatchdogAction::Poweroff,
        WatchdogAction::Reset,
        WatchdogAction::Shutdown,
        WatchdogAction::Pause,
        WatchdogAction::None,
    ];

    /// What libvirt takes beside these: QEMU pauses and its memory is dumped; an NMI.
    pub const NOT_SIMULATED: [&str; 2] = ["dump", "inject-nmi"];

    /// The action of that name.
    pub fn of(word: &str) -> Option<WatchdogAction> {
        WatchdogAction::ALL.into_iter().find(|a| a.as_str() == word)
    }

    /// The word QEMU knows it by.
    pub const fn as_str(self) -> &'static str {
        match self {
            WatchdogAction::Poweroff => "poweroff",
            WatchdogAction::Reset => "reset",
            WatchdogAction::Shutdown => "shutdown",
            WatchdogAction::Pause => "pause",
            WatchdogAction::None => "none",
        }
    }
}

impl fmt::Display for WatchdogAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

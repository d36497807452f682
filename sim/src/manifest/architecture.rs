//! The architectures that KubeVirt runs, and how they differ in what decides about health.

use crate::devices::WatchdogModel;
use serde::Serialize;
use std::fmt;

/// `spec.architecture`: what KubeVirt runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// x86.
    #[default]
    Amd64,
    /// 64-bit ARM. Nothing here boots it.
    Arm64,
    /// IBM Z.
    S390x,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Architecture; 3] = [Architecture::Amd64, Architecture::Arm64, Architecture::S390x];

    /// The word in a manifest, which is Debian's, too.
    pub const fn as_str(self) -> &'static str {
        match self {
            Architecture::Amd64 => "amd64",
            Architecture::Arm64 => "arm64",
            Architecture::S390x => "s390x",
        }
    }

    /// The only watchdog that KubeVirt accepts on it, and adds where the manifest names none (kubevirt-health.md 1.3).
    pub const fn watchdog(self) -> Option<WatchdogModel> {
        match self {
            Architecture::Amd64 => Some(WatchdogModel::I6300esb),
            Architecture::Arm64 => None,
            Architecture::S390x => Some(WatchdogModel::Diag288),
        }
    }

    /// A destroyed domain without ACPI counts as shut down (kubevirt-health.md 5.1).
    pub const fn has_acpi(self) -> bool {
        !matches!(self, Architecture::S390x)
    }

    /// A panicked kernel enters a disabled wait, which QEMU reports like a panic device (qemu-watchdog.md 7.4).
    pub const fn reports_panics(self) -> bool {
        matches!(self, Architecture::S390x)
    }
}

impl std::str::FromStr for Architecture {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let known = Architecture::ALL.into_iter().find(|a| a.as_str() == word);
        known.ok_or_else(|| format!("{word:?} is not one of amd64, arm64, s390x"))
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

//! What differs between KubeVirt's releases, as far as it decides outcomes (kubevirt-health.md 1.6; tags of the repository).

use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;

/// A release: `v1.9.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct KubevirtVersion {
    major: u16,
    minor: u16,
    patch: u16,
}

impl Default for KubevirtVersion {
    /// The one that vmhealth's facts were read from.
    fn default() -> Self {
        KubevirtVersion::new(1, 9, 0)
    }
}

impl KubevirtVersion {
    const OLDEST: KubevirtVersion = KubevirtVersion::new(1, 4, 0);

    const fn new(major: u16, minor: u16, patch: u16) -> Self {
        KubevirtVersion { major, minor, patch }
    }

    fn since(self, minor: u16, patch: u16) -> bool {
        self >= KubevirtVersion::new(1, minor, patch)
    }

    /// A release before v1.`minor`.0.
    pub fn is_before(self, minor: u16) -> bool {
        !self.since(minor, 0)
    }

    /// A failed ping of a guest that is paused, migrates or is not there counts as success, and a VM with an agent-ping
    /// liveness probe may be paused: v1.9.0, and backported to v1.8.3 and v1.7.4.
    pub fn suppresses_pings(self) -> bool {
        self.since(8, 3) || (self.minor == 7 && self.since(7, 4))
    }

    /// The annotation `kubevirt.io/pause-guest-agent-probes` is heeded.
    pub fn heeds_probe_annotation(self) -> bool {
        self.since(9, 0)
    }

    /// The event `GuestAgentPingFailed`.
    pub fn tells_failed_pings(self) -> bool {
        self.since(9, 0)
    }

    /// An edit that is taken back takes the condition `RestartRequired` with it.
    pub fn takes_back_restart_required(self) -> bool {
        self.since(8, 0)
    }

    /// The events `GuestPanicked`, `Paused` and `Unpaused`.
    pub fn tells_panics_and_pauses(self) -> bool {
        self.since(8, 0)
    }
}

impl std::str::FromStr for KubevirtVersion {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        KubevirtVersion::try_from(text.to_owned())
    }
}

impl TryFrom<String> for KubevirtVersion {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let numbers: Option<Vec<u16>> =
            text.strip_prefix('v').unwrap_or(&text).split('.').map(|n| n.parse().ok()).collect();
        let (major, minor, patch) = match numbers.as_deref() {
            Some([major, minor, patch]) => (*major, *minor, *patch),
            // The first of its releases.
            Some([major, minor]) => (*major, *minor, 0),
            _ => return Err(format!("{text:?} is not a version like v1.9.0")),
        };
        let version = KubevirtVersion::new(major, minor, patch);
        if version < KubevirtVersion::OLDEST || version.major != 1 {
            return Err(format!("KubeVirt {version} is not known: {} to {}", Self::OLDEST, Self::default()));
        }
        Ok(version)
    }
}

impl fmt::Display for KubevirtVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_when() {
        for (text, suppresses, annotation, panics) in [
            ("v1.4", false, false, false),
            ("v1.6.0", false, false, false),
            ("v1.7.3", false, false, false),
            ("v1.7.4", true, false, false),
            ("v1.8.0", false, false, true),
            ("v1.8.2", false, false, true),
            ("1.8.3", true, false, true),
            ("v1.9.0", true, true, true),
            ("v1.10.1", true, true, true),
        ] {
            let version = KubevirtVersion::try_from(text.to_owned()).expect(text);
            let seen =
                (version.suppresses_pings(), version.heeds_probe_annotation(), version.tells_panics_and_pauses());
            assert_eq!(seen, (suppresses, annotation, panics), "{text}");
            assert_eq!(version.tells_failed_pings(), annotation, "{text}");
            assert_eq!(version.takes_back_restart_required(), panics, "{text}");
        }
        for text in ["", "v1", "1.3.9", "v2.0.0", "latest", "v1.8.x"] {
            assert!(KubevirtVersion::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}

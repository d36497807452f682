//! Scenario time: nanoseconds since the scenario's origin (the creation of the VirtualMachine).
//!
//! The engine never asks what time it is; every input says so. Spans are [`std::time::Duration`].

use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// A point on the scenario's clock, in nanoseconds since its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(u64);

impl Time {
    /// The scenario's origin.
    pub const ZERO: Time = Time(0);

    /// The point `nanos` after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Time(nanos)
    }

    /// The point `millis` after the origin.
    pub const fn from_millis(millis: u64) -> Self {
        Time(millis * 1_000_000)
    }

    /// The point `secs` after the origin.
    pub const fn from_secs(secs: u64) -> Self {
        Time(secs * 1_000_000_000)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds since the origin.
    pub fn as_secs_f64(self) -> f64 {
        self.since_origin().as_secs_f64()
    }

    /// The span since the origin.
    pub const fn since_origin(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// The span since `earlier`, zero if `earlier` is later.
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This point cut to whole seconds, as the API's RFC 3339 times are (kubelet status_manager.go normalizeStatus).
    pub const fn floor_secs(self) -> Time {
        Time(self.0 - self.0 % 1_000_000_000)
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, span: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Time {
    /// Seconds with milliseconds: `12.034`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000_000_000, self.0 / 1_000_000 % 1000)
    }
}

/// The earliest of the given wake-ups.
pub fn earliest(times: impl IntoIterator<Item = Option<Time>>) -> Option<Time> {
    times.into_iter().flatten().min()
}

/// A span of time, written `1m30s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Span(pub Duration);

impl TryFrom<String> for Span {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        humantime::parse_duration(&text).map(Span).map_err(|e| format!("{text:?} is not a span like 1m30s: {e}"))
    }
}

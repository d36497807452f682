//! Values of the command line, from a word to what it means.

use std::time::Duration;
use vmhealth_guests::host::{self, Host};

/// Where QEMU runs.
pub(crate) type HostArg = &'static dyn Host;

pub(crate) fn parse_host(text: &str) -> Result<HostArg, String> {
    host::named(text)
}

pub(crate) fn parse_shard(text: &str) -> Result<(u64, u64), String> {
    let parts = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    parts.filter(|(k, n)| (1..=*n).contains(k)).ok_or_else(|| format!("{text:?} is not a part like 1/4"))
}

/// Twice four times that, for the agent and for what it is asked then, is below the longest run.
pub(crate) fn parse_boot(text: &str) -> Result<Duration, String> {
    let span = humantime::parse_duration(text).map_err(|e| e.to_string())?;
    let limits = Duration::from_secs(1)..=Duration::from_secs(360);
    if limits.contains(&span) { Ok(span) } else { Err("not between 1s and 6m".into()) }
}

/// A span of at most a day.
pub(crate) fn parse_short(text: &str) -> Result<Duration, String> {
    let span = humantime::parse_duration(text).map_err(|e| e.to_string())?;
    if span <= Duration::from_secs(86_400) { Ok(span) } else { Err("longer than a day".into()) }
}

pub(crate) fn parse_header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("expected NAME:VALUE, like X-Health:1")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// A fault and when, counted from the guest being ready.
#[derive(Debug, Clone)]
pub(crate) struct TimedFault {
    /// As YAML: a scenario file's word.
    pub(crate) kind: String,
    pub(crate) at: Duration,
}

pub(crate) fn parse_fault(text: &str) -> Result<TimedFault, String> {
    let (kind, at) = text.split_once('@').ok_or("expected KIND@WHEN, like kernelPanic@5s")?;
    let at = humantime::parse_duration(at).map_err(|e| format!("{at:?} is not a span like 5s: {e}"))?;
    Ok(TimedFault { kind: kind.to_owned(), at })
}

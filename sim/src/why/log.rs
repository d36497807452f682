//! Log lines of virt-launcher and virt-handler, one JSON object a line, to signs (kubevirt-health.md 8.6).

use super::clock::rfc3339;
use super::event::is_of;
use super::fact::{Facts, Place, Whose};
use super::sign::{Sign, Source};
use serde::Deserialize;

/// The members of a log line that matter.
#[derive(Debug, Deserialize)]
pub(super) struct LogLine {
    component: String,
    msg: String,
    #[serde(default)]
    timestamp: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    reason: serde_json::Value,
}

/// A line of a log, if it is one of KubeVirt's.
pub(super) fn parse(line: &str) -> Option<LogLine> {
    // `kubectl logs --prefix` and `--timestamps` put words before it.
    let at = line.find("{\"")?;
    serde_json::from_str(line.get(at..)?).ok()
}

/// What a message says; the first word that it begins with, or holds, counts.
const MESSAGES: &[(&str, Sign)] = &[
    ("Received signal terminated", Sign::Terminated),
    ("signalling virt-launcher to shut down", Sign::Terminated),
    ("Signaled graceful shutdown", Sign::Terminated),
    ("dirty virt-launcher shutdown: exit-code -1", Sign::LauncherDied),
    ("GuestAgentPing probe failed", Sign::AgentPingFailed),
    ("domain status: Shutoff(5):Crashed(3)", Sign::DomainCrashed),
    ("domain status: Shutoff(5):Shutdown(1)", Sign::DomainShutdown),
    ("domain status: Shutoff(5):Destroyed(2)", Sign::Destroyed),
    ("domain status: Crashed(6):Panicked(1)", Sign::GuestPanicked),
    ("domain status: Paused(3):IOError(5)", Sign::IoError),
    ("DomainLifecycle event Domain event=\"crashed\"", Sign::GuestPanicked),
    ("Grace period expired, killing", Sign::Destroyed),
    ("Signaled forced shutdown", Sign::Destroyed),
];

/// Adds what the line says.
pub(super) fn take(facts: &mut Facts, line: &LogLine, vm: Whose<'_>, place: Place<'_>) {
    let ours = line.component.starts_with("virt-launcher") || line.component.starts_with("virt-handler");
    if !ours {
        return facts.not_read(place, &format!("a log line of {}: {}", line.component, line.msg));
    }
    if !is_of(vm, "VirtualMachineInstance", &line.namespace, &line.name) {
        facts.others += 1;
        return;
    }
    facts.is_from(&line.namespace);
    if line.component.starts_with("virt-launcher") {
        facts.covered.insert(Source::Launcher);
    }
    let reason = line.reason.as_str().unwrap_or_default();
    let says = MESSAGES.iter().find(|(words, _)| line.msg.contains(words) || reason.contains(words));
    match says {
        Some((_, sign)) => facts.add(*sign, rfc3339(&line.timestamp), place, &line.msg, 1),
        None => facts.idle += 1,
    }
}

//! Is the guest what its profile says? Asked in the guest, before anything is done to it.

use crate::os::GuestOs;
use crate::time;
use crate::wire::{Agent, AgentError};
use std::time::{Duration, SystemTime};
use vmhealth_sim::engine::GuestReport;
use vmhealth_sim::manifest::{Petter, VmiSpec, WatchdogModel};
use vmhealth_sim::scenario::GuestProfile;

/// The script's own limit is this much shorter than ours, so that it is the one to say what it waited for.
const MARGIN: Duration = Duration::from_secs(5);

/// Why there is no report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotReady {
    /// The guest was reset or its agent restarted while it was being looked at.
    SessionOver,
    /// It will not become what its profile says, or not in time.
    Reason(String),
}

/// After what the guest is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyMode {
    /// It has booted.
    Booted,
    /// It was forked: first it is made a machine of its own; what was found out before its capture and cannot have changed
    /// is not asked again.
    Forked,
}

/// What makes a fork a machine of its own.
fn refresh(os: &dyn GuestOs, reseeds: bool) -> String {
    let now = time::wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // vmgenid is ACPI's: without it the kernel is not told that it was forked.
    format!("NOW={:.6} RESEED={}\n{}", now.as_secs_f64(), u8::from(!reseeds), os.refresh_script())
}

/// What a guest is to be.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// What runs in it.
    pub os: &'static dyn GuestOs,
    /// The manifest's.
    pub vmi: &'a VmiSpec,
    /// What was added to it.
    pub profile: &'a GuestProfile,
    /// cloud-init has something to do.
    pub seeded: bool,
}

/// Waits until the guest is ready, or says why it will not be. Three exits: ready, impossible now, deadline.
pub async fn verify(
    agent: &Agent,
    expected: Expected<'_>,
    mode: VerifyMode,
    limit: Duration,
) -> Result<GuestReport, NotReady> {
    let Expected { os, vmi, profile, seeded } = expected;
    let petting = profile.petting();
    let model = vmi.watchdog_in_guest(petting.and_then(|p| p.device));
    let module = model.map_or("", WatchdogModel::module);
    let identity = model.map_or("", WatchdogModel::identity);
    let heartbeat = petting.map_or(0, |p| p.heartbeat_seconds);
    let (refresh, forked) = match mode {
        VerifyMode::Booted => (String::new(), 0),
        VerifyMode::Forked => (refresh(os, vmi.architecture.has_acpi()), 1),
    };
    let petter = match petting.map(|p| p.by) {
        Some(Petter::Daemon) => "daemon",
        Some(Petter::Systemd) => "systemd",
        Some(Petter::Busybox) => "busybox",
        None if profile.own_watchdog_daemon && vmi.watchdog.is_some() => "theirs",
        None => "none",
    };
    let script = format!(
        "{refresh}SEEDED={} DEVICE={} MODULE={module} IDENTITY='{identity}' PETTER={petter} HEALTH={} HEARTBEAT={heartbeat} PANIC={} LIMIT={} FORKED={forked}\n{}",
        u8::from(seeded),
        u8::from(model.is_some()),
        u8::from(profile.health_server),
        profile.kernel_panic_seconds,
        limit.as_secs(),
        os.verify_script(),
    );
    let output = agent.shell(&script, time::now() + limit + MARGIN).await.map_err(|e| match e {
        AgentError::Over => NotReady::SessionOver,
        e if e.is_blocked() => NotReady::Reason(format!(
            "{e}; the guest's agent must allow guest-exec and guest-exec-status, which exec probes need too: take them out of \
             BLACKLIST_RPC, FILTER_RPC_ARGS or block-rpcs in {}",
            os.agent_configuration()
        )),
        e => NotReady::Reason(e.to_string()),
    })?;
    let result = parse(&output.stdout)
        .unwrap_or_else(|| Err(format!("the check printed {:?} and {:?}", output.stdout, output.stderr)));
    result.map_err(NotReady::Reason)
}

/// `None`: the script did not come to an end of its own.
fn parse(text: &str) -> Option<Result<GuestReport, String>> {
    let mut report = GuestReport::default();
    for line in text.lines() {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("boot", id) => report.boot_id = id.to_owned(),
            ("fact", fact) => report.facts.push(fact.to_owned()),
            ("reason", reason) => {
                let seen = match report.facts.is_empty() {
                    true => String::new(),
                    false => format!(" (seen before that: {})", report.facts.join("; ")),
                };
                return Some(Err(format!("{reason}{seen}")));
            }
            ("ready", _) => return Some(Ok(report)),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_script_prints() {
        let ready = parse("boot 1-2\nfact a b\nready\n");
        assert_eq!(ready, Some(Ok(GuestReport { boot_id: "1-2".into(), facts: vec!["a b".into()] })));
        assert_eq!(parse("fact a\nreason b c\n"), Some(Err("b c (seen before that: a)".into())));
        assert_eq!(parse("reason b\n"), Some(Err("b".into())));
        assert_eq!(parse("fact a\n"), None);
    }
}

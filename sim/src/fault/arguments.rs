//! What the kinds of faults are told beside their names.

use crate::time::Span;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// Why a disk takes no writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DiskError {
    /// It is broken (EIO).
    #[default]
    Broken,
    /// What it lies on is full (ENOSPC): the node's disk, a thin volume's pool.
    NoSpace,
}

/// Which of a guest's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// All of them.
    #[default]
    Both,
    /// Those to the guest.
    In,
    /// The guest's own.
    Out,
}

/// How a node is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NodeLoss {
    /// Nothing outside of it reaches it, and it reaches nothing: its guests run on, and its kubelet goes on probing them.
    #[default]
    CutOff,
    /// It has no power, and no guests any more.
    PowerLoss,
}

/// What the guest's health server does.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Health {
    /// Answer with this HTTP status.
    Status(u16),
    /// Answer 302 with this Location.
    Redirect(String),
    /// Accept and never answer.
    Hang,
    /// Answer 200 after this span.
    Slow(Span),
    /// Stop the service: the port is closed.
    Stop,
    /// Start the service.
    Start,
}

/// What happens to a unit.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum UnitFault {
    /// `systemctl stop`.
    Stop(UnitName),
    /// SIGSTOP to each of its processes: systemd does not notice, and its sockets still accept.
    Freeze(UnitName),
    /// `systemctl restart`.
    Restart(UnitName),
}

impl UnitFault {
    /// The unit.
    pub fn unit(&self) -> &UnitName {
        match self {
            UnitFault::Stop(unit) | UnitFault::Freeze(unit) | UnitFault::Restart(unit) => unit,
        }
    }
}

/// Units that have faults of their own, which say what follows: their names without `.service`, and those faults.
const OWN_FAULTS: [(&str, &str); 4] = [
    ("watchdog", "killWatchdog or stopWatchdog"),
    ("wd_keepalive", "killWatchdog or stopWatchdog"),
    ("qemu-guest-agent", "stopAgent or hangAgent"),
    ("qemu-ga", "stopAgent or hangAgent"),
];

/// The unit that the server of the guest profile runs as, which the model knows.
pub const HEALTH_UNIT: &str = "vmhealth-health.service";

/// A systemd unit's whole name, which a shell takes as one word: `nginx.service`. Read without its type it is a service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct UnitName(String);

impl TryFrom<String> for UnitName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let known = |c: char| c.is_ascii_alphanumeric() || "-_.@:".contains(c);
        if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) || !text.chars().all(known) {
            return Err(format!("{text:?} is not a unit's name like nginx.service"));
        }
        let name = text.strip_suffix(".service").unwrap_or(&text);
        match OWN_FAULTS.iter().find(|(unit, _)| *unit == name) {
            Some((_, faults)) => Err(format!("{text} has faults of its own: {faults}")),
            None if text.contains('.') => Ok(UnitName(text)),
            None => Ok(UnitName(text + ".service")),
        }
    }
}

impl UnitName {
    /// `nginx.service`
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why no boot comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BootLoop {
    /// The kernel panics before the guest's services start.
    Panic,
    /// The health server of the guest profile is never started.
    NoService,
}

/// Whom the kernel's OOM killer takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OomVictim {
    /// The watchdog daemon, after its exemption is taken from it.
    Watchdog,
    /// The guest agent.
    Agent,
    /// The health server.
    Service,
    /// Not in the guest: virt-launcher and QEMU, whose container is over its memory limit (`OOMKilled`).
    Container,
}

/// How far a clock is set.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum ClockJump {
    /// Into the future.
    Forward(Span),
    /// Into the past.
    Back(Span),
}

/// Which limit of processes a fork bomb is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PidsLimit {
    /// `TasksMax` of its own unit: nobody else has fewer.
    #[default]
    Unit,
    /// `TasksMax` of `system.slice`, where the services are, the agent's and the health server's too.
    Slice,
}

/// The most reboots of one update.
const MOST_REBOOTS: u32 = 100;

/// The longest that a boot waits: whoever waits for longer does not wait for an update.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// How long a boot waits before its services start.
pub(super) fn boots_wait<'de, D: Deserializer<'de>>(from: D) -> Result<Span, D::Error> {
    let wait = Span::deserialize(from)?;
    if wait.0 > LONGEST_WAIT {
        return Err(D::Error::custom("expected at most 1h"));
    }
    Ok(wait)
}

/// An update's reboots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "Reboots")]
#[schemars(with = "Reboots")]
pub struct LongReboot {
    /// How many, the first included.
    pub reboots: u32,
    /// How long each boot waits before its services start.
    pub each: Span,
}

/// The same as written.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Reboots {
    /// How many, the first included: 1 to 100.
    reboots: u32,
    /// How long each boot waits before its services start: at most an hour.
    #[serde(deserialize_with = "boots_wait")]
    each: Span,
}

impl TryFrom<Reboots> for LongReboot {
    type Error = String;

    fn try_from(Reboots { reboots, each }: Reboots) -> Result<Self, String> {
        match reboots {
            1..=MOST_REBOOTS => Ok(LongReboot { reboots, each }),
            other => Err(format!("reboots is {other}: expected 1 to {MOST_REBOOTS}")),
        }
    }
}

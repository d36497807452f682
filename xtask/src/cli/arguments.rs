//! Arguments that several commands share, and values of the command line from a word to what it means.

use super::exit::{Failure, usage};
use crate::prepare::ClockChoice;
use crate::run::Worlds;
use anyhow::anyhow;
use clap::{Args, ValueEnum};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;
use vmhealth_guests::accel::AccelChoice;
use vmhealth_guests::guest_time::LIKE_KVM;
use vmhealth_guests::qemu::Accel;
use vmhealth_sim::manifest::WatchdogModel;

#[derive(Debug, Args)]
pub(super) struct AccelArg {
    /// The accelerator; auto boots something to find out
    #[arg(long = "accel", value_enum, default_value_t = AccelWord::Auto)]
    word: AccelWord,
}

impl AccelArg {
    pub(super) fn choice(&self) -> AccelChoice {
        match self.word {
            AccelWord::Auto => AccelChoice::Auto,
            AccelWord::Kvm => AccelChoice::Fixed(Accel::Kvm),
            AccelWord::Tcg => AccelChoice::Fixed(Accel::Tcg),
        }
    }
}

#[derive(Debug, Clone, Default, Args)]
pub(super) struct SecretsArg {
    /// Leave passwords, keys and tokens of the user data in results, reports and printed lines. Without it they are replaced by
    /// [hidden] and counted; the run folder's evidence has them in any case
    #[arg(long)]
    pub(super) keep_secrets: bool,
}

#[derive(Debug, Default, Args)]
pub(super) struct UserDataArg {
    /// The user data that lies in the Secret which the manifest names (cloudInitNoCloud.secretRef)
    #[arg(long = "user-data", value_name = "FILE")]
    file: Option<PathBuf>,
}

impl UserDataArg {
    pub(super) fn read(&self) -> Result<Option<Vec<u8>>, Failure> {
        let Some(file) = &self.file else { return Ok(None) };
        let data = std::fs::read(file).map_err(|e| usage(anyhow!("cannot read {}: {e}", file.display())))?;
        Ok(Some(data))
    }
}

#[derive(Debug, Args)]
pub(super) struct ClockArg {
    /// The clock that guests live by: the host's (real), or one of their own that costs nothing to wait for and does not see
    /// the host's load (guest; TCG only). auto: guest wherever it can be had
    #[arg(long, value_enum, default_value_t = ClockWord::Auto)]
    clock: ClockWord,
    /// The seconds of guest time in a second of CPU time. Less makes the guest look faster. If absent: 0.25, with which it is
    /// about as fast as under KVM
    #[arg(long, value_name = "RATIO", value_parser = parse_speed)]
    guest_speed: Option<f64>,
}

impl ClockArg {
    /// `pace`: guest time is to be slowed down.
    pub(super) fn choice(&self, pace: Option<f64>) -> Result<ClockChoice, Failure> {
        let speed = self.guest_speed.unwrap_or(LIKE_KVM);
        match self.clock {
            ClockWord::Auto => Ok(ClockChoice::Auto { speed }),
            ClockWord::Guest => Ok(ClockChoice::Guest { speed }),
            ClockWord::Real if self.guest_speed.is_none() && pace.is_none() => Ok(ClockChoice::Real),
            ClockWord::Real => {
                Err(usage(anyhow!("--guest-speed and --pace are for guest time: leave out --clock real")))
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ClockWord {
    Auto,
    Guest,
    Real,
}

/// `0.25`
fn parse_speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| format!("{text:?} is not a number like 0.25"))?;
    if (0.01..=10.0).contains(&speed) { Ok(speed) } else { Err("not between 0.01 and 10".into()) }
}

#[derive(Debug, Args)]
pub(super) struct ColdArg {
    /// Boot every guest from power-on instead of forking it from a template
    #[arg(long = "cold")]
    pub(super) cold: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AccelWord {
    Auto,
    Kvm,
    Tcg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum World {
    Both,
    Qemu,
    Model,
}

impl From<World> for Worlds {
    fn from(world: World) -> Worlds {
        match world {
            World::Both => Worlds::Both,
            World::Qemu => Worlds::Qemu,
            World::Model => Worlds::Model,
        }
    }
}

/// What a command prints on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Human,
    Json,
}

/// `1x`
pub(super) fn parse_pace(text: &str) -> Result<f64, String> {
    let pace = text.strip_suffix('x').unwrap_or(text).parse().map_err(|_| format!("{text:?} is not a pace like 1x"))?;
    if (0.01..=1000.0).contains(&pace) { Ok(pace) } else { Err("not between 0.01x and 1000x".into()) }
}

/// `1/4`
pub(super) fn parse_shard(text: &str) -> Result<(u64, u64), String> {
    let parts = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    parts.filter(|(k, n)| (1..=*n).contains(k)).ok_or_else(|| format!("{text:?} is not a part like 1/4"))
}

/// A guest's boot: twice four times that, for the agent and for what it is asked then, is below the longest run.
pub(super) fn parse_boot(text: &str) -> Result<Duration, String> {
    let span = humantime::parse_duration(text).map_err(|e| e.to_string())?;
    let limits = Duration::from_secs(1)..=Duration::from_secs(360);
    if limits.contains(&span) { Ok(span) } else { Err("not between 1s and 6m".into()) }
}

/// The heartbeats that some watchdog device takes, seconds.
pub(super) fn any_heartbeat() -> RangeInclusive<i64> {
    let range = WatchdogModel::any_heartbeat();
    i64::from(*range.start())..=i64::from(*range.end())
}

/// A span of at most a day.
pub(super) fn parse_short(text: &str) -> Result<Duration, String> {
    let span = humantime::parse_duration(text).map_err(|e| e.to_string())?;
    if span <= Duration::from_secs(86_400) { Ok(span) } else { Err("longer than a day".into()) }
}

/// `X-Health:1`
pub(super) fn parse_header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("expected NAME:VALUE, like X-Health:1")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

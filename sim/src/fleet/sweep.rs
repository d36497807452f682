//! A sweep: the same fleet once for each pair of two numbers of its file or of its VMs' probes.

use super::file::FleetFile;
use super::plan::Resolved;
use crate::kubelet::ProbeKind;
use crate::manifest::Timings;
use serde::{Serialize, Serializer};
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Values of one axis: more could not be told apart in a picture.
const MOST: usize = 40;

/// A number that is swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swept {
    /// One of a probe's five numbers, of every group whose manifest has the probe.
    Probe(ProbeKind, &'static str),
    /// How many VMs each node has; groups keep their shares of them.
    VmsPerNode,
    /// `nodes.bootsAtFullSpeed`.
    BootsAtFullSpeed,
    /// `nodes.lossPerBoot`.
    LossPerBoot,
}

/// One of a swept number's values. In thousandths, and so exact: they have an order, and each comes once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SweptValue(u32);

/// One number and the values that it has in turn, as `livenessProbe.periodSeconds=5,10,20` or `vmsPerNode=10..60:10`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// Which number.
    pub swept: Swept,
    /// At least one, each once, ascending.
    pub values: Vec<SweptValue>,
}

/// Of a group, as a fleet file has them.
const MOST_VMS: u64 = 10_000_000;

const TIMINGS: [&str; 5] =
    ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"];
const PROBES: [(&str, ProbeKind); 2] =
    [("livenessProbe", ProbeKind::Liveness), ("readinessProbe", ProbeKind::Readiness)];

impl fmt::Display for Swept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Swept::Probe(ProbeKind::Liveness, number) => write!(f, "livenessProbe.{number}"),
            Swept::Probe(ProbeKind::Readiness, number) => write!(f, "readinessProbe.{number}"),
            Swept::VmsPerNode => f.write_str("vmsPerNode"),
            Swept::BootsAtFullSpeed => f.write_str("bootsAtFullSpeed"),
            Swept::LossPerBoot => f.write_str("lossPerBoot"),
        }
    }
}

impl FromStr for Swept {
    type Err = String;

    fn from_str(text: &str) -> Result<Swept, String> {
        let of_probe = || {
            let (probe, number) = text.split_once('.')?;
            let (_, kind) = PROBES.into_iter().find(|(name, _)| *name == probe)?;
            Some(Swept::Probe(kind, TIMINGS.into_iter().find(|name| *name == number)?))
        };
        match text {
            "vmsPerNode" => Ok(Swept::VmsPerNode),
            "bootsAtFullSpeed" => Ok(Swept::BootsAtFullSpeed),
            "lossPerBoot" => Ok(Swept::LossPerBoot),
            _ => of_probe().ok_or_else(|| {
                format!(
                    "{text:?} is no number that can be swept: expected vmsPerNode, bootsAtFullSpeed, lossPerBoot, \
                     livenessProbe.X or readinessProbe.X with X one of {}",
                    TIMINGS.join(", ")
                )
            }),
        }
    }
}

impl SweptValue {
    /// A whole number; of one that is larger than any axis has: the largest.
    const fn whole(number: u32) -> SweptValue {
        SweptValue(number.saturating_mul(1000))
    }

    fn rounded_down(self) -> u32 {
        self.0 / 1000
    }

    /// Of a text like `20` or `0.125`; none: it is no such number, or has more than three places.
    fn read(text: &str) -> Option<SweptValue> {
        let (whole, places) = text.split_once('.').map_or((text, None), |(whole, places)| (whole, Some(places)));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        let thousandths = match places {
            None => 0,
            Some(places) if digits(places) && places.len() <= 3 => format!("{places:0<3}").parse().ok()?,
            Some(_) => return None,
        };
        let whole: u32 = whole.parse().ok().filter(|_| digits(whole))?;
        Some(SweptValue(whole.checked_mul(1000)?.checked_add(thousandths)?))
    }
}

impl fmt::Display for SweptValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = format!("{:03}", self.0 % 1000);
        match places.trim_end_matches('0') {
            "" => write!(f, "{}", self.rounded_down()),
            places => write!(f, "{}.{places}", self.rounded_down()),
        }
    }
}

impl fmt::Debug for SweptValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for SweptValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 % 1000 {
            0 => serializer.serialize_u32(self.rounded_down()),
            _ => serializer.serialize_f64(f64::from(self.0) / 1000.0),
        }
    }
}

impl FromStr for Axis {
    type Err = String;

    fn from_str(text: &str) -> Result<Axis, String> {
        let (name, list) =
            text.split_once('=').ok_or("expected NAME=VALUES, like livenessProbe.periodSeconds=5,10,20")?;
        let swept: Swept = name.parse()?;
        let (limits, whole) = (swept.limits(), swept.is_whole());
        let read = |text: &str| SweptValue::read(text.trim()).filter(|value| !whole || value.0.is_multiple_of(1000));
        let number = |text: &str| {
            read(text).filter(|value| limits.contains(value)).ok_or_else(|| {
                let numbers = if whole { "whole numbers" } else { "numbers of up to three places" };
                format!("{name}: expected {numbers} from {} to {}, found {text:?}", limits.start(), limits.end())
            })
        };
        let mut values = Vec::new();
        for part in list.split(',') {
            let Some((from, rest)) = part.split_once("..") else {
                values.push(number(part)?);
                continue;
            };
            let (to, step) =
                rest.split_once(':').ok_or_else(|| format!("{name}: expected FROM..TO:STEP, found {part:?}"))?;
            let step = read(step).filter(|step| step.0 > 0).ok_or_else(|| {
                let expected =
                    if whole { "a whole number from 1 on" } else { "a number from 0.001 on, of up to three places" };
                format!("{name}: the step: expected {expected}, found {step:?}")
            })?;
            let all = (number(from)?.0..=number(to)?.0).step_by(usize::try_from(step.0).unwrap_or(usize::MAX));
            values.extend(all.map(SweptValue).take(MOST + 1));
        }
        values.sort_unstable();
        values.dedup();
        match values.len() {
            0 => Err(format!("{name}: {list:?} has no values: write the smaller number first")),
            1..=MOST => Ok(Axis { swept, values }),
            _ => Err(format!("{name}: more than {MOST} values")),
        }
    }
}

impl Swept {
    /// What the fields can be.
    fn limits(self) -> RangeInclusive<SweptValue> {
        let whole = |from, to| SweptValue::whole(from)..=SweptValue::whole(to);
        match self {
            Swept::Probe(_, "initialDelaySeconds") => whole(0, 604_800),
            Swept::Probe(ProbeKind::Liveness, "successThreshold") => whole(1, 1),
            Swept::Probe(..) => whole(1, 86_400),
            // As a fleet file has them.
            Swept::VmsPerNode => whole(1, 5_000),
            Swept::BootsAtFullSpeed => whole(1, 1_000_000),
            Swept::LossPerBoot => SweptValue(0)..=SweptValue(900),
        }
    }

    fn is_whole(self) -> bool {
        self != Swept::LossPerBoot
    }

    /// Sets it in a fleet; the error says why it has no such number.
    pub fn set(self, value: SweptValue, file: &mut FleetFile, guests: &mut [Resolved]) -> Result<(), String> {
        let whole = value.rounded_down();
        match self {
            Swept::Probe(kind, number) => {
                let mut found = false;
                for guest in guests {
                    let vmi = &mut guest.vm.vmi;
                    let probe = if kind == ProbeKind::Liveness { &mut vmi.liveness } else { &mut vmi.readiness };
                    if let Some(probe) = probe {
                        set_timing(&mut probe.timings, number, whole);
                        found = true;
                    }
                }
                if !found {
                    return Err(format!("{self}: no group's manifest has this probe"));
                }
            }
            Swept::VmsPerNode => spread(whole, file)?,
            Swept::BootsAtFullSpeed => file.spec.nodes.boots_at_full_speed = Some(whole),
            Swept::LossPerBoot => file.spec.nodes.loss_per_boot = f64::from(value.0) / 1000.0,
        }
        Ok(())
    }
}

fn set_timing(timings: &mut Timings, number: &str, value: u32) {
    match number {
        "initialDelaySeconds" => timings.initial_delay = i32::try_from(value).unwrap_or(i32::MAX),
        "timeoutSeconds" => timings.timeout = value,
        "periodSeconds" => timings.period = value,
        "successThreshold" => timings.success_threshold = value,
        _ => timings.failure_threshold = value,
    }
}

/// Gives the groups their shares of so many VMs a node.
fn spread(each: u32, file: &mut FleetFile) -> Result<(), String> {
    let all = u64::from(each) * u64::from(file.spec.nodes.count);
    if all > MOST_VMS {
        return Err(format!(
            "vmsPerNode: {each} on each of {} nodes are more than {MOST_VMS} VMs",
            file.spec.nodes.count
        ));
    }
    let before: u64 = file.spec.groups.iter().map(|group| u64::from(group.count)).sum();
    let (mut seen, mut given) = (0, 0);
    for group in &mut file.spec.groups {
        seen += u64::from(group.count);
        // Up to this group, rounded down: the last one gets what is left.
        let until = all * seen / before.max(1);
        group.count = u32::try_from(until - given).unwrap_or(u32::MAX);
        given = until;
        if group.count == 0 {
            return Err(format!("vmsPerNode: with {each} group {} has no VM", group.name));
        }
    }
    Ok(())
}

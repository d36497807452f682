//! What came of some nodes, in whole numbers: adding them up gives the same in any order, on one machine or on many.

use super::settle::{Settling, Storm};
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A minute at least, and so many spans of time at most, in which the loss of availability is counted.
const BINS: u32 = 720;
const SHORTEST_BIN: Duration = Duration::from_secs(60);

/// What became of failures: of what was broken, whether anybody acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failures {
    /// The VM did not serve, and something was seen to act: an endpoint left, a kill, a reset, an end.
    pub detected: u64,
    /// The VM served again before anything acted.
    pub passed: u64,
    /// At the end nothing has acted for ten minutes.
    pub never: u64,
    /// The VM went on serving.
    pub harmless: u64,
}

/// What came of some nodes.
///
/// As JSON it is a shard's result: what is larger than 2^53 stands there as a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Nodes and VMs.
    pub nodes: u64,
    /// VMs.
    pub vms: u64,
    /// What it has cost, in steps of the engine.
    pub steps: u64,
    /// What a user could see change.
    pub changes: u64,
    /// Faults that took place, those of incidents among them.
    pub faults: u64,
    /// Nanoseconds in which the VMs could have been available, in all.
    #[serde(with = "text")]
    pub lived: u128,
    /// Nanoseconds in which they were not, by cause as [`super::Plan::causes`] has them.
    #[serde(with = "texts")]
    pub lost: Vec<u128>,
    /// Nanoseconds in which a VM that did not serve was sent traffic.
    #[serde(with = "text")]
    pub misrouted: u128,
    /// Starts of a guest after its first.
    pub restarts: u64,
    /// VMIs that liveness had killed, and those among them that would have served without it.
    pub kills: u64,
    /// Killed though it would have come back.
    pub false_restarts: u64,
    /// What was broken, and whether anybody acted.
    pub failures: Failures,
    /// How often availability came back after so many milliseconds, to three digits.
    pub recovery: BTreeMap<u64, u64>,
    /// VMs that are not available at the end.
    pub still_down: u64,
    /// Milliseconds of VMs that were not available, in each [`Outcome::bin`] from the beginning on.
    pub down: Vec<u64>,
    /// The width of a bin.
    pub bin: Duration,
    /// How many guests were restarted in a minute, by its number.
    pub minutes: BTreeMap<u64, u64>,
    /// Restarts that feed on themselves.
    pub storm: Storm,
    /// Whether the nodes come to rest after their incidents.
    pub settling: Settling,
    /// Of every change, its time, its VM and its node.
    #[serde(with = "text")]
    pub digest: u64,
}

impl Outcome {
    /// Of no node yet, watched for so long; with so many causes.
    pub fn new(horizon: Duration, causes: usize) -> Outcome {
        let bin = SHORTEST_BIN.max(horizon / BINS);
        let bins = horizon.as_nanos().div_ceil(bin.as_nanos().max(1));
        Outcome {
            nodes: 0,
            vms: 0,
            steps: 0,
            changes: 0,
            faults: 0,
            lived: 0,
            lost: vec![0; causes],
            misrouted: 0,
            restarts: 0,
            kills: 0,
            false_restarts: 0,
            failures: Failures::default(),
            recovery: BTreeMap::new(),
            still_down: 0,
            down: vec![0; usize::try_from(bins).unwrap_or(0)],
            bin,
            minutes: BTreeMap::new(),
            storm: Storm::default(),
            settling: Settling::default(),
            digest: 0,
        }
    }

    /// Whether it can be of a fleet that this is an empty outcome of: for numbers from outside, so that no sum of ten thousand of them
    /// is too large.
    pub fn fits(&self, empty: &Outcome, nodes: u32) -> bool {
        const LARGEST: u64 = 1 << 48;
        let Failures { detected, passed, never, harmless } = self.failures;
        let numbers = [
            self.vms,
            self.steps,
            self.changes,
            self.faults,
            self.restarts,
            self.kills,
            self.false_restarts,
            self.still_down,
            self.storm.nodes,
            self.settling.unsettled,
            detected,
            passed,
            never,
            harmless,
        ];
        let mut numbers = numbers.into_iter().chain(self.down.iter().copied());
        let mut maps = self.recovery.values().chain(self.minutes.values());
        let mut large = self.lost.iter().chain([&self.lived, &self.misrouted]);
        self.nodes <= u64::from(nodes)
            && self.settling.worst.is_none_or(|(node, _)| node < nodes)
            && (self.bin, self.down.len(), self.lost.len()) == (empty.bin, empty.down.len(), empty.lost.len())
            && numbers.all(|n| n <= LARGEST)
            && maps.all(|n| *n <= LARGEST)
            && large.all(|n| *n <= 1 << 100)
    }

    /// Adds other nodes.
    pub fn add(&mut self, next: &Outcome) {
        self.nodes += next.nodes;
        self.vms += next.vms;
        self.steps += next.steps;
        self.changes += next.changes;
        self.faults += next.faults;
        self.lived += next.lived;
        self.lost.iter_mut().zip(&next.lost).for_each(|(sum, more)| *sum += more);
        self.misrouted += next.misrouted;
        self.restarts += next.restarts;
        self.kills += next.kills;
        self.false_restarts += next.false_restarts;
        self.failures.detected += next.failures.detected;
        self.failures.passed += next.failures.passed;
        self.failures.never += next.failures.never;
        self.failures.harmless += next.failures.harmless;
        next.recovery.iter().for_each(|(key, times)| *self.recovery.entry(*key).or_default() += times);
        self.still_down += next.still_down;
        self.down.iter_mut().zip(&next.down).for_each(|(sum, more)| *sum += more);
        next.minutes.iter().for_each(|(minute, times)| *self.minutes.entry(*minute).or_default() += times);
        self.storm.add(&next.storm);
        self.settling.add(&next.settling);
        self.digest = self.digest.wrapping_add(next.digest);
    }

    /// The share of time in which VMs were available: in the endpoints, and answering there. From 0 to 1.
    pub fn availability(&self) -> f64 {
        let lost: u128 = self.lost.iter().sum();
        if self.lived == 0 { 1.0 } else { 1.0 - lost as f64 / self.lived as f64 }
    }

    /// Of 100 recoveries, so many took no longer; `None`: there was none.
    pub fn recovery_within(&self, percent: u64) -> Option<Duration> {
        let all: u64 = self.recovery.values().sum();
        let wanted = (all * percent).div_ceil(100).max(1);
        let mut seen = 0;
        self.recovery.iter().find_map(|(millis, times)| {
            seen += times;
            (seen >= wanted).then(|| Duration::from_millis(*millis))
        })
    }

    /// A VM was not available.
    pub(super) fn lose(&mut self, cause: usize, from: Time, to: Time) {
        let nanos = to.since(from).as_nanos();
        if let Some(sum) = self.lost.get_mut(cause) {
            *sum += nanos;
        }
        let bin = self.bin.as_nanos();
        let (begin, end) = (u128::from(from.as_nanos()), u128::from(to.as_nanos()));
        let mut at = begin;
        while at < end {
            let number = at / bin;
            let until = end.min((number + 1) * bin);
            // Each part is cut to milliseconds at the same places, so the parts of a whole bin are the whole.
            let millis = until / 1_000_000 - at / 1_000_000;
            if let Some(sum) = usize::try_from(number).ok().and_then(|n| self.down.get_mut(n)) {
                *sum += u64::try_from(millis).unwrap_or(0);
            }
            at = until;
        }
    }

    /// A VM is available again.
    pub(super) fn recovered(&mut self, after: Duration) {
        *self.recovery.entry(three_digits(u64::try_from(after.as_millis()).unwrap_or(u64::MAX))).or_default() += 1;
    }
}

/// A number as a text.
mod text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use std::fmt::Display;
    use std::str::FromStr;

    pub(super) fn serialize<T: Display, S: Serializer>(number: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(number)
    }

    pub(super) fn deserialize<'de, T: FromStr, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(|_| D::Error::custom(format!("{text:?} is not a whole number")))
    }
}

/// Numbers as texts.
mod texts {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(numbers: &[u128], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(numbers.iter().map(u128::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u128>, D::Error> {
        let number =
            |text: String| text.parse().map_err(|_| D::Error::custom(format!("{text:?} is not a whole number")));
        Vec::<String>::deserialize(from)?.into_iter().map(number).collect()
    }
}

/// Rounded up to three digits, so that few different numbers are left.
fn three_digits(number: u64) -> u64 {
    let mut unit = 1;
    while number / unit >= 1000 {
        unit *= 10;
    }
    number.div_ceil(unit) * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recoveries_are_read_off() {
        let mut outcome = Outcome::new(Duration::from_secs(3600), 2);
        assert_eq!(outcome.recovery_within(50), None);
        (1..=100).for_each(|n| outcome.recovered(Duration::from_millis(n * 1001)));
        let within = |percent| outcome.recovery_within(percent).map(|d| d.as_millis());
        assert_eq!([50, 95, 99, 100].map(within), [50_100, 95_100, 99_100, 101_000].map(Some));
        assert_eq!([999, 1000, 1001, 123_456].map(three_digits), [999, 1000, 1010, 124_000]);
    }

    #[test]
    fn a_loss_is_spread_over_its_bins() {
        let mut outcome = Outcome::new(Duration::from_secs(600), 2);
        outcome.lose(1, Time::from_millis(59_000), Time::from_millis(125_500));
        assert_eq!(outcome.down, [1000, 60_000, 5500, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(outcome.lost, [0, 66_500_000_000]);
    }
}

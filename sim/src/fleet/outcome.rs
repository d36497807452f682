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

    /// Whether it can be of a fleet with so many nodes that this is an empty outcome of, watched for so long: for numbers from outside,
    /// so that no sum of ten thousand of them is too large.
    pub fn fits(&self, empty: &Outcome, nodes: u32, horizon: Duration) -> bool {
        const LARGEST: u64 = 1 << 48;
        let Failures { detected, passed, never, harmless } = self.failures;
        let numbers = [self.vms, self.steps, self.changes, self.faults, self.restarts, self.kills, self.false_restarts];
        let failures = [detected, passed, never, harmless];
        // What comes back need not have been broken: a guest that boots does, too.
        let recoveries = self.recovery.values().try_fold(0_u64, |sum, times| sum.checked_add(*times));
        let in_minutes = self.minutes.values().try_fold(0_u64, |sum, times| sum.checked_add(*times));
        let lost = self.lost.iter().try_fold(0_u128, |sum, nanos| sum.checked_add(*nanos));
        let last_minute = horizon.as_nanos() / SHORTEST_BIN.as_nanos();
        // Begun ones are whole ones.
        let bin = self.bin.as_millis() + 1;
        let Storm { nodes: stormy, peak, longest } = self.storm;
        let Settling { unsettled, worst, after } = self.settling;
        self.nodes <= u64::from(nodes)
            && (self.bin, self.down.len(), self.lost.len()) == (empty.bin, empty.down.len(), empty.lost.len())
            && numbers.into_iter().chain(failures).all(|n| n <= LARGEST)
            && self.lived <= u128::from(self.vms) * horizon.as_nanos()
            && lost.is_some_and(|nanos| nanos <= self.lived)
            && self.misrouted <= self.lived
            && recoveries.is_some_and(|times| times <= LARGEST)
            && self.recovery.keys().all(|millis| u128::from(*millis) <= u128::from(three_digits_of(horizon)))
            && self.still_down <= self.vms
            && self.down.iter().all(|millis| u128::from(*millis) <= u128::from(self.vms) * bin)
            && in_minutes == Some(self.restarts)
            && self.minutes.keys().all(|minute| u128::from(*minute) <= last_minute)
            && (stormy <= self.nodes && peak <= self.restarts && longest <= horizon + SHORTEST_BIN)
            && (unsettled <= self.nodes && after <= horizon && worst.is_some() == (unsettled > 0))
            && worst.is_none_or(|(node, times)| node < nodes && times <= self.false_restarts)
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
        let wanted = (u128::from(all) * u128::from(percent)).div_ceil(100).max(1);
        let mut seen = 0;
        self.recovery.iter().find_map(|(millis, times)| {
            seen += u128::from(*times);
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
        *self.recovery.entry(three_digits_of(after)).or_default() += 1;
    }
}

/// As a recovery that took so long is counted.
fn three_digits_of(span: Duration) -> u64 {
    three_digits(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
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
    number.div_ceil(unit).saturating_mul(unit)
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

    /// Each of these is more than a fleet can have, or would be too large for a sum.
    #[test]
    fn what_no_fleet_can_have() {
        let hour = Duration::from_secs(3600);
        let empty = Outcome::new(hour, 2);
        let lived = 20 * hour.as_nanos();
        let (times, longest) = (BTreeMap::from([(59, 30)]), Duration::from_secs(60));
        let storm = Storm { nodes: 1, peak: 30, longest };
        let right = Outcome { nodes: 2, vms: 20, restarts: 30, lived, minutes: times, storm, ..empty.clone() };
        assert!(right.fits(&empty, 2, hour) && empty.fits(&empty, 2, hour));
        assert!(!right.fits(&empty, 1, hour));
        let wrong: [fn(&mut Outcome); 14] = [
            |o| o.recovery = BTreeMap::from([(1000, 1 << 48), (1010, 1)]),
            |o| o.recovery = BTreeMap::from([(1000, u64::MAX), (1010, u64::MAX)]),
            |o| o.recovery = BTreeMap::from([(3_610_000, 1)]),
            |o| o.lost = vec![u128::MAX, 1],
            |o| o.lost = vec![o.lived, 1],
            |o| o.lived += 1,
            |o| o.misrouted = o.lived + 1,
            |o| o.minutes = BTreeMap::from([(61, 30)]),
            |o| o.minutes = BTreeMap::from([(1, 29)]),
            |o| o.storm.peak = 31,
            |o| o.storm.longest = Duration::MAX,
            |o| o.settling.unsettled = 1,
            |o| o.still_down = 21,
            |o| o.down[0] = 20 * 60_001 + 1,
        ];
        for (wrong, number) in wrong.iter().zip(0..) {
            let mut outcome = right.clone();
            wrong(&mut outcome);
            assert!(!outcome.fits(&empty, 2, hour), "number {number}: {outcome:?}");
        }
        let many = BTreeMap::from([(1000, u64::MAX / 2), (2000, 1)]);
        let outcome = Outcome { recovery: many, ..empty };
        assert_eq!(outcome.recovery_within(99), Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_loss_is_spread_over_its_bins() {
        let mut outcome = Outcome::new(Duration::from_secs(600), 2);
        outcome.lose(1, Time::from_millis(59_000), Time::from_millis(125_500));
        assert_eq!(outcome.down, [1000, 60_000, 5500, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(outcome.lost, [0, 66_500_000_000]);
    }
}

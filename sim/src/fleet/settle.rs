//! Whether a node comes to rest after its incidents, and storms: minutes in which many of its guests are restarted.
//!
//! A node does not settle if restarts are made by restarts in the last quarter of the time after its last incident, when the
//! trigger is long gone: false restarts of guests that have not served since the one before. One VM in twenty is enough, and two
//! at least, or so many in each day of a quarter that is longer: what breaks by chance, and is restarted once for it, is none.

use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
/// Minutes of a storm may be so far apart.
const GAP: u64 = 10;

/// Storms of restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storm {
    /// Nodes that had one.
    pub nodes: u64,
    /// The most restarts of one node in a minute.
    pub peak: u64,
    /// The longest storm of one node.
    pub longest: Duration,
}

/// Whether nodes come to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settling {
    /// Nodes that do not.
    pub unsettled: u64,
    /// The first of those with the most repeated false restarts, and how many it has in the time that counts.
    pub worst: Option<(u32, u64)>,
    /// Of nodes that do: from the end of the last incident to the last VM's being back from it, at most.
    pub after: Duration,
}

impl Storm {
    /// Of a node with so many VMs, and how many of them were restarted in which minute.
    pub(super) fn of(vms: u64, minutes: &BTreeMap<u64, u64>) -> Storm {
        let peak = minutes.values().copied().max().unwrap_or_default();
        let (mut longest, mut begin, mut last) = (0, None, 0);
        for (minute, _) in minutes.iter().filter(|(_, times)| **times >= many(vms)) {
            if begin.is_none() || minute - last > GAP {
                begin = Some(*minute);
            }
            last = *minute;
            longest = longest.max(last + 1 - begin.unwrap_or(last));
        }
        Storm { nodes: u64::from(longest > 0), peak, longest: MINUTE * u32::try_from(longest).unwrap_or(u32::MAX) }
    }

    /// With those of other nodes.
    pub(super) fn add(&mut self, other: &Storm) {
        self.nodes += other.nodes;
        self.peak = self.peak.max(other.peak);
        self.longest = self.longest.max(other.longest);
    }
}

impl Settling {
    /// Of a node with so many VMs, whose last incident is over at `over`; when it had repeated false restarts, and when the last
    /// of its VMs was back.
    pub(super) fn of(
        (node, vms): (u32, u64),
        (over, horizon): (Duration, Duration),
        repeated: &BTreeMap<u64, u64>,
        back: Option<Duration>,
    ) -> Settling {
        let quarter = horizon.saturating_sub(over) / 4;
        let counts_from = (over + quarter * 3).as_secs() / MINUTE.as_secs();
        let days = (quarter.as_secs() / DAY.as_secs()).max(1);
        let late: u64 = repeated.range(counts_from..).map(|(_, times)| times).sum();
        if late >= many(vms) * days {
            return Settling { unsettled: 1, worst: Some((node, late)), after: Duration::ZERO };
        }
        let after = back.map_or(Duration::ZERO, |back| back.saturating_sub(over));
        Settling { unsettled: 0, worst: None, after }
    }

    /// With those of other nodes; of two that are as bad the first one counts.
    pub(super) fn add(&mut self, next: &Settling) {
        self.unsettled += next.unsettled;
        let rank = |worst: Option<(u32, u64)>| worst.map(|(node, times)| (times, Reverse(node)));
        if rank(next.worst) > rank(self.worst) {
            self.worst = next.worst;
        }
        self.after = self.after.max(next.after);
    }
}

fn many(vms: u64) -> u64 {
    vms.div_ceil(20).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storms_and_rest() {
        let minutes = |all: &[(u64, u64)]| all.iter().copied().collect::<BTreeMap<_, _>>();
        let storm = |vms, all: &[(u64, u64)]| {
            let Storm { nodes, peak, longest } = Storm::of(vms, &minutes(all));
            (nodes, peak, longest.as_secs() / 60)
        };
        assert_eq!(storm(60, &[]), (0, 0, 0));
        assert_eq!(storm(60, &[(5, 2), (9, 1)]), (0, 2, 0), "three of sixty are many");
        assert_eq!(storm(60, &[(5, 60), (9, 3), (20, 3), (21, 9)]), (1, 60, 5), "a gap of more than ten minutes");
        let settles = |all: &[(u64, u64)]| {
            let (over, horizon) = (Duration::from_secs(3600), Duration::from_secs(3 * 3600));
            Settling::of((7, 60), (over, horizon), &minutes(all), Some(Duration::from_secs(4000)))
        };
        // The last half hour counts.
        let rest = Settling { unsettled: 0, worst: None, after: Duration::from_secs(400) };
        assert_eq!(settles(&[(61, 60), (149, 60), (150, 2)]), rest);
        assert_eq!(
            settles(&[(150, 1), (179, 2)]),
            Settling { unsettled: 1, worst: Some((7, 3)), ..Settling::default() }
        );
        // Of forty days the last ten count, and three a day are many.
        let of_forty_days =
            |times| Settling::of((7, 60), (Duration::ZERO, DAY * 40), &minutes(&[(50_000, times)]), None).unsettled;
        assert_eq!([29, 30].map(of_forty_days), [0, 1]);
    }
}

//! Outcomes of nodes as numbers: added up, gone through JSON, and what no fleet can have.

use std::collections::BTreeMap;
use std::time::Duration;
use vmhealth_sim::fleet::{Failures, Outcome, Settling, Storm};

const HOUR: Duration = Duration::from_secs(3600);

/// Of a node watched for three minutes with three causes: each number is another one, so that none can stand for another.
fn node(first: u64) -> Outcome {
    let n = |nth: u64| first * 100 + nth;
    Outcome {
        nodes: n(1),
        vms: n(2),
        steps: n(3),
        changes: n(4),
        faults: n(5),
        lived: n(6).into(),
        lost: vec![n(7).into(), n(8).into(), n(9).into()],
        misrouted: n(10).into(),
        restarts: n(11),
        kills: n(12),
        false_restarts: n(13),
        failures: Failures { detected: n(14), passed: n(15), never: n(16), harmless: n(17) },
        recovery: BTreeMap::from([(1000, n(18)), (first * 2000, n(19))]),
        still_down: n(20),
        down: vec![n(21), n(22), n(23)],
        minutes: BTreeMap::from([(0, n(24)), (first, n(25))]),
        storm: Storm { nodes: n(26), peak: n(27), longest: Duration::from_secs(n(28)) },
        settling: Settling { unsettled: n(29), worst: None, after: Duration::from_secs(n(30)) },
        digest: n(31),
        ..Outcome::new(Duration::from_secs(180), 3)
    }
}

/// What is counted adds up; of peaks, and of the longest time, the greater one is left.
#[test]
fn nodes_add_up_number_by_number() {
    let both = Outcome {
        nodes: 302,
        vms: 304,
        steps: 306,
        changes: 308,
        faults: 310,
        lived: 312,
        lost: vec![314, 316, 318],
        misrouted: 320,
        restarts: 322,
        kills: 324,
        false_restarts: 326,
        failures: Failures { detected: 328, passed: 330, never: 332, harmless: 334 },
        recovery: BTreeMap::from([(1000, 336), (2000, 119), (4000, 219)]),
        still_down: 340,
        down: vec![342, 344, 346],
        minutes: BTreeMap::from([(0, 348), (1, 125), (2, 225)]),
        storm: Storm { nodes: 352, peak: 227, longest: Duration::from_secs(228) },
        settling: Settling { unsettled: 358, worst: None, after: Duration::from_secs(230) },
        digest: 362,
        ..Outcome::new(Duration::from_secs(180), 3)
    };
    for (mut sum, next) in [(node(1), node(2)), (node(2), node(1))] {
        let text = serde_json::to_string(&next).unwrap_or_default();
        sum.add(&serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}")));
        assert_eq!(sum, both, "after a way as JSON: {text}");
    }
}

/// The worst node is the one with the most, the first of those, whichever is added first.
#[test]
fn the_worst_node_of_all() {
    for (one, other, worst) in [
        (None, None, None),
        (None, Some((3, 5)), Some((3, 5))),
        (Some((3, 5)), Some((4, 6)), Some((4, 6))),
        (Some((3, 5)), Some((4, 5)), Some((3, 5))),
    ] {
        for (first, second) in [(one, other), (other, one)] {
            let settling = |worst| Settling { worst, ..Settling::default() };
            let of = |worst| Outcome { settling: settling(worst), ..Outcome::new(HOUR, 2) };
            let mut sum = of(first);
            sum.add(&of(second));
            assert_eq!(sum.settling, settling(worst), "{first:?} and {second:?}");
        }
    }
}

#[test]
fn availability_is_the_share_of_what_was_lived() {
    for (lived, lost, availability) in [
        (0, vec![0, 0], 1.0),
        (8, vec![0, 0], 1.0),
        (8, vec![1, 0, 1], 0.75),
        (8, vec![4, 4], 0.0),
        (4_000_000_000_000_000_000, vec![1_000_000_000_000_000_000, 0], 0.75),
    ] {
        let outcome = Outcome { lived, lost, ..Outcome::new(HOUR, 2) };
        assert_eq!(outcome.availability(), availability, "{outcome:?}");
    }
}

/// At the very edge a node can have it, and no more of it.
#[test]
fn the_most_that_a_fleet_can_have() {
    let empty = Outcome::new(HOUR, 2);
    let (vms, lived) = (20, 20 * HOUR.as_nanos());
    let full = Outcome { nodes: 2, vms, lived, false_restarts: 7, ..empty.clone() };
    type Change = fn(&mut Outcome);
    let rows: [(Change, Change); 6] = [
        // A bin's first and last milliseconds are whole ones.
        (|o| o.down[1] = 20 * 60_001, |o| o.down[1] += 1),
        // The minute in which it is watched no more can be one of a storm.
        (|o| o.storm.longest = HOUR + Duration::from_secs(60), |o| o.storm.longest += Duration::from_nanos(1)),
        (|o| (o.settling.unsettled, o.settling.worst) = (1, Some((1, 7))), |o| o.settling.worst = Some((1, 8))),
        (|o| (o.settling.unsettled, o.settling.worst) = (2, Some((0, 0))), |o| o.settling.worst = Some((2, 0))),
        (|o| o.settling.after = HOUR, |o| o.settling.after += Duration::from_nanos(1)),
        (|o| o.vms = 1 << 48, |o| o.vms += 1),
    ];
    for ((most, more), number) in rows.into_iter().zip(0..) {
        let mut outcome = full.clone();
        most(&mut outcome);
        assert!(outcome.fits(&empty, 2, HOUR), "row {number}: {outcome:?}");
        more(&mut outcome);
        assert!(!outcome.fits(&empty, 2, HOUR), "row {number}: {outcome:?}");
    }
}

//! Where the events of two runs of one scenario differ: the model and QEMU, a fork and a cold boot.

use super::align::align;
use super::normal::Normal;
use std::fmt::Write as _;
use vmhealth_sim::scenario::KnownDifference;

/// The difference of one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// The VMI, counted from 1; 0 for the VM itself.
    pub vmi: u32,
    /// The lane: one object's history.
    pub lane: &'static str,
    /// The names of the two runs.
    pub names: [&'static str; 2],
    /// The lane's events in each run.
    pub sides: [Vec<String>; 2],
}

/// Every lane in which the two differ.
pub fn compare(names: [&'static str; 2], runs: [&Normal; 2]) -> Vec<Divergence> {
    let mut lanes: Vec<&(u32, &'static str)> = runs.iter().flat_map(|run| run.0.keys()).collect();
    lanes.sort();
    lanes.dedup();
    let history = |run: &Normal, lane| run.0.get(lane).cloned().unwrap_or_default();
    lanes
        .into_iter()
        .map(|lane| Divergence { vmi: lane.0, lane: lane.1, names, sides: runs.map(|run| history(run, lane)) })
        .filter(|d| d.sides[0] != d.sides[1])
        .collect()
}

/// The differences that nothing explains, and those that the scenario explains. An explanation without a difference is
/// stale, and counts as unexplained: it would hide the next one.
pub fn set_known_apart(found: Vec<Divergence>, known: &[KnownDifference]) -> (Vec<String>, Vec<String>) {
    let explains = |k: &KnownDifference, d: &Divergence| k.vmi == d.vmi && k.lane == d.lane;
    let stale = known.iter().filter(|k| !found.iter().any(|d| explains(k, d))).map(|k| {
        let KnownDifference { vmi, lane, reason, .. } = k;
        format!("VMI {vmi}, {lane}: there is no difference any more: remove it from spec.knownDifferences ({reason})")
    });
    let stale: Vec<String> = stale.collect();
    let mut sides = (Vec::new(), Vec::new());
    for difference in found {
        match known.iter().find(|k| explains(k, &difference)) {
            Some(k) => sides.1.push(format!("VMI {}, {}: {}", k.vmi, k.lane, k.reason)),
            None => sides.0.push(difference.to_string()),
        }
    }
    sides.0.extend(stale);
    sides
}

impl std::fmt::Display for Divergence {
    /// Side by side, the first row of each difference marked.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ([left, right], [left_name, right_name]) = (&self.sides, self.names);
        let width = left.iter().map(|l| l.chars().count()).max().unwrap_or(0).max(left_name.len());
        let mut text = format!("VMI {}, {}:\n    {left_name:width$} | {right_name}\n", self.vmi, self.lane);
        let line = |side: &[String], i: Option<usize>| i.and_then(|i| side.get(i)).cloned().unwrap_or_default();
        let mut same_before = true;
        for row in align(left, right) {
            let mark = if same_before && !row.same { "-->" } else { "   " };
            same_before = row.same;
            let text_row = format!("{mark} {:width$} | {}", line(left, row.left), line(right, row.right));
            writeln!(text, "{}", text_row.trim_end())?;
        }
        f.write_str(text.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_side_by_side() {
        let normal = |lines: &[&str]| {
            Normal([((1, "qemu"), lines.iter().map(|l| (*l).to_owned()).collect())].into_iter().collect())
        };
        let names = ["model", "qemu"];
        let model = normal(&["qemu STARTED", "qemu WATCHDOG reset", "qemu RESET guest-reset"]);
        assert_eq!(compare(names, [&model, &model]), vec![]);
        let found = compare(names, [&model, &normal(&["qemu STARTED", "qemu SHUTDOWN guest-shutdown"])]);
        insta::assert_snapshot!(found[0], @r"
        VMI 1, qemu:
            model                  | qemu
            qemu STARTED           | qemu STARTED
        --> qemu WATCHDOG reset    | qemu SHUTDOWN guest-shutdown
            qemu RESET guest-reset |
        ");
    }

    #[test]
    fn a_missing_line_is_one_difference() {
        let normal = |lines: &[&str]| {
            Normal([((1, "vm"), lines.iter().map(|l| format!("vm status {l}")).collect())].into_iter().collect())
        };
        let model = normal(&["Starting", "Running", "Paused", "Stopping", "Stopped"]);
        let found = compare(["model", "qemu"], [&model, &normal(&["Starting", "Running", "Stopping", "Stopped"])]);
        assert_eq!(found.len(), 1);
        insta::assert_snapshot!(found[0], @r"
        VMI 1, vm:
            model              | qemu
            vm status Starting | vm status Starting
            vm status Running  | vm status Running
        --> vm status Paused   |
            vm status Stopping | vm status Stopping
            vm status Stopped  | vm status Stopped
        ");
    }

    #[test]
    fn known_differences_are_set_apart_and_go_stale() {
        let normal = |lines: &[&str]| {
            Normal([((1, "qemu"), lines.iter().map(|l| (*l).to_owned()).collect())].into_iter().collect())
        };
        let different = || compare(["model", "qemu"], [&normal(&["qemu STARTED"]), &normal(&[])]);
        let known = |vmi, lane: &str| KnownDifference { vmi, lane: lane.into(), host: None, reason: "because".into() };
        let rows: &[(Vec<KnownDifference>, usize, usize)] = &[
            (vec![], 1, 0),
            (vec![known(1, "qemu")], 0, 1),
            (vec![known(2, "qemu")], 2, 0),
            (vec![known(1, "qemu"), known(1, "vmi")], 1, 1),
        ];
        for (known, unknown, explained) in rows {
            let (left, right) = set_known_apart(different(), known);
            assert_eq!((left.len(), right.len()), (*unknown, *explained), "{known:?}: {left:?} {right:?}");
        }
    }
}

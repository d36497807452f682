//! Every case on QEMU in two ways that must make no difference, and where their normalised traces differ: forked and booted
//! cold, in guest time and in real time.

use super::catalogue::Case;
use super::jobs::Jobs;
use super::reality::{Progress, Reality};
use crate::compare::divergence;
use crate::report::{RunFolder, VerdictWord};
use std::fmt;
use std::io;
use tokio::sync::watch;
use tokio::task::LocalSet;

/// One of the two ways.
#[derive(Debug, Clone)]
pub struct Way {
    /// In a word, which is also its folder's name.
    pub name: &'static str,
    /// What the guests run on, and how.
    pub reality: Reality,
}

/// What the two runs of every case had in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The ways.
    pub names: [&'static str; 2],
    /// One for each case that ran both ways.
    pub cases: Vec<Compared>,
}

/// One case both ways.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The scenario's id.
    pub id: String,
    /// In the order of the ways.
    pub verdicts: [VerdictWord; 2],
    /// How long each took of the host's time, seconds.
    pub took_s: [f64; 2],
    /// Whether the two ways were different: a guest that was to be forked and was not is the same as a cold one.
    pub ways_differ: bool,
    /// Where they differ, side by side.
    pub differences: Vec<String>,
}

/// Runs every case both ways; the evidence is in folders of their names in `folder`.
pub async fn compare(
    cases: &[Case],
    ways: [Way; 2],
    folder: &RunFolder,
    cancelled: watch::Receiver<bool>,
    progress: Progress,
) -> io::Result<Comparison> {
    let models = vec![None; cases.len()];
    let mut runs = Vec::new();
    for way in &ways {
        let folder = RunFolder::create(&folder.path().join(way.name))?;
        let jobs = Jobs {
            cases,
            models: &models,
            reality: &way.reality,
            folder: &folder,
            cancelled: cancelled.clone(),
            progress: progress.clone(),
        };
        runs.push(LocalSet::new().run_until(jobs.run()).await?);
    }
    let [first, second] = &ways;
    let names = [first.name, second.name];
    let one_is_cold = first.reality.cold != second.reality.cold;
    let clock = |way: &Way, case: &Case| way.reality.platform(case).ok().map(|platform| platform.time.as_str());
    let clocks_differ = |case: &Case| clock(first, case) != clock(second, case);
    let mut compared = Vec::new();
    if let [ran_first, ran_second] = runs.as_slice() {
        for ((case, one), other) in cases.iter().zip(ran_first).zip(ran_second) {
            let (Some(one), Some(other)) = (one, other) else { continue };
            let differences = divergence::compare(names, [&one.normal, &other.normal]);
            compared.push(Compared {
                id: case.id().to_owned(),
                verdicts: [one.result.verdict, other.result.verdict],
                took_s: [one.result.duration_s, other.result.duration_s],
                ways_differ: if one_is_cold { one.result.forked != other.result.forked } else { clocks_differ(case) },
                differences: differences.iter().map(ToString::to_string).collect(),
            });
        }
    }
    Ok(Comparison { names, cases: compared })
}

impl Compared {
    /// Whether both ways told the same story and passed.
    pub fn same(&self) -> bool {
        let passed = |v: &VerdictWord| matches!(v, VerdictWord::Pass | VerdictWord::Flaky);
        self.differences.is_empty() && self.verdicts.iter().all(passed)
    }

    /// Whether the host kept the two from being compared.
    fn infra(&self) -> bool {
        !self.ways_differ || self.verdicts.contains(&VerdictWord::Infra)
    }
}

impl Comparison {
    /// As [`crate::report::Results::exit_status`]: 1 if the two ways differ, 3 if that could not be seen everywhere.
    pub fn exit_status(&self) -> u8 {
        if self.cases.iter().any(|c| !c.same() && !c.infra()) {
            1
        } else if self.cases.iter().any(Compared::infra) {
            3
        } else {
            0
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = self.names;
        for case in self.cases.iter().filter(|c| !c.same() || !c.ways_differ) {
            let verdicts = case.verdicts.map(VerdictWord::as_str);
            let not = if case.ways_differ { "" } else { " (the same way both times)" };
            writeln!(f, "{}: {first} {}, {second} {}{not}", case.id, verdicts[0], verdicts[1])?;
            for difference in &case.differences {
                writeln!(f, "  {}", difference.replace('\n', "\n  "))?;
            }
        }
        let (same, all) = (self.cases.iter().filter(|c| c.same()).count(), self.cases.len());
        writeln!(f, "{same} of {all} scenarios gave the same result {first} and {second}")
    }
}

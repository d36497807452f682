//! The proof that a fork is a boot: every case both ways, and where their normalised traces differ.

use super::catalogue::Case;
use super::jobs::Jobs;
use super::reality::{Progress, Reality};
use crate::compare::divergence;
use crate::report::{RunFolder, VerdictWord};
use std::fmt;
use std::io;
use tokio::sync::watch;
use tokio::task::LocalSet;

/// What the two runs of every case had in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// One for each case that ran both ways.
    pub cases: Vec<Compared>,
}

/// One case both ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The scenario's id.
    pub id: String,
    /// Forked, and cold.
    pub verdicts: [VerdictWord; 2],
    /// Whether the first run was forked at all.
    pub forked: bool,
    /// Where they differ, side by side.
    pub differences: Vec<String>,
}

/// Runs every case forked and cold; the evidence is in `folder`'s `forked` and `cold`.
pub async fn compare(
    cases: &[Case],
    reality: &Reality,
    folder: &RunFolder,
    cancelled: watch::Receiver<bool>,
    progress: Progress,
) -> io::Result<Comparison> {
    let models = vec![None; cases.len()];
    let mut ways = Vec::new();
    for cold in [false, true] {
        let reality = Reality { cold, ..reality.clone() };
        let folder = RunFolder::create(&folder.path().join(if cold { "cold" } else { "forked" }))?;
        let jobs = Jobs {
            cases,
            models: &models,
            reality: &reality,
            folder: &folder,
            cancelled: cancelled.clone(),
            progress: progress.clone(),
        };
        ways.push(LocalSet::new().run_until(jobs.run()).await?);
    }
    let mut compared = Vec::new();
    if let [forked, cold] = ways.as_slice() {
        for ((case, forked), cold) in cases.iter().zip(forked).zip(cold) {
            let (Some(forked), Some(cold)) = (forked, cold) else { continue };
            let differences = divergence::compare(["cold", "forked"], [&cold.normal, &forked.normal]);
            compared.push(Compared {
                id: case.id().to_owned(),
                verdicts: [forked.result.verdict, cold.result.verdict],
                forked: forked.result.forked,
                differences: differences.iter().map(ToString::to_string).collect(),
            });
        }
    }
    Ok(Comparison { cases: compared })
}

impl Compared {
    /// Whether both ways told the same story and passed.
    pub fn same(&self) -> bool {
        let passed = |v: &VerdictWord| matches!(v, VerdictWord::Pass | VerdictWord::Flaky);
        self.differences.is_empty() && self.verdicts.iter().all(passed)
    }

    /// Whether the host kept the two from being compared.
    fn infra(&self) -> bool {
        !self.forked || self.verdicts.contains(&VerdictWord::Infra)
    }
}

impl Comparison {
    /// As [`crate::report::Results::exit_status`]: 1 if a fork was not a boot, 3 if that could not be seen everywhere.
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
        for case in self.cases.iter().filter(|c| !c.same() || !c.forked) {
            let [forked, cold] = case.verdicts.map(VerdictWord::as_str);
            let not = if case.forked { "" } else { " (booted cold both times)" };
            writeln!(f, "{}: forked {forked}, cold {cold}{not}", case.id)?;
            for difference in &case.differences {
                writeln!(f, "  {}", difference.replace('\n', "\n  "))?;
            }
        }
        let same = self.cases.iter().filter(|c| c.same()).count();
        let forked = self.cases.iter().filter(|c| c.forked).count();
        writeln!(
            f,
            "{same} of {} scenarios gave the same result forked and cold; {forked} were forked",
            self.cases.len()
        )
    }
}

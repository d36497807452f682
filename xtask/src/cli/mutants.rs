//! `mutants`: makes faults and says which of them no test notices.

use super::exit::{Failure, Status, infra, usage};
use crate::mutation::baseline::{self, Difference, Survey, compare};
use crate::mutation::behaviour::{self, Mutant};
use crate::mutation::copy::{Detection, SourcesCopy};
use crate::mutation::operators::{self, INSTALL};
use crate::prepare::say;
use crate::{program, workspace};
use anyhow::anyhow;
use clap::{Args, ValueEnum};
use std::path::Path;

/// The two kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// What a user would suffer, each fault by name (tests/mutants.yaml)
    Behaviour,
    /// Every operator, branch and value of `sim`, by cargo-mutants; hours for all of them
    Operators,
}

#[derive(Debug, Args)]
pub(super) struct Mutants {
    /// Which mutants: parts of their names or files. If absent: all
    pub(super) filters: Vec<String>,
    /// Only one kind of faults
    #[arg(long, value_enum)]
    only: Option<Kind>,
    /// Of the operators' mutants only a part, such as 1/8; the first is 0
    #[arg(long, value_name = "K/N")]
    shard: Option<String>,
    /// List the mutants and try none
    #[arg(long)]
    pub(super) list: bool,
}

impl Mutants {
    /// Tries the mutants whose names or files hold one of the filters.
    pub(super) fn run(self) -> Result<Status, Failure> {
        let root = workspace::find()?;
        let described = if self.tries(Kind::Behaviour) { self.described(&root)? } else { Vec::new() };
        let listed = if self.tries(Kind::Operators) { self.listed(&root)? } else { Vec::new() };
        if described.is_empty() && listed.is_empty() {
            return Err(usage(anyhow!("no mutant matches; `{} mutants --list` shows them all", program::name())));
        }
        if self.list {
            described.iter().for_each(|m| println!("{}  {}: {}", m.name, m.krate, m.behaviour));
            listed.iter().for_each(|name| println!("{name}"));
            return Ok(Status::Passed);
        }
        let mut passed = described.is_empty() || try_described(&root, &described)?;
        passed &= listed.is_empty() || self.try_operators(&root)?;
        Ok(if passed { Status::Passed } else { Status::Failed })
    }

    fn tries(&self, kind: Kind) -> bool {
        match self.only {
            Some(only) => only == kind,
            // A part of the operators' mutants is asked for.
            None => kind == Kind::Operators || self.shard.is_none(),
        }
    }

    fn wants(&self, texts: &[&str]) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|f| texts.iter().any(|text| text.contains(f.as_str())))
    }

    fn described(&self, root: &Path) -> Result<Vec<Mutant>, Failure> {
        let mut all = behaviour::read(root).map_err(|e| usage(anyhow!(e)))?;
        all.retain(|m| self.wants(&[&m.name, &m.krate]));
        Ok(all)
    }

    fn listed(&self, root: &Path) -> Result<Vec<String>, Failure> {
        if !operators::installed() {
            let only = Kind::Behaviour.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default();
            let text = format!("cargo-mutants is not installed: `{INSTALL}`; `--only {only}` goes without it");
            return Err(infra(anyhow!(text)));
        }
        let mut all = operators::list(root).map_err(|e| infra(anyhow!(e)))?;
        all.retain(|name| self.wants(&[name]));
        Ok(all)
    }

    fn try_operators(&self, root: &Path) -> Result<bool, Failure> {
        let baseline = baseline::read(root).map_err(|e| usage(anyhow!(e)))?;
        let host = |e: String| infra(anyhow!(e));
        let (copy, place) = (SourcesCopy::open(root).map_err(host)?, root.join("target/mutants/operators"));
        let survey = operators::survey(&copy, &place, &self.filters, self.shard.as_deref()).map_err(host)?;
        let differences = compare(&baseline, &survey);
        differences.iter().for_each(|difference| println!("{}", told(difference)));
        let Survey { tried, survived, .. } = &survey;
        let (tried, survived): (usize, usize) = (tried.values().sum(), survived.values().sum());
        println!("{tried} of the operators' mutants tried, {survived} survived, {} differences", differences.len());
        Ok(differences.is_empty())
    }
}

fn told(difference: &Difference) -> String {
    const FILE: &str = "tests/mutants-baseline.yaml";
    match difference {
        Difference::Unexplained(m) => {
            format!("{}: {}: NOT NOTICED; write a test, or say in {FILE} why there is none", m.file, m.mutation)
        }
        Difference::Gone(m) => format!("{}: {}: does not survive any more; take it out of {FILE}", m.file, m.mutation),
        Difference::Unknown(m) => format!("{}: {}: there is none; {FILE} is out of date", m.file, m.mutation),
    }
}

/// Whether all that can be tried were noticed.
fn try_described(root: &Path, mutants: &[Mutant]) -> Result<bool, Failure> {
    let host = |e: String| infra(anyhow!(e));
    let (guests, here): (Vec<&Mutant>, Vec<&Mutant>) = mutants.iter().partition(|m| m.needs_qemu.is_some());
    for mutant in guests {
        println!("{}: not tried here, {} on QEMU notices it", mutant.name, mutant.needs_qemu.as_deref().unwrap_or("?"));
    }
    if here.is_empty() {
        return Ok(true);
    }
    let copy = SourcesCopy::open(root).map_err(host)?;
    say("building and passing the tests without any mutant");
    copy.baseline(&here.iter().map(|m| m.krate.as_str()).collect()).map_err(host)?;
    let (mut noticed, mut wrong) = (0, 0);
    for (i, mutant) in here.iter().enumerate() {
        let text = match copy.try_out(mutant).map_err(host)? {
            Detection::Noticed(by) => {
                noticed += 1;
                format!("noticed by {by}")
            }
            Detection::Unnoticed => {
                wrong += 1;
                format!("NOT NOTICED. {}", mutant.behaviour)
            }
            Detection::Stale(why) => {
                wrong += 1;
                format!("STALE: {why}")
            }
        };
        println!("{}/{} {}: {text}", i + 1, here.len(), mutant.name);
    }
    println!("{noticed} noticed, {wrong} not noticed or stale");
    Ok(wrong == 0)
}

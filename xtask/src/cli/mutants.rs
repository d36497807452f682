//! `mutants`: makes small faults and says which of them no test notices.

use super::exit::{Failure, Status, infra, usage};
use crate::mutation::{Detection, Mutant, SourcesCopy, read};
use crate::prepare::say;
use crate::{program, workspace};
use anyhow::anyhow;
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Mutants {
    /// Which mutants: parts of their names or files. If absent: all
    pub(super) filters: Vec<String>,
    /// List the mutants and try none
    #[arg(long)]
    pub(super) list: bool,
}

impl Mutants {
    /// Tries the mutants whose names or files hold one of the filters.
    pub(super) fn run(self) -> Result<Status, Failure> {
        let sources = workspace::find()?;
        let all = read(&sources).map_err(|e| usage(anyhow!(e)))?;
        let wanted = |m: &Mutant| {
            self.filters.is_empty() || self.filters.iter().any(|f| m.name.contains(f) || m.file.contains(f))
        };
        let mutants: Vec<Mutant> = all.into_iter().filter(wanted).collect();
        if mutants.is_empty() {
            return Err(usage(anyhow!("no mutant matches; `{} mutants --list` shows them all", program::name())));
        }
        if self.list {
            mutants.iter().for_each(|m| println!("{}  {}", m.name, m.file));
            return Ok(Status::Passed);
        }
        let host = |e: String| infra(anyhow!(e));
        let copy = SourcesCopy::open(&sources).map_err(host)?;
        say("building and passing the tests without any mutant");
        copy.baseline().map_err(host)?;
        let (mut noticed, mut wrong) = (0, 0);
        for (i, mutant) in mutants.iter().enumerate() {
            let text = match copy.try_out(mutant).map_err(host)? {
                Detection::Noticed(by) => {
                    noticed += 1;
                    format!("noticed by {by}")
                }
                Detection::Unnoticed => {
                    wrong += 1;
                    "NOT NOTICED".to_owned()
                }
                Detection::Stale(why) => {
                    wrong += 1;
                    format!("STALE: {why}")
                }
            };
            println!("{}/{} {}: {text}", i + 1, mutants.len(), mutant.name);
        }
        println!("{noticed} noticed, {wrong} not noticed or stale");
        Ok(if wrong == 0 { Status::Passed } else { Status::Failed })
    }
}

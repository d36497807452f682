//! `cargo xtask mutants`: makes small faults and says which of them no test notices.

use super::exit::{Failure, Status, infra, usage};
use super::prepare::say;
use crate::cli::Mutants;
use crate::mutation::{Fate, Laboratory, Mutant, read};
use anyhow::anyhow;

/// Tries the mutants whose names or files hold one of the filters.
pub(crate) fn mutants(args: &Mutants) -> Result<Status, Failure> {
    let all = read().map_err(|e| usage(anyhow!(e)))?;
    let wanted =
        |m: &Mutant| args.filters.is_empty() || args.filters.iter().any(|f| m.name.contains(f) || m.file.contains(f));
    let mutants: Vec<Mutant> = all.into_iter().filter(wanted).collect();
    if mutants.is_empty() {
        return Err(usage(anyhow!("no mutant is called like that; `cargo xtask mutants --list` shows them all")));
    }
    if args.list {
        mutants.iter().for_each(|m| println!("{}  {}", m.name, m.file));
        return Ok(Status::Passed);
    }
    let host = |e: String| infra(anyhow!(e));
    let laboratory = Laboratory::open().map_err(host)?;
    say("building and passing the tests without any mutant");
    laboratory.baseline().map_err(host)?;
    let (mut noticed, mut wrong) = (0, 0);
    for (i, mutant) in mutants.iter().enumerate() {
        let text = match laboratory.try_out(mutant).map_err(host)? {
            Fate::Noticed(by) => {
                noticed += 1;
                format!("noticed by {by}")
            }
            Fate::Unnoticed => {
                wrong += 1;
                "NOT NOTICED".to_owned()
            }
            Fate::Stale(why) => {
                wrong += 1;
                format!("STALE: {why}")
            }
        };
        println!("{}/{} {}: {text}", i + 1, mutants.len(), mutant.name);
    }
    println!("{noticed} noticed, {wrong} not");
    Ok(if wrong == 0 { Status::Passed } else { Status::Failed })
}

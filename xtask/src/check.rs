//! `cargo xtask check`: files in, findings out.

use crate::cli::{Check, Format};
use crate::exit::{Failure, Status, infra, usage};
use crate::own_run::refuse_heartbeat;
use anyhow::{Context as _, anyhow};
use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::Path;
use vmhealth_sim::budget::Assumptions;
use vmhealth_sim::check::{self, Options, Verdict, explain, rules};
use vmhealth_tests::check::{CheckReport, render, render_budgets};

/// More than etcd stores of any object, several times over.
const SIZE_LIMIT: u64 = 8 << 20;

/// Checks the files, or tells a code's story.
pub(crate) fn check(args: Check) -> Result<Status, Failure> {
    if let Some(word) = &args.explain {
        return story(word);
    }
    let options = Options { architecture: args.architecture, boot: args.boot, without_gates: args.without_gates };
    let assumptions =
        Assumptions { boot: args.boot, shutdown: args.shutdown, heartbeat: args.heartbeat, ..Assumptions::default() };
    let budgets = args.budgets.then_some(&assumptions);
    let (mut report, mut fine, mut without, mut unreadable) = (CheckReport::new(), true, Vec::new(), Vec::new());
    let colour = io::stdout().is_terminal();
    for path in &args.files {
        let file = path.display().to_string();
        let text = read(path)?;
        let checks = match check::check(&text, &options) {
            Ok(checks) => checks,
            Err(e) => {
                report.add_error(&file, &e);
                unreadable.push(format!("{file}:{e}"));
                continue;
            }
        };
        for checked in &checks.manifests {
            // What user data sets wins.
            if let Some(vm) = checked.vm.as_ref().filter(|vm| budgets.is_some() && vm.vmi.user_data.heartbeat.is_none())
            {
                refuse_heartbeat(Some(args.heartbeat), vm)?;
            }
            fine &= checked.verdict == Verdict::Accepted;
            if args.format == Format::Human {
                print!("{}", render(&file, &text, checked, colour));
                print!("{}", budgets.map(|a| render_budgets(checked, a, args.panic_timer)).unwrap_or_default());
            }
        }
        if checks.manifests.is_empty() {
            without.push(file.clone());
        }
        for skipped in checks.skipped.iter().filter(|_| args.format == Format::Human) {
            println!("{file}:{}: not looked at: {}", skipped.pos.line, skipped.kind);
        }
        report.add(&file, &text, &checks, budgets);
    }
    if args.format == Format::Json {
        println!("{}", serde_json::to_string_pretty(&report).map_err(infra)?);
    }
    if !unreadable.is_empty() {
        return Err(usage(anyhow!(unreadable.join("\n"))));
    }
    if !without.is_empty() {
        return Err(usage(anyhow!("no VirtualMachine or VirtualMachineInstance in {}", without.join(", "))));
    }
    Ok(if fine { Status::Passed } else { Status::Failed })
}

/// Standard input is `-`.
fn read(path: &Path) -> Result<String, Failure> {
    let file = path.display();
    let input: Box<dyn Read> = match path.as_os_str() == "-" {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(path).with_context(|| format!("cannot read {file}")).map_err(usage)?),
    };
    let mut bytes = Vec::new();
    input.take(SIZE_LIMIT + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {file}")).map_err(usage)?;
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err(usage(anyhow!("{file}: larger than {} MiB", SIZE_LIMIT >> 20)));
    }
    String::from_utf8(bytes).map_err(|e| {
        let line = e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        usage(anyhow!("{file}:{line}: not UTF-8"))
    })
}

fn story(word: &str) -> Result<Status, Failure> {
    let Some(rule) = explain(word) else {
        let all: Vec<&str> = rules().iter().map(|rule| rule.code).collect();
        return Err(usage(anyhow!("no code {word:?}; there are {}", all.join(", "))));
    };
    println!("{} ({}, {})\n\n{}\n", rule.code, rule.rank.as_str(), rule.layer, rule.story);
    println!("What you see: {}.", rule.layer.outcome(true, None));
    println!("Source: {}.", rule.source);
    for id in rule.shown_by {
        println!("See it happen: cargo xtask repro {id}");
    }
    Ok(Status::Passed)
}

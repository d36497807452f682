//! `check`: files in, findings out.

use super::arguments::{Format, any_heartbeat};
use super::exit::{Failure, Status, infra, usage};
use crate::check::{CheckReport, render, render_budgets};
use crate::own::refuse_heartbeat;
use crate::program;
use anyhow::{Context as _, anyhow};
use clap::Args;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;
use vmhealth_sim::budget::Assumptions;
use vmhealth_sim::check::{self, Kind, Options, Verdict, explain, rules};
use vmhealth_sim::manifest::{Architecture, VirtualMachine};

/// More than etcd stores of any object, several times over.
const SIZE_LIMIT: u64 = 8 << 20;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Manifests: files, or - for standard input
    #[arg(required_unless_present = "explain")]
    pub(super) files: Vec<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
    /// The cluster's default architecture, for manifests that name none
    #[arg(long = "arch", default_value_t = Architecture::Amd64)]
    pub(super) architecture: Architecture,
    /// How long the guest takes from its start until it answers its probes
    #[arg(long, value_parser = humantime::parse_duration, default_value = "60s")]
    pub(super) boot: Duration,
    /// A KubeVirt feature gate that is on by default and off in your cluster; may be repeated
    #[arg(long = "without-gate", value_name = "GATE", value_parser = ["RebootPolicy", "DecentralizedLiveMigration"])]
    pub(super) without_gates: Vec<String>,
    /// Also show how long it takes from each fault until it is detected, until the cluster acts, and until the guest is back
    #[arg(long)]
    pub(super) budgets: bool,
    /// For --budgets: how long a healthy guest takes to shut down
    #[arg(long, value_parser = humantime::parse_duration, default_value = "10s")]
    pub(super) shutdown: Duration,
    /// For --budgets: the watchdog daemon's timeout in seconds, where the user data sets none
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(any_heartbeat()))]
    pub(super) heartbeat: u32,
    /// For --budgets: `kernel.panic` of the guest, the seconds after which a panicked kernel reboots; 0: never
    #[arg(long, default_value_t = 0)]
    pub(super) panic_timer: u32,
    /// Explain the code of a finding
    #[arg(long, value_name = "CODE", conflicts_with = "files")]
    pub(super) explain: Option<String>,
}

impl Check {
    /// Checks the files, or explains a code.
    pub(super) fn run(self) -> Result<Status, Failure> {
        if let Some(word) = &self.explain {
            return explanation(word);
        }
        let options = Options { architecture: self.architecture, boot: self.boot, without_gates: self.without_gates };
        let assumptions = Assumptions {
            boot: self.boot,
            shutdown: self.shutdown,
            heartbeat: self.heartbeat,
            ..Assumptions::default()
        };
        let budgets = self.budgets.then_some(&assumptions);
        let (mut report, mut fine, mut without, mut unreadable) = (CheckReport::new(), true, Vec::new(), Vec::new());
        let colour = io::stdout().is_terminal();
        for path in &self.files {
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
                let assumes = |vm: &&VirtualMachine| budgets.is_some() && vm.vmi.user_data.heartbeat.is_none();
                if let Some(vm) = checked.vm.as_ref().filter(assumes) {
                    refuse_heartbeat(Some(self.heartbeat), vm)?;
                }
                fine &= checked.verdict == Verdict::Accepted;
                if self.format == Format::Human {
                    print!("{}", render(&file, &text, checked, colour));
                    print!("{}", budgets.map(|a| render_budgets(checked, a, self.panic_timer)).unwrap_or_default());
                }
            }
            if checks.manifests.is_empty() {
                without.push(file.clone());
            }
            for skipped in checks.skipped.iter().filter(|_| self.format == Format::Human) {
                println!("{file}:{}: not checked: {}", skipped.pos.line, skipped.kind);
            }
            report.add(&file, &text, &checks, budgets);
        }
        if self.format == Format::Json {
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

fn explanation(word: &str) -> Result<Status, Failure> {
    let Some(rule) = explain(word) else {
        let all: Vec<&str> = rules().iter().map(|rule| rule.code).collect();
        return Err(usage(anyhow!("no code {word:?}; there are {}", all.join(", "))));
    };
    println!("{} ({}, {})\n\n{}\n", rule.code, rule.rank.as_str(), rule.layer, rule.story);
    println!("What you see: {}.", rule.layer.outcome(Kind::VirtualMachine, None));
    println!("Source: {}.", rule.source);
    for id in rule.shown_by {
        println!("See it happen: {} repro {id}", program::name());
    }
    Ok(Status::Passed)
}

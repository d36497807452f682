//! `advise`: which numbers to set, in virtual time.

use super::arguments::{SecretsArg, UserDataArg, World, parse_boot, parse_short};
use super::exit::{Failure, Status, infra};
use super::output::out;
use super::session::{run_cases, status_of};
use crate::own::{NamedFault, OwnAdvise};
use crate::prepare::{GuestOptions, say};
use crate::program;
use crate::report::VerdictWord;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;
use vmhealth_sim::advise::{Boots, Maintenance};
use vmhealth_sim::cluster::KubevirtVersion;

/// Shown below the options.
const EXAMPLES: &str = "Examples:
  advise vm.yaml --recover-within 3m --boot 45s..90s --hiccup 8s
  advise vm.yaml --recover-within 2m --fault kernelPanic --format patch
  advise vm.yaml --recover-within 15m --fleet fleet.yaml
  advise vm.yaml --maintenance reboot=5m --maintenance migration=90s --maintenance freeze=10s

The formulas of `check --budgets` give candidates. At most 16 are tried, each fault just after every attempt and pet of the probes' \
common period (at most a minute) and on a grid between, with the quickest boot and the slowest.

Exit status 1: it cannot be had, the fleet does not come to rest with it, or a maintenance is not survived.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Advise {
    /// A file with one kubevirt.io/v1 VirtualMachine or VirtualMachineInstance, alone, in a list or beside other objects; - for standard
    /// input
    pub(super) manifest: PathBuf,
    /// How soon after a fault the VM is to be Ready and answering again, whenever the fault comes
    #[arg(long, value_parser = parse_short, required_unless_present = "maintenance")]
    pub(super) recover_within: Option<Duration>,
    /// From the guest's start until its service answers: 60s, or from the quickest to the slowest, 45s..90s. If absent: from one by
    /// itself to one beside all others of its node, as the fleet says, or 60s
    #[arg(long, value_parser = parse_boots)]
    pub(super) boot: Option<Boots>,
    /// A fleet file with groups of this manifest: what is advised lets it come to rest after its incidents
    #[arg(long, value_name = "FLEET.yaml", requires = "recover_within")]
    pub(super) fleet: Option<PathBuf>,
    /// For so long a guest that is well may not answer, and is not to be restarted
    #[arg(long, value_parser = parse_short, default_value = "5s")]
    pub(super) hiccup: Duration,
    /// What breaks, like kernelPanic or `{health: hang}`; may be repeated. If absent: every fault that concerns the manifest and
    /// that only a restart heals
    #[arg(long = "fault", num_args = 1)]
    pub(super) faults: Vec<NamedFault>,
    /// Something that is done to a healthy VM, and how long it lasts: reboot=5m (also an update), migration=30s, freeze=10s (a
    /// backup). Does liveness let it live, and what to change where it does not? May be repeated
    #[arg(long, value_name = "WHAT=SPAN", value_parser = parse_maintenance)]
    pub(super) maintenance: Vec<(Maintenance, Duration)>,
    /// The watchdog daemon's timeout in seconds; 0: no daemon runs. If absent: what the user data sets, or 60
    #[arg(long)]
    pub(super) heartbeat: Option<u32>,
    #[command(flatten)]
    pub(super) user_data: UserDataArg,
    /// The cluster's KubeVirt release, like v1.4 (OpenShift 4.18)
    #[arg(long, value_name = "VERSION", default_value_t = KubevirtVersion::default())]
    pub(super) kubevirt_version: KubevirtVersion,
    /// Then break a real guest with these numbers, with each fault once: is it back in time? The manifest that has them is
    /// written to this new file, as JSON
    #[arg(long, value_name = "FILE.json", requires = "recover_within")]
    pub(super) verify: Option<PathBuf>,
    #[command(flatten)]
    pub(super) secrets: SecretsArg,
    /// What to print; patch: only the merge patch for kubectl, in YAML
    #[arg(long, value_enum, default_value_t = AdviseFormat::Human)]
    pub(super) format: AdviseFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AdviseFormat {
    Human,
    Json,
    Patch,
}

impl Advise {
    pub(super) async fn run(self) -> Result<Status, Failure> {
        let own = OwnAdvise {
            file: self.manifest,
            within: self.recover_within,
            boots: self.boot,
            fleet: self.fleet,
            hiccup: self.hiccup,
            faults: self.faults,
            maintenance: self.maintenance,
            heartbeat: self.heartbeat,
            kubevirt_version: self.kubevirt_version,
            user_data: self.user_data.read()?,
        };
        let (report, best) = own.advise()?;
        match self.format {
            AdviseFormat::Json => out(&(serde_json::to_string_pretty(&report).map_err(infra)? + "\n"))?,
            AdviseFormat::Human => out(&report.render())?,
            // Where there is none, an empty answer with a status that says so is safer than a patch that does nothing.
            AdviseFormat::Patch => match report.patch().filter(|_| report.can_be_had()) {
                Some(patch) => out(&patch)?,
                None => say(report.render().trim_end()),
            },
        }
        let status = if report.is_good() { Status::Passed } else { Status::Failed };
        let (Some(file), Some(best), Some(within)) = (self.verify, best, own.within) else { return Ok(status) };
        // Of another run.
        let words = program::without_option(std::env::args().skip(1), "--verify");
        let again = program::command_line(words.iter().map(String::as_str));
        let cases = own.verification(&best, within, &file, &again)?;
        say(&format!("on a real guest, with the numbers of {}:", file.display()));
        let results = run_cases(cases, World::Qemu, GuestOptions::default(), None, self.secrets).await?;
        for passed in results.scenarios.iter().filter(|s| s.verdict == VerdictWord::Pass) {
            let explained = format!("\n{}", passed.explained());
            match self.format {
                AdviseFormat::Human => out(&explained)?,
                // Stdout is the document's alone.
                AdviseFormat::Json | AdviseFormat::Patch => say(explained.trim_end()),
            }
        }
        Ok(if status == Status::Passed { status_of(&results) } else { status })
    }
}

/// `45s..90s`, `60s`
fn parse_boots(text: &str) -> Result<Boots, String> {
    let (fastest, slowest) = text.split_once("..").unwrap_or((text, text));
    let boots = Boots { fastest: parse_boot(fastest)?, slowest: parse_boot(slowest)? };
    if boots.fastest <= boots.slowest { Ok(boots) } else { Err("the quickest boot is longer than the slowest".into()) }
}

/// `reboot=5m`
fn parse_maintenance(text: &str) -> Result<(Maintenance, Duration), String> {
    let all = [Maintenance::Reboot, Maintenance::Migration, Maintenance::Freeze];
    let names = all.map(Maintenance::as_str).join(", ");
    let (word, span) = text.split_once('=').ok_or_else(|| format!("expected WHAT=SPAN, like reboot=5m ({names})"))?;
    let what = all.into_iter().find(|m| m.as_str() == word).ok_or_else(|| format!("{word:?} is none of {names}"))?;
    let span = humantime::parse_duration(span).map_err(|e| e.to_string())?;
    let limits = Duration::from_secs(1)..=Duration::from_secs(3600);
    if limits.contains(&span) { Ok((what, span)) } else { Err("not between 1s and 1h".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_what_was_meant() {
        let boots = |text: &str| parse_boots(text).map(|b| (b.fastest.as_secs(), b.slowest.as_secs()));
        assert_eq!(boots("45s..90s"), Ok((45, 90)));
        assert_eq!(boots("1m"), Ok((60, 60)));
        assert_eq!(boots("90s..45s"), Err("the quickest boot is longer than the slowest".into()));
        assert_eq!(boots("1s..1h"), Err("not between 1s and 6m".into()));
        assert_eq!(parse_maintenance("freeze=10s"), Ok((Maintenance::Freeze, Duration::from_secs(10))));
        for (text, part) in [
            ("freeze", "expected WHAT=SPAN"),
            ("nap=1s", "none of reboot, migration, freeze"),
            ("reboot=2h", "not between"),
        ] {
            assert!(parse_maintenance(text).is_err_and(|e| e.contains(part)), "{text}");
        }
    }
}

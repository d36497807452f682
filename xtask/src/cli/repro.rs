//! `repro`: a scenario again, as often as wanted, up to an event, and held there.

use super::arguments::{AccelArg, ClockArg, ColdArg, SecretsArg, World};
use super::exit::{Failure, Status, usage};
use super::interrupt::Interrupt;
use super::output::out;
use super::session::{new_run_path, run_cases, run_until, status_of};
use crate::lines::tell;
use crate::prepare::{GuestOptions, HostChoice, say};
use crate::report::{RunFolder, VerdictWord};
use crate::run::catalogue::{self, Case, unknown_scenario};
use crate::run::repetition::Repetition;
use anyhow::anyhow;
use clap::Args;
use std::collections::BTreeSet;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::timeout;
use vmhealth_sim::manifest::Architecture;
use vmhealth_sim::scenario::Pattern;

/// Of who listens to Ctrl-C.
const TURN: Duration = Duration::from_millis(1);
/// Shown below the options.
const EXAMPLES: &str = "\
Examples:
  repro killed-daemon/watchdog/reset
  repro runs/2026-11-26T10-00-00Z-77                              what did not pass in that run, or all of it
  repro runs/2026-11-26T10-00-00Z-77/qemu/run.your-own.manifest   one scenario of a run, as it was then
  repro killed-daemon/watchdog/reset --until 'qemu WATCHDOG' --freeze
  repro killed-daemon/watchdog/reset --world qemu --times 10";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Repro {
    /// A scenario's id, its folder in an earlier run, or the run's folder
    pub(super) what: String,
    /// Stop at this event, in the words of a scenario's `see:`; what comes after it is not judged
    #[arg(long, value_name = "EVENT", value_parser = parse_pattern)]
    pub(super) until: Option<Pattern>,
    /// Hold the guest where the run fails, or at --until's event: its time stands still, and its console, a shell, QMP and gdb
    /// can be reached until Ctrl-C
    #[arg(long)]
    pub(super) freeze: bool,
    /// Run it so often, and show what came of it and how far apart the same events were
    #[arg(long, value_name = "N", conflicts_with = "freeze")]
    pub(super) times: Option<NonZeroU16>,
    /// Where it runs: on QEMU, in the model, or both, compared
    #[arg(long, value_enum, default_value_t = World::Both)]
    pub(super) world: World,
    /// Where QEMU runs, as for e2e
    #[arg(long = "host", value_delimiter = ',')]
    pub(super) hosts: Vec<HostChoice>,
    #[command(flatten)]
    pub(super) accel: AccelArg,
    #[command(flatten)]
    pub(super) clock: ClockArg,
    #[command(flatten)]
    pub(super) cold: ColdArg,
    #[command(flatten)]
    pub(super) secrets: SecretsArg,
    /// The folder that the scenario is in, if it is not one of vmhealth's catalogue
    #[arg(long, value_name = "FOLDER")]
    pub(super) scenarios: Option<PathBuf>,
}

/// `qemu WATCHDOG`
fn parse_pattern(text: &str) -> Result<Pattern, String> {
    Pattern::try_from(text.to_owned())
}

impl Repro {
    /// The architectures of the guests that it boots; `None`: it boots none.
    pub(super) fn guests(&self) -> Option<BTreeSet<Architecture>> {
        (self.world != World::Model).then(|| catalogue::architectures(&self.cases().unwrap_or_default()))
    }

    fn cases(&self) -> Result<Vec<Case>, Failure> {
        let what = Path::new(&self.what);
        let mut cases = if what.join("result.json").exists() {
            vec![of_evidence(what, self.scenarios.as_deref())?]
        } else if what.join("results.json").exists() {
            of_run(what, self.scenarios.as_deref())?
        } else {
            vec![by_id(&self.what, self.scenarios.as_deref())?]
        };
        for case in &mut cases {
            case.scenario.spec.until.clone_from(&self.until);
        }
        Ok(cases)
    }

    pub(super) async fn run(self) -> Result<Status, Failure> {
        let cases = self.cases()?;
        if self.freeze && self.world == World::Model {
            return Err(usage(anyhow!("--freeze holds a guest, and the model has none: leave out --world model")));
        }
        if self.freeze && cases.len() > 1 {
            let ids: Vec<&str> = cases.iter().map(Case::id).collect();
            return Err(usage(anyhow!("--freeze holds one scenario; name one of {}", ids.join(", "))));
        }
        let (accel, clock, cold) = (self.accel.choice(), self.clock.choice(None)?, self.cold.cold);
        let (hosts, freeze) = (self.hosts, self.freeze);
        let options = GuestOptions { accel, clock, cold, hosts, freeze, ..GuestOptions::default() };
        let Some(times) = self.times else {
            let results = run_cases(cases, self.world, options, None, self.secrets).await?;
            if freeze && results.scenarios.iter().all(|s| s.verdict == VerdictWord::Pass) && self.until.is_none() {
                say("it passed: there was nothing to hold it at; --until EVENT names a moment");
            }
            return Ok(status_of(&results));
        };
        let (base, mut repetition, mut status) = (new_run_path(), Repetition::default(), Ok(Status::Passed));
        let mut interrupt: Option<Interrupt> = None;
        for i in 1..=times.get() {
            // Between two runs nobody else looks, and in the model nobody else gives the listener its turn.
            if let Some(interrupt) = &interrupt {
                let _ = timeout(TURN, interrupt.is_asked()).await;
                if let Err(asked) = interrupt.asked() {
                    status = Err(asked);
                    break;
                }
            }
            tell(&format!("{i} of {times}"));
            let folder = base.with_file_name(format!("{}-{i}", base.file_name().unwrap_or_default().display()));
            let (cases, options, secrets) = (cases.clone(), options.clone(), self.secrets.clone());
            match run_until(cases, self.world, options, Some(folder.clone()), secrets, &mut interrupt).await {
                Ok(results) => {
                    repetition.add(&results, &folder);
                    status = status.map(|so_far| so_far.worse(status_of(&results)));
                }
                // What is known so far is shown in any case.
                Err(failure) => {
                    status = Err(failure);
                    break;
                }
            }
        }
        out(&repetition.to_string())?;
        status
    }
}

fn by_id(id: &str, scenarios: Option<&Path>) -> Result<Case, Failure> {
    let cases = catalogue::read(scenarios).map_err(usage)?;
    cases.into_iter().find(|c| c.id() == id).ok_or_else(|| usage(anyhow!(unknown_scenario(id))))
}

/// A scenario of an earlier run, from the texts that it was run from; one of a run of an older vmhealth by its id.
fn of_evidence(folder: &Path, scenarios: Option<&Path>) -> Result<Case, Failure> {
    let text = std::fs::read_to_string(folder.join("result.json"))?;
    let result: serde_json::Value = serde_json::from_str(&text).map_err(usage)?;
    let word = |name: &str| result[name].as_str().unwrap_or_default();
    if shlex::split(word("repeat")).is_some_and(|words| words.iter().any(|w| w == "--image" || w == "--images")) {
        return Err(usage(anyhow!("it booted an image of your own; type: {}", word("repeat"))));
    }
    if !folder.join(catalogue::SCENARIO).exists() {
        return by_id(word("id"), scenarios);
    }
    catalogue::read_evidence(folder).map_err(|e| usage(anyhow!(e)))
}

/// What did not pass in a run, or all of it: each scenario once, whatever worlds it ran in.
fn of_run(folder: &Path, scenarios: Option<&Path>) -> Result<Vec<Case>, Failure> {
    let results = RunFolder::read(folder).map_err(usage)?;
    let passed = |s: &&crate::report::ScenarioResult| s.verdict == VerdictWord::Pass && s.divergences.is_empty();
    let all_passed = results.scenarios.iter().all(|s| passed(&s));
    let mut seen = BTreeSet::new();
    let wanted = results.scenarios.iter().filter(|s| all_passed || !passed(s)).filter(|s| seen.insert(s.id.clone()));
    wanted.map(|s| of_evidence(&folder.join(s.folder()), scenarios)).collect()
}

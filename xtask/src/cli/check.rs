//! `check`: files in, findings out.

use super::arguments::{UserDataArg, any_heartbeat};
use super::exit::{Failure, Status, infra, usage};
use super::output::write_report;
use crate::check::{Denied, Files, JsonReport, Junit, Output, ReadError, Sarif, Summary, check_input, files};
use crate::lines::{is_verbose, no_color};
use crate::own::refuse_heartbeat;
use crate::program;
use crate::report::pictures;
use anyhow::anyhow;
use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use vmhealth_sim::budget::Given;
use vmhealth_sim::check::gate::{self, ON_BY_DEFAULT};
use vmhealth_sim::check::{Checked, Checks, Kind, Layer, Names, Options, Verdict, explain, rules};
use vmhealth_sim::cluster::KubevirtVersion;
use vmhealth_sim::manifest::Architecture;
use vmhealth_sim::meant::is_like;
use vmhealth_sim::yaml::{Pos, YamlError};

/// Objects of other kinds, and parts that are not YAML: more are not looked at, because they are remembered.
const MAX_ASIDE: usize = 100_000;
/// Of parts that are not YAML, so many are named last.
const MAX_NAMED: usize = 100;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Manifests: files, directories (all *.yaml, *.yml and *.json below), or - for standard input
    #[arg(required_unless_present = "explain")]
    pub(super) files: Vec<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t = CheckFormat::Human)]
    pub(super) format: CheckFormat,
    /// The cluster's default architecture, for manifests that name none
    #[arg(long = "arch", default_value_t = Architecture::Amd64)]
    pub(super) architecture: Architecture,
    /// How long the guest takes from its start until it answers its probes. If absent: 60s
    #[arg(long, value_parser = duration)]
    pub(super) boot: Option<Duration>,
    /// A KubeVirt feature gate that is on by default and off in your cluster; may be repeated
    #[arg(long = "without-gate", value_name = "GATE", value_parser = PossibleValuesParser::new(ON_BY_DEFAULT))]
    pub(super) without_gates: Vec<String>,
    /// A KubeVirt feature gate that is on in your cluster and off by default in its release; may be repeated
    #[arg(long = "with-gate", value_name = "GATE", value_parser = PossibleValuesParser::new(gate::all()))]
    pub(super) with_gates: Vec<String>,
    /// The cluster's KubeVirt release, like v1.4 (OpenShift 4.18)
    #[arg(long, value_name = "VERSION", default_value_t = KubevirtVersion::default())]
    pub(super) kubevirt_version: KubevirtVersion,
    /// Also show how long it takes from each fault until it is detected, until the cluster acts, and until the guest is back
    #[arg(long)]
    pub(super) budgets: bool,
    /// For --budgets: how long a healthy guest takes to shut down. If absent: 10s
    #[arg(long, value_parser = duration)]
    pub(super) shutdown: Option<Duration>,
    /// For --budgets: the watchdog daemon's timeout in seconds, where the user data sets none. If absent: 60
    #[arg(long, value_parser = clap::value_parser!(u32).range(any_heartbeat()))]
    pub(super) heartbeat: Option<u32>,
    /// For --budgets: `kernel.panic` of the guest, the seconds after which a panicked kernel reboots, where the user data sets
    /// none; 0: never, negative: at once. If absent: 0
    #[arg(long, allow_hyphen_values = true)]
    pub(super) panic_timer: Option<i32>,
    /// Write a picture, too: a page with each finding in its lines, and with --budgets a bar for each fault and who notices it
    #[arg(long, value_name = "FILE.html", conflicts_with = "explain")]
    pub(super) report: Option<PathBuf>,
    #[command(flatten)]
    pub(super) user_data: UserDataArg,
    /// Exit with 1 also for these: `warnings`, `notes` (and warnings), or the code of a finding; may be repeated
    #[arg(long, value_name = "WHAT", value_parser = str::parse::<Denied>)]
    pub(super) deny: Vec<Denied>,
    /// Explain the code of a finding; without one, list all codes
    #[arg(long, value_name = "CODE", num_args = 0..=1, default_missing_value = "", conflicts_with = "files")]
    pub(super) explain: Option<String>,
}

/// What `check` prints on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CheckFormat {
    /// Each finding with its line
    Human,
    /// Everything, for programs
    Json,
    /// Of many VMs: a line for each kind of finding, and how many are accepted
    Summary,
    /// Workflow commands: GitHub shows them at the lines of a change
    Github,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit: a test case for each file and kind of finding
    Junit,
}

impl CheckFormat {
    /// `deny`: what fails, too.
    fn output(self, deny: &[Denied]) -> Output {
        match self {
            CheckFormat::Human => {
                Output::Human { colour: io::stdout().is_terminal() && !no_color(), verbose: is_verbose() }
            }
            CheckFormat::Json => Output::Json(JsonReport::default()),
            CheckFormat::Summary => Output::Summary(Summary::default()),
            CheckFormat::Github => Output::Github,
            CheckFormat::Sarif => Output::Sarif(Sarif::default()),
            CheckFormat::Junit => Output::Junit(Junit::new(deny.to_vec())),
        }
    }
}

impl Check {
    /// Checks the files, or explains a code.
    pub(super) fn run(self) -> Result<Status, Failure> {
        if let Some(word) = &self.explain {
            return explanation(word);
        }
        let ours = Options::default();
        let options = Options {
            architecture: self.architecture,
            boot: self.boot.unwrap_or(ours.boot),
            without_gates: self.without_gates,
            with_gates: self.with_gates,
            kubevirt: self.kubevirt_version,
        };
        let given = Given {
            boot: self.boot,
            shutdown: self.shutdown,
            heartbeat: self.heartbeat,
            panic_timer: self.panic_timer,
        };
        if self.budgets && !matches!(self.format, CheckFormat::Human | CheckFormat::Json) {
            return Err(usage(anyhow!("--budgets is for --format human and json")));
        }
        let budgets = self.budgets.then_some(&given);
        let user_data = self.user_data.read()?;
        if user_data.is_some() && !self.budgets {
            return Err(usage(anyhow!("--user-data is for --budgets: it changes no finding")));
        }
        let Files { files, left_out, unreadable: directories } = files(&self.files);
        left_out.iter().for_each(|line| eprintln!("{line}"));
        let (mut output, mut out) = (self.format.output(&self.deny), BufWriter::new(io::stdout().lock()));
        let mut parts = self.report.as_ref().map(|_| pictures::Parts::default());
        let (mut fine, mut manifests, mut aside) = (true, 0, 0);
        let (mut without, mut unreadable, mut names) = (Vec::new(), Vec::new(), Names::default());
        let mut refuse = |output: &mut Output, file: &str, error: &YamlError| {
            unreadable.push(format!("{file}:{error}"));
            output.add_unreadable(file, error)
        };
        out.write_all(output.begin().as_bytes())?;
        for (path, error) in directories {
            let text = refuse(&mut output, &path.display().to_string(), &cannot_be_read(&error));
            out.write_all(text.as_bytes())?;
        }
        for (path, named) in files {
            let (file, before) = (path.display().to_string(), manifests);
            let input = match open(&path) {
                Ok(input) => input,
                Err(e) => {
                    out.write_all(refuse(&mut output, &file, &cannot_be_read(&e)).as_bytes())?;
                    continue;
                }
            };
            let read = check_input::<Stop>(&file, input, &options, &mut names, |piece, checks| {
                let text = match checks {
                    Ok(Checks { manifests: found, skipped, unjudged, .. }) => {
                        manifests += found.len();
                        aside += skipped.len() + unjudged.len();
                        let is_denied = |m: &Checked| m.findings.iter().any(|f| self.deny.iter().any(|d| d.is(f)));
                        fine &= found.iter().all(|m| m.verdict == Verdict::Accepted && !is_denied(m));
                        let mut text = String::new();
                        for mut checked in found {
                            if let (Some(data), Some(vm)) = (&user_data, &mut checked.vm) {
                                // Of many VMs those that have theirs in a Secret.
                                let _ = vm.vmi.reveal_user_data(data);
                            }
                            // What a heartbeat is refused for has no budgets; its findings stay.
                            let refused = budgets.and_then(|_| refused_heartbeat(self.heartbeat, &checked));
                            let budgets = budgets.filter(|_| refused.is_none());
                            let one = Checks { manifests: vec![checked], ..Checks::default() };
                            if let (Some(parts), [checked]) = (&mut parts, one.manifests.as_slice()) {
                                parts.add(&file, (piece.first.line, &piece.text), checked, budgets);
                            }
                            text += &output.add(&file, piece, &one, budgets).map_err(infra)?;
                            if let Some(error) = refused {
                                aside += 1;
                                text += &refuse(&mut output, &file, &error);
                            }
                        }
                        for error in &unjudged {
                            text += &refuse(&mut output, &file, error);
                        }
                        text + &output
                            .add(&file, piece, &Checks { skipped, ..Checks::default() }, None)
                            .map_err(infra)?
                    }
                    Err(e) => {
                        aside += 1;
                        refuse(&mut output, &file, &e)
                    }
                };
                if aside > MAX_ASIDE {
                    let message =
                        format!("more than {MAX_ASIDE} objects that are no VMs or cannot be checked: check them apart");
                    return Err(Stop::Unread(YamlError { pos: piece.first, message }));
                }
                out.write_all(text.as_bytes()).map_err(|e| Stop::Here(e.into()))
            });
            match read {
                Ok(()) => {}
                Err(Stop::Here(failure)) => return Err(failure),
                Err(Stop::Unread(e)) => {
                    let text = refuse(&mut output, &file, &e);
                    out.write_all(text.as_bytes())?;
                }
            }
            if named && manifests == before {
                without.push(file);
            }
        }
        out.write_all(output.end().map_err(infra)?.as_bytes())?;
        out.flush()?;
        if let (Some(file), Some(parts)) = (&self.report, parts) {
            write_report(file, &parts.page().map_err(infra)?)?;
        }
        if !unreadable.is_empty() {
            let more = unreadable.len().saturating_sub(MAX_NAMED);
            let more = if more > 0 { format!("\n... and {more} more") } else { String::new() };
            unreadable.truncate(MAX_NAMED);
            return Err(usage(anyhow!("{}{more}", unreadable.join("\n"))));
        }
        if manifests == 0 && without.is_empty() {
            without = self.files.iter().map(|path| path.display().to_string()).collect();
        }
        if !without.is_empty() {
            return Err(usage(anyhow!(
                "no VirtualMachine, nothing that makes one and nothing that one names in {}",
                without.join(", ")
            )));
        }
        Ok(if fine { Status::Passed } else { Status::Failed })
    }
}

/// Why a file is not looked at any further.
enum Stop {
    /// Nor is any other.
    Here(Failure),
    /// It is no text, or the system cannot read it.
    Unread(YamlError),
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Stop {
        match error {
            ReadError::Text { error, .. } => Stop::Unread(error),
            ReadError::Io { error, .. } => Stop::Unread(cannot_be_read(&error)),
        }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Here(failure)
    }
}

/// A duration of at most a year.
fn duration(text: &str) -> Result<Duration, String> {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    let duration = humantime::parse_duration(text).map_err(|e| e.to_string())?;
    if duration > YEAR { Err("at most a year: 365d".to_owned()) } else { Ok(duration) }
}

/// Why the watchdog does not take the heartbeat; what user data sets wins.
fn refused_heartbeat(heartbeat: Option<u32>, checked: &Checked) -> Option<YamlError> {
    let vm = checked.vm.as_ref().filter(|vm| vm.vmi.user_data.heartbeat.is_none())?;
    let refusal = refuse_heartbeat(heartbeat, vm).err()?;
    Some(YamlError { pos: checked.pos, message: refusal.to_string() })
}

fn cannot_be_read(error: &io::Error) -> YamlError {
    YamlError { pos: Pos { line: 1, column: 1 }, message: format!("cannot be read: {error}") }
}

/// Standard input is `-`.
fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    if path.as_os_str() == "-" { Ok(Box::new(io::stdin())) } else { Ok(Box::new(File::open(path)?)) }
}

/// Every code by layer, a line each with the beginning of its story.
fn all_codes() -> String {
    let mut text = String::new();
    let mut all: Vec<_> = rules().iter().collect();
    all.sort_by_key(|rule| (rule.layer, rule.code));
    for rule in all {
        let first = rule.story.split_once(". ").map_or(rule.story, |(first, _)| first).trim_end_matches('.');
        text += &format!("{:<14} {:<7} {:<44} {first}\n", rule.layer.as_str(), rule.rank.as_str(), rule.code);
    }
    text
}

fn explanation(word: &str) -> Result<Status, Failure> {
    if word.is_empty() {
        print!("{}", all_codes());
        return Ok(Status::Passed);
    }
    let Some(rule) = explain(word) else {
        let near = rules().iter().map(|rule| rule.code).filter(|code| code.contains(word) || is_like(word, code));
        let near: Vec<&str> = near.collect();
        let near = if near.is_empty() { String::new() } else { format!(", near it are {}", near.join(", ")) };
        return Err(usage(anyhow!("no code {word:?}{near}; --explain alone lists all")));
    };
    println!("{} ({}, {})\n\n{}\n", rule.code, rule.rank.as_str(), rule.layer, rule.story);
    // A hazard's story says what is seen.
    if rule.layer != Layer::Hazard {
        println!("What you see: {}.", rule.layer.outcome(Kind::VirtualMachine, None));
    }
    println!("Source: {} (sim/docs is in vmhealth's sources).", rule.source);
    for id in rule.shown_by {
        println!("See it happen: {} repro {id}", program::name());
    }
    Ok(Status::Passed)
}

//! `judge`: a recording of a real cluster against a scenario.

use super::arguments::Format;
use super::exit::{Failure, Status, infra, usage};
use super::output::out;
use crate::bounded;
use crate::recording::{hold, read};
use crate::report::plain;
use crate::run::catalogue::{self, Case, unknown_scenario};
use anyhow::anyhow;
use clap::Args;
use std::path::{Path, PathBuf};

/// Shown below the options.
const EXAMPLES: &str = "Example:
  for kind in vm vmi events; do kubectl get $kind -n shop -w -o json > $kind.json & done     (before the VM starts)
  ...; kill $(jobs -p)                                                                       (when all is over)
  judge pinned/kernel-panic.yaml vm.json vmi.json events.json

kubectl watches one kind at a time; the recordings are joined by the objects' times. They are compared with the model in the order of events of each object; times in a cluster's objects are whole seconds, and are not \
compared.

Exit status 1: they differ.";

/// Of a recording, bytes.
const LARGEST: u64 = 64 << 20;
/// Recordings.
const MOST: usize = 16;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Judge {
    /// A scenario's file, or the id of one of the catalogue
    pub(super) scenario: String,
    /// What `kubectl get KIND -w -o json` printed of vm, vmi and events, a file for each
    #[arg(required = true)]
    pub(super) recordings: Vec<PathBuf>,
    /// The VM's name in the cluster. If absent: the manifest's
    #[arg(long)]
    pub(super) name: Option<String>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
}

impl Judge {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let case = self.case()?;
        if self.recordings.len() > MOST {
            return Err(usage(anyhow!("{} recordings, at most {MOST}", self.recordings.len())));
        }
        let texts = self.recordings.iter().map(|file| bounded::text(file, LARGEST).map_err(|e| usage(anyhow!(e))));
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let name = self.name.as_deref().unwrap_or(&case.manifest.name);
        let recording = read(&texts, name).map_err(|e| usage(anyhow!(e)))?;
        let held = hold(&case, &recording);
        match self.format {
            Format::Json => {
                let value = serde_json::json!({
                    "schema": 1, "scenario": case.id(), "compared": held.compared, "divergences": held.divergences,
                    "objects": recording.objects, "passed_over": recording.passed_over,
                });
                out(&(serde_json::to_string_pretty(&value).map_err(infra)? + "\n"))?;
            }
            Format::Human => {
                held.divergences.iter().try_for_each(|d| out(&format!("{d}\n\n")))?;
                let (objects, passed_over) = (recording.objects, recording.passed_over);
                out(&format!(
                    "{}: {} events of the model, {} divergences; {objects} objects were read, {passed_over} say nothing of {}\n",
                    case.id(),
                    held.compared,
                    held.divergences.len(),
                    plain(name)
                ))?;
            }
        }
        Ok(if held.divergences.is_empty() { Status::Passed } else { Status::Failed })
    }

    fn case(&self) -> Result<Case, Failure> {
        let file = Path::new(&self.scenario);
        if file.is_file() {
            return catalogue::read_case(file).map_err(|e| usage(anyhow!(e)));
        }
        let all = catalogue::read(None).map_err(usage)?;
        let found = all.into_iter().find(|c| c.id() == self.scenario);
        found.ok_or_else(|| {
            usage(anyhow!("{}: no file is there, and {}", self.scenario, unknown_scenario(&self.scenario)))
        })
    }
}

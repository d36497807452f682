//! The scenario catalogue: the repository's, which is part of this program, or a folder of the user's own. A scenario file
//! names the manifest that stands beside it.

use crate::program;
use crate::report::About;
use crate::shard;
use include_dir::{Dir, include_dir};
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vmhealth_sim::devices::fires_after;
use vmhealth_sim::manifest::{self, Architecture, Petter, VirtualMachine, WatchdogModel};
use vmhealth_sim::scenario::{GuestProfile, Scenario};

/// A scenario with its manifest read.
#[derive(Debug, Clone)]
pub struct Case {
    /// The scenario.
    pub scenario: Scenario,
    /// The scenario's file; one of the repository's own is named by its path in the repository.
    pub file: PathBuf,
    /// The manifest that it names.
    pub manifest: Arc<VirtualMachine>,
    /// The command that runs it again; `{world}` stands for the world.
    pub again: String,
    /// What it was read from, for its evidence.
    pub texts: Arc<Texts>,
}

/// The texts of a scenario and of its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// The scenario's.
    pub scenario: String,
    /// The manifest's.
    pub manifest: String,
    /// What lies in the Secret that the manifest names as its user data.
    pub user_data: Option<Vec<u8>>,
}

impl Case {
    /// `fault/detector/action`.
    pub fn id(&self) -> &str {
        &self.scenario.metadata.id
    }

    /// The architecture of its guests.
    pub fn architecture(&self) -> Architecture {
        self.manifest.vmi.architecture
    }

    /// What a reader of its results has to know of it.
    pub(crate) fn about(&self) -> About {
        let text = embedded_text(&self.file).or_else(|_| text(&self.file)).unwrap_or_default();
        let fires = self.scenario.spec.guest.petting().and_then(|p| {
            Some(fires_after(self.manifest.vmi.watchdog_in_guest(p.device)?, p.heartbeat_seconds).as_secs_f64())
        });
        About {
            summary: self.scenario.metadata.summary.clone(),
            file: self.file.display().to_string(),
            line: (1..).zip(text.lines()).find(|(_, line)| line.contains(self.id())).map_or(1, |(number, _)| number),
            watchdog_s: fires,
        }
    }
}

/// Why the catalogue cannot be used: every problem of every file, a line each.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct CatalogueError(pub Vec<String>);

/// The repository's catalogue, as it was when this program was built.
static EMBEDDED: Dir = include_dir!("$CARGO_MANIFEST_DIR/../tests/scenarios");
/// Where its files stand in the repository.
const EMBEDDED_FOLDER: &str = "tests/scenarios";

/// Reads the scenarios of `folder`, or this program's own, by id.
pub fn read(folder: Option<&Path>) -> Result<Vec<Case>, CatalogueError> {
    match folder {
        Some(folder) => read_folder(folder),
        None => {
            let files = EMBEDDED.files().map(|f| Path::new(EMBEDDED_FOLDER).join(f.path()));
            collect(files, |file| case(file, &embedded_text, "".into()))
        }
    }
}

fn embedded_text(file: &Path) -> Result<String, String> {
    let embedded = file.strip_prefix(EMBEDDED_FOLDER).ok().and_then(|f| EMBEDDED.get_file(f));
    let text = embedded.and_then(|f| f.contents_utf8()).map(str::to_owned);
    text.ok_or_else(|| format!("{}: there is no such file in the catalogue", file.display()))
}

fn text(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|e| format!("{}: cannot be read: {e}", file.display()))
}

fn read_folder(folder: &Path) -> Result<Vec<Case>, CatalogueError> {
    let entries = std::fs::read_dir(folder).map_err(|e| CatalogueError(vec![format!("{}: {e}", folder.display())]))?;
    collect(entries.flatten().map(|e| e.path()), read_case)
}

/// Reads one scenario file and its manifest.
pub fn read_case(file: &Path) -> Result<Case, String> {
    let folder = std::path::absolute(file).unwrap_or(file.to_owned());
    let folder = folder.parent().unwrap_or(Path::new("")).display().to_string();
    case(file, &text, folder)
}

/// `folder`: what says where the scenario is when it is to be run again; empty for the embedded ones.
fn case(file: &Path, text: &dyn Fn(&Path) -> Result<String, String>, folder: String) -> Result<Case, String> {
    let again = |id: &str| match folder.as_str() {
        "" => program::command_line(["repro", id]),
        folder => program::command_line(["repro", id, "--scenarios", folder]),
    };
    assemble(file, text, |named| file.with_file_name(named), again)
}

/// A scenario out of its evidence in an earlier run: its texts as they were then.
pub fn read_evidence(folder: &Path) -> Result<Case, String> {
    let place = folder.display().to_string();
    let again = |_: &str| program::command_line(["repro", &place]);
    let mut case = assemble(&folder.join(SCENARIO), &text, |_| folder.join(MANIFEST), again)?;
    if let Ok(data) = std::fs::read(folder.join(SECRET)) {
        Arc::make_mut(&mut case.manifest).vmi.reveal_user_data(&data)?;
        Arc::make_mut(&mut case.texts).user_data = Some(data);
    }
    Ok(case)
}

/// In a scenario's evidence: its text, and its manifest's.
pub(crate) const SCENARIO: &str = "scenario.yaml";
pub(crate) const MANIFEST: &str = "manifest.yaml";
/// And what lay in the Secret that it names.
pub(crate) const SECRET: &str = "secret-user-data";

/// `manifest`: the manifest's file, from its name in the scenario. `again`: the command that runs this id again.
fn assemble(
    file: &Path,
    text: &dyn Fn(&Path) -> Result<String, String>,
    manifest: impl Fn(&str) -> PathBuf,
    again: impl Fn(&str) -> String,
) -> Result<Case, String> {
    let scenario_text = text(file)?;
    let scenario = Scenario::read(&scenario_text).map_err(|e| {
        let problems: Vec<String> = e.problems.iter().map(|p| format!("{}:{p}", file.display())).collect();
        problems.join("\n")
    })?;
    let manifest_file = manifest(&scenario.spec.manifest);
    let name = manifest_file.display().to_string();
    let manifest_text = text(&manifest_file)?;
    let manifest = manifest::read(&name, &manifest_text).map_err(|e| e.to_string())?;
    if let Some(problem) = petting_problem(&scenario.spec.guest, &manifest, &name) {
        return Err(format!("{}: spec.guest.{problem}", file.display()));
    }
    let again = again(&scenario.metadata.id) + " --world {world}";
    let texts = Arc::new(Texts { scenario: scenario_text, manifest: manifest_text, user_data: None });
    Ok(Case { file: file.to_owned(), manifest: Arc::new(manifest), again, scenario, texts })
}

/// What is wrong with who is to pet the watchdog in a guest of this manifest.
fn petting_problem(guest: &GuestProfile, manifest: &VirtualMachine, manifest_file: &str) -> Option<String> {
    let petting = guest.petting()?;
    let field = match petting.by {
        Petter::Daemon => "watchdogDaemon",
        Petter::Systemd => "watchdogBySystemd",
        Petter::Busybox => "watchdogByBusybox",
    };
    match (petting.device, manifest.vmi.watchdog_in_guest(petting.device)) {
        (Some(device), None) => {
            let known = manifest.vmi.watchdog_in_guest(None).map_or("none", WatchdogModel::as_str);
            Some(format!("{field}.device: {manifest_file} has no {}; what it has is {known}", device.as_str()))
        }
        (device, _) => {
            let why = manifest.vmi.heartbeat_refusal(device, petting.heartbeat_seconds)?;
            Some(format!("{field}.heartbeatSeconds: {why}"))
        }
    }
}

fn collect(
    files: impl Iterator<Item = PathBuf>,
    read: impl Fn(&Path) -> Result<Case, String>,
) -> Result<Vec<Case>, CatalogueError> {
    let (mut cases, mut problems) = (BTreeMap::new(), Vec::new());
    for file in files.filter(|f| f.extension().is_some_and(|e| e == "yaml")) {
        match read(&file) {
            // Nobody has told the model which daemon that is.
            Ok(case) if case.scenario.spec.guest.own_watchdog_daemon => {
                problems.push(format!("{}: spec.guest.ownWatchdogDaemon is for `run --image` only", file.display()));
            }
            Ok(case) => {
                let id = case.id().to_owned();
                if let Some(other) = cases.insert(id.clone(), case) {
                    problems.push(format!("{}: {id} is also the id of {}", file.display(), other.file.display()));
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(cases.into_values().collect()) } else { Err(CatalogueError(problems)) }
}

/// The texts of all manifests of the repository's catalogue.
pub fn manifests() -> Vec<String> {
    let folder = EMBEDDED.get_dir("manifests");
    let files = folder.into_iter().flat_map(Dir::files);
    files.filter_map(|f| f.contents_utf8()).map(str::to_owned).collect()
}

/// The `k`th of `n` parts of the cases (from 1), by a hash of the id: a new scenario moves no other one.
pub fn shard(cases: Vec<Case>, k: u64, n: u64) -> Vec<Case> {
    cases.into_iter().filter(|case| shard::is_in(case.id(), (k, n))).collect()
}

/// What to say of an id that no scenario has.
pub fn unknown_scenario(id: &str) -> String {
    format!("no scenario is called {id:?}; `{} e2e --list` shows them all", program::name())
}

/// The architectures of the cases' guests.
pub fn architectures(cases: &[Case]) -> BTreeSet<Architecture> {
    cases.iter().map(Case::architecture).collect()
}

/// The cases that the filters name: an id, a part of one, or a tag. A slow one only by its id, its tag, or a part that no other id
/// has. Without filters all but the slow ones. A filter that names nothing is an error, and so is a choice of nothing.
pub fn select(cases: Vec<Case>, filters: &[String]) -> Result<Vec<Case>, CatalogueError> {
    let names = |f: &String, c: &Case| {
        let exact = c.id() == f || c.scenario.metadata.tags.contains(f);
        let part_of = |c: &Case| c.id().contains(f.as_str());
        // Slow ones only where nothing else is meant.
        let is_meant = |c: &Case| !c.scenario.is_slow() || !cases.iter().any(|c| part_of(c) && !c.scenario.is_slow());
        exact || part_of(c) && is_meant(c) && !cases.iter().any(|c| c.id() == f)
    };
    let unknown: Vec<String> =
        filters.iter().filter(|f| !cases.iter().any(|c| names(f, c))).map(|f| unknown_scenario(f)).collect();
    if !unknown.is_empty() {
        return Err(CatalogueError(unknown));
    }
    let default = |c: &Case| filters.is_empty() && !c.scenario.is_slow();
    let keep: Vec<bool> = cases.iter().map(|c| default(c) || filters.iter().any(|f| names(f, c))).collect();
    if !keep.contains(&true) {
        return Err(CatalogueError(vec!["no scenario is chosen; scenario files are *.yaml".into()]));
    }
    Ok(cases.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(case, _)| case).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_scenario_is_chosen_by_what_no_other_is_called() {
        let chosen = |filter: &str| {
            let cases = select(read(None).unwrap(), &[filter.to_owned()]);
            cases.map(|cases| cases.iter().map(|case| case.scenario.is_slow()).collect::<Vec<bool>>())
        };
        assert!(chosen("long-reboot").unwrap().iter().all(|slow| *slow));
        assert!(chosen("readiness-http").unwrap().iter().all(|slow| !slow));
        assert_eq!(chosen("soft-lockup/watchdog/reset").unwrap(), [true]);
        assert!(chosen("no-such-scenario").is_err());
    }
}

//! The scenario catalogue: files under `tests/scenarios`, each with the manifest beside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vmhealth_images::digest;
use vmhealth_sim::manifest::{self, Architecture, VirtualMachine, WatchdogModel};
use vmhealth_sim::scenario::Scenario;

/// A scenario with its manifest read.
#[derive(Debug, Clone)]
pub struct Case {
    /// The scenario.
    pub scenario: Scenario,
    /// Its file.
    pub file: PathBuf,
    /// Its manifest.
    pub manifest: Arc<VirtualMachine>,
    /// The command that runs it again; `{world}` stands for the world.
    pub again: String,
}

impl Case {
    /// `fault/detector/action`.
    pub fn id(&self) -> &str {
        &self.scenario.metadata.id
    }

    /// Its guests'.
    pub fn architecture(&self) -> Architecture {
        self.manifest.vmi.architecture
    }
}

/// Why the catalogue cannot be used: every problem of every file, a line each.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct CatalogueError(pub Vec<String>);

/// The catalogue of this repository.
pub fn own_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// Reads one scenario file and its manifest.
pub fn read_case(file: &Path) -> Result<Case, String> {
    let read =
        |path: &Path| std::fs::read_to_string(path).map_err(|e| format!("{}: cannot be read: {e}", path.display()));
    let scenario = Scenario::read(&read(file)?).map_err(|e| format!("{}:{e}", file.display()))?;
    let manifest_file = file.with_file_name(&scenario.spec.manifest);
    let text = read(&manifest_file)?;
    let manifest = manifest::read(&manifest_file.display().to_string(), &text).map_err(|e| e.to_string())?;
    if let Some(device) = scenario.spec.guest.watchdog_daemon.as_ref().and_then(|d| d.device)
        && manifest.vmi.watchdog_in_guest(Some(device)).is_none()
    {
        let (file, name) = (file.display(), device.as_str());
        let known = manifest.vmi.watchdog_in_guest(None).map_or("none", WatchdogModel::as_str);
        return Err(format!(
            "{file}: spec.guest.watchdogDaemon.device: {} has no {name}; what it has is {known}",
            manifest_file.display()
        ));
    }
    if let Some(daemon) = &scenario.spec.guest.watchdog_daemon
        && let Some(why) = manifest.vmi.heartbeat_refusal(daemon.device, daemon.heartbeat_seconds)
    {
        return Err(format!("{}: spec.guest.watchdogDaemon.heartbeatSeconds: {why}", file.display()));
    }
    let id = &scenario.metadata.id;
    let again = match file.parent() {
        Some(folder) if folder != own_folder() => {
            format!("cargo xtask e2e {id} --scenarios {} --world {{world}}", folder.display())
        }
        _ => format!("cargo xtask repro {id} --world {{world}}"),
    };
    Ok(Case { file: file.to_owned(), manifest: Arc::new(manifest), again, scenario })
}

/// Reads every scenario in `folder`, by id.
pub fn read(folder: &Path) -> Result<Vec<Case>, CatalogueError> {
    let entries = std::fs::read_dir(folder).map_err(|e| CatalogueError(vec![format!("{}: {e}", folder.display())]))?;
    let (mut cases, mut problems) = (BTreeMap::new(), Vec::new());
    for entry in entries.flatten() {
        let file = entry.path();
        if file.extension().is_none_or(|e| e != "yaml") {
            continue;
        }
        match read_case(&file) {
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

/// The texts of all manifests that the scenarios in `folder` stand beside.
pub fn manifests(folder: &Path) -> Result<Vec<String>, CatalogueError> {
    let folder = folder.join("manifests");
    let failed = |e: std::io::Error| CatalogueError(vec![format!("{}: {e}", folder.display())]);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).map_err(failed)?.flatten().map(|e| e.path()).collect();
    files.sort();
    files.iter().map(|f| std::fs::read_to_string(f).map_err(failed)).collect()
}

/// The `k`th of `n` parts of the cases (from 1), by a hash of the id: a new scenario moves no other one.
pub fn shard(cases: Vec<Case>, k: u64, n: u64) -> Vec<Case> {
    let part = |case: &Case| {
        let digest = digest::of_bytes(case.id().as_bytes());
        // 60 of 256 bits: digits of a hash that always has so many.
        u64::from_str_radix(digest.get(..15).unwrap_or_default(), 16).unwrap_or_default() % n.max(1)
    };
    cases.into_iter().filter(|case| part(case) + 1 == k).collect()
}

/// The cases that the filters name: an id, a part of one, or a tag. A slow one only by its id or its tag. Without filters
/// all but the slow ones. A filter that names nothing is an error, and so is a choice of nothing.
pub fn select(cases: Vec<Case>, filters: &[String]) -> Result<Vec<Case>, CatalogueError> {
    let names = |f: &String, c: &Case| {
        let exact = c.id() == f || c.scenario.metadata.tags.contains(f);
        exact || c.id().contains(f.as_str()) && !c.scenario.is_slow() && !cases.iter().any(|c| c.id() == f)
    };
    let unknown: Vec<String> = filters
        .iter()
        .filter(|f| !cases.iter().any(|c| names(f, c)))
        .map(|f| format!("no scenario is called {f:?}; `cargo xtask e2e --list` shows them all"))
        .collect();
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

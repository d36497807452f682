//! The run folders of all shards put together as if they had been one run.

use super::folder::RunFolder;
use super::results::{Conformance, Results, ScenarioResult};
use super::secrets::Secrets;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Merges `runs` into `out`, which must be new or empty. One scenario may be in one run only.
pub fn merge(runs: &[PathBuf], out: &Path) -> io::Result<Results> {
    let mut scenarios = Vec::new();
    let mut conformance = Conformance::default();
    let (mut machine, mut hidden) = (None, 0_usize);
    let mut seen = BTreeSet::new();
    for run in runs {
        let results = RunFolder::read(run)?;
        for scenario in &results.scenarios {
            if !seen.insert((scenario.id.clone(), scenario.place())) {
                let text = format!("{} ({}) is also in {}", scenario.id, scenario.place(), run.display());
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
        }
        conformance += results.conformance;
        hidden = results.hidden.saturating_add(hidden);
        machine.get_or_insert(results.machine);
        scenarios.extend(results.scenarios);
    }
    // A run has both worlds of a scenario one after the other, the model first.
    scenarios.sort_by(|a, b| (&a.id, a.place()).cmp(&(&b.id, b.place())));
    let secrets = runs.iter().map(|run| Secrets::of_run(run)).collect::<io::Result<Vec<_>>>()?;
    let folder = RunFolder::create(out)?.hiding(Secrets::together(secrets))?;
    for run in runs {
        let places: BTreeSet<String> = results_of(run)?.iter().map(ScenarioResult::place).collect();
        for place in places {
            copy(&run.join(&place), &folder.path().join(&place))?;
        }
    }
    let merged = Results::new(scenarios, conformance, machine.unwrap_or_default());
    folder.finish(&Results { hidden, ..merged })
}

fn results_of(run: &Path) -> io::Result<Vec<ScenarioResult>> {
    Ok(RunFolder::read(run)?.scenarios)
}

/// Everything below `from`, if it is there.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(from) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    fs::create_dir_all(to)?;
    for entry in entries {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&from, &to)?;
        } else if kind.is_file() {
            fs::copy(&from, &to)?;
        } else {
            // No run leaves one; it may lead out of the run's folder, or have no end.
            let text = format!("{} is neither a file nor a folder: remove it", from.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// What is in a run's folder may have been put there by somebody else.
    #[test]
    fn nothing_from_outside_of_a_run_is_copied() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        fs::create_dir(&run).unwrap();
        fs::write(run.join("file"), "its own").unwrap();
        copy(&run, &folder.path().join("copy")).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("copy/file")).unwrap(), "its own");
        fs::write(folder.path().join("secret"), "not its own").unwrap();
        symlink(folder.path().join("secret"), run.join("link")).unwrap();
        let error = copy(&run, &folder.path().join("again")).unwrap_err().to_string();
        assert!(error.contains("run/link is neither a file nor a folder"), "{error}");
        assert!(!folder.path().join("again/link").exists());
    }
}

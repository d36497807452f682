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
    let (mut machine, mut hidden) = (None, 0);
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
        hidden += results.hidden;
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
        if entry.file_type()?.is_dir() {
            copy(&from, &to)?;
        } else {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

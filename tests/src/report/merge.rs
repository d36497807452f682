//! The run folders of all shards put together as if they had been one run.

use super::folder::RunFolder;
use super::results::Results;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Merges `runs` into `out`, which must be new or empty. One scenario may be in one run only.
pub fn merge(runs: &[PathBuf], out: &Path) -> io::Result<Results> {
    let mut scenarios = Vec::new();
    let mut conformance = super::Conformance::default();
    let mut machine = None;
    let mut seen = BTreeSet::new();
    for run in runs {
        let results = RunFolder::read(run)?;
        for scenario in &results.scenarios {
            if !seen.insert((scenario.id.clone(), scenario.world.clone())) {
                let text = format!("{} ({}) is also in {}", scenario.id, scenario.world, run.display());
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
        }
        conformance += results.conformance;
        machine.get_or_insert(results.machine);
        scenarios.extend(results.scenarios);
    }
    // A run has both worlds of a scenario one after the other, the model first.
    scenarios.sort_by(|a, b| (&a.id, &a.world).cmp(&(&b.id, &b.world)));
    let folder = RunFolder::create(out)?;
    for run in runs {
        for world in ["model", "qemu"].map(|w| (run.join(w), folder.path().join(w))) {
            copy(&world.0, &world.1)?;
        }
    }
    let results = Results::new(scenarios, conformance, machine.unwrap_or_default());
    folder.finish(&results)?;
    Ok(results)
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

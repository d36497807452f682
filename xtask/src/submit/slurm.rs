//! Slurm: the shards as a job array.

use super::shards::Shards;
use std::io;
use std::path::Path;
use std::process::Command;

/// Why nothing was submitted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// What was asked for cannot be.
    #[error("{0}")]
    Invalid(String),
    /// The folder cannot be written to.
    #[error("{path}: {source}")]
    Folder {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// `sbatch` is not there, or has refused.
    #[error("{0}")]
    Refused(String),
}

/// What array task this is.
const NUMBER: &str = "$SLURM_ARRAY_TASK_ID";

/// Writes the script `shards.sh` into the shared folder and hands it to `sbatch` with `options` of the user's; the job's number. With
/// `dry_run` only the command is said.
pub fn submit(shards: &Shards, options: &[String], dry_run: bool) -> Result<String, SubmitError> {
    let script = shards.script(NUMBER).map_err(SubmitError::Invalid)?;
    let folder = Path::new(&shards.folder);
    let file = folder.join("shards.sh");
    let at = |path: &Path| {
        let path = path.display().to_string();
        move |source| SubmitError::Folder { path, source }
    };
    // Another run's shards would count as this one's.
    if folder.join("shards").exists() {
        return Err(SubmitError::Invalid(format!("{} has shards of an earlier run: take a new folder", shards.folder)));
    }
    let logs = folder.join("log");
    std::fs::create_dir_all(&logs).map_err(at(&logs))?;
    std::fs::write(&file, script).map_err(at(&file))?;
    let mut sbatch = Command::new("sbatch");
    sbatch.args(["--parsable", "--job-name=vmhealth", "--requeue", "--open-mode=append"]);
    // As arguments and not as #SBATCH lines, in which no space can be quoted.
    sbatch.arg(format!("--array=1-{}", shards.count)).arg(format!("--output={}", logs.join("%a.txt").display()));
    sbatch.args(options).arg(&file);
    if dry_run {
        let words = std::iter::once(sbatch.get_program()).chain(sbatch.get_args());
        let words: Vec<_> = words.map(|w| w.to_string_lossy().into_owned()).collect();
        return shlex::try_join(words.iter().map(String::as_str)).map_err(|e| SubmitError::Invalid(e.to_string()));
    }
    let output = sbatch.output().map_err(|e| {
        SubmitError::Refused(format!("cannot start sbatch: {e}; --dry-run writes the script and says the command"))
    })?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(SubmitError::Refused(format!("sbatch: {why}")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

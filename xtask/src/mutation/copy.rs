//! A copy of the workspace in which faults are made, one after another, and the tests that must notice.
//!
//! The copy and its build are below `target/mutants`, so that neither the sources nor the ordinary build is touched. What has
//! not changed since the last time is not copied, and so not built, again. What a killed run has left in the copy is taken back by
//! the next one.

use super::behaviour::{Mutant, sources};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A test run that takes longer hangs, which is noticed, too; without a mutant it takes a few seconds.
const TEST_LIMIT: Duration = Duration::from_secs(90);
/// The first build builds every dependency.
const BUILD_LIMIT: Duration = Duration::from_secs(1800);
/// The folders that are copied.
const FOLDERS: [&str; 6] = ["sim", "images", "guests", "tests", "xtask", ".cargo"];

/// Whether the tests noticed a mutant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detection {
    /// These tests failed, or hung.
    Noticed(String),
    /// All tests passed.
    Unnoticed,
    /// It cannot be made or does not compile: the list is stale.
    Stale(String),
}

/// A copy of the workspace to make mutants in.
#[derive(Debug)]
pub struct SourcesCopy {
    sources: PathBuf,
    target: PathBuf,
}

impl SourcesCopy {
    /// Copies the workspace; the tests must pass there before any mutant means something.
    pub fn open(root: &Path) -> Result<SourcesCopy, String> {
        let place = root.join("target/mutants");
        let copied_sources = SourcesCopy { sources: place.join("sources"), target: place.join("target") };
        let copied =
            FOLDERS.iter().try_for_each(|folder| copy(&root.join(folder), &copied_sources.sources.join(folder)));
        let files = ["Cargo.toml", "Cargo.lock", "clippy.toml"];
        let copied =
            copied.and_then(|()| files.iter().try_for_each(|f| copy(&root.join(f), &copied_sources.sources.join(f))));
        copied.map_err(|e| format!("cannot copy the sources to {}: {e}", copied_sources.sources.display()))?;
        Ok(copied_sources)
    }

    /// The folder of the copied workspace.
    pub fn sources(&self) -> &Path {
        &self.sources
    }

    /// Where it is built.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Passes the tests of these crates as they are.
    pub fn baseline(&self, crates: &BTreeSet<&str>) -> Result<(), String> {
        for stage in crates.iter().flat_map(|krate| stages(krate)) {
            self.build(stage)?;
            if let Some(what) = self.test(stage)? {
                return Err(format!("without any mutant: {what}"));
            }
        }
        Ok(())
    }

    /// Makes the mutant, runs the tests, and takes it back.
    pub fn try_out(&self, mutant: &Mutant) -> Result<Detection, String> {
        let site = match mutant.site(&sources(&self.sources, &mutant.krate)?) {
            Ok(site) => site,
            Err(why) => return Ok(Detection::Stale(why)),
        };
        let at = |e: io::Error| format!("{}: {e}", site.file.display());
        let original = fs::read_to_string(&site.file).map_err(at)?;
        fs::write(&site.file, &site.mutated).map_err(at)?;
        let detection = self.run(stages(&mutant.krate));
        fs::write(&site.file, original).map_err(at)?;
        detection
    }

    fn run(&self, stages: &[&[&str]]) -> Result<Detection, String> {
        for stage in stages {
            if let Err(why) = self.build(stage) {
                return Ok(Detection::Stale(why));
            }
            if let Some(what) = self.test(stage)? {
                return Ok(Detection::Noticed(what));
            }
        }
        Ok(Detection::Unnoticed)
    }

    fn build(&self, stage: &[&str]) -> Result<(), String> {
        let (status, text) = self.cargo(stage, &["--no-run"], BUILD_LIMIT)?;
        if status { Ok(()) } else { Err(format!("does not compile:\n{text}")) }
    }

    /// The names of the tests that failed, if any did.
    fn test(&self, stage: &[&str]) -> Result<Option<String>, String> {
        let (passed, text) = self.cargo(stage, &["--no-fail-fast"], TEST_LIMIT)?;
        if passed {
            return Ok(None);
        }
        let failed = |line: &str| line.strip_prefix("---- ")?.strip_suffix(" stdout ----").map(str::to_owned);
        let names: Vec<String> = text.lines().filter_map(failed).collect();
        Ok(Some(if names.is_empty() { "the tests hung or crashed".into() } else { names.join(", ") }))
    }

    /// Whether it succeeded in time, and what it printed.
    fn cargo(&self, stage: &[&str], more: &[&str], limit: Duration) -> Result<(bool, String), String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let log = self.target.join("mutant.log");
        let run = || -> io::Result<(bool, String)> {
            fs::create_dir_all(&self.target)?;
            let output = fs::File::create(&log)?;
            let child = Command::new(cargo)
                .args(["test", "--quiet"])
                .args(stage)
                .args(more)
                // Its text is gone once it is made.
                .args(["--", "--skip", "every_mutant_can_be_made"])
                .current_dir(&self.sources)
                .env("CARGO_TARGET_DIR", &self.target)
                .env("INSTA_UPDATE", "no")
                .env_remove("RUST_BACKTRACE")
                .stdin(Stdio::null())
                .stdout(output.try_clone()?)
                .stderr(output)
                .process_group(0)
                .spawn()?;
            let passed = wait(child, limit)?;
            Ok((passed, String::from_utf8_lossy(&fs::read(&log)?).into_owned()))
        };
        run().map_err(|e| format!("cargo test: {e}"))
    }
}

/// What notices faults of a crate, the quick part first; none of it starts a guest.
fn stages(krate: &str) -> &'static [&'static [&'static str]] {
    match krate {
        "sim" => &[&["-p", "vmhealth-sim"], &["-p", "vmhealth-tests", "--test", "model", "--test", "check"]],
        "xtask" => &[&["-p", "xtask", "--lib"]],
        "images" => &[&["-p", "vmhealth-images", "--lib"]],
        _ => &[&["-p", "vmhealth-guests", "--lib"]],
    }
}

/// `false` also for one that had to be killed.
fn wait(mut child: Child, limit: Duration) -> io::Result<bool> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if Instant::now() >= deadline {
            if let Ok(group) = i32::try_from(child.id()) {
                // It may have ended this moment.
                let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
            }
            child.wait()?;
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Copies what has changed, so that only that is built again, and removes what is no longer there.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_file() {
        let text = fs::read(from)?;
        if fs::read(to).ok().as_ref() != Some(&text) {
            fs::write(to, text)?;
        }
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(to)?.flatten() {
        if !from.join(entry.file_name()).exists() {
            let gone = entry.path();
            if gone.is_dir() { fs::remove_dir_all(gone)? } else { fs::remove_file(gone)? }
        }
    }
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

//! The run folder. A marker is written before a scenario and its result after: a folder with only the first was killed.

use super::chrome::chrome;
use super::html::html;
use super::junit::junit;
use super::metrics::openmetrics;
use super::results::{self, Results, ScenarioResult};
use super::table::table;
use crate::compare::normal::Normal;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use vmhealth_guests::reality::{Line, TIMELINE};
use vmhealth_sim::manifest::VirtualMachine;
use vmhealth_sim::trace::{Entry, Trace};

/// A run's folder.
#[derive(Debug, Clone)]
pub struct RunFolder(PathBuf);

/// One scenario's folder in one world.
#[derive(Debug, Clone)]
pub struct ScenarioFolder(PathBuf);

impl RunFolder {
    /// Makes `path`, which must be new or empty, so that no two runs mix.
    pub fn create(path: &Path) -> io::Result<RunFolder> {
        fs::create_dir_all(path)?;
        if fs::read_dir(path)?.next().is_some() {
            let message = format!("{} is not empty: name another folder with --out", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        Ok(RunFolder(path.canonicalize()?))
    }

    /// The folder's absolute path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Begins a scenario.
    pub fn begin(&self, id: &str, place: &str) -> io::Result<ScenarioFolder> {
        let folder = self.scenario(id, place);
        fs::create_dir_all(folder.path())?;
        fs::write(folder.path().join("started"), "")?;
        Ok(folder)
    }

    fn scenario(&self, id: &str, place: &str) -> ScenarioFolder {
        ScenarioFolder(self.0.join(results::folder(id, place)))
    }

    /// Keeps the evidence of an attempt that is going to be repeated.
    pub fn set_aside(&self, id: &str, place: &str) -> io::Result<()> {
        let folder = self.scenario(id, place);
        fs::rename(folder.path(), folder.path().with_added_extension("starved"))
    }

    /// Writes the run's own files.
    pub fn finish(&self, results: &Results) -> io::Result<()> {
        let json = serde_json::to_string_pretty(results).map_err(io::Error::other)?;
        fs::write(self.0.join("results.json"), json + "\n")?;
        // What was only known after the scenario: the comparison with the model, a second attempt.
        for scenario in &results.scenarios {
            let folder = self.scenario(&scenario.id, &scenario.place());
            // Merged runs may have come without their evidence.
            if folder.path().exists() {
                folder.write_result(scenario)?;
            }
        }
        fs::write(self.0.join("junit.xml"), junit(results).map_err(io::Error::other)?)?;
        fs::write(self.0.join("table.txt"), table(results))?;
        fs::write(self.0.join("report.html"), html(results, &self.0)?)
    }

    /// Reads a run's results.
    pub fn read(path: &Path) -> io::Result<Results> {
        let file = path.join("results.json");
        let text = fs::read_to_string(&file).map_err(|e| {
            io::Error::new(e.kind(), format!("{} is not a run folder: {}: {e}", path.display(), file.display()))
        })?;
        serde_json::from_str(&text).map_err(|e| io::Error::other(format!("{}: {e}", file.display())))
    }
}

impl ScenarioFolder {
    /// The folder's absolute path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes the traces, the metrics and, last, the result.
    pub fn end(&self, vm: &VirtualMachine, trace: &Trace, normal: &Normal, result: &ScenarioResult) -> io::Result<()> {
        let mut lines = match trace.forgotten() {
            0 => String::new(),
            n => format!("# {n} older entries, of probes first, were left out\n"),
        };
        for e in trace.sorted() {
            let detail = if e.detail.is_empty() { String::new() } else { format!("  ({})", e.detail) };
            // What was replayed from a template is marked.
            let mark = if e.replayed { '~' } else { ' ' };
            lines.push_str(&format!("{mark}{:>9}  {}  {}{detail}\n", e.at.to_string(), e.vmi, e.event));
        }
        fs::write(self.0.join("trace.txt"), lines)?;
        fs::write(self.0.join("normal.txt"), normal.to_string())?;
        fs::write(self.0.join("metrics.txt"), openmetrics(vm, trace).map_err(io::Error::other)?)?;
        fs::write(self.0.join("repeat.sh"), format!("{}\n", result.repeat))?;
        let timeline = self.0.join(TIMELINE);
        if !timeline.exists() {
            // Guests write theirs as it happens.
            let line = |e: &Entry| serde_json::to_string(&Line::from(e)).map(|line| line + "\n");
            fs::write(timeline, trace.entries().iter().map(line).collect::<Result<String, _>>()?)?;
        }
        let lines: Vec<Line> = trace.sorted().iter().map(Line::from).collect();
        let watchdog_s = result.about.as_ref().and_then(|a| a.watchdog_s);
        let name = format!("{} ({})", result.id, result.place());
        fs::write(self.0.join("trace.json"), chrome(&name, &lines, watchdog_s, result.guest_s))?;
        self.write_result(result)
    }

    fn write_result(&self, result: &ScenarioResult) -> io::Result<()> {
        let json = serde_json::to_string_pretty(result).map_err(io::Error::other)?;
        fs::write(self.0.join("result.json"), json + "\n")
    }
}

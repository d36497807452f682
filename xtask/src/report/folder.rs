//! The run folder. A marker is written before a scenario and its result after: a folder with only the first was killed.

use super::chrome::chrome;
use super::html::html;
use super::junit::junit;
use super::metrics::openmetrics;
use super::results::{self, Results, ScenarioResult};
use super::secrets::Secrets;
use super::table::table;
use crate::compare::normal::Normal;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vmhealth_guests::reality::{Line, TIMELINE};
use vmhealth_sim::manifest::VirtualMachine;
use vmhealth_sim::trace::{Entry, Trace};

/// The marker, of a run and of each scenario.
const STARTED: &str = "started";

/// A run's folder.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
    secrets: Arc<Secrets>,
}

/// One scenario's folder in one world.
#[derive(Debug, Clone)]
pub struct ScenarioFolder {
    path: PathBuf,
    secrets: Arc<Secrets>,
}

impl RunFolder {
    /// Makes `path`, which must be new or empty, so that no two runs mix. It is the user's alone: evidence has all secrets.
    pub fn create(path: &Path) -> io::Result<RunFolder> {
        let taken = || {
            let message = format!("{} is not empty: name another folder with --out", path.display());
            io::Error::new(io::ErrorKind::AlreadyExists, message)
        };
        private_folder(path)?;
        if fs::read_dir(path).map_err(named(path))?.next().is_some() {
            return Err(taken());
        }
        // Of two that find it empty one is the first.
        let marker = path.join(STARTED);
        File::create_new(&marker).map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => taken(),
            _ => named(&marker)(e),
        })?;
        Ok(RunFolder { path: path.canonicalize()?, secrets: Arc::default() })
    }

    /// The same folder, whose results are to be without these.
    pub fn hiding(self, secrets: Secrets) -> io::Result<RunFolder> {
        secrets.leave_in(&self.path)?;
        Ok(RunFolder { secrets: Arc::new(secrets), ..self })
    }

    /// The folder's absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a scenario.
    pub fn begin(&self, id: &str, place: &str) -> io::Result<ScenarioFolder> {
        let folder = self.scenario(id, place);
        private_folder(folder.path())?;
        write(folder.path().join(STARTED), "")?;
        Ok(folder)
    }

    fn scenario(&self, id: &str, place: &str) -> ScenarioFolder {
        ScenarioFolder { path: self.path.join(results::folder(id, place)), secrets: self.secrets.clone() }
    }

    /// Keeps the evidence of an attempt that is going to be repeated.
    pub fn set_aside(&self, id: &str, place: &str) -> io::Result<()> {
        let folder = self.scenario(id, place);
        fs::rename(folder.path(), folder.path().with_added_extension("starved"))
    }

    /// Writes the run's own files, which hide secrets; the results as written.
    pub fn finish(&self, results: &Results) -> io::Result<Results> {
        let results = self.secrets.hide_in(results);
        let json = serde_json::to_string_pretty(&results).map_err(io::Error::other)?;
        write(self.path.join("results.json"), json + "\n")?;
        // What was only known after the scenario: the comparison with the model, a second attempt.
        for scenario in &results.scenarios {
            let folder = self.scenario(&scenario.id, &scenario.place());
            // Merged runs may have come without their evidence.
            if folder.path().exists() {
                folder.write_result(scenario)?;
            }
        }
        write(self.path.join("junit.xml"), junit(&results).map_err(io::Error::other)?)?;
        write(self.path.join("table.txt"), table(&results))?;
        write(self.path.join("report.html"), html(&results, &self.path)?)?;
        Ok(results)
    }

    /// Reads a run's results.
    pub fn read(path: &Path) -> io::Result<Results> {
        let file = path.join("results.json");
        let text = fs::read_to_string(&file).map_err(|e| {
            io::Error::new(e.kind(), format!("{} is not a run folder: {}: {e}", path.display(), file.display()))
        })?;
        let results: Results =
            serde_json::from_str(&text).map_err(|e| io::Error::other(format!("{}: {e}", file.display())))?;
        // Names of folders are made of these, and a run may come from anywhere.
        match results.scenarios.iter().find(|s| !s.stays_in_the_run()) {
            Some(s) => {
                let text = format!("{}: no scenario is called {:?} in {:?}", file.display(), s.id, s.place());
                Err(io::Error::new(io::ErrorKind::InvalidData, text))
            }
            None => Ok(results),
        }
    }
}

impl ScenarioFolder {
    /// Writes a file of this name into it.
    pub(crate) fn put(&self, name: &str, text: impl AsRef<[u8]>) -> io::Result<()> {
        write(self.path.join(name), text)
    }

    /// The folder's absolute path.
    pub fn path(&self) -> &Path {
        &self.path
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
        write(self.path.join("trace.txt"), lines)?;
        write(self.path.join("normal.txt"), normal.to_string())?;
        write(self.path.join("metrics.txt"), openmetrics(vm, trace).map_err(io::Error::other)?)?;
        write(self.path.join("repeat.sh"), format!("{}\n", result.repeat))?;
        let timeline = self.path.join(TIMELINE);
        if !timeline.exists() {
            // Guests write theirs as it happens.
            let line = |e: &Entry| serde_json::to_string(&Line::from(e)).map(|line| line + "\n");
            write(timeline, trace.entries().iter().map(line).collect::<Result<String, _>>()?)?;
        }
        let lines: Vec<Line> = trace.sorted().iter().map(Line::from).collect();
        let watchdog_s = result.about.as_ref().and_then(|a| a.watchdog_s);
        let name = format!("{} ({})", result.id, result.place());
        write(self.path.join("trace.json"), chrome(&name, &lines, watchdog_s, result.guest_s))?;
        self.write_result(result)
    }

    fn write_result(&self, result: &ScenarioResult) -> io::Result<()> {
        let mut result = result.clone();
        result.texts_mut().for_each(|text| *text = self.secrets.hide(text));
        let json = serde_json::to_string_pretty(&result).map_err(io::Error::other)?;
        write(self.path.join("result.json"), json + "\n")
    }
}

/// A folder that nobody else may look into; one that is there stays as its owner made it.
fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(named(path))
}

fn write(path: PathBuf, text: impl AsRef<[u8]>) -> io::Result<()> {
    fs::write(&path, text).map_err(named(&path))
}

/// An error that says which file it is about: of a full disk, a folder that may not be written to.
fn named(path: &Path) -> impl Fn(io::Error) -> io::Error + '_ {
    move |e| io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Conformance, Machine, VerdictWord};
    use std::os::unix::fs::PermissionsExt as _;
    use vmhealth_sim::explain::Explanation;
    use vmhealth_sim::manifest;

    #[test]
    fn secrets_stay_in_the_folder() {
        let text = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: vm}\nspec:\n  runStrategy: Always\n  \
                    template: {spec: {domain: {devices: {}}, volumes: [{name: c, cloudInitNoCloud: {userData: \"#cloud-config\\npassword: hunter2\\n\"}}]}}\n";
        let secrets = Secrets::of([&manifest::read("vm.yaml", text).unwrap()]);
        let parent = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(&parent.path().join("run")).unwrap().hiding(secrets).unwrap();
        let scenario = ScenarioResult {
            id: "a/b/c".into(),
            world: "qemu".into(),
            arch: "amd64".into(),
            host: "local".into(),
            verdict: VerdictWord::Fail,
            reason: "the console says hunter2".into(),
            duration_s: 0.0,
            guest_s: 0.0,
            forked: false,
            pressure: None,
            starved_before: None,
            divergences: vec!["hunter2, and hunter2 again".into()],
            known_differences: Vec::new(),
            host_differences: Vec::new(),
            known_host_differences: Vec::new(),
            explanation: vec![Explanation {
                headline: "it said hunter2".into(),
                sections: Vec::new(),
                parts: Vec::new(),
            }],
            about: None,
            repeat: String::new(),
        };
        let begun = folder.begin("a/b/c", "qemu").unwrap();
        begun.write_result(&scenario).unwrap();
        fs::write(begun.path().join("serial-1.log"), "login: hunter2\n").unwrap();
        fs::write(
            begun.path().join(TIMELINE),
            r#"{"detail":"it was hunter2","event":"e","replayed":false,"t":1,"vmi":1}"#,
        )
        .unwrap();
        let early = fs::read_to_string(folder.path().join("qemu/a.b.c/result.json")).unwrap();
        assert!(early.contains("says [hidden]") && !early.contains("hunter2"), "{early}");
        let results = Results::new(vec![scenario], Conformance::default(), Machine::default());
        let written = folder.finish(&results).unwrap();
        assert_eq!((written.hidden, results.hidden), (4, 0));
        for file in ["results.json", "junit.xml", "table.txt", "report.html", "qemu/a.b.c/result.json"] {
            let text = fs::read_to_string(folder.path().join(file)).unwrap();
            assert!(text.contains("[hidden]") && !text.contains("hunter2"), "{file}: {text}");
        }
        // Made again later, from the folder alone.
        let page = html(&RunFolder::read(folder.path()).unwrap(), folder.path()).unwrap();
        assert!(page.contains("login: [hidden]") && page.contains("it was [hidden]") && !page.contains("hunter2"));
        assert!(table(&written).contains("4 secrets of the user data are hidden above; --keep-secrets shows them"));
        for path in ["", "qemu", "qemu/a.b.c"].map(|name| folder.path().join(name)) {
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700, "{}", path.display());
        }
    }

    #[test]
    fn a_run_names_no_folder_outside_of_itself() {
        let run = tempfile::tempdir().unwrap();
        for (id, world, fine) in [
            ("a/b/c", "qemu", true),
            ("..", "qemu", false),
            ("a", "..", false),
            ("a", "../../etc", false),
            ("a", "", false),
        ] {
            let scenario = serde_json::json!({"id": id, "world": world, "arch": "amd64", "host": "local", "verdict": "pass",
                "reason": "", "duration_s": 1e300, "guest_s": 1.0, "forked": false, "repeat": ""});
            let mut results =
                serde_json::to_value(Results::new(vec![], Conformance::default(), Machine::default())).unwrap();
            results["scenarios"] = serde_json::json!([scenario]);
            fs::write(run.path().join("results.json"), results.to_string()).unwrap();
            let read = RunFolder::read(run.path());
            assert_eq!(read.is_ok(), fine, "{id} {world}: {read:?}");
            if let Ok(results) = read {
                junit(&results).unwrap();
            }
        }
    }
}

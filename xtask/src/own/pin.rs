//! `pin` and `compare A B`: what each fault that concerns a manifest comes to in virtual time, written down as scenarios and compared
//! with what was written before, or with another manifest.

use super::error::OwnError;
use super::guest::{Chosen, OwnGuest};
use super::scenario::{invalid_options, read_manifest};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use vmhealth_sim::budget::Assumptions;
use vmhealth_sim::concern::{Concern, concerning};
use vmhealth_sim::explain::{Outcome, WATCHED, differences, outcome};
use vmhealth_sim::fault::FaultKind;
use vmhealth_sim::manifest::{self, Petter, Probe, RunStrategy, VirtualMachine};
use vmhealth_sim::scenario::{Fault, Scenario};
use vmhealth_sim::world::Timings;

/// What each fault comes to, by its name.
pub type Outcomes = BTreeMap<String, Outcome>;

/// Where the outcomes stand beside the scenarios.
const OUTCOMES: &str = "outcomes.json";
/// Scenarios and their manifests are apart, as in vmhealth's own catalogue.
const MANIFESTS: &str = "manifests";

/// A manifest whose outcomes are to be found.
#[derive(Debug, Clone)]
pub struct Pin {
    /// The manifest's file.
    pub file: PathBuf,
    /// From the guest's start until its service answers; `None`: as `check` assumes.
    pub boot: Option<Duration>,
    /// The watchdog daemon's timeout in seconds; `None`: the user data's, or the daemon's default.
    pub heartbeat: Option<u32>,
    /// What lies in the Secret that the manifest names as its user data.
    pub user_data: Option<Vec<u8>>,
}

/// A fault, the scenario's text and what comes of it.
struct Pinned {
    name: &'static str,
    text: String,
    outcome: Outcome,
}

/// As `concerning` gives names: words and hyphens.
fn is_a_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

fn put(path: &Path, text: &[u8]) -> Result<(), OwnError> {
    fs::write(path, text).map_err(|e| invalid(path, &e.to_string()))
}

fn remove(path: &Path) -> Result<(), OwnError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(invalid(path, &e.to_string())),
        _ => Ok(()),
    }
}

impl Pin {
    /// What each fault comes to.
    pub fn outcomes(&self) -> Result<Outcomes, OwnError> {
        Ok(self.pinned()?.into_iter().map(|p| (p.name.to_owned(), p.outcome)).collect())
    }

    /// Whether something is pinned in the folder.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(OUTCOMES).is_file()
    }

    /// Writes the scenarios into a folder, unless others are there. These stay as they are unless `accept` replaces them, so that
    /// many small changes cannot add up unseen; if the manifest comes to the same as they do, it takes its place beside them. What is
    /// different, a line each.
    pub fn write(&self, folder: &Path, accept: bool) -> Result<Vec<String>, OwnError> {
        let pinned = self.pinned()?;
        let now: Outcomes = pinned.iter().map(|p| (p.name.to_owned(), p.outcome.clone())).collect();
        let file = folder.join(OUTCOMES);
        let changed = match fs::read_to_string(&file) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                self.write_files(folder, &pinned, &now)?;
                return Ok(Vec::new());
            }
            Ok(text) => {
                let before: Outcomes =
                    serde_json::from_str(&text).map_err(|e| invalid(&file, &format!("not written by pin: {e}")))?;
                // They are going to be names of files.
                if let Some(name) = before.keys().find(|name| !is_a_name(name)) {
                    return Err(invalid(&file, &format!("not written by pin: {name:?} is no fault's name")));
                }
                let changed = changes(&before, &now);
                if accept {
                    // A fault that does not concern the manifest any more has no scenario.
                    for gone in before.keys().filter(|name| !now.contains_key(*name)) {
                        remove(&folder.join(format!("{gone}.yaml")))?;
                    }
                }
                changed
            }
            Err(e) => return Err(invalid(&file, &e.to_string())),
        };
        match (accept, changed.is_empty()) {
            (true, _) => self.write_files(folder, &pinned, &now)?,
            (false, true) => self.write_manifest(folder)?,
            (false, false) => {}
        }
        Ok(changed)
    }

    fn write_manifest(&self, folder: &Path) -> Result<(), OwnError> {
        let manifests = folder.join(MANIFESTS);
        fs::create_dir_all(&manifests).map_err(|e| invalid(&manifests, &e.to_string()))?;
        let manifest = fs::read(&self.file).map_err(|e| invalid(&self.file, &e.to_string()))?;
        put(&manifests.join(self.name()), &manifest)
    }

    fn write_files(&self, folder: &Path, pinned: &[Pinned], outcomes: &Outcomes) -> Result<(), OwnError> {
        self.write_manifest(folder)?;
        for Pinned { name, text, .. } in pinned {
            put(&folder.join(format!("{name}.yaml")), text.as_bytes())?;
        }
        let json = serde_json::to_string_pretty(outcomes).map_err(|e| OwnError::Invalid(e.to_string()))?;
        put(&folder.join(OUTCOMES), (json + "\n").as_bytes())
    }

    fn name(&self) -> String {
        self.file.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn pinned(&self) -> Result<Vec<Pinned>, OwnError> {
        if self.file.as_os_str() == "-" {
            return Err(OwnError::Invalid(
                "pin keeps a copy of the manifest by its name: name a file in place of -".to_owned(),
            ));
        }
        let vm = read_manifest(&self.file, self.user_data.as_deref(), manifest::read)?;
        super::heartbeat::refuse_heartbeat(self.heartbeat, &vm)?;
        // A scenario's guest is set up anew: what its user data writes for systemd counts in its first boot.
        let in_model = vm.vmi.user_data.petter.is_some_and(|p| p != Petter::Daemon);
        let guest = OwnGuest::of(&vm, Chosen { heartbeat: self.heartbeat, in_model, ..Chosen::default() }).profile;
        let profile = Scenario::read(&self.text(&vm, &guest, "none", None, "kernelPanic")).map_err(invalid_options)?;
        let boot = self.boot.unwrap_or(Assumptions::default().boot);
        let mut pinned = Vec::new();
        // Whether liveness stops a reboot is decided by how long the boot takes, and the guest that runs it has a boot of its own.
        let reboots = |c: &Concern| matches!(c.fault, Fault::GuestReboot | Fault::LongReboot(_));
        for Concern { name, text: fault, .. } in
            concerning(&vm, &profile.spec.guest).into_iter().filter(|c| !reboots(c))
        {
            let draft = Scenario::read(&self.text(&vm, &guest, name, None, fault)).map_err(invalid_options)?;
            let outcome = outcome(&vm, &draft.spec, Timings::booting_in(boot), WATCHED).ok_or_else(|| {
                OwnError::Invalid(format!("{}: the VM never gets so far that {fault} can come", self.file.display()))
            })?;
            let text = self.text(&vm, &guest, name, Some(&outcome), fault);
            Scenario::read(&text).map_err(invalid_options)?;
            pinned.push(Pinned { name, text, outcome });
        }
        Ok(pinned)
    }

    /// A scenario file; without an outcome it expects only the fault.
    fn text(&self, vm: &VirtualMachine, guest: &str, name: &str, outcome: Option<&Outcome>, fault: &str) -> String {
        let kind = fault.trim_start_matches('{').split(':').next().unwrap_or(fault);
        let start = match vm.run_strategy {
            RunStrategy::Halted | RunStrategy::Manual => "    - {user: start}\n",
            _ => "",
        };
        let noticed = outcome.and_then(|o| o.noticed.as_ref());
        let mut expect = match noticed.and_then(|(who, after)| Some((event(who, kind)?, window(vm, who, *after)))) {
            Some((event, window)) => format!("    - {{see: {event}, within: {window}}}\n"),
            None => format!("    - {{see: fault {kind} confirmed, within: 0s..1m}}\n"),
        };
        let ended = outcome.map_or("", |o| o.ended.as_str());
        match (noticed, ended) {
            (None, _) | (_, "") => {}
            (_, "reset") => expect += "    - {see: qemu RESET, within: 0s..30m}\n",
            (_, phase) => expect += &format!("    - {{see: vmi phase {phase}, within: 0s..30m}}\n"),
        }
        let end = match outcome.map(|o| o.back_s) {
            Some(Some(_)) => "ready: true, answers: true, waitUpTo: 20m",
            _ => "",
        };
        let summary = outcome.map_or(String::new(), ToString::to_string);
        let manifest = format!("{MANIFESTS}/{}", self.name());
        format!(
            "# Written by `pin`: what is expected is what the model says of the manifest.\n\
             apiVersion: vmhealth.dev/v1alpha1\nkind: Scenario\nmetadata:\n  id: pinned/your-own/{name}\n  summary: {summary:?}\n\
             spec:\n  manifest: {manifest:?}\n  guest: {{{guest}}}\n  steps:\n{start}    \
             - {{after: guest ready, guardedWithin: 10m, plus: 2s, fault: {fault}}}\n  expect:\n{expect}  observe: 1m\n  final: {{{end}}}\n"
        )
    }
}

/// What somebody's noticing a fault of this kind is called in a trace.
fn event(who: &str, kind: &str) -> Option<&'static str> {
    match who {
        "readiness" => Some("readiness result Failure"),
        "liveness" => Some("liveness result Failure"),
        "the watchdog" => Some("qemu WATCHDOG"),
        "QEMU" => Some("qemu GUEST_PANICKED"),
        "the node controller" => Some("vmi ready False"),
        "KubeVirt" if kind == FaultKind::IoError.name() => Some("vmi event IOerror"),
        "KubeVirt" => Some("qemu EXIT"),
        _ => None,
    }
}

/// A detector has a phase of its own: what it does comes up to a period sooner or later.
fn window(vm: &VirtualMachine, who: &str, after: f64) -> String {
    let slack = |probe: &Option<Probe>| probe.as_ref().map_or(0, |p| p.timings.period + p.timings.timeout + 2);
    let slack = match who {
        "readiness" => slack(&vm.vmi.readiness),
        "liveness" => slack(&vm.vmi.liveness),
        _ => 3,
    };
    let (from, to) = ((after - f64::from(slack)).max(0.0).floor(), (after + f64::from(slack)).ceil());
    format!("{from}s..{to}s")
}

fn invalid(file: &Path, why: &str) -> OwnError {
    OwnError::Invalid(format!("{}: {why}", file.display()))
}

/// What is different in the second, a line each.
fn changes(before: &Outcomes, now: &Outcomes) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, outcome) in now {
        match before.get(name) {
            Some(was) => {
                let found = differences(was, outcome);
                lines.extend((!found.is_empty()).then(|| format!("{name}: {}", found.join("; "))));
            }
            None => lines.push(format!("{name}: new: {outcome}")),
        }
    }
    let gone = before.keys().filter(|name| !now.contains_key(*name));
    lines.extend(gone.map(|name| format!("{name}: does not concern the manifest any more")));
    lines
}

/// Two manifests side by side: a line for each fault and manifest, and what is different.
pub fn side_by_side([a, b]: [&str; 2], [first, second]: [&Outcomes; 2]) -> String {
    let mut names: Vec<&String> = first.keys().chain(second.keys()).collect();
    names.sort();
    names.dedup();
    let width = a.len().max(b.len());
    let mut out = String::new();
    for name in names {
        out += &format!("{name}\n");
        for (file, outcomes) in [(a, first), (b, second)] {
            let words = outcomes.get(name).map_or("does not concern it".to_owned(), ToString::to_string);
            out += &format!("  {file:width$}  {words}\n");
        }
        if let (Some(one), Some(other)) = (first.get(name), second.get(name)) {
            let found = differences(one, other);
            if !found.is_empty() {
                out += &format!("  => {}\n", found.join("; "));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::catalogue;
    use vmhealth_sim::engine::Config;
    use vmhealth_sim::fixture::{Vm, vm};
    use vmhealth_sim::manifest::WatchdogAction;
    use vmhealth_sim::scenario::Verdict;
    use vmhealth_sim::world;

    fn web(liveness: &str) -> Vm {
        let vm = vm().watchdog(WatchdogAction::Poweroff).readiness("httpGet: {port: 80}, periodSeconds: 5");
        vm.liveness(&format!("httpGet: {{port: 80}}, initialDelaySeconds: 90, {liveness}"))
    }

    #[test]
    fn what_is_pinned_passes_and_a_change_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let (file, folder) = (dir.path().join("web.yaml"), dir.path().join("pinned"));
        let pin = Pin { file: file.clone(), boot: None, heartbeat: Some(10), user_data: None };
        fs::write(&file, web("failureThreshold: 6").yaml()).unwrap();
        assert_eq!(pin.write(&folder, false).unwrap(), Vec::<String>::new());
        let cases = catalogue::read(Some(&folder)).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(cases.len(), 17);
        for case in cases {
            let config = Config::of(&case.scenario.spec, 1.0, false);
            let (verdict, ..) = world::run(&case.manifest, &case.scenario.spec, config, Timings::default());
            assert_eq!(verdict, Verdict::Pass, "{}", fs::read_to_string(&case.file).unwrap());
        }
        insta::assert_snapshot!("pinned", fs::read_to_string(folder.join("kernel-panic.yaml")).unwrap());
        assert_eq!(fs::read_to_string(folder.join("manifests/web.yaml")).unwrap(), web("failureThreshold: 6").yaml());
        // The same again.
        assert_eq!(pin.write(&folder, false).unwrap(), Vec::<String>::new());
        let before = pin.outcomes().unwrap();
        // Liveness is less patient now; nothing is written until that is accepted.
        fs::write(&file, web("failureThreshold: 1, periodSeconds: 5").yaml()).unwrap();
        let changed = pin.write(&folder, false).unwrap();
        assert_eq!(pin.write(&folder, false).unwrap(), changed);
        insta::assert_snapshot!("changed", changed.join("\n"));
        let now = pin.outcomes().unwrap();
        insta::assert_snapshot!("side_by_side", side_by_side(["a.yaml", "b.yaml"], [&before, &now]));
        assert_eq!(pin.write(&folder, true).unwrap(), changed);
        assert_eq!(pin.write(&folder, false).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn small_changes_do_not_add_up_unseen() {
        let dir = tempfile::tempdir().unwrap();
        let (file, folder) = (dir.path().join("web.yaml"), dir.path().join("pinned"));
        fs::write(&file, web("failureThreshold: 6").yaml()).unwrap();
        let pin = Pin { file, boot: None, heartbeat: Some(10), user_data: None };
        pin.write(&folder, false).unwrap();
        // What was written once differs by less than what counts.
        let mut once: Outcomes = pin.outcomes().unwrap();
        once.values_mut().for_each(|o| o.back_s = o.back_s.map(|back| back + 0.9));
        let text = serde_json::to_string(&once).unwrap();
        fs::write(folder.join(OUTCOMES), &text).unwrap();
        assert_eq!(pin.write(&folder, false).unwrap(), Vec::<String>::new());
        assert_eq!(fs::read_to_string(folder.join(OUTCOMES)).unwrap(), text);
    }
}

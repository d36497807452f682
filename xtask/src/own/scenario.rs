//! `run`: the user's own manifest as a scenario that expects only that its guest gets ready.

use super::error::OwnError;
use super::fault::TimedFault;
use super::guest::{Chosen, OwnGuest};
use super::heartbeat::refuse_heartbeat;
use super::image::ImageChoice;
use super::standing_in::replaced;
use crate::bounded;
use crate::lines::tell;
use crate::run::catalogue::{Case, Texts};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use vmhealth_guests::image::{Image, ImageWord};
use vmhealth_sim::cluster::KubevirtVersion;
use vmhealth_sim::concern::{Concern, concerning};
use vmhealth_sim::manifest::{self, Architecture, MachineType, Problems, RunStrategy, VirtualMachine};
use vmhealth_sim::scenario::{Scenario, ScenarioError};

/// Of a file and of standard input, bytes.
const LONGEST: u64 = 64 << 20;

/// How the user's manifest is to be run.
#[derive(Debug, Clone)]
pub struct OwnRun {
    /// The manifest's file.
    pub file: PathBuf,
    /// The last word of the scenario's id, in kebab case.
    pub name: String,
    /// What breaks, and when.
    pub faults: Vec<TimedFault>,
    /// How long the guest is watched after the last fault, or from its being ready where nothing is broken.
    pub lasting: Duration,
    /// How the VM must be at the end.
    pub expect: Expected,
    /// How long it may take to get ready; `None`: the default of a scenario.
    pub boot: Option<Duration>,
    /// The watchdog daemon's timeout in seconds; 0: none is set up; `None`: the user data's, or 60; none in
    /// an image of the user's own.
    pub heartbeat: Option<u32>,
    /// `kernel.panic` in seconds; 0: never; `None`: what the user data sets.
    pub panic_timer: Option<u32>,
    /// Whether Debian's wd_keepalive may take over from the daemon.
    pub keepalive: bool,
    /// Whether vmhealth's health server is set up on port 1500.
    pub health_server: bool,
    /// A client connects every second to the first port that a probe asks, if one does.
    pub traffic: bool,
    /// The cluster's release.
    pub kubevirt_version: KubevirtVersion,
    /// What the guest boots.
    pub image: ImageChoice,
    /// What the user says of an image of theirs.
    pub image_word: ImageWord,
    /// What lies in the Secret that the manifest names as its user data.
    pub user_data: Option<Vec<u8>>,
}

impl OwnRun {
    /// Says what the user should know about the manifest; what it boots in place of vmhealth's image.
    pub fn introduce(&self) -> Result<Option<Image>, OwnError> {
        let (manifest, _) = self.read()?;
        for warning in &manifest.warnings {
            tell(&warning.to_string());
        }
        if let Some(line) = replaced(&manifest) {
            tell(&line);
        }
        for line in OwnGuest::of(&manifest, self.chosen()).assumptions {
            tell(&line);
        }
        let image = self.image.find(&manifest, &self.image_word)?;
        if manifest.vmi.architecture == Architecture::Amd64 && manifest.vmi.machine == MachineType::Pc {
            tell(
                "this runs on pc; KubeVirt's default is q35, with a second watchdog: `machine: {type: q35}` asks for it",
            );
        }
        Ok(image)
    }

    /// The manifest and the scenario; `again` runs it once more.
    pub fn case(&self, again: String) -> Result<Case, OwnError> {
        let (manifest, scenario) = self.read()?;
        let (text, user_data) = (read_text(&self.file)?, self.user_data.clone());
        let texts = Texts { scenario: self.scenario_text(&manifest), manifest: text, user_data };
        let (manifest, texts) = (Arc::new(manifest), Arc::new(texts));
        Ok(Case { scenario, file: self.file.clone(), manifest, again, texts })
    }

    /// The faults that concern the manifest, with its guest set up as it is going to be.
    pub fn concerns(&self) -> Result<Vec<Concern>, OwnError> {
        let (manifest, scenario) = self.read()?;
        Ok(concerning(&manifest, &scenario.spec.guest))
    }

    fn read(&self) -> Result<(VirtualMachine, Scenario), OwnError> {
        // It refuses what an image would not be told, such as a Secret's user data.
        let strict = self.image.is_users() && self.user_data.is_none();
        let read = if strict { manifest::read_for_own_image } else { manifest::read };
        let manifest = read_manifest(&self.file, self.user_data.as_deref(), read)?;
        refuse_heartbeat(self.heartbeat, &manifest)?;
        let scenario = Scenario::read(&self.scenario_text(&manifest)).map_err(invalid_options)?;
        Ok((manifest, scenario))
    }

    /// A scenario that breaks what the user asks for once the VM is guarded, watches so long, and expects that the guest gets
    /// ready and that the VM ends as it is expected to.
    fn scenario_text(&self, manifest: &VirtualMachine) -> String {
        let guest = OwnGuest::of(manifest, self.chosen()).profile;
        let boot = self.boot.map_or(String::new(), |b| format!("  bootDeadline: {}\n", humantime::format_duration(b)));
        let (steps, confirmed) = self.steps(manifest);
        let port = manifest.vmi.asked_ports().into_iter().next().filter(|_| self.traffic);
        let traffic = port.map_or(String::new(), |port| format!("  traffic: {{every: 1s, port: {port}}}\n"));
        format!(
            "apiVersion: vmhealth.dev/v1alpha1\nkind: Scenario\nmetadata: {{id: run/your-own/{}, summary: {}}}\nspec:\n  \
             manifest: unused\n  kubevirtVersion: {}\n  guest: {{{}}}\n{boot}{traffic}{steps}  expect:\n    - {{see: guest ready, from: vm event SuccessfulCreate, withinGuest: 0s..{}}}\n\
             {confirmed}  observe: {}\n  final: {{{}}}\n",
            self.name,
            serde_json::Value::from(self.summary(manifest)),
            self.kubevirt_version,
            guest,
            // Longer than the deadlines of the agent and of what it is asked then: they are to be the ones that speak.
            humantime::format_duration(3 * self.boot.unwrap_or_default() + Duration::from_secs(300)),
            humantime::format_duration(self.lasting),
            self.expect.final_state(),
        )
    }

    fn summary(&self, manifest: &VirtualMachine) -> String {
        let faults: Vec<&str> = self.faults.iter().map(|fault| fault.text.as_str()).collect();
        let broken = if faults.is_empty() { "nothing is broken".to_owned() } else { faults.join(", then ") };
        format!("{}: {broken}", manifest.name)
    }

    fn chosen(&self) -> Chosen {
        Chosen {
            heartbeat: self.heartbeat,
            panic_timer: self.panic_timer,
            keepalive: self.keepalive,
            health_server: self.health_server,
            users_image: self.image.is_users(),
            in_model: false,
        }
    }

    /// The steps, and the expectations that each fault takes effect: how long the guest is watched counts from the last one.
    fn steps(&self, manifest: &VirtualMachine) -> (String, String) {
        let mut faults = self.faults.clone();
        faults.sort_by_key(|f| f.at);
        let (mut before, mut lines, mut confirmed) = (Duration::ZERO, String::new(), String::new());
        // Only a user starts such a VM.
        if matches!(manifest.run_strategy, RunStrategy::Halted | RunStrategy::Manual) {
            lines.push_str("    - {user: start}\n");
        }
        for (i, TimedFault { text, kind, at }) in faults.iter().enumerate() {
            let after =
                if i == 0 { format!("after: guest ready, guardedWithin: {GUARDED_WITHIN}, ") } else { String::new() };
            let plus = humantime::format_duration(at.saturating_sub(before)).to_string();
            lines.push_str(&format!("    - {{{after}plus: {plus}, fault: {text}}}\n"));
            confirmed
                .push_str(&format!("    - {{see: fault {kind} confirmed, from: guest ready, within: 0s..1day}}\n"));
            before = *at;
        }
        (if lines.is_empty() { lines } else { format!("  steps:\n{lines}") }, confirmed)
    }
}

/// A VM that is not guarded by then is broken as it is, and the explanation says so.
const GUARDED_WITHIN: &str = "10m";

/// How the VM must be when the run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expected {
    /// Ready, and its guest answers.
    #[default]
    Ready,
    /// The same, without waiting for it.
    ReadyByThen,
    /// Stopped.
    Stopped,
    /// Anyhow.
    Anything,
}

impl Expected {
    fn final_state(self) -> &'static str {
        match self {
            Expected::Ready => "ready: true, answers: true, waitUpTo: 15m",
            Expected::ReadyByThen => "ready: true, answers: true",
            Expected::Stopped => "vm: Stopped, waitUpTo: 15m",
            Expected::Anything => "",
        }
    }
}

/// Without the position, which is in a text that the user has never seen.
pub(super) fn invalid_options(error: ScenarioError) -> OwnError {
    let problems: Vec<&str> = error.problems.iter().map(|problem| problem.message.as_str()).collect();
    OwnError::Invalid(format!("invalid options: {}", problems.join("; ")))
}

/// Reads a manifest with a reader of [`manifest`]; `user_data`: what lies in the Secret that it names.
pub(super) fn read_manifest(
    path: &Path,
    user_data: Option<&[u8]>,
    read: fn(&str, &str) -> Result<VirtualMachine, Problems>,
) -> Result<VirtualMachine, OwnError> {
    let file = path.display().to_string();
    let mut vm = read(&file, &read_text(path)?).map_err(|problems| OwnError::Invalid(problems.to_string()))?;
    if let Some(data) = user_data {
        vm.vmi.reveal_user_data(data).map_err(|why| OwnError::Invalid(format!("--user-data: {file}: {why}")))?;
    }
    Ok(vm)
}

/// A file's text, or with `-` that of standard input, which is there only once and therefore kept.
pub(super) fn read_text(path: &Path) -> Result<String, OwnError> {
    static STANDARD_INPUT: OnceLock<String> = OnceLock::new();
    let text = || bounded::text(path, LONGEST).map_err(OwnError::Invalid);
    if path.as_os_str() != "-" {
        return text();
    }
    match STANDARD_INPUT.get() {
        Some(text) => Ok(text.clone()),
        None => text().map(|text| STANDARD_INPUT.get_or_init(|| text).clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sets_up_the_guest() {
        let check = |domain: &str, change: fn(&mut OwnRun), expected: &str| {
            let text = format!(
                "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {{name: vm}}\nspec:\n  runStrategy: Always\n  \
                 template: {{spec: {{domain: {{{domain}}}}}}}\n"
            );
            let mut run = OwnRun {
                file: "vm.yaml".into(),
                name: "manifest".into(),
                expect: Expected::Ready,
                faults: Vec::new(),
                lasting: Duration::from_secs(120),
                boot: None,
                heartbeat: None,
                panic_timer: None,
                keepalive: false,
                health_server: false,
                traffic: false,
                kubevirt_version: KubevirtVersion::default(),
                image: ImageChoice::Vmhealth,
                image_word: ImageWord::default(),
                user_data: None,
            };
            change(&mut run);
            let read = if run.image.is_users() { manifest::read_for_own_image } else { manifest::read };
            let scenario = run.scenario_text(&read("vm.yaml", &text).unwrap());
            let profile = scenario.lines().find(|l| l.trim_start().starts_with("guest:")).unwrap();
            assert_eq!(profile.trim(), format!("guest: {{{expected}}}"), "{domain} {run:?}");
            Scenario::read(&scenario).unwrap();
        };
        let (watchdog, q35) = ("devices: {watchdog: {name: w}}", "machine: {type: q35}, devices: {}");
        let ours = |n| format!("watchdogDaemon: {{heartbeatSeconds: {n}, keepalive: masked}}, healthServer: false");
        check(watchdog, |_| (), &ours(60));
        check(watchdog, |r| r.heartbeat = Some(0), "healthServer: false");
        check("devices: {}", |_| (), "healthServer: false");
        // The machine's own.
        check(q35, |_| (), &ours(60));
        // Nothing of ours is added to an image of the user's own unless it is asked for.
        let own = |r: &mut OwnRun| r.image = ImageChoice::File("a".into());
        check(watchdog, own, "ownWatchdogDaemon: true, healthServer: false");
        check(q35, own, "ownWatchdogDaemon: false, healthServer: false");
        let own_with = |r: &mut OwnRun| {
            (r.image, r.heartbeat) = (ImageChoice::File("a".into()), Some(20));
            r.boot = Some(Duration::from_secs(360));
        };
        check(watchdog, own_with, &ours(20));
        let without = |r: &mut OwnRun| (r.image, r.heartbeat) = (ImageChoice::File("a".into()), Some(0));
        check(watchdog, without, "healthServer: false");
    }
}

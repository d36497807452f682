//! `run`: the user's own manifest as a scenario that expects only that its guest gets ready.

use super::error::OwnError;
use super::fault::TimedFault;
use super::heartbeat::{heartbeat, refuse_heartbeat};
use super::image::ImageChoice;
use crate::prepare::say;
use crate::run::catalogue::Case;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use vmhealth_guests::image::{Image, ImageWord};
use vmhealth_sim::cluster::KubevirtVersion;
use vmhealth_sim::manifest::{self, Architecture, MachineType, Problems, RunStrategy, VirtualMachine};
use vmhealth_sim::scenario::{Scenario, ScenarioError};

/// How the user's manifest is to be run.
#[derive(Debug, Clone)]
pub struct OwnRun {
    /// The manifest's file.
    pub file: PathBuf,
    /// What breaks, and when.
    pub faults: Vec<TimedFault>,
    /// How long the guest is watched.
    pub lasting: Duration,
    /// How long it may take to get ready; `None`: the default of a scenario.
    pub boot: Option<Duration>,
    /// The watchdog daemon's timeout in seconds; 0: none is set up; `None`: 10, or the shortest that the device takes; none in
    /// an image of the user's own.
    pub heartbeat: Option<u32>,
    /// Whether Debian's wd_keepalive may take over from the daemon.
    pub keepalive: bool,
    /// Whether vmhealth's health server is set up on port 1500.
    pub health_server: bool,
    /// The cluster's release.
    pub kubevirt_version: KubevirtVersion,
    /// What the guest boots.
    pub image: ImageChoice,
    /// What the user says of an image of theirs.
    pub image_word: ImageWord,
}

impl OwnRun {
    /// The manifest, what it boots in place of vmhealth's image, and the scenario; says what the user should know about it.
    /// `again` runs it once more.
    pub fn prepare(&self, again: String) -> Result<(Case, Option<Image>), OwnError> {
        let read = if self.image.is_users() { manifest::read_for_own_image } else { manifest::read };
        let manifest = read_manifest(&self.file, read)?;
        for warning in &manifest.warnings {
            say(&warning.to_string());
        }
        for (path, pos) in &manifest.ignored {
            say(&format!("{}:{}:{}: ignored by vmhealth: {path}", self.file.display(), pos.line, pos.column));
        }
        refuse_heartbeat(self.heartbeat, &manifest)?;
        let scenario = Scenario::read(&self.scenario_text(&manifest)).map_err(invalid_options)?;
        let image = self.image.find(&manifest, &self.image_word)?;
        if manifest.vmi.architecture == Architecture::Amd64 && manifest.vmi.machine == MachineType::Pc {
            say(
                "this runs on pc; KubeVirt's default is q35, with a second watchdog: `machine: {type: q35}` asks for it",
            );
        }
        Ok((Case { scenario, file: self.file.clone(), manifest: Arc::new(manifest), again }, image))
    }

    /// A scenario that breaks what the user asks for, watches so long, and expects only that the guest gets ready.
    fn scenario_text(&self, manifest: &VirtualMachine) -> String {
        // Only a user starts such a VM.
        let needs_start = matches!(manifest.run_strategy, RunStrategy::Halted | RunStrategy::Manual);
        let guest = match self.heartbeat {
            None if self.image.is_users() => {
                let own = manifest.vmi.watchdog.is_some();
                format!("ownWatchdogDaemon: {own}, {}", guest_text(None, false, self.health_server))
            }
            asked => guest_text(heartbeat(asked, manifest), self.keepalive, self.health_server),
        };
        let mut faults = self.faults.clone();
        faults.sort_by_key(|f| f.at);
        let mut before = std::time::Duration::ZERO;
        let mut steps = String::new();
        if needs_start {
            steps.push_str("    - {user: start}\n");
        }
        for (i, TimedFault { text: kind, at, .. }) in faults.iter().enumerate() {
            let after = if i == 0 { "after: guest ready, " } else { "" };
            let plus = humantime::format_duration(at.saturating_sub(before)).to_string();
            steps.push_str(&format!("    - {{{after}plus: {plus}, fault: {kind}}}\n"));
            before = *at;
        }
        let steps = if steps.is_empty() { String::new() } else { format!("  steps:\n{steps}") };
        let boot = self.boot.map_or(String::new(), |b| format!("  bootDeadline: {}\n", humantime::format_duration(b)));
        format!(
            "apiVersion: vmhealth.dev/v1alpha1\nkind: Scenario\nmetadata: {{id: run/your-own/manifest, summary: your own}}\nspec:\n  \
             manifest: unused\n  kubevirtVersion: {}\n  guest: {{{}}}\n{boot}{steps}  expect:\n    - {{see: guest ready, from: vm event SuccessfulCreate, withinGuest: 0s..{}}}\n  \
             observe: {}\n  final: {{}}\n",
            self.kubevirt_version,
            guest,
            // Longer than the deadlines of the agent and of what it is asked then: they are to be the ones that speak.
            humantime::format_duration(3 * self.boot.unwrap_or_default() + Duration::from_secs(300)),
            humantime::format_duration(self.lasting),
        )
    }
}

/// Without the position, which is in a text that the user has never seen.
pub(super) fn invalid_options(error: ScenarioError) -> OwnError {
    let problems: Vec<&str> = error.problems.iter().map(|problem| problem.message.as_str()).collect();
    OwnError::Invalid(format!("invalid options: {}", problems.join("; ")))
}

/// Reads a manifest with a reader of [`manifest`].
pub(super) fn read_manifest(
    path: &Path,
    read: fn(&str, &str) -> Result<VirtualMachine, Problems>,
) -> Result<VirtualMachine, OwnError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| OwnError::Invalid(format!("cannot read {file}: {e}")))?;
    read(&file, &text).map_err(|problems| OwnError::Invalid(problems.to_string()))
}

/// A guest profile as a scenario file words it.
pub(super) fn guest_text(heartbeat: Option<u32>, keepalive: bool, health_server: bool) -> String {
    let daemon = heartbeat.filter(|h| *h > 0).map_or(String::new(), |heartbeat| {
        let keepalive = if keepalive { "takeover" } else { "masked" };
        format!("watchdogDaemon: {{heartbeatSeconds: {heartbeat}, keepalive: {keepalive}}}, ")
    });
    format!("{daemon}healthServer: {health_server}")
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
                faults: Vec::new(),
                lasting: Duration::from_secs(120),
                boot: None,
                heartbeat: None,
                keepalive: false,
                health_server: false,
                kubevirt_version: KubevirtVersion::default(),
                image: ImageChoice::Vmhealth,
                image_word: ImageWord::default(),
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
        check(watchdog, |_| (), &ours(10));
        check(watchdog, |r| r.heartbeat = Some(0), "healthServer: false");
        check("devices: {}", |_| (), "healthServer: false");
        // The machine's own.
        check(q35, |_| (), &ours(10));
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

//! `advise`: the numbers for the user's own manifest, found and tried in virtual time.

use super::advise_fleet::InFleet;
use super::error::OwnError;
use super::fault::NamedFault;
use super::guest::{Chosen, OwnGuest};
use super::heartbeat::refuse_heartbeat;
use super::scenario::{read_manifest, read_text};
use crate::lines::tell;
use crate::report::{AdviseReport, Advised, Asked, LivesReport};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use vmhealth_sim::advise::{
    Answer, Bench, Boots, Broken, Change, Goal, Maintenance, advise, breaking, maintain, merge_into, merge_patch,
    volumes_with,
};
use vmhealth_sim::budget::{Basis, Given};
use vmhealth_sim::cluster::KubevirtVersion;
use vmhealth_sim::fault::FaultKind;
use vmhealth_sim::manifest::{self, VirtualMachine};
use vmhealth_sim::scenario::GuestProfile;
use vmhealth_sim::yaml;

/// Where neither the user nor a fleet says how long a boot takes.
const USUAL_BOOT: Boots = Boots { fastest: Duration::from_secs(60), slowest: Duration::from_secs(60) };

/// A manifest, and what is wanted of it.
#[derive(Debug, Clone)]
pub struct OwnAdvise {
    /// The manifest's file.
    pub file: PathBuf,
    /// How soon after any fault the VM is to be back; `None`: only the maintenance is asked about.
    pub within: Option<Duration>,
    /// From the guest's start until it answers; `None`: as the fleet says, or a minute.
    pub boots: Option<Boots>,
    /// A fleet file with groups of this manifest.
    pub fleet: Option<PathBuf>,
    /// How long nothing may answer without a restart.
    pub hiccup: Duration,
    /// What breaks; none: every fault that concerns the manifest and that only a restart heals.
    pub faults: Vec<NamedFault>,
    /// What is done on purpose, and for how long.
    pub maintenance: Vec<(Maintenance, Duration)>,
    /// The watchdog daemon's timeout in seconds; 0: none runs; `None`: the user data's, or the daemon's default.
    pub heartbeat: Option<u32>,
    /// The cluster's release.
    pub kubevirt_version: KubevirtVersion,
    /// The user data that lies in a Secret.
    pub user_data: Option<Vec<u8>>,
}

impl OwnAdvise {
    /// The numbers, and what comes of the maintenance with those that the manifest has; beside the report the best answer, if the
    /// goal can be had.
    pub fn advise(&self) -> Result<(AdviseReport, Option<Answer>), OwnError> {
        let vm = read_manifest(&self.file, self.user_data.as_deref(), manifest::read)?;
        refuse_heartbeat(self.heartbeat, &vm)?;
        let chosen = Chosen { heartbeat: self.heartbeat, in_model: true, ..Chosen::default() };
        let own = OwnGuest::of(&vm, chosen);
        let invalid = |e: String| OwnError::Invalid(format!("{}: {e}", self.file.display()));
        let guest: GuestProfile = yaml::read(&format!("{{{}}}", own.profile)).map_err(|e| invalid(e.message))?;
        let fleet = self.fleet.as_deref().map(|fleet| InFleet::read(fleet, &self.file, &vm, &guest)).transpose()?;
        let boots = self.boots.or(fleet.as_ref().map(InFleet::boots)).unwrap_or(USUAL_BOOT);
        let given =
            Given { boot: Some(boots.slowest), heartbeat: self.heartbeat.filter(|h| *h > 0), ..Given::default() };
        let basis = Basis::of(&vm, &given);
        own.assumptions.iter().for_each(|line| tell(line));
        tell(&format!("assumed, since nothing says otherwise: {}", basis.assumed.join("; ")));
        let bench = Bench { vm: &vm, guest: &guest, assumptions: basis.assumptions, version: self.kubevirt_version };
        let goal = self.within.map(|within| Goal { within, boots, hiccup: self.hiccup });
        let found = goal.map(|goal| self.search(&vm, &bench, goal, fleet.as_ref()).map_err(invalid)).transpose()?;
        let (advised, best) = found.unzip();
        let lives = |(what, lasting): &(Maintenance, Duration)| {
            maintain(&bench, *what, *lasting, boots.slowest).map(|l| LivesReport::of(&l, &vm)).map_err(invalid)
        };
        let maintenance = self.maintenance.iter().map(lives).collect::<Result<_, _>>()?;
        Ok((AdviseReport::new(&vm, advised, maintenance), best.flatten()))
    }

    fn search(
        &self,
        vm: &VirtualMachine,
        bench: &Bench<'_>,
        goal: Goal,
        fleet: Option<&InFleet>,
    ) -> Result<(Advised, Option<Answer>), String> {
        let named = self.faults.iter().map(|f| Broken { text: f.text.clone(), fault: f.fault.clone() });
        let faults = if self.faults.is_empty() { breaking(vm, bench.guest) } else { named.collect() };
        for broken in &faults {
            if let Some(what) = bench.guest.lacks(&broken.fault) {
                return Err(format!("{}: this guest has no {what}", broken.text));
            }
            let unknown = [
                FaultKind::Unit,
                FaultKind::Command,
                FaultKind::DropPort,
                FaultKind::CpuHog,
                FaultKind::SoftLockup,
                FaultKind::HungTask,
                FaultKind::SlowBoot,
                FaultKind::BootLoop,
            ];
            if unknown.contains(&broken.fault.kind()) {
                return Err(format!(
                    "{}: the model does not know when the VM is well again after it; of a service that ends or hangs say {{health: stop}} \
                     or {{health: hang}}, of one that is slow for a while --hiccup",
                    broken.text
                ));
            }
        }
        let mut advice = advise(bench, &goal, &faults)?;
        let fleet = fleet.map(|fleet| fleet.choose(&mut advice)).transpose()?;
        let changes = advice.best.as_ref().map(|b| b.changes.as_slice()).unwrap_or_default();
        let (patch, in_user_data) = self.patch(changes);
        let asked = Asked {
            recover_within_s: goal.within.as_secs_f64(),
            boot_s: [goal.boots.fastest.as_secs_f64(), goal.boots.slowest.as_secs_f64()],
            hiccup_s: goal.hiccup.as_secs_f64(),
            faults: faults.into_iter().map(|f| f.text).collect(),
        };
        Ok((Advised::new(asked, &advice, patch, &in_user_data).with_fleet(fleet), advice.best))
    }

    /// The merge patch, and the guest's numbers that it sets in the user data.
    pub(super) fn patch(&self, changes: &[Change]) -> (Option<Value>, Vec<String>) {
        let patch = merge_patch(changes, self.says_running());
        let manifest = self.manifest_as_json().unwrap_or_default();
        let Some((volumes, set)) = volumes_with(&manifest, changes) else { return (patch, Vec::new()) };
        let mut patch = patch.unwrap_or_default();
        merge_into(&mut patch, &json!({"spec": {"template": {"spec": {"volumes": volumes}}}}));
        (Some(patch), set)
    }

    /// The manifest says `spec.running` and no `spec.runStrategy`.
    pub(super) fn says_running(&self) -> bool {
        self.manifest_as_json().is_ok_and(|vm| vm["spec"].get("running").is_some())
    }

    /// The whole of it, also what is not known here.
    pub(super) fn manifest_as_json(&self) -> Result<serde_json::Value, OwnError> {
        let vm = manifest::only_vm(&self.file.display().to_string(), &read_text(&self.file)?);
        vm.map(|vm| vm.to_json()).map_err(|problems| OwnError::Invalid(problems.to_string()))
    }
}

#[cfg(test)]
impl OwnAdvise {
    /// The VM of a file is to be back so soon after a kernel panic.
    pub(super) fn after_a_panic(file: PathBuf, within: Duration) -> OwnAdvise {
        OwnAdvise {
            file,
            within: Some(within),
            boots: None,
            fleet: None,
            hiccup: Duration::from_secs(5),
            faults: vec!["kernelPanic".parse().unwrap()],
            maintenance: Vec::new(),
            heartbeat: None,
            kubevirt_version: KubevirtVersion::default(),
            user_data: None,
        }
    }
}

//! `advise --fleet`: the VM as one of many, whose boots slow each other down.
//!
//! The fleet says which boots are no fault, if the user does not, and whether it comes to rest with the numbers that were found.
//! How numbers are found is not known here.

use super::error::OwnError;
use super::fleet::{OwnFleet, Prepared};
use crate::report::{AsFleet, FleetAdvice};
use std::num::NonZero;
use std::path::Path;
use std::time::Duration;
use vmhealth_sim::advise::{Advice, Boots, Numbers};
use vmhealth_sim::fleet::{FleetFile, Plan, Resolved};
use vmhealth_sim::manifest::VirtualMachine;
use vmhealth_sim::scenario::GuestProfile;

/// A fleet, of which some groups are made of the user's manifest.
#[derive(Debug)]
pub(super) struct InFleet {
    fleet: OwnFleet,
    file: FleetFile,
    /// Of each group.
    resolved: Vec<Resolved>,
    /// The numbers of the user's groups, at least one.
    groups: Vec<usize>,
    /// As it is.
    plan: Plan,
}

impl InFleet {
    /// Reads the fleet's file. The groups with this manifest get the VM and the guest as they are advised for, which the user's own
    /// user data and heartbeat may have set up otherwise; but where the file gives a group its heartbeat, that stays.
    pub(super) fn read(
        file: &Path,
        manifest: &Path,
        vm: &VirtualMachine,
        guest: &GuestProfile,
    ) -> Result<InFleet, OwnError> {
        let invalid = |e: String| OwnError::Invalid(format!("{}: {e}", file.display()));
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let fleet = OwnFleet { file: file.to_owned(), seed: None, threads, sweep: Vec::new(), boots: Vec::new() };
        let (file, mut resolved) = fleet.read()?;
        let manifest_file = manifest.canonicalize().ok();
        let mut groups = Vec::new();
        for (number, (group, resolved)) in file.spec.groups.iter().zip(&mut resolved).enumerate() {
            if manifest_file.is_none() || fleet.manifest(group).canonicalize().ok() != manifest_file {
                continue;
            }
            groups.push(number);
            if group.heartbeat.is_none() {
                *resolved = Resolved { vm: vm.clone(), guest: guest.clone() };
            }
        }
        if groups.is_empty() {
            let there: Vec<&str> = file.spec.groups.iter().map(|group| group.manifest.as_str()).collect();
            let (manifest, there) = (manifest.display(), there.join(", "));
            return Err(invalid(format!(
                "spec.groups: none of them has the manifest {manifest}; name one of theirs as a file: {there}"
            )));
        }
        let plan = Plan::new(&file, resolved.clone()).map_err(invalid)?;
        Ok(InFleet { fleet, file, resolved, groups, plan })
    }

    /// From a quick boot by itself to a slow one beside all others of its node, in whole seconds.
    pub(super) fn boots(&self) -> Boots {
        let all = || self.groups.iter().filter_map(|group| self.plan.boots(*group));
        let fastest = all().map(|(quick, _)| quick.as_secs()).min().unwrap_or_default().max(1);
        let slowest = all().map(|(_, slow)| slow.as_secs_f64().ceil() as u64).max().unwrap_or_default().max(fastest);
        Boots { fastest: Duration::from_secs(fastest), slowest: Duration::from_secs(slowest) }
    }

    /// Of the answers that hold the goal, the first with which the fleet comes to rest is advised.
    pub(super) fn choose(&self, advice: &mut Advice) -> Result<FleetAdvice, String> {
        let mut all = self.with(advice.front.iter().map(|answer| &answer.numbers))?.into_iter();
        let now = all.next().ok_or("no fleet was run")?;
        let front: Vec<AsFleet> = all.collect();
        let stays = now.settles && (front.is_empty() || advice.best.as_ref() == Some(&advice.now));
        let rests = advice.front.iter().zip(&front).find(|(_, fleet)| fleet.settles).map(|(answer, _)| answer);
        let settles = stays || rests.is_some();
        if let (Some(answer), false) = (rests, stays) {
            advice.best = Some(answer.clone());
        }
        Ok(FleetAdvice { name: self.file.metadata.name.clone(), now, front, settles })
    }

    /// What comes of the fleet as it is, and with each of these numbers in the place of its VMs'.
    fn with<'a>(&self, numbers: impl Iterator<Item = &'a Numbers>) -> Result<Vec<AsFleet>, String> {
        let mut plans = vec![self.plan.clone()];
        for numbers in numbers {
            let mut resolved = self.resolved.clone();
            for group in &self.groups {
                let Some(guest) = resolved.get_mut(*group) else { continue };
                *guest = Resolved { vm: numbers.put_into(&guest.vm), guest: numbers.put_into_guest(&guest.guest) };
            }
            let invalid = |e: String| format!("{}, with what is advised: {e}", self.fleet.file.display());
            plans.push(Plan::new(&self.file, resolved).map_err(invalid)?);
        }
        let prepared = Prepared { file: self.file.clone(), plans, cells: Vec::new(), id: String::new() };
        let outcomes = prepared.run(self.fleet.threads, &|_, _| true);
        Ok(outcomes.iter().map(AsFleet::of).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::own::OwnAdvise;
    use std::path::Path;
    use std::time::Duration;
    use vmhealth_sim::advise::Boots;

    /// The storm that does not end with the document's numbers ends with those that are advised.
    #[test]
    fn the_fleet_comes_to_rest_with_what_is_advised() {
        let fleets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fleets");
        let own = |fleet: &str| OwnAdvise {
            fleet: Some(fleets.join(fleet)),
            ..OwnAdvise::after_a_panic(fleets.join("document.vm.yaml"), Duration::from_secs(900))
        };
        let (report, best) = own("document.yaml").advise().unwrap();
        let json = serde_json::to_value(&report).unwrap();
        let (asked, fleet) = (&json["advice"]["asked"], &json["advice"]["fleet"]);
        // 60 VMs of a node, 12 of which boot at full speed.
        assert_eq!(asked["boot_s"], serde_json::json!([50.0, 350.0]));
        assert_eq!((&fleet["now"]["settles"], &fleet["settles"]), (&false.into(), &true.into()), "{fleet}");
        assert!(report.is_good() && best.is_some());
        // Numbers that know nothing of the others do not help.
        let alone = Boots { fastest: Duration::from_secs(50), slowest: Duration::from_secs(70) };
        let (report, best) = OwnAdvise { boots: Some(alone), ..own("document.yaml") }.advise().unwrap();
        assert!(best.is_some() && !report.is_good() && report.render().contains("with none of them"));
        let other = own("advised.yaml").advise().unwrap_err().to_string();
        assert!(other.contains("spec.groups: none of them has the manifest"), "{other}");
    }
}

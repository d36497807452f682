//! `fleet`: a fleet file and its manifests, run in virtual time on all of the machine's cores.
//!
//! Nodes have nothing in common, so they are run in any order; what came of them is added up in the order of their numbers, some
//! nodes at a time, so a fleet of any size needs no more memory than those.

use super::error::OwnError;
use super::guest::{Chosen, OwnGuest};
use super::heartbeat::refuse_heartbeat;
use super::scenario::read_manifest;
use crate::bounded;
use crate::prepare::say;
use crate::report::FleetReport;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use vmhealth_sim::fleet::{FleetFile, Group, Outcome, Plan, Resolved, run_node, tip};
use vmhealth_sim::manifest;
use vmhealth_sim::scenario::GuestProfile;
use vmhealth_sim::yaml;

/// Of a fleet file, bytes.
const LARGEST: u64 = 8 << 20;
/// Nodes that a thread takes in a round.
const NODES_A_ROUND: u32 = 32;

/// A fleet file, and how it is run.
#[derive(Debug, Clone)]
pub struct OwnFleet {
    /// The file.
    pub file: PathBuf,
    /// In place of the file's seed.
    pub seed: Option<u64>,
    /// How many threads run it; what comes of it does not depend on that.
    pub threads: usize,
}

impl OwnFleet {
    /// What comes of it, and of a node that does not settle, what tips it.
    pub fn run(&self) -> Result<FleetReport, OwnError> {
        let name = self.file.display().to_string();
        let text = bounded::text(&self.file, LARGEST).map_err(OwnError::Invalid)?;
        let mut file = FleetFile::read(&name, &text).map_err(|problems| OwnError::Invalid(problems.to_string()))?;
        file.spec.seed = self.seed.unwrap_or(file.spec.seed);
        let folder = self.file.parent().unwrap_or(Path::new(""));
        let resolved: Result<Vec<Resolved>, OwnError> =
            file.spec.groups.iter().map(|group| resolve(folder, group)).collect();
        let plan = Plan::new(&file, resolved?).map_err(|e| OwnError::Invalid(format!("{name}: {e}")))?;
        let outcome = run(&plan, self.threads);
        let tipping = outcome.settling.worst.map(|(node, _)| tip(&plan, node));
        Ok(FleetReport::new(&file, &plan, &outcome, tipping.as_ref()))
    }
}

/// A group's manifest, and the guest that it sets up.
fn resolve(folder: &Path, group: &Group) -> Result<Resolved, OwnError> {
    let path = folder.join(&group.manifest);
    let invalid = |e: String| OwnError::Invalid(format!("group {}: {e}", group.name));
    let vm = read_manifest(&path, None, manifest::read).map_err(|e| invalid(e.to_string()))?;
    refuse_heartbeat(group.heartbeat, &vm).map_err(|e| invalid(e.to_string()))?;
    let own = OwnGuest::of(&vm, Chosen { heartbeat: group.heartbeat, in_model: true, ..Chosen::default() });
    own.assumptions.iter().for_each(|line| say(&format!("group {}: {line}", group.name)));
    let guest: GuestProfile = yaml::read(&format!("{{{}}}", own.profile)).map_err(|e| invalid(e.message))?;
    Ok(Resolved { vm, guest })
}

/// Runs all nodes.
fn run(plan: &Plan, threads: usize) -> Outcome {
    let threads = threads.min(usize::try_from(plan.nodes()).unwrap_or(usize::MAX)).max(1);
    let round = u32::try_from(threads).unwrap_or(1).saturating_mul(NODES_A_ROUND);
    let mut all = Outcome::new(plan.horizon(), plan.causes().len());
    let mut first = 0;
    while first < plan.nodes() {
        let end = first.saturating_add(round).min(plan.nodes());
        let next = AtomicU32::new(first);
        let work = || {
            let mut done = Vec::new();
            loop {
                let node = next.fetch_add(1, Ordering::Relaxed);
                if node >= end {
                    return done;
                }
                done.push((node, run_node(plan, node, &mut |_, _, _| ())));
            }
        };
        let mut done: Vec<(u32, Outcome)> = std::thread::scope(|scope| {
            // This thread works too, so a machine that has no more threads to give is slower and no more.
            let helper = |_| std::thread::Builder::new().spawn_scoped(scope, work).ok();
            let helpers: Vec<_> = (1..threads).filter_map(helper).collect();
            let mut done = work();
            for helper in helpers {
                done.extend(helper.join().unwrap_or_else(|p| std::panic::resume_unwind(p)));
            }
            done
        });
        done.sort_by_key(|(node, _)| *node);
        done.iter().for_each(|(_, outcome)| all.add(outcome));
        first = end;
    }
    all
}

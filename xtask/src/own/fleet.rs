//! `fleet`: a fleet file and its manifests, run in virtual time on all of the machine's cores, as it is and once for each pair of the
//! numbers that are swept.
//!
//! Nodes have nothing in common, so they are run in any order by any thread, or machine; what came of them adds up in any order.

use super::error::OwnError;
use super::guest::{Chosen, OwnGuest};
use super::heartbeat::refuse_heartbeat;
use super::measured::MeasuredBoots;
use super::pace::Pace;
use super::scenario::read_manifest;
use crate::bounded;
use crate::prepare::say;
use crate::report::{FleetReport, SweepReport};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use vmhealth_images::digest;
use vmhealth_sim::fleet::{Axis, FleetFile, Group, Outcome, Plan, Resolved, SweptValue, run_node, tip};
use vmhealth_sim::manifest::{self, VirtualMachine};
use vmhealth_sim::scenario::GuestProfile;
use vmhealth_sim::yaml;

/// Of a fleet file, bytes.
const LARGEST: u64 = 8 << 20;

/// A fleet file, and how it is run.
#[derive(Debug, Clone)]
pub struct OwnFleet {
    /// The file.
    pub file: PathBuf,
    /// In place of the file's seed.
    pub seed: Option<u64>,
    /// How many threads run it; what comes of it does not depend on that.
    pub threads: usize,
    /// One number or two that are swept.
    pub sweep: Vec<Axis>,
    /// Of each group, in place of the file's; none: the file's.
    pub boots: Vec<MeasuredBoots>,
}

/// All that is run: the fleet as it is, then each cell of the sweep.
pub(super) struct Prepared {
    pub(super) file: FleetFile,
    /// At least one; all have the same nodes.
    pub(super) plans: Vec<Plan>,
    /// The swept numbers of each cell.
    pub(super) cells: Vec<Vec<SweptValue>>,
    /// Of all that decides what comes of it.
    pub(super) id: String,
}

impl OwnFleet {
    /// What comes of it, and of a node that does not settle, what tips it.
    pub fn run(&self) -> Result<FleetReport, OwnError> {
        let prepared = self.prepare()?;
        let outcomes = prepared.run(self.threads, &|_, _| true);
        self.report(&prepared, &outcomes)
    }

    /// Of the whole of it, wherever it was run.
    pub(super) fn report(&self, prepared: &Prepared, outcomes: &[Outcome]) -> Result<FleetReport, OwnError> {
        let whole = prepared.plans.first().zip(outcomes.split_first());
        let Some((plan, (outcome, swept))) = whole else { return Err(OwnError::Invalid("nothing was run".into())) };
        let tipping = outcome.settling.worst.map(|(node, _)| tip(plan, node));
        let report = FleetReport::new(&prepared.file, plan, outcome, tipping.as_ref());
        let sweep = (!self.sweep.is_empty()).then(|| SweepReport::new(&self.sweep, &prepared.cells, swept));
        Ok(report.with_sweep(sweep).with_boots(self.boots.iter().map(MeasuredBoots::report).collect()))
    }

    /// What is shared out among so many shards, in words.
    pub fn shared_out(&self, shards: u64) -> Result<String, OwnError> {
        let prepared = self.prepare()?;
        Ok(in_shards(prepared.nodes(), prepared.plans.len(), shards))
    }

    /// The file, with the guests of each of its groups.
    pub(super) fn read(&self) -> Result<(FleetFile, Vec<Resolved>), OwnError> {
        let name = self.file.display().to_string();
        let text = bounded::text(&self.file, LARGEST).map_err(OwnError::Invalid)?;
        let mut file = FleetFile::read(&name, &text).map_err(|problems| OwnError::Invalid(problems.to_string()))?;
        file.spec.seed = self.seed.unwrap_or(file.spec.seed);
        let resolved: Result<Vec<Resolved>, OwnError> =
            file.spec.groups.iter().map(|group| resolve(&self.manifest(group), group)).collect();
        Ok((self.with_boots(file), resolved?))
    }

    /// The file of a group's manifest.
    pub(super) fn manifest(&self, group: &Group) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(&group.manifest)
    }

    pub(super) fn prepare(&self) -> Result<Prepared, OwnError> {
        let (name, (file, resolved)) = (self.file.display(), self.read()?);
        let cells = cells(&self.sweep)?;
        let mut plans =
            vec![Plan::new(&file, resolved.clone()).map_err(|e| OwnError::Invalid(format!("{name}: {e}")))?];
        for cell in &cells {
            let (mut file, mut guests) = (file.clone(), resolved.clone());
            let mut set = || {
                for (axis, value) in self.sweep.iter().zip(cell) {
                    axis.swept.set(*value, &mut file, &mut guests)?;
                }
                Plan::new(&file, guests.clone())
            };
            let with = || {
                self.sweep.iter().zip(cell).map(|(axis, value)| format!("{}={value}", axis.swept)).collect::<Vec<_>>()
            };
            plans.push(
                set().map_err(|e| OwnError::Invalid(format!("{name}: --sweep, with {}: {e}", with().join(", "))))?,
            );
        }
        // Warnings and places say where the manifest lies, which is another place on each machine.
        let guest = |one: &Resolved| {
            (VirtualMachine { warnings: Vec::new(), places: Default::default(), ..one.vm.clone() }, one.guest.clone())
        };
        let guests: Vec<_> = resolved.iter().map(guest).collect();
        let all = format!("{} {:?}", env!("CARGO_PKG_VERSION"), (&file, &guests, &self.sweep));
        Ok(Prepared { file, plans, cells, id: digest::of_bytes(all.as_bytes()) })
    }
}

/// `plans`: how often the nodes are run, as they are and once for each cell of the sweep.
fn in_shards(nodes: u32, plans: usize, shards: u64) -> String {
    let many = |n: u64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let nodes = u64::from(nodes);
    let runs = nodes.saturating_mul(plans as u64);
    let swept = match plans as u64 - 1 {
        0 => many(nodes, "node"),
        cells => format!(
            "{}, run as they are and with {} of the sweep: {runs} runs",
            many(nodes, "node"),
            many(cells, "cell")
        ),
    };
    // By a hash: a shard is more likely empty the less there is for each.
    let empty =
        if runs < shards { format!("; at least {} of them have nothing to run", shards - runs) } else { String::new() };
    format!("{swept}, shared out among {}{empty}", many(shards, "shard"))
}

/// Each value of the first number with each of the second.
fn cells(sweep: &[Axis]) -> Result<Vec<Vec<SweptValue>>, OwnError> {
    match sweep {
        [] => Ok(Vec::new()),
        [one] => Ok(one.values.iter().map(|value| vec![*value]).collect()),
        [one, two] if one.swept != two.swept => {
            Ok(one.values.iter().flat_map(|a| two.values.iter().map(|b| vec![*a, *b])).collect())
        }
        [one, _] => Err(OwnError::Invalid(format!("--sweep: {} comes twice", one.swept))),
        _ => Err(OwnError::Invalid("--sweep: one number or two, a picture has no more sides".into())),
    }
}

/// A group's manifest, and the guest that it sets up.
fn resolve(path: &Path, group: &Group) -> Result<Resolved, OwnError> {
    let invalid = |e: String| OwnError::Invalid(format!("group {}: {e}", group.name));
    let vm = read_manifest(path, None, manifest::read).map_err(|e| invalid(e.to_string()))?;
    refuse_heartbeat(group.heartbeat, &vm).map_err(|e| invalid(e.to_string()))?;
    let own = OwnGuest::of(&vm, Chosen { heartbeat: group.heartbeat, in_model: true, ..Chosen::default() });
    own.assumptions.iter().for_each(|line| say(&format!("group {}: {line}", group.name)));
    let guest: GuestProfile = yaml::read(&format!("{{{}}}", own.profile)).map_err(|e| invalid(e.message))?;
    Ok(Resolved { vm, guest })
}

impl Prepared {
    /// What has come of no node yet.
    pub(super) fn nothing(&self) -> Vec<Outcome> {
        self.plans.iter().map(|plan| Outcome::new(plan.horizon(), plan.causes().len())).collect()
    }

    pub(super) fn nodes(&self) -> u32 {
        self.plans.first().map_or(0, Plan::nodes)
    }

    /// Runs the nodes that are `mine`, by the numbers of their plan and their own; what came of each plan.
    pub(super) fn run(&self, threads: usize, mine: &(dyn Fn(usize, u32) -> bool + Sync)) -> Vec<Outcome> {
        let nodes = u64::from(self.nodes()).max(1);
        let all = nodes * self.plans.len() as u64;
        let threads = threads.min(usize::try_from(all).unwrap_or(usize::MAX)).max(1);
        let next = AtomicU64::new(0);
        let wanted = |unit: u64| ((unit / nodes) as usize, (unit % nodes) as u32);
        let pace = Pace::of((0..all).map(wanted).filter(|(plan, node)| mine(*plan, *node)).count() as u64);
        let work = || {
            let mut done = self.nothing();
            loop {
                let (number, node) = wanted(next.fetch_add(1, Ordering::Relaxed));
                let Some((plan, outcome)) = self.plans.get(number).zip(done.get_mut(number)) else { return done };
                if mine(number, node) {
                    outcome.add(&run_node(plan, node, &mut |_, _, _| ()));
                    pace.step();
                }
            }
        };
        std::thread::scope(|scope| {
            // This thread works too, so a machine that has no more threads to give is slower and no more.
            let helper = |_| std::thread::Builder::new().spawn_scoped(scope, work).ok();
            let helpers: Vec<_> = (1..threads).filter_map(helper).collect();
            let mut all = work();
            for helper in helpers {
                let done = helper.join().unwrap_or_else(|p| std::panic::resume_unwind(p));
                all.iter_mut().zip(&done).for_each(|(sum, more)| sum.add(more));
            }
            all
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_out() {
        for ((nodes, plans, shards), expected) in [
            ((1, 1, 1), "1 node, shared out among 1 shard"),
            ((100, 1, 4), "100 nodes, shared out among 4 shards"),
            ((2, 1, 4), "2 nodes, shared out among 4 shards; at least 2 of them have nothing to run"),
            ((2, 2, 4), "2 nodes, run as they are and with 1 cell of the sweep: 4 runs, shared out among 4 shards"),
            ((2, 25, 4), "2 nodes, run as they are and with 24 cells of the sweep: 50 runs, shared out among 4 shards"),
        ] {
            assert_eq!(in_shards(nodes, plans, shards), expected);
        }
    }
}

//! A fleet's shard: a part of its nodes, run on one of many machines, and all shards put together to what one machine would have said.

use super::error::OwnError;
use super::fleet::OwnFleet;
use crate::report::FleetReport;
use crate::{bounded, shard};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use vmhealth_sim::fleet::Outcome;

/// The file of a shard's folder that says what came of it.
pub const RESULTS: &str = "results.json";
/// Of such a file, bytes.
const LARGEST: u64 = 1 << 30;

/// What came of a shard.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetShard {
    /// 1.
    schema: u32,
    /// Of the fleet, its manifests, its sweep and its seed: shards of other ones do not go together with it.
    fleet: String,
    /// Which of how many, from 1.
    shard: (u64, u64),
    /// Of the fleet as it is and of each cell of the sweep, what came of the nodes that are in this shard.
    outcomes: Vec<Outcome>,
}

impl OwnFleet {
    /// Runs the `k`th of `n` parts, by a hash of each node's number.
    pub fn shard(&self, (k, n): (u64, u64)) -> Result<FleetShard, OwnError> {
        let prepared = self.prepare()?;
        let mine = |plan: usize, node: u32| shard::is_in(&format!("{plan}/{node}"), (k, n));
        let outcomes = prepared.run(self.threads, &mine);
        Ok(FleetShard { schema: 1, fleet: prepared.id, shard: (k, n), outcomes })
    }

    /// Puts all shards together, each in a folder of its own: what [`OwnFleet::run`] says, byte for byte.
    pub fn merge(&self, folders: &[PathBuf]) -> Result<FleetReport, OwnError> {
        let prepared = self.prepare()?;
        let (mut all, nothing) = (prepared.nothing(), prepared.nothing());
        let mut seen: BTreeMap<u64, &Path> = BTreeMap::new();
        let mut parts = folders.len() as u64;
        for folder in folders {
            let invalid = |e: String| OwnError::Invalid(format!("{}: {e}", folder.display()));
            let bytes = bounded::bytes(&folder.join(RESULTS), LARGEST).map_err(OwnError::Invalid)?;
            let part: FleetShard =
                serde_json::from_slice(&bytes).map_err(|e| invalid(format!("no fleet's shard: {e}")))?;
            if part.fleet != prepared.id {
                return Err(invalid(
                    "a shard of another fleet: the file, its manifests, --sweep or --seed differ".into(),
                ));
            }
            let (k, n) = part.shard;
            parts = n;
            if n != folders.len() as u64 || !(1..=n).contains(&k) {
                return Err(invalid(format!(
                    "shard {k} of {n}, and {} were given: all of them are needed",
                    folders.len()
                )));
            }
            if let Some(other) = seen.insert(k, folder) {
                return Err(invalid(format!("shard {k} of {n} is also in {}", other.display())));
            }
            let fits = |(outcome, empty): (&Outcome, &Outcome)| outcome.fits(empty, prepared.nodes());
            if part.outcomes.len() != all.len() || !part.outcomes.iter().zip(&nothing).all(fits) {
                return Err(invalid("its numbers cannot be this fleet's: run the shard again".into()));
            }
            all.iter_mut().zip(&part.outcomes).for_each(|(sum, more)| sum.add(more));
        }
        if seen.is_empty() || seen.len() as u64 != parts {
            return Err(OwnError::Invalid("no shards were given".into()));
        }
        self.report(&prepared, &all)
    }
}

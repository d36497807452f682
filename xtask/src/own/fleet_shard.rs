//! A fleet's shard: a part of its nodes, run on one of many machines, and all shards put together to what one machine would have said.

use super::error::OwnError;
use super::fleet::OwnFleet;
use crate::report::FleetReport;
use crate::{bounded, shard};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use vmhealth_sim::fleet::{Outcome, Plan};

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
            let fits = |((outcome, empty), plan): ((&Outcome, &Outcome), &Plan)| {
                outcome.fits(empty, prepared.nodes(), plan.horizon())
            };
            let mut of_plans = part.outcomes.iter().zip(&nothing).zip(&prepared.plans);
            if part.outcomes.len() != all.len() || !of_plans.all(fits) {
                return Err(invalid("its numbers cannot be this fleet's: run the shard again".into()));
            }
            all.iter_mut().zip(&part.outcomes).for_each(|(sum, more)| sum.add(more));
        }
        if seen.is_empty() || seen.len() as u64 != parts {
            return Err(OwnError::Invalid("no shards were given".into()));
        }
        for (plan, outcome) in prepared.plans.iter().zip(&all) {
            let vms: u64 = (0..plan.nodes()).map(|node| u64::from(plan.vms_on(node))).sum();
            if (outcome.nodes, outcome.vms) != (u64::from(plan.nodes()), vms) {
                return Err(OwnError::Invalid(format!(
                    "the shards have {} nodes with {} VMs in all, the fleet has {} with {vms}: one of them is not whole, run them again",
                    outcome.nodes,
                    outcome.vms,
                    plan.nodes()
                )));
            }
        }
        self.report(&prepared, &all)
    }
}

#[cfg(test)]
mod tests {
    use super::super::measured::MeasuredBoots;
    use super::*;
    use serde_json::{Value, json};
    use std::time::Duration;

    const FLEET: &str = "apiVersion: vmhealth.dev/v1alpha1\nkind: Fleet\nmetadata: {name: small}\nspec:\n  for: 2h\n  nodes: {count: 4}\n  \
                         groups: [{name: a, manifest: vm.yaml, count: 8, boot: {is: 30s}}]\n  \
                         incidents: [{at: 20m, nodeDown: {for: 1m}}]\n";
    const VM: &str = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: vm}\nspec:\n  runStrategy: Always\n  \
                      template: {spec: {readinessProbe: {tcpSocket: {port: 80}}, domain: {devices: {}}}}\n";

    fn small(threads: usize, boots: Vec<MeasuredBoots>) -> (tempfile::TempDir, OwnFleet) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fleet.yaml");
        std::fs::write(&file, FLEET).unwrap();
        std::fs::write(folder.path().join("vm.yaml"), VM).unwrap();
        (folder, OwnFleet { file, seed: None, threads, sweep: Vec::new(), boots })
    }

    /// What was measured decides what comes of the fleet, and stands beside it; where nothing was, nothing does.
    #[test]
    fn measured_boots_are_used_and_shown() {
        let run = |boots| {
            let (_folder, own) = small(1, boots);
            serde_json::to_value(own.run().unwrap()).unwrap()
        };
        let slow = MeasuredBoots::of("a", vec![Duration::from_secs(200), Duration::from_secs(210)]).unwrap();
        let (written, measured) = (run(Vec::new()), run(vec![slow]));
        assert_eq!(written.get("measured_boots"), None);
        let boot = "{median: 3m 25s, sigma: 0.024}";
        assert_eq!(measured["measured_boots"], json!([{"group": "a", "boot": boot, "boots_s": [200.0, 210.0]}]));
        let p50 = |report: &Value| report["recovery_s"]["p50"].as_f64().unwrap();
        assert!(p50(&measured) > p50(&written) + 100.0, "{measured}");
    }

    /// A shard's file that is not what `shard` wrote is noticed, whatever stands in it.
    #[test]
    fn shards_are_put_together() {
        let (folder, own) = small(2, Vec::new());
        let at = |name: &str| folder.path().join(name);
        let parts: Vec<Value> =
            [1, 2].map(|k| serde_json::to_value(own.shard((k, 2)).unwrap()).unwrap()).into_iter().collect();
        let folders = [at("1"), at("2")];
        folders.iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
        let merged = |change: &dyn Fn(&mut Value)| {
            for (part, folder) in parts.iter().zip(&folders) {
                let mut part = part.clone();
                change(&mut part);
                std::fs::write(folder.join(RESULTS), part.to_string()).unwrap();
            }
            own.merge(&folders).map(|report| serde_json::to_value(&report).unwrap()).map_err(|e| e.to_string())
        };
        assert_eq!(merged(&|_| ()), Ok(serde_json::to_value(own.run().unwrap()).unwrap()));
        let absurd = json!({"1000": 1_u64 << 48, "1010": 1_u64 << 48, "1020": 1_u64 << 48});
        for (field, value, expected) in [
            ("recovery", absurd, "its numbers cannot be this fleet's"),
            ("lost", json!([u128::MAX.to_string(), "1", "0"]), "its numbers cannot be this fleet's"),
            ("nodes", json!(0), "its numbers cannot be this fleet's"),
        ] {
            let said = merged(&|part| part["outcomes"][0][field] = value.clone()).unwrap_err();
            assert!(said.contains(expected), "{field}: {said}");
        }
        let empty = serde_json::to_value(own.prepare().unwrap().nothing()).unwrap();
        let said = merged(&|part| part["outcomes"] = empty.clone()).unwrap_err();
        assert!(said.contains("the shards have 0 nodes with 0 VMs in all, the fleet has 4 with 8"), "{said}");
    }
}

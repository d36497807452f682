//! The catalogue, a folder of scenarios, or a fleet with its sweep, on many machines: by the engine that people have (Slurm, Kubernetes), in shards.
//!
//! Which scenario, or which node of a fleet, is in which shard, a hash of its name says (`e2e --shard K/N`, `fleet --shard K/N`). Each shard leaves its run folder on a file system that
//! all machines share; the one that ends last merges them. Starting a shard again after its machine died is the engine's
//! business: a shard counts only once it is whole. It must not know how a scenario runs.

mod kubernetes;
mod shards;
mod slurm;

pub use kubernetes::Cluster;
pub use shards::{Shards, Work};
pub use slurm::{SubmitError, submit};

//! Many VMs: what becomes of a whole fleet, in virtual time.
//!
//! [`FleetFile`] is what a fleet file holds; with the manifests that it names it becomes a [`Plan`]. VMs of one node have its
//! capacity for boots in common and are gone through together ([`run_node`]); nodes have nothing in common, so whoever runs
//! them may do so in any order, on any number of threads and machines. [`Outcome`]s of nodes add up to that of the fleet; a sweep
//! is the fleet once for each pair of two numbers ([`Axis`]). [`tip`] finds the
//! smallest incident after which a node does not settle any more. [`Fleet`] is VMs that have not even a node in common.

mod alike;
mod books;
mod capacity;
mod chance;
mod file;
mod incident;
mod node;
mod outcome;
mod plan;
mod reading;
mod settle;
mod sweep;
mod tipping;

pub use alike::{Fleet, Tally};
pub use capacity::Capacity;
pub use file::{
    BootSpec, FaultRate, FleetFile, FleetSpec, Group, Happens, Incident, Metadata, Nodes, Rate, json_schema,
};
pub use node::run_node;
pub use outcome::{Failures, Outcome};
pub use plan::{Plan, Resolved};
pub use settle::{Settling, Storm};
pub use sweep::{Axis, Swept, SweptValue};
pub use tipping::{Size, Tipping, tip};

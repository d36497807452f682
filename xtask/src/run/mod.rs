//! Runs of scenarios: the catalogue, the schedule, and both worlds.
//!
//! Knows nothing of the command line, and nothing of how a host gets what its guests need.

pub mod catalogue;
mod forecast;
mod held;
mod jobs;
mod load;
mod missed;
pub mod quick;
mod reality;
pub mod repetition;
mod runner;
mod scenario_run;
mod schedule;
mod tally;
pub mod templates;
pub mod two_ways;

pub(crate) use reality::remove_containers;
pub use reality::{Begun, HostError, Progress, Reality, Watcher};
pub use runner::{Models, Worlds, run};
pub(crate) use tally::{Tally, words};

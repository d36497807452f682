//! Runs of scenarios: the catalogue, the schedule, and both worlds.

pub mod catalogue;
pub mod forked;
mod jobs;
mod load;
mod runner;
mod schedule;
pub mod templates;

pub(crate) use jobs::remove_containers;
pub use runner::{Lack, Progress, Reality, Worlds, run};

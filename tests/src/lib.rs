//! The proof: the scenario catalogue, the runner that holds it against QEMU and the model, and what a run leaves.

pub mod bench;
pub mod catalogue;
pub mod check;
pub mod compare;
pub mod divergence;
pub mod explored;
pub mod host;
pub mod intervals;
mod jobs;
mod load;
pub mod mutants;
pub mod normal;
pub mod report;
pub mod runner;
mod schedule;
mod templates;

//! The benchmarks: numbers, never verdicts. Everything that is compared is measured in one run, because machines drift.

mod check;
mod clocks;
mod e2e;
mod fleet;
mod fork;
mod peers;
mod stats;
mod storm;

pub use check::{CheckBench, check_many};
pub use clocks::{ClocksBench, ClocksRow};
pub use e2e::{E2eBench, e2e_figures};
pub use fleet::{FleetBench, FleetPlan, fleet};
pub use fork::{ForkBench, ForkPlan, fork};
pub use peers::{PeersBench, peers};
pub use stats::Spread;
pub use storm::{StormBench, StormPlan, storm};

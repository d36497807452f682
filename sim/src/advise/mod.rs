//! Which numbers to set: from a goal ("back within two minutes, whenever it breaks") to probes, watchdog and strategy that hold it.
//!
//! The budgets' formulas only find candidates. What is proposed is tried in virtual time with each fault at every moment of
//! the probes' common period (a minute of it at most) that can make a difference, with the quickest boot and the slowest, and is dropped if a single one misses the goal. Nothing here knows
//! how a manifest is written or printed.

mod candidates;
mod goal;
mod maintenance;
mod moments;
mod numbers;
mod patch;
mod proof;
mod reasons;
mod search;
mod user_data;

pub use goal::{Boots, Broken, Goal, breaking};

pub use maintenance::{Lives, Maintenance, Way, maintain};
pub use numbers::{Change, Numbers};
pub use patch::{merge_into, merge_patch};
pub use proof::{Bench, Proof, Worst};
pub use search::{Advice, Answer, advise};
pub use user_data::volumes_with;

//! The rules, a file for each topic.

mod annotations;
mod devices;
mod exec;
mod exec_slips;
mod image;
pub(super) mod kind_of_file;
mod life;
mod lifecycle;
pub(super) mod limits;
mod liveness;
mod network;
mod object;
mod pets;
mod pod;
mod probe;
mod reachability;
mod releases;
mod run_strategy;
pub(super) mod schema;
mod volume;
mod watchdog;

use super::rule::Rule;

/// Every topic's rules. Findings of one layer come in this order.
pub(super) static TOPICS: &[&[&Rule]] = &[
    object::RULES,
    schema::RULES,
    releases::RULES,
    exec::RULES,
    exec_slips::RULES,
    probe::RULES,
    reachability::RULES,
    annotations::RULES,
    pod::RULES,
    liveness::RULES,
    watchdog::RULES,
    pets::RULES,
    image::RULES,
    lifecycle::RULES,
    life::RULES,
    devices::RULES,
    network::RULES,
    volume::RULES,
    run_strategy::RULES,
    kind_of_file::RULES,
    limits::RULES,
];

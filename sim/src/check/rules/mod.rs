//! The rules, a file for each topic.

mod devices;
mod dns;
mod exec;
mod instancetype;
mod interface;
mod lifecycle;
pub(super) mod limits;
mod liveness;
mod maker;
mod network;
pub(super) mod object;
mod placement;
mod pod;
mod ports;
mod probe;
mod run_strategy;
pub(super) mod schema;
mod volume;
mod watchdog;

use super::rule::Rule;

/// Every topic's rules. Findings of one layer come in this order.
pub(super) static TOPICS: &[&[&Rule]] = &[
    object::RULES,
    schema::RULES,
    exec::RULES,
    probe::RULES,
    pod::RULES,
    liveness::RULES,
    watchdog::RULES,
    lifecycle::RULES,
    devices::RULES,
    instancetype::RULES,
    maker::RULES,
    network::RULES,
    interface::RULES,
    ports::RULES,
    dns::RULES,
    placement::RULES,
    volume::RULES,
    run_strategy::RULES,
    limits::RULES,
];

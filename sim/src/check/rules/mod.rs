//! The rules, a file for each topic.

mod annotations;
mod architecture;
pub(super) mod brought;
mod cpu;
mod credentials;
mod data_volumes;
mod devices;
mod disk_volumes;
mod disks;
mod dns;
mod downward_api;
mod exec;
mod exec_slips;
mod extra_devices;
mod firmware;
mod gates;
mod hyperv;
mod image;
mod instancetype;
mod interface;
pub(super) mod kind_of_file;
mod launch_security;
mod life;
mod lifecycle;
pub(super) mod limits;
mod liveness;
mod maker;
mod memory;
mod metadata;
mod network;
pub(super) mod object;
mod patience;
mod pets;
mod placement;
mod pod;
mod pod_resources;
mod ports;
mod probe;
mod reachability;
mod releases;
mod run_strategy;
pub(super) mod schema;
mod virt_probe;
mod volume;
mod volume_sources;
mod watchdog;
mod words;

use super::rule::Rule;

/// Every topic's rules. Findings of one layer come in this order.
pub(super) static TOPICS: &[&[&Rule]] = &[
    object::RULES,
    metadata::RULES,
    schema::RULES,
    releases::RULES,
    exec::RULES,
    exec_slips::RULES,
    virt_probe::RULES,
    probe::RULES,
    reachability::RULES,
    annotations::RULES,
    pod::RULES,
    liveness::RULES,
    patience::RULES,
    watchdog::RULES,
    pets::RULES,
    image::RULES,
    lifecycle::RULES,
    life::RULES,
    devices::RULES,
    instancetype::RULES,
    brought::RULES,
    maker::RULES,
    network::RULES,
    interface::RULES,
    ports::RULES,
    dns::RULES,
    placement::RULES,
    volume::RULES,
    run_strategy::RULES,
    memory::RULES,
    cpu::RULES,
    firmware::RULES,
    disks::RULES,
    disk_volumes::RULES,
    volume_sources::RULES,
    downward_api::RULES,
    words::RULES,
    data_volumes::RULES,
    credentials::RULES,
    extra_devices::RULES,
    gates::RULES,
    launch_security::RULES,
    architecture::RULES,
    hyperv::RULES,
    pod_resources::RULES,
    kind_of_file::RULES,
    limits::RULES,
];

//! What happens: the kubelet's prober, KubeVirt's controllers, the watchdog and the guest, as pure logic.
//!
//! Nothing here reads a clock, a file, a socket or a process; `clippy.toml` and `tests/purity.rs` keep it so.
//! Inputs carry their time, outputs are commands and the next wake-up. One [`world::Driver`] drives the [`engine::Engine`] in
//! every world: [`world::run`] in virtual time against the models in [`world`] and [`devices`], `vmhealth-guests` against a
//! real QEMU.
//!
//! ```text
//! manifest + scenario -> Engine <-> world (model | QEMU)
//!                          |
//!                        Trace -> judge -> verdict
//! ```

pub mod advise;
pub mod budget;
pub mod check;
pub mod cluster;
pub mod concern;
pub mod devices;
pub mod docs;
pub mod engine;
pub mod explain;
pub mod explore;
pub mod fault;
pub mod fixture;
pub mod fleet;
pub mod kubelet;
pub mod manifest;
pub mod meant;
pub mod scenario;
pub mod time;
pub mod timers;
pub mod trace;
pub mod why;
pub mod world;
pub mod yaml;

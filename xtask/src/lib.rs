//! The harness: it prepares this host, runs scenarios in the model and on real QEMU, compares the two, and reports what came
//! of it. The binaries `xtask` and `vmhealth` are [`cli`] and nothing else.

mod bar;
pub mod bench;
mod bounded;
pub mod check;
pub mod cli;
pub mod compare;
pub mod doctor;
mod durations;
pub mod host;
mod lines;
mod live;
pub mod mutation;
pub mod own;
pub mod prepare;
pub mod probe;
pub mod program;
pub mod recording;
pub mod report;
pub mod run;
pub mod sbom;
mod shard;
mod stderr;
pub mod submit;
pub mod workspace;

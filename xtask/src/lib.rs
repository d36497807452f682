//! The harness: it runs scenarios in the model and on real QEMU, compares the two, and reports what came of it.

pub mod bench;
pub mod check;
pub mod cli;
pub mod compare;
pub mod host;
pub mod mutation;
pub mod report;
pub mod run;

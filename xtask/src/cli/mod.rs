//! The command line: one file a command, each from its arguments through a call of the library to an exit status.
//!
//! `cargo xtask X` and `vmhealth X` are the same code; what needs vmhealth's own sources is `cargo xtask`'s alone.

mod advise;
mod arguments;
mod bench;
mod check;
mod command;
mod compare;
mod doctor;
mod e2e;
mod exit;
mod explore;
mod fleet;
mod guest_shell;
mod image;
mod interrupt;
mod json_lines;
mod judge;
mod loudness;
mod mutants;
mod output;
mod package;
mod parts;
mod pin;
mod probe;
mod prune;
mod report;
mod repro;
mod run;
mod sbom;
mod schema;
mod session;
mod shell;
mod start;
mod submit;
mod test;
mod why;

pub use start::{vmhealth, xtask};

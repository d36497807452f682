//! `check`: what the cluster would say to a manifest, layer by layer, and what it would not say (kubevirt-health.md 2).
//!
//! [`check`] takes a text and returns a [`Checked`] per VirtualMachine in it. A layer that refuses is an error; what nobody
//! refuses although it cannot work is an error of a layer beyond admission; what works but surprises is a warning.
//! Every [`Code`] carries its story. Nothing here boots or simulates anything: it must not know the engine.

mod admission;
mod beyond;
mod code;
mod document;
mod finding;
mod hazard;
mod hazard_code;
mod metadata;
mod pod;
mod schema;
mod template;
mod tree;
mod userdata;

pub use code::{Code, codes, explain};
pub use document::{Checked, Checks, Options, Skipped, check};
pub use finding::{Finding, Layer, Rank, Verdict};
pub use userdata::heartbeat;

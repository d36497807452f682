//! `check`: what the cluster would say to a manifest, layer by layer, and what it would not say (kubevirt-health.md 2).
//!
//! [`check`] takes a text and returns a [`Checked`] per object in it that is a VM or makes VMs ([`Kind`]). A layer that refuses is an error; what nobody
//! refuses although it cannot work is an error of a layer beyond admission; what works but surprises is a warning.
//! Every [`Rule`] carries its story and stands in one place, a file of its topic in `rules/`. Nothing here boots or simulates
//! anything: it must not know the engine.

mod address;
mod allow;
mod beside;
mod context;
mod document;
mod excuse;
mod expand;
pub mod gate;
mod guest_os;
mod image;
mod kind;
mod layer;
mod machine;
mod nic;
mod options;
mod part;
mod predicates;
mod registry;
mod rule;
mod rules;
mod same_name;
mod schema_table;
mod selectors;
mod template;
mod unrendered;

pub use allow::{Allowance, Allowed};
pub use beside::Remembered;
pub use document::{Checked, Checks, Skipped};
pub use kind::Kind;
pub use layer::{Layer, Rank, Verdict};
pub use options::Options;
pub use part::{check, check_piece};
pub use registry::{explain, rules};
pub use rule::{Finding, Rule};
pub use same_name::Names;

//! `cargo xtask check`: what was found in manifests, for machines and for people.
//!
//! Knows how things are shown, not what is wrong with a manifest: that is `vmhealth_sim::check` and `budget`.

mod budgets;
mod denied;
mod files;
pub(crate) mod github;
mod json;
mod junit;
mod output;
mod read;
mod render;
mod report;
mod sarif;
mod summary;

pub use budgets::render_budgets;
pub use denied::Denied;
pub use files::{Files, files};
pub use json::JsonReport;
pub use junit::Junit;
pub use output::Output;
pub use read::{ReadError, check_input};
pub use render::render;
pub use report::{CheckReport, report_schema};
pub use sarif::Sarif;
pub use summary::Summary;

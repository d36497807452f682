//! `cargo xtask check`: what was found in manifests, for machines and for people.
//!
//! Knows how things are shown, not what is wrong with a manifest: that is `vmhealth_sim::check` and `budget`.

mod budgets;
mod render;
mod report;

pub use budgets::render_budgets;
pub use render::render;
pub use report::{CheckReport, report_schema};

//! What a run leaves: `results.json` (stable schema), `junit.xml`, a table, metrics, evidence.

mod explored;
mod folder;
mod junit;
mod merge;
mod metrics;
mod results;
mod secrets;
mod table;

pub use explored::ExploreReport;
pub use folder::{RunFolder, ScenarioFolder};
pub use junit::junit;
pub use merge::merge;
pub use metrics::openmetrics;
pub(crate) use results::word;
pub use results::{Conformance, LOCAL, Machine, PlatformReport, Results, ScenarioResult, Summary, VerdictWord, place};
pub use secrets::Secrets;
pub use table::table;

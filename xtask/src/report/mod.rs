//! What a run leaves: `results.json` (stable schema), `report.html`, `junit.xml`, a table; for each scenario traces, metrics, evidence.

mod about;
mod advised;
mod annotations;
mod chrome;
mod evidence;
mod explored;
mod folder;
mod html;
mod junit;
mod lanes;
mod markdown;
mod merge;
mod metrics;
pub mod pictures;
mod plain;
mod reasons;
mod results;
mod secrets;
mod table;

pub use about::About;
pub use advised::{AdviseReport, Advised, Asked, LivesReport, yaml};
pub use annotations::annotations;
pub(crate) use evidence::{console_end, lines as timeline_lines};
pub use explored::ExploreReport;
pub use folder::{RunFolder, ScenarioFolder};
pub use html::html;
pub use junit::junit;
pub use markdown::markdown;
pub use merge::merge;
pub use metrics::openmetrics;
pub(crate) use plain::{plain, without_control};
pub use reasons::WhyReport;
pub(crate) use results::word;
pub use results::{Conformance, LOCAL, Machine, PlatformReport, Results, ScenarioResult, Summary, VerdictWord, place};
pub use secrets::Secrets;
pub use table::table;

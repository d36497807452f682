//! A scenario as data: which manifest, which guest, what is broken when, and what must then be seen.
//!
//! The same value drives both worlds. [`file`](self) types are what a scenario file holds (`deny_unknown_fields`
//! everywhere); [`Script`] walks the timeline, [`Judge`] holds the trace against the expectations.

mod fault;
mod file;
mod judge;
mod pattern;
mod script;

pub use fault::{Fault, Health};
pub use file::{
    Expectation, Final, GuestProfile, Keepalive, KnownDifference, Metadata, Never, Scenario, ScenarioError, Span, Spec,
    Step, TemplateEdit, Traffic, UserRequest, WatchdogDaemon, Window, json_schema,
};
pub use judge::{FinalState, Judge, Verdict};
pub use pattern::Pattern;
pub use script::{Due, Script, StepAction};

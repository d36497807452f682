//! A scenario as data: which manifest, which guest, what is broken when, and what must then be seen.
//!
//! The same value drives both worlds. [`file`](self) types are what a scenario file holds (`deny_unknown_fields`
//! everywhere); [`Script`] walks the timeline, [`Judge`] compares the trace with the expectations.

mod alive;
mod file;
mod guest;
mod judge;
mod pattern;
mod reading;
mod script;
mod user;
mod window;

pub use crate::fault::{
    BootLoop, ClockJump, Direction, DiskError, Fault, FaultKind, HEALTH_UNIT, Health, LongReboot, NodeLoss, OomVictim,
    PidsLimit, UnitFault, UnitName,
};
pub use crate::time::Span;
pub use alive::Alive;
pub use file::{
    Expectation, Final, FinalVmi, KnownDifference, Metadata, Never, Scenario, Spec, Step, Traffic, json_schema,
};
pub use guest::{GuestProfile, Keepalive, Petting, WatchdogByBusybox, WatchdogBySystemd, WatchdogDaemon};
pub use judge::{FinalState, Judge, Verdict};
pub use pattern::Pattern;
pub use reading::{ScenarioError, ScenarioProblem};
pub use script::{Due, Script, StepAction};
pub use user::{TemplateEdit, UserRequest, VmiAnnotation, VmiAnnotations};
pub use window::Window;
